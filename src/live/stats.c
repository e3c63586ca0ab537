/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Statistics: kernel/module/stats.c. What was loaded, what failed and where, the memory that was
 * spent in vain, and which modules were asked for although they were there.
 *
 * Produces kocoon_statistics() and the files of /sys/kernel/debug/modules. Counters are changed
 * and read without a lock; the list of failed loads is under the mutex.
 */
#include "live/views.h"

#include <errno.h>
#include <stdlib.h>

enum {
	FAILED_BECOMING = 1, /* FAIL_DUP_MOD_BECOMING */
	FAILED_LOAD = 2, /* FAIL_DUP_MOD_LOAD */
	FAILED_SHOWN = 111, /* one less than the kernel has room for */
};

struct kc_failed_load {
	struct kc_failed_load *next; /* newest first */
	char name[64];
	unsigned int reasons;
	uint64_t count;
};

/* ---- counting ---- */

/* try_add_failed_module(): of duplicates only. Without memory the name is left out. */
static void add_failed_module(struct kocoon *kocoon, const char *name, unsigned int reason)
{
	struct kc_failed_load *failed = kocoon->failed_loads;

	while (failed && strncmp(failed->name, name, sizeof(failed->name) - 1))
		failed = failed->next;
	if (!failed) {
		failed = calloc(1, sizeof(*failed));
		if (!failed)
			return;
		strncpy(failed->name, name, sizeof(failed->name) - 1);
		failed->next = kocoon->failed_loads;
		kocoon->failed_loads = failed;
	}
	failed->reasons |= reason;
	failed->count++;
}

/* Layout is where memory of the module's own begins, beside the image. */
static void count_failure(struct kocoon_stats *stats, enum kocoon_stage stage, uint64_t bytes)
{
	if (stage == KOCOON_STAGE_READ) {
		kc_count(&stats->failed_kernel_reads, 1);
		kc_count(&stats->invalid_kread_bytes, bytes);
	} else if (stage == KOCOON_STAGE_DECOMPRESS) {
		kc_count(&stats->failed_decompress, 1);
		kc_count(&stats->invalid_decompress_bytes, bytes);
	} else if (stage < KOCOON_STAGE_RWX) {
		kc_count(&stats->failed_becoming, 1);
		kc_count(&stats->invalid_becoming_bytes, bytes);
	} else {
		kc_count(&stats->failed_loads, 1);
		kc_count(&stats->invalid_module_bytes, 2 * bytes);
	}
	kc_count(&stats->failed_by_stage[stage], 1);
}

void kc_stats_failed(struct kocoon *kocoon, enum kocoon_stage stage, const char *name,
		     uint64_t bytes)
{
	count_failure(&kocoon->stats.public, stage, bytes);
	if (stage != KOCOON_STAGE_DUPLICATE || !name)
		return;
	pthread_mutex_lock(&kocoon->mutex);
	add_failed_module(kocoon, name, FAILED_BECOMING);
	pthread_mutex_unlock(&kocoon->mutex);
}

static uint64_t region_size(const struct kocoon_loaded *module, enum kocoon_region_kind kind)
{
	return atomic_load_explicit(&module->region_sizes[kind], memory_order_relaxed);
}

void kc_stats_loaded(struct kocoon *kocoon, const struct kocoon_loaded *module)
{
	struct kocoon_stats *stats = &kocoon->stats.public;

	kc_count(&stats->loaded, 1);
	kc_count(&stats->total_module_bytes, kc_total_size(module));
	kc_count(&stats->total_text_bytes, region_size(module, KOCOON_REGION_TEXT) +
						   region_size(module, KOCOON_REGION_INIT_TEXT));
}

void kc_stats_unloaded(struct kocoon *kocoon)
{
	kc_count(&kocoon->stats.public.unloaded, 1);
}

void kc_stats_free(struct kocoon *kocoon)
{
	while (kocoon->failed_loads) {
		struct kc_failed_load *failed = kocoon->failed_loads;

		kocoon->failed_loads = failed->next;
		free(failed);
	}
}

/* ---- reading ---- */

/* All members are counters. */
void kocoon_statistics(const struct kocoon *kocoon, struct kocoon_stats *stats_ret)
{
	const uint64_t *from = (const uint64_t *)&kocoon->stats.public;
	uint64_t *to = (uint64_t *)stats_ret;

	for (size_t i = 0; i < sizeof(*stats_ret) / sizeof(*to); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

struct line {
	const char *title;
	uint64_t value;
};

static int print_lines(struct kc_buffer *text, const struct line *lines, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = kc_view_print(text, "%25s\t%llu\n", lines[i].title,
				    (unsigned long long)lines[i].value);
	return err;
}

static uint64_t wasted(const struct kocoon_stats *stats)
{
	return stats->invalid_kread_bytes + stats->invalid_decompress_bytes +
	       stats->invalid_becoming_bytes + stats->invalid_module_bytes;
}

static int print_totals(struct kc_buffer *text, const struct kocoon_stats *stats)
{
	const struct line lines[] = {
		{ "Mods ever loaded", stats->loaded },
		{ "Mods failed on kread", stats->failed_kernel_reads },
		{ "Mods failed on decompress", stats->failed_decompress },
		{ "Mods failed on becoming", stats->failed_becoming },
		{ "Mods failed on load", stats->failed_loads },
		{ "Total module size", stats->total_module_bytes },
		{ "Total mod text size", stats->total_text_bytes },
		{ "Failed kread bytes", stats->invalid_kread_bytes },
		{ "Failed decompress bytes", stats->invalid_decompress_bytes },
		{ "Failed becoming bytes", stats->invalid_becoming_bytes },
		{ "Failed kmod bytes", stats->invalid_module_bytes },
		{ "Virtual mem wasted bytes", wasted(stats) },
	};

	return print_lines(text, lines, KC_ARRAY_SIZE(lines));
}

/* Rounded up; nothing where there is nothing to share out. */
static int print_averages(struct kc_buffer *text, const struct kocoon_stats *stats)
{
	const struct {
		const char *title;
		uint64_t sum, count;
	} averages[] = {
		{ "Average mod size", stats->total_module_bytes, stats->loaded },
		{ "Average mod text size", stats->total_text_bytes, stats->loaded },
		{ "Avg fail kread bytes", stats->invalid_kread_bytes, stats->failed_kernel_reads },
		{ "Avg fail becoming bytes", stats->invalid_becoming_bytes,
		  stats->failed_becoming },
		{ "Avg fail decomp bytes", stats->invalid_decompress_bytes,
		  stats->failed_decompress },
		{ "Average fail load bytes", stats->invalid_module_bytes, stats->failed_loads },
	};
	int err = 0;

	for (size_t i = 0; i < KC_ARRAY_SIZE(averages) && !err; i++) {
		uint64_t sum = averages[i].sum, count = averages[i].count;
		const struct line line = { averages[i].title,
					   count ? sum / count + (sum % count != 0) : 0 };

		if (count && sum)
			err = print_lines(text, &line, 1);
	}
	return err;
}

/* mod_fail_to_str() */
static const char *reason(const struct kc_failed_load *failed)
{
	if (failed->reasons == (FAILED_BECOMING | FAILED_LOAD))
		return "Becoming & Load";
	return failed->reasons == FAILED_BECOMING ? "Becoming" : "Load";
}

/* Under the mutex. */
static int print_failed(struct kc_buffer *text, const struct kc_failed_load *failed)
{
	int err;

	if (!failed)
		return 0;
	err = kc_view_print(text, "Duplicate failed modules:\n%25s\t%15s\t%25s\n", "Module-name",
			    "How-many-times", "Reason");
	for (int i = 0; failed && i < FAILED_SHOWN && !err; i++, failed = failed->next)
		err = kc_view_print(text, "%25s\t%15llu\t%25s\n", failed->name,
				    (unsigned long long)failed->count, reason(failed));
	return err;
}

static int show_stats(const struct kc_view_place *place, struct kc_buffer *text)
{
	struct kocoon_stats stats;
	int err;

	kocoon_statistics(place->kocoon, &stats);
	err = print_totals(text, &stats);
	if (!err)
		err = print_averages(text, &stats);
	if (err)
		return err;
	pthread_mutex_lock(&place->kocoon->mutex);
	err = print_failed(text, place->kocoon->failed_loads);
	pthread_mutex_unlock(&place->kocoon->mutex);
	return err;
}

/* ---- files ---- */

/* A file with one counter. */
struct counter_node {
	struct kc_node node;
	size_t offset; /* in struct kocoon_stats */
};

static int show_counter(const struct kc_view_place *place, struct kc_buffer *text)
{
	const struct counter_node *counter = (const void *)place->node;
	struct kocoon_stats stats;

	kocoon_statistics(place->kocoon, &stats);
	return kc_view_print(text, "%llu\n",
			     (unsigned long long)kc_load64((const char *)&stats + counter->offset));
}

#define COUNTER(file, member)                                                                    \
	static const struct counter_node file = {                                                \
		{ .name = #file, .kind = KOCOON_VIEW_FILE, .mode = 0400, .show = show_counter }, \
		offsetof(struct kocoon_stats, member),                                           \
	}

COUNTER(total_mod_size, total_module_bytes);
COUNTER(total_text_size, total_text_bytes);
COUNTER(invalid_kread_bytes, invalid_kread_bytes);
COUNTER(invalid_decompress_bytes, invalid_decompress_bytes);
COUNTER(invalid_becoming_bytes, invalid_becoming_bytes);
COUNTER(invalid_mod_bytes, invalid_module_bytes);
COUNTER(modcount, loaded);
COUNTER(failed_kreads, failed_kernel_reads);
COUNTER(failed_decompress, failed_decompress);
COUNTER(failed_becoming, failed_becoming);
COUNTER(failed_load_modules, failed_loads);

static const struct kc_node stats_node = {
	.name = "stats",
	.kind = KOCOON_VIEW_FILE,
	.mode = 0400,
	.show = show_stats,
};

const struct kc_node kc_node_debug_modules = {
	.name = "modules",
	.kind = KOCOON_VIEW_FOLDER,
	.mode = 0755,
	.children =
		(const struct kc_node *const[]){
			&total_mod_size.node,
			&total_text_size.node,
			&invalid_kread_bytes.node,
			&invalid_decompress_bytes.node,
			&invalid_becoming_bytes.node,
			&invalid_mod_bytes.node,
			&modcount.node,
			&failed_kreads.node,
			&failed_decompress.node,
			&failed_becoming.node,
			&failed_load_modules.node,
			&stats_node,
			&kc_node_unloaded_tainted,
			NULL,
		},
};

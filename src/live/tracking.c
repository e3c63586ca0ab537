/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taints: the kernel's own, and those of modules that are gone (kernel/panic.c,
 * kernel/module/tracking.c).
 *
 * The record of a module that goes is made when it comes, so that unloading needs no memory.
 */
#include "live/views.h"

#include <errno.h>
#include <stdlib.h>

struct kc_unload_taint {
	struct kc_unload_taint *next; /* newest first */
	char name[64];
	uint64_t taints;
	uint64_t count;
};

/* ---- the kernel's ---- */

uint64_t kocoon_tainted(const struct kocoon *kocoon)
{
	return atomic_load_explicit(&kocoon->tainted, memory_order_relaxed);
}

void kocoon_add_taint(struct kocoon *kocoon, unsigned int bit)
{
	if (bit < 64)
		atomic_fetch_or(&kocoon->tainted, 1ULL << bit);
}

/* ---- unloaded modules' ---- */

int kc_track_prepare(struct kocoon_loaded *module)
{
	if (!module->unload_taint)
		module->unload_taint = calloc(1, sizeof(*module->unload_taint));
	return module->unload_taint ? 0 : -ENOMEM;
}

/* One that has been noted by name counts if it shares any taint. */
static struct kc_unload_taint *find(const struct kocoon *kocoon, const char *name, uint64_t taints)
{
	struct kc_unload_taint *noted = kocoon->unload_taints;

	while (noted && (strcmp(noted->name, name) || !(noted->taints & taints)))
		noted = noted->next;
	return noted;
}

void kc_track_unload(struct kocoon *kocoon, struct kocoon_loaded *module)
{
	uint64_t taints = kocoon_loaded_taints(module);
	struct kc_unload_taint *noted;

	if (!taints || !module->unload_taint)
		return;
	noted = find(kocoon, module->name, taints);
	if (!noted) {
		noted = module->unload_taint;
		module->unload_taint = NULL;
		memcpy(noted->name, module->name, sizeof(noted->name));
		noted->taints = taints;
		noted->next = kocoon->unload_taints;
		kocoon->unload_taints = noted;
	}
	noted->count++;
}

void kc_track_free(struct kocoon_loaded *module)
{
	free(module->unload_taint);
	module->unload_taint = NULL;
}

void kc_tracking_free(struct kocoon *kocoon)
{
	while (kocoon->unload_taints) {
		struct kc_unload_taint *noted = kocoon->unload_taints;

		kocoon->unload_taints = noted->next;
		free(noted);
	}
}

static int show_unloaded_tainted(const struct kc_view_place *place, struct kc_buffer *text)
{
	struct kocoon *kocoon = place->kocoon;
	int err = 0;

	pthread_mutex_lock(&kocoon->mutex);
	for (const struct kc_unload_taint *noted = kocoon->unload_taints; noted && !err;
	     noted = noted->next) {
		char letters[32];

		kocoon_taint_letters(noted->taints, letters);
		err = kc_view_print(text, "%s (%s) %llu\n", noted->name, letters,
				    (unsigned long long)noted->count);
	}
	pthread_mutex_unlock(&kocoon->mutex);
	return err;
}

const struct kc_node kc_node_unloaded_tainted = {
	.name = "unloaded_tainted",
	.kind = KOCOON_VIEW_FILE,
	.mode = 0444,
	.show = show_unloaded_tainted,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many threads load, unload, look up, read: see struct kocoon's promises in kocoon/live.h. Every
 * answer has to be one that the kernel could give, readers never see a module that is not formed,
 * and at the end nothing is left.
 *
 * KOCOON_STRESS_STEPS says how much each thread does.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kocoon/live.h>

#include "supplies.h"

enum { THREADS = 32, STEPS = 400, HELLOS = 12 };

/* Loaded from memory, each under one name. */
struct candidate {
	char name[24];
	unsigned char *image; /* owned */
	size_t len;
	const char *args;
};

static struct candidate candidates[HELLOS + 6];
static size_t candidate_count;
static struct kocoon *kocoon;
static atomic_ulong loads, unloads, found_addresses, found_symbols;

static void add(const char *module, const char *name, const char *args)
{
	struct candidate *candidate = &candidates[candidate_count++];

	candidate->image = live_image(module, &candidate->len);
	assert_non_null(candidate->image);
	assert_true(strcmp(module, name) == 0 ||
		    live_rename(candidate->image, candidate->len, name));
	snprintf(candidate->name, sizeof(candidate->name), "%s", name);
	candidate->args = args;
}

static int prepare(void **state)
{
	(void)state;
	for (int i = 0; i < HELLOS; i++) {
		char name[24];

		snprintf(name, sizeof(name), "hello%d", i);
		add("hello", name, "");
	}
	add("chain_a", "chain_a", "");
	add("chain_b", "chain_b", "");
	add("chain_c", "chain_c", "");
	add("parameters", "parameters", "int=7 charp=text");
	add("percpu", "percpu", "");
	add("large", "large", "");
	kocoon = live_new(NULL, NULL);
	assert_non_null(kocoon);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	kocoon_free(kocoon);
	for (size_t i = 0; i < candidate_count; i++)
		free(candidates[i].image);
	return 0;
}

/* ---- what a thread does ---- */

static void expect(bool good, const char *what, int err)
{
	if (good)
		return;
	fprintf(stderr, "stress: %s: %d\n", what, err);
	abort();
}

static unsigned int pick(unsigned int *seed, unsigned int count)
{
	return (unsigned int)rand_r(seed) % count;
}

static const struct candidate *pick_candidate(unsigned int *seed)
{
	return &candidates[pick(seed, (unsigned int)candidate_count)];
}

static void load(unsigned int *seed)
{
	const struct candidate *candidate = pick_candidate(seed);
	int err =
		kocoon_init_module(kocoon, candidate->image, candidate->len, candidate->args, NULL);

	atomic_fetch_add(&loads, err == 0);
	expect(!err || err == -EEXIST || err == -EBUSY || err == -ENOENT, "init_module", err);
	/* Only chains have imports that may be missing. */
	expect(err != -ENOENT || strncmp(candidate->name, "chain_", 6) == 0, "unknown symbol", err);
}

static void unload(unsigned int *seed)
{
	int err = kocoon_delete_module(kocoon, pick_candidate(seed)->name, O_NONBLOCK);

	atomic_fetch_add(&unloads, err == 0);
	expect(!err || err == -ENOENT || err == -EBUSY || err == -EWOULDBLOCK, "delete_module",
	       err);
}

static bool is_known(const char *name)
{
	for (size_t i = 0; i < candidate_count; i++)
		if (strcmp(candidates[i].name, name) == 0)
			return true;
	return false;
}

/* Whatever is seen of it, it is whole. */
static int look_at(struct kocoon_loaded *module, void *context)
{
	uint64_t *address = context;
	uint64_t size;

	expect(kocoon_loaded_state(module) != KOCOON_STATE_UNFORMED ||
		       kocoon_loaded_this_module(module),
	       "a module that isn't formed", 0);
	expect(is_known(kocoon_loaded_name(module)), "a name that nobody has", 0);
	kocoon_loaded_region(module, KOCOON_REGION_TEXT, address, &size);
	return 0;
}

static void look_up_addresses(unsigned int *seed)
{
	struct kocoon_address found;
	uint64_t address = 0;

	kocoon_each_module(kocoon, look_at, &address);
	for (int i = 0; i < 16; i++) {
		uint64_t at = address + pick(seed, 1 << 20);
		struct kocoon_loaded *module;

		kocoon_read_lock();
		module = kocoon_module_address(kocoon, at);
		if (module)
			expect(is_known(kocoon_loaded_name(module)), "module_address", 0);
		kocoon_read_unlock();
		atomic_fetch_add(&found_addresses, module != NULL);
		if (!kocoon_lookup_address(kocoon, at, &found))
			continue;
		expect(is_known(found.module) && *found.symbol, "lookup_address", 0);
		atomic_fetch_add(&found_symbols, 1);
	}
}

static void look_up_names(unsigned int *seed)
{
	const char *names[] = { "chain_a_plain", "chain_a:chain_a_plain", "percpu_add",
				"percpu:percpu_add", "no_such_symbol" };
	const char *name = names[pick(seed, 5)];
	uint64_t address = kocoon_lookup_name(kocoon, name);

	expect(!address || strcmp(name, "no_such_symbol") != 0, "lookup_name", 0);
	if (kocoon_symbol_get(kocoon, "chain_a_gpl"))
		kocoon_symbol_put(kocoon, "chain_a_gpl");
}

static void refer(unsigned int *seed)
{
	struct kocoon_loaded *module = kocoon_find_get(kocoon, pick_candidate(seed)->name);

	if (!module)
		return;
	expect(kocoon_module_refcount(module) > 0, "refcount", kocoon_module_refcount(module));
	expect(is_known(kocoon_loaded_name(module)), "find_get", 0);
	if (kocoon_try_module_get(module))
		kocoon_module_put(module);
	kocoon_module_put(module);
}

/* name size refcnt users state address [taints] */
static void check_proc_modules(void)
{
	const struct kocoon_reader reader = { .show_addresses = true };
	char *text, *line, *rest;
	size_t len;
	int err = kocoon_view_read(kocoon, "/proc/modules", &reader, &text, &len);

	expect(!err, "/proc/modules", err);
	rest = text;
	while ((line = strsep(&rest, "\n")) && *line) {
		char name[64], users[512], status[16];
		unsigned long long address;
		unsigned int size;
		int references;

		expect(sscanf(line, "%63s %u %d %511s %15s 0x%llx", name, &size, &references, users,
			      status, &address) == 6,
		       line, 0);
		expect(is_known(name) && size && size % 4096 == 0, line, 0);
		expect(!strcmp(status, "Live") || !strcmp(status, "Loading") ||
			       !strcmp(status, "Unloading"),
		       line, 0);
	}
	free(text);
}

static void read_views(unsigned int *seed)
{
	const char *files[] = { "refcnt", "initstate",	    "coresize",
				"taint",  "parameters/int", "sections/.text" };
	char path[128], *text;
	size_t len;
	int err;

	check_proc_modules();
	snprintf(path, sizeof(path), "/sys/module/%s/%s", pick_candidate(seed)->name,
		 files[pick(seed, 6)]);
	err = kocoon_view_read(kocoon, path, NULL, &text, &len);
	expect(!err || err == -ENOENT || err == -ENODEV, path, err);
	if (!err)
		free(text);
}

static void use_parameters(unsigned int *seed)
{
	char value[16], *text;
	int err;

	snprintf(value, sizeof(value), "%u", pick(seed, 1000));
	err = kocoon_set_parameter(kocoon, "parameters", "int", value);
	expect(!err || err == -ENOENT, "set_parameter", err);
	err = kocoon_get_parameter(kocoon, "parameters", "int", &text);
	expect(!err || err == -ENOENT, "get_parameter", err);
	if (!err) {
		expect(strtol(text, NULL, 10) < 1000, text, 0);
		free(text);
	}
}

static int ignore_event(void *context, enum kocoon_module_state event, struct kocoon_loaded *module)
{
	(void)context;
	expect(event != KOCOON_STATE_UNFORMED && is_known(kocoon_loaded_name(module)), "notifier",
	       0);
	return 0;
}

static void notify(unsigned int *seed)
{
	expect(kocoon_register_notifier(kocoon, ignore_event, seed, 0) == 0, "register", 0);
	load(seed);
	expect(kocoon_unregister_notifier(kocoon, ignore_event, seed) == 0, "unregister", 0);
}

static void *run(void *context)
{
	static void (*const acts[])(unsigned int *) = {
		load,	       load,  unload,	  unload,	  look_up_addresses,
		look_up_names, refer, read_views, use_parameters, notify,
	};
	unsigned int seed = (unsigned int)(uintptr_t)context;
	const char *text = getenv("KOCOON_STRESS_STEPS");
	long steps = text ? strtol(text, NULL, 10) : STEPS;

	for (long i = 0; i < steps; i++)
		acts[pick(&seed, sizeof(acts) / sizeof(acts[0]))](&seed);
	return NULL;
}

/* ---- and what is left ---- */

static int count_reference(struct kocoon_loaded *module, void *context)
{
	unsigned int *count = context;
	bool used = strcmp(kocoon_loaded_name(module), "chain_a") == 0 ||
		    strcmp(kocoon_loaded_name(module), "chain_b") == 0;

	assert_int_equal(kocoon_loaded_state(module), KOCOON_STATE_LIVE);
	if (!used)
		assert_int_equal(kocoon_module_refcount(module), 0);
	(*count)++;
	return 0;
}

static void the_list_is_right_at_the_end(void **state)
{
	unsigned int left = 0;
	pthread_t threads[THREADS];
	struct kocoon_stats stats;

	(void)state;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)(i + 1)), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);

	kocoon_each_module(kocoon, count_reference, &left);
	assert_int_equal(atomic_load(&loads) - atomic_load(&unloads), left);
	kocoon_statistics(kocoon, &stats);
	assert_int_equal(stats.loaded, atomic_load(&loads));
	assert_int_equal(stats.unloaded, atomic_load(&unloads));
	/* All of it did happen. */
	assert_true(atomic_load(&unloads) > 100);
	assert_true(atomic_load(&found_addresses) > 0);
	assert_true(atomic_load(&found_symbols) > 0);

	/* Users first; then nothing is left, and none of the references was lost. */
	for (size_t i = candidate_count; i-- > 0;) {
		int err = kocoon_delete_module(kocoon, candidates[i].name, O_NONBLOCK);

		if (err)
			assert_int_equal(err, -ENOENT);
	}
	left = 0;
	kocoon_each_module(kocoon, count_reference, &left);
	assert_int_equal(left, 0);
	for (size_t i = 0; i < candidate_count; i++)
		assert_int_equal(kocoon_init_module(kocoon, candidates[i].image, candidates[i].len,
						    candidates[i].args, NULL),
				 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_list_is_right_at_the_end),
	};

	return cmocka_run_group_tests(tests, prepare, finish);
}

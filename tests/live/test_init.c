/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Init, exit, unloading, notifiers, and what module code relies on: per-CPU data, static keys and
 * calls, the stack protector, data of every protection.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "supplies.h"

static struct kocoon_kernel *kernel;
static char events[512], uevents[256];
static int unload_errno; /* of what a notifier did */

static int note_uevent(const char *action, const char *module)
{
	size_t len = strlen(uevents);

	return snprintf(uevents + len, sizeof(uevents) - len, "%s %s;", action, module);
}

static void uevent(void *context, const char *action, const char *module)
{
	(void)context;
	note_uevent(action, module);
}

static int begin(void **state)
{
	const struct kocoon_options options = { .hooks = { .uevent = uevent } };

	live_forget();
	*events = 0;
	*uevents = 0;
	*state = live_new(kernel, &options);
	return *state ? 0 : -1;
}

static int end(void **state)
{
	kocoon_free(*state);
	return 0;
}

static bool is_there(struct kocoon *kocoon, const char *name)
{
	bool there;

	kocoon_read_lock();
	there = kocoon_find_module(kocoon, name) != NULL;
	kocoon_read_unlock();
	return there;
}

static void init_that_fails_leaves_nothing(void **state)
{
	struct kocoon *kocoon = *state;
	struct kocoon_stats stats;

	assert_int_equal(live_load(kocoon, "init_returns", "value=-5"), -EIO);
	assert_true(live_said("init_returns: -5"));
	assert_false(live_said("init_returns: exit"));
	assert_false(is_there(kocoon, "init_returns"));
	assert_int_equal(kocoon_lookup_name(kocoon, "init_returns:cleanup_module"), 0);
	assert_int_equal(kocoon_delete_module(kocoon, "init_returns", 0), -ENOENT);
	assert_int_equal(live_load(kocoon, "init_returns", "value=-5000"), -5000);
	kocoon_statistics(kocoon, &stats);
	assert_int_equal(stats.loaded, 0);
	assert_int_equal(stats.failed_by_stage[KOCOON_STAGE_INIT], 2);
	assert_string_equal(uevents, "");
	/* Its exports went with it. */
	assert_int_equal(live_load(kocoon, "chain_a", "fail=-5"), -EIO);
	assert_int_equal(kocoon_symbol_address(kocoon, "chain_a_gpl"), 0);
	assert_int_equal(live_load(kocoon, "chain_a", ""), 0);
	assert_true(kocoon_symbol_address(kocoon, "chain_a_gpl") != 0);
}

static void init_that_returns_more_is_loaded(void **state)
{
	struct kocoon *kocoon = *state;

	assert_int_equal(live_load(kocoon, "init_returns", "value=7"), 0);
	assert_true(is_there(kocoon, "init_returns"));
	assert_string_equal(uevents, "add init_returns;");
	assert_int_equal(kocoon_delete_module(kocoon, "init_returns", 0), 0);
	assert_true(live_said("init_returns: exit"));
	assert_string_equal(uevents, "add init_returns;remove init_returns;");
}

static void without_exit_only_force_unloads(void **state)
{
	struct kocoon *kocoon = *state;
	enum { FORCED_RMMOD = 1 << 3 };

	assert_int_equal(live_load(kocoon, "permanent", ""), 0);
	assert_int_equal(kocoon_delete_module(kocoon, "permanent", 0), -EBUSY);
	assert_int_equal(kocoon_delete_module(kocoon, "permanent", O_NONBLOCK), -EBUSY);
	assert_false(kocoon_tainted(kocoon) & FORCED_RMMOD);
	assert_int_equal(kocoon_delete_module(kocoon, "permanent", O_TRUNC), 0);
	assert_true(kocoon_tainted(kocoon) & FORCED_RMMOD);
	assert_false(is_there(kocoon, "permanent"));
	/* Without either there is nothing to wait for. */
	assert_int_equal(live_load(kocoon, "no_init", ""), 0);
	assert_int_equal(live_call_int(kocoon, "no_init:no_init_answer", 0, 0), 42);
	assert_int_equal(kocoon_delete_module(kocoon, "no_init", 0), 0);
}

static void kernels_without_force(void **state)
{
	const struct kocoon_options options = { .no_force_unload = true };
	struct kocoon *kocoon = live_new(kernel, &options);

	(void)state;
	assert_non_null(kocoon);
	assert_int_equal(live_load(kocoon, "permanent", ""), 0);
	assert_int_equal(kocoon_delete_module(kocoon, "permanent", O_TRUNC), -EBUSY);
	kocoon_free(kocoon);
}

static void references_keep_it(void **state)
{
	struct kocoon *kocoon = *state;

	assert_int_equal(live_load(kocoon, "holder", ""), 0);
	assert_int_equal(live_call_int(kocoon, "holder:holder_take", 0, 0), 0);
	assert_int_equal(kocoon_delete_module(kocoon, "holder", 0), -EWOULDBLOCK);
	assert_int_equal(kocoon_delete_module(kocoon, "holder", O_NONBLOCK), -EWOULDBLOCK);
	live_call(kocoon, "holder:holder_drop", 0, 0);
	assert_int_equal(kocoon_delete_module(kocoon, "holder", 0), 0);
	assert_int_equal(live_load(kocoon, "holder", "hold=1"), 0);
	assert_int_equal(kocoon_delete_module(kocoon, "holder", 0), -EWOULDBLOCK);
	assert_int_equal(kocoon_delete_module(kocoon, "holder", O_TRUNC | O_NONBLOCK), 0);
}

/* The kernel of these modules has no CONFIG_CONSTRUCTORS; no kernel: they are called. */
static void constructors(void **state)
{
	struct kocoon *bare = live_new(NULL, NULL);

	assert_non_null(bare);
	assert_int_equal(live_load(*state, "constructor", ""), 0);
	assert_true(live_said("constructor: ran 0 times"));
	assert_int_equal(live_load(bare, "constructor", ""), 0);
	assert_true(live_said("constructor: ran 1 times"));
	kocoon_free(bare);
}

static int unload_by_force(void *context, enum kocoon_module_state event,
			   struct kocoon_loaded *module)
{
	if (event == KOCOON_STATE_LIVE)
		unload_errno = kocoon_delete_module(context, kocoon_loaded_name(module), O_TRUNC);
	return 0;
}

static void force_waits_for_the_load(void **state)
{
	struct kocoon *kocoon = *state;
	enum { FORCED_RMMOD = 1 << 3 };

	assert_int_equal(kocoon_register_notifier(kocoon, unload_by_force, kocoon, 0), 0);
	assert_int_equal(live_load(kocoon, "hello", ""), 0);
	assert_int_equal(unload_errno, -EWOULDBLOCK);
	assert_true(is_there(kocoon, "hello"));
	assert_false(kocoon_tainted(kocoon) & FORCED_RMMOD);
	assert_int_equal(kocoon_delete_module(kocoon, "hello", O_TRUNC), 0);
}

/* ---- notifiers ---- */

static int note(void *context, enum kocoon_module_state event, struct kocoon_loaded *module)
{
	static const char *const names[] = { "live", "coming", "going" };
	const char *who = context;
	size_t len = strlen(events);

	snprintf(events + len, sizeof(events) - len, "%s %s %s;", who, kocoon_loaded_name(module),
		 names[event]);
	return *who == '!' && event == KOCOON_STATE_COMING ? -EACCES : 0;
}

static void notifiers_are_called_in_order(void **state)
{
	struct kocoon *kocoon = *state;
	char low[] = "low", high[] = "high";

	assert_int_equal(kocoon_register_notifier(kocoon, note, low, -1), 0);
	assert_int_equal(kocoon_register_notifier(kocoon, note, high, 1), 0);
	assert_int_equal(kocoon_register_notifier(kocoon, note, high, 1), -EEXIST);
	assert_int_equal(live_load(kocoon, "hello", ""), 0);
	assert_string_equal(events,
			    "high hello coming;low hello coming;high hello live;low hello live;");
	*events = 0;
	assert_int_equal(kocoon_delete_module(kocoon, "hello", 0), 0);
	assert_string_equal(events, "high hello going;low hello going;");
	*events = 0;
	assert_int_equal(live_load(kocoon, "init_returns", "value=-5"), -EIO);
	assert_string_equal(events, "high init_returns coming;low init_returns coming;"
				    "high init_returns going;low init_returns going;");
	assert_int_equal(kocoon_unregister_notifier(kocoon, note, low), 0);
	assert_int_equal(kocoon_unregister_notifier(kocoon, note, low), -ENOENT);
	assert_int_equal(kocoon_unregister_notifier(kocoon, note, high), 0);
}

static void notifiers_can_refuse(void **state)
{
	struct kocoon *kocoon = *state;
	char high[] = "high", no[] = "!no", low[] = "low";

	assert_int_equal(kocoon_register_notifier(kocoon, note, low, -1), 0);
	assert_int_equal(kocoon_register_notifier(kocoon, note, no, 0), 0);
	assert_int_equal(kocoon_register_notifier(kocoon, note, high, 1), 0);
	assert_int_equal(live_load(kocoon, "hello", ""), -EACCES);
	assert_string_equal(events, "high hello coming;!no hello coming;high hello going;");
	assert_false(live_said("hello: here"));
	assert_false(is_there(kocoon, "hello"));
	assert_int_equal(kocoon_unregister_notifier(kocoon, note, low), 0);
	assert_int_equal(kocoon_unregister_notifier(kocoon, note, no), 0);
	assert_int_equal(kocoon_unregister_notifier(kocoon, note, high), 0);
}

/* In place of a pointer in struct module, found by what it points to. */
static void clear_pointer(struct kocoon_loaded *module, uint64_t pointer)
{
	uint64_t *words = (uint64_t *)(uintptr_t)kocoon_loaded_this_module(module);
	size_t count = kocoon_kernel_struct_size(kernel, "module") / sizeof(uint64_t);

	for (size_t i = 0; i < count; i++)
		if (words[i] == pointer)
			words[i] = 0;
}

static int keep_from_running(void *context, enum kocoon_module_state event,
			     struct kocoon_loaded *module)
{
	struct kocoon *kocoon = context;

	if (event != KOCOON_STATE_COMING)
		return 0;
	clear_pointer(module, kocoon_lookup_name(kocoon, "init_returns:init_module"));
	clear_pointer(module, kocoon_lookup_name(kocoon, "init_returns:cleanup_module"));
	return 0;
}

/* Which init and exit a module has, its struct module says when they are to be called. */
static void notifiers_can_take_init_and_exit_away(void **state)
{
	struct kocoon *kocoon = *state;

	assert_int_equal(kocoon_register_notifier(kocoon, keep_from_running, kocoon, 0), 0);
	assert_int_equal(live_load(kocoon, "init_returns", "value=-5"), 0);
	assert_true(is_there(kocoon, "init_returns"));
	assert_int_equal(kocoon_delete_module(kocoon, "init_returns", 0), 0);
	assert_false(live_said("init_returns: -5"));
	assert_false(live_said("init_returns: exit"));
	assert_int_equal(kocoon_unregister_notifier(kocoon, keep_from_running, kocoon), 0);
}

static void modules_watch_modules(void **state)
{
	struct kocoon *kocoon = *state;

	assert_int_equal(live_load(kocoon, "watcher", "refuse=hello"), 0);
	assert_true(live_said("watcher: watcher 0"));
	assert_int_equal(live_load(kocoon, "hello", ""), -EPERM);
	assert_true(live_said("watcher: hello 1"));
	assert_false(live_said("hello: here"));
	assert_int_equal(live_load(kocoon, "no_init", ""), 0);
	assert_int_equal(kocoon_delete_module(kocoon, "no_init", 0), 0);
	assert_int_equal(live_said_count("watcher: no_init "), 3);
	assert_int_equal(kocoon_delete_module(kocoon, "watcher", 0), 0);
	assert_int_equal(live_load(kocoon, "hello", ""), 0);
	assert_int_equal(live_said_count("watcher: hello "), 1);
}

/* ---- what module code relies on ---- */

static void per_cpu_data(void **state)
{
	struct kocoon *kocoon = *state;
	uint64_t offset;
	long *mine;

	assert_int_equal(live_load(kocoon, "percpu", ""), 0);
	kocoon_enter(kocoon); /* keeps the CPU over several calls */
	assert_int_equal(live_call(kocoon, "percpu:percpu_add", 5, 0), 1005);
	assert_int_equal(live_call(kocoon, "percpu:percpu_add", 5, 0), 1010);
	assert_int_equal(live_call(kocoon, "percpu:percpu_read", 0, 0), 1012);
	offset = (uint64_t)live_call(kocoon, "percpu:percpu_raw_offset", 0, 0);
	mine = (long *)live_call(kocoon, "percpu:percpu_address", 0, 0);
	assert_int_equal(*mine, 1010);
	/* Both are the same memory, wherever it is seen. */
	*(long *)kocoon_per_cpu(kocoon, offset, (unsigned int)kocoon_cpu(kocoon)) = 2000;
	assert_int_equal(*mine, 2000);
	for (unsigned int cpu = 0; kocoon_per_cpu(kocoon, offset, cpu); cpu++)
		if ((int)cpu != kocoon_cpu(kocoon))
			assert_int_equal(*(long *)kocoon_per_cpu(kocoon, offset, cpu), 1000);
	kocoon_leave(kocoon);
	assert_int_equal(kocoon_delete_module(kocoon, "percpu", 0), 0);
	assert_int_equal(live_load(kocoon, "percpu", ""), 0); /* its first values are there again */
}

static void code_that_is_patched(void **state)
{
	struct kocoon *kocoon = *state;

	assert_int_equal(live_load(kocoon, "keys", ""), 0);
	assert_true(live_said("keys: 3 0 43 1"));
	assert_int_equal(live_call_int(kocoon, "keys:keys_likely", 0, 0), 3);
	assert_int_equal(live_call_int(kocoon, "keys:keys_unlikely", 0, 0), 0);
	assert_int_equal(live_call_int(kocoon, "keys:keys_call", 4, 0), 9);
	assert_int_equal(live_call_int(kocoon, "keys:keys_call_null", 4, 0), 1);
	assert_int_equal(live_load(kocoon, "protector", ""), 0);
	assert_true(live_said("protector: 102"));
	assert_int_equal(live_call_int(kocoon, "protector:protector_sum", (uintptr_t) "bcde", 0),
			 'b' + 4);
}

static void large_tables(void **state)
{
	struct kocoon *kocoon = *state;
	struct kocoon_address found;

	assert_int_equal(live_load(kocoon, "large", ""), 0);
	assert_true(live_said("large: 2999010"));
	assert_int_equal(live_call_int(kocoon, "large:large_sum", 0, 0), 2999010);
	assert_int_equal(live_call_int(kocoon, "large:large_function_777", 3, 0), 1780);
	assert_true(kocoon_symbol_address(kocoon, "large_variable_555") != 0);
	assert_true(kocoon_lookup_address(
		kocoon, live_symbol(kocoon, "large:large_function_123") + 2, &found));
	assert_string_equal(found.symbol, "large_function_123");
	assert_string_equal(found.module, "large");
	assert_int_equal(found.offset, 2);
	/* What was only for init is gone. */
	assert_int_equal(kocoon_lookup_name(kocoon, "large:init_module"), 0);
	assert_int_equal(kocoon_delete_module(kocoon, "large", 0), 0);
}

struct helper {
	struct kocoon *kocoon;
	const char *name;
	int err;
};

static void *load_it(void *context)
{
	struct helper *helper = context;

	helper->err = live_load(helper->kocoon, helper->name, NULL);
	return NULL;
}

/* As modprobe does, the load is another thread's work. */
static int load_elsewhere(void *context, const char *name, bool wait)
{
	struct helper helper = { *(struct kocoon **)context, name, -1 };
	pthread_t thread;

	if (!wait || pthread_create(&thread, NULL, load_it, &helper))
		return -EAGAIN;
	pthread_join(thread, NULL);
	return helper.err;
}

/* Both inits need the one CPU. */
static void init_that_asks_gives_its_cpu_up(void **state)
{
	struct kocoon *kocoon = NULL;
	const struct kocoon_options options = {
		.cpus = 1, .hooks = { .context = &kocoon, .modprobe = load_elsewhere }
	};

	(void)state;
	live_forget();
	kocoon = live_new(kernel, &options);
	assert_non_null(kocoon);
	assert_int_equal(live_load(kocoon, "asker", "name=hello"), 0);
	assert_true(live_said("asker: hello 0"));
	assert_true(is_there(kocoon, "hello"));
	assert_int_equal(kocoon_cpu(kocoon), -1);
	kocoon_enter(kocoon);
	kocoon_enter(kocoon);
	assert_int_equal(live_load(kocoon, "parameters", NULL), 0);
	assert_int_equal(kocoon_cpu(kocoon), 0);
	kocoon_leave(kocoon);
	assert_int_equal(kocoon_cpu(kocoon), 0);
	kocoon_leave(kocoon);
	assert_int_equal(kocoon_cpu(kocoon), -1);
	kocoon_free(kocoon);
}

static int open_kernel(void **state)
{
	(void)state;
	kernel = live_kernel();
	return kernel ? 0 : -1;
}

static int free_kernel(void **state)
{
	(void)state;
	kocoon_kernel_free(kernel);
	return 0;
}

#define LIVE_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(init_that_fails_leaves_nothing),
		LIVE_TEST(init_that_returns_more_is_loaded),
		LIVE_TEST(without_exit_only_force_unloads),
		cmocka_unit_test(kernels_without_force),
		LIVE_TEST(references_keep_it),
		LIVE_TEST(force_waits_for_the_load),
		LIVE_TEST(constructors),
		LIVE_TEST(notifiers_are_called_in_order),
		LIVE_TEST(notifiers_can_refuse),
		LIVE_TEST(notifiers_can_take_init_and_exit_away),
		LIVE_TEST(modules_watch_modules),
		LIVE_TEST(per_cpu_data),
		LIVE_TEST(code_that_is_patched),
		LIVE_TEST(large_tables),
		cmocka_unit_test(init_that_asks_gives_its_cpu_up),
	};

	return cmocka_run_group_tests(tests, open_kernel, free_kernel);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Modules that use each other: imports, namespaces, weak ones, providers that are still loading,
 * symbols that are looked up at run time. The errnos are those of the stock kernel.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "supplies.h"

static struct kocoon_kernel *kernel;

static int begin(void **state)
{
	*state = live_new(kernel, NULL);
	return *state ? 0 : -1;
}

static int end(void **state)
{
	kocoon_free(*state);
	return 0;
}

static int references(struct kocoon *kocoon, const char *name)
{
	struct kocoon_loaded *module;
	int count;

	kocoon_read_lock();
	module = kocoon_find_module(kocoon, name);
	count = module ? kocoon_module_refcount(module) : -1;
	kocoon_read_unlock();
	return count;
}

static void imports_have_to_be_there(void **state)
{
	struct kocoon *kocoon = *state;

	assert_int_equal(live_load(kocoon, "missing", ""), -ENOENT);
	assert_int_equal(live_load(kocoon, "chain_b", ""), -ENOENT);
	assert_int_equal(live_load(kocoon, "no_namespace", ""), -ENOENT);
	assert_int_equal(live_load(kocoon, "chain_a", ""), 0);
	assert_int_equal(live_load(kocoon, "no_namespace", ""), -EINVAL);
	assert_int_equal(references(kocoon, "chain_a"), 0);
	assert_int_equal(live_load(kocoon, "chain_c", ""), -ENOENT);
	/* It has found chain_a before: that reference has been given back. */
	assert_int_equal(references(kocoon, "chain_a"), 0);
	assert_int_equal(kocoon_delete_module(kocoon, "chain_a", 0), 0);
	assert_int_equal(kocoon_symbol_address(kocoon, "chain_a_plain"), 0);
}

static void users_keep_their_providers(void **state)
{
	struct kocoon *kocoon = *state;

	assert_int_equal(live_load(kocoon, "chain_a", ""), 0);
	assert_int_equal(live_load(kocoon, "chain_b", ""), 0);
	live_forget();
	assert_int_equal(live_load(kocoon, "chain_c", ""), 0);
	assert_true(live_said("chain_c: 117"));
	assert_int_equal(references(kocoon, "chain_a"), 2);
	assert_int_equal(references(kocoon, "chain_b"), 1);
	assert_int_equal(references(kocoon, "chain_c"), 0);
	assert_int_equal(kocoon_delete_module(kocoon, "chain_a", 0), -EWOULDBLOCK);
	assert_int_equal(kocoon_delete_module(kocoon, "chain_a", O_TRUNC), -EWOULDBLOCK);
	assert_int_equal(kocoon_delete_module(kocoon, "chain_a", O_NONBLOCK), -EWOULDBLOCK);
	assert_int_equal(kocoon_delete_module(kocoon, "chain_b", 0), -EWOULDBLOCK);
	assert_int_equal(kocoon_delete_module(kocoon, "chain_c", 0), 0);
	assert_int_equal(references(kocoon, "chain_a"), 1);
	assert_int_equal(kocoon_delete_module(kocoon, "chain_a", 0), -EWOULDBLOCK);
	assert_int_equal(kocoon_delete_module(kocoon, "chain_b", 0), 0);
	assert_int_equal(kocoon_delete_module(kocoon, "chain_a", 0), 0);
}

static void all_at_once_is_in_the_right_order(void **state)
{
	struct kocoon *kocoon = live_new(kernel, NULL);

	(void)state;
	assert_non_null(kocoon);
	assert_int_equal(live_load(kocoon, "chain_a", ""), 0);
	assert_int_equal(live_load(kocoon, "chain_b", ""), 0);
	assert_int_equal(live_load(kocoon, "chain_c", ""), 0);
	kocoon_free(kocoon);
}

static void weak_imports_may_be_missing(void **state)
{
	struct kocoon *kocoon = *state;

	assert_int_equal(live_load(kocoon, "weak", ""), 0);
	assert_int_equal(live_call_int(kocoon, "weak:weak_is_there", 0, 0), -1);
	assert_int_equal(kocoon_delete_module(kocoon, "weak", 0), 0);
	assert_int_equal(live_load(kocoon, "no_init", ""), 0);
	assert_int_equal(live_load(kocoon, "weak", ""), 0);
	assert_int_equal(live_call_int(kocoon, "weak:weak_is_there", 0, 0), 42);
	assert_int_equal(kocoon_delete_module(kocoon, "no_init", 0), -EWOULDBLOCK);
	assert_int_equal(kocoon_delete_module(kocoon, "weak", 0), 0);
	assert_int_equal(kocoon_delete_module(kocoon, "no_init", 0), 0);
}

static void symbols_are_held_while_taken(void **state)
{
	struct kocoon *kocoon = *state;

	assert_int_equal(live_load(kocoon, "getter", ""), 0);
	assert_int_equal(live_call_int(kocoon, "getter:getter_take", 0, 0), -ENOENT);
	assert_int_equal(live_load(kocoon, "chain_a", ""), 0);
	assert_int_equal(live_call_int(kocoon, "getter:getter_take", 0, 0), 0);
	assert_int_equal(live_call_int(kocoon, "getter:getter_call", 5, 0), 15);
	assert_int_equal(references(kocoon, "chain_a"), 1);
	assert_int_equal(kocoon_delete_module(kocoon, "chain_a", 0), -EWOULDBLOCK);
	/* Its exit gives it back. */
	assert_int_equal(kocoon_delete_module(kocoon, "getter", 0), 0);
	assert_int_equal(references(kocoon, "chain_a"), 0);
	assert_null(kocoon_symbol_get(kocoon, "chain_a_plain")); /* not for GPL only */
	assert_non_null(kocoon_symbol_get(kocoon, "chain_a_gpl"));
	assert_int_equal(references(kocoon, "chain_a"), 1);
	kocoon_symbol_put(kocoon, "chain_a_gpl");
	assert_int_equal(kocoon_delete_module(kocoon, "chain_a", 0), 0);
	assert_null(kocoon_symbol_get(kocoon, "chain_a_gpl"));
}

/* ---- providers that are still loading ---- */

struct loader {
	pthread_t thread;
	struct kocoon *kocoon;
	const char *module, *args;
	int err;
};

static void *run_loader(void *context)
{
	struct loader *loader = context;

	loader->err = live_load(loader->kocoon, loader->module, loader->args);
	return NULL;
}

static void start(struct loader *loader)
{
	assert_int_equal(pthread_create(&loader->thread, NULL, run_loader, loader), 0);
}

static int finish(struct loader *loader)
{
	assert_int_equal(pthread_join(loader->thread, NULL), 0);
	return loader->err;
}

static void pause_ms(long milliseconds)
{
	const struct timespec time = { 0, milliseconds * 1000000L };

	nanosleep(&time, NULL);
}

static void wait_for(struct kocoon *kocoon, const char *name)
{
	struct kocoon_loaded *module = NULL;

	for (int i = 0; i < 5000 && !module; i++) {
		pause_ms(2);
		module = kocoon_find_get(kocoon, name);
	}
	assert_non_null(module);
	assert_int_equal(kocoon_loaded_state(module), KOCOON_STATE_COMING);
	kocoon_module_put(module);
}

/* A parameter can be set as soon as the module is COMING; the line of arguments comes later. */
static void wait_for_arguments(struct kocoon *kocoon, const char *module, const char *parameter)
{
	char *text = NULL;

	for (int i = 0; i < 5000 && !(text && text[0] == 'Y'); i++) {
		free(text);
		text = NULL;
		pause_ms(1);
		(void)kocoon_get_parameter(kocoon, module, parameter, &text);
	}
	assert_non_null(text);
	assert_string_equal(text, "Y\n");
	free(text);
}

static void let_go(struct kocoon *kocoon, const char *module, const char *parameter,
		   const char *value)
{
	int err = -ENOENT;

	for (int i = 0; i < 5000 && err; i++) {
		err = kocoon_set_parameter(kocoon, module, parameter, value);
		pause_ms(1);
	}
	assert_int_equal(err, 0);
}

static void provider_that_loads(struct kocoon *kocoon, const char *args, int *provider_ret,
				int *user_ret)
{
	struct loader provider = { .kocoon = kocoon, .module = "chain_a", .args = args };
	struct loader user = { .kocoon = kocoon, .module = "chain_b", .args = "" };

	start(&provider);
	wait_for(kocoon, "chain_a");
	wait_for_arguments(kocoon, "chain_a", "wait");
	assert_int_equal(kocoon_delete_module(kocoon, "chain_a", 0), -EBUSY);
	start(&user);
	pause_ms(100);
	assert_int_equal(references(kocoon, "chain_b"), -1);
	let_go(kocoon, "chain_a", "wait", "0");
	*provider_ret = finish(&provider);
	*user_ret = finish(&user);
}

static void waits_for_a_provider(void **state)
{
	struct kocoon *kocoon = *state;
	int provider, user;

	provider_that_loads(kocoon, "wait=1", &provider, &user);
	assert_int_equal(provider, 0);
	assert_int_equal(user, 0);
	assert_int_equal(references(kocoon, "chain_a"), 1);
	assert_int_equal(kocoon_delete_module(kocoon, "chain_b", 0), 0);
	assert_int_equal(kocoon_delete_module(kocoon, "chain_a", 0), 0);
}

static void waits_in_vain(void **state)
{
	struct kocoon *kocoon = *state;
	int provider, user;

	provider_that_loads(kocoon, "wait=1 fail=-5", &provider, &user);
	assert_int_equal(provider, -EIO);
	assert_int_equal(user, -ENOENT);
	assert_int_equal(references(kocoon, "chain_a"), -1);
	assert_int_equal(references(kocoon, "chain_b"), -1);
}

static uint64_t merged(const struct kocoon *kocoon)
{
	struct kocoon_stats stats;

	kocoon_statistics(kocoon, &stats);
	return stats.merged_loads;
}

/* On a busy machine the second can come too late: it then loads by itself, and needs no gate. */
static void converge(struct kocoon *kocoon, const char *args, int result)
{
	struct loader first = { .kocoon = kocoon, .module = "gate", .args = args };
	struct loader second = { .kocoon = kocoon, .module = "gate", .args = "open=1" };
	const uint64_t before = merged(kocoon);

	for (int i = 0; i < 20 && merged(kocoon) == before; i++) {
		kocoon_delete_module(kocoon, "gate", 0);
		start(&first);
		wait_for(kocoon, "gate");
		start(&second);
		pause_ms(100);
		let_go(kocoon, "gate", "open", "1");
		assert_int_equal(finish(&first), result);
		finish(&second);
	}
	assert_int_equal(merged(kocoon), before + 1);
	assert_int_equal(second.err, result);
}

static void one_file_is_one_load(void **state)
{
	struct kocoon *kocoon = *state;

	converge(kocoon, "", 0);
	assert_int_equal(kocoon_delete_module(kocoon, "gate", 0), 0);
	converge(kocoon, "value=-19", -ENODEV);
	assert_int_equal(kocoon_delete_module(kocoon, "gate", 0), -ENOENT);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(imports_have_to_be_there, begin, end),
		cmocka_unit_test_setup_teardown(users_keep_their_providers, begin, end),
		cmocka_unit_test(all_at_once_is_in_the_right_order),
		cmocka_unit_test_setup_teardown(weak_imports_may_be_missing, begin, end),
		cmocka_unit_test_setup_teardown(symbols_are_held_while_taken, begin, end),
		cmocka_unit_test_setup_teardown(waits_for_a_provider, begin, end),
		cmocka_unit_test_setup_teardown(waits_in_vain, begin, end),
		cmocka_unit_test_setup_teardown(one_file_is_one_load, begin, end),
	};

	return cmocka_run_group_tests(tests, open_kernel, free_kernel);
}

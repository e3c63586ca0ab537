/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What goes wrong when it can: refusals at every station of a load, with the subsystem's own
 * functions called from its hooks, and readers that come while a module is taken apart.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "live/lifecycle.h"
#include "supplies.h"

static int refuse_coming(void *context, enum kocoon_module_state event,
			 struct kocoon_loaded *module)
{
	(void)context;
	(void)module;
	return event == KOCOON_STATE_COMING ? -EPERM : 0;
}

/* ---- a subsystem that can't be made ---- */

static void too_little_space(void **state)
{
	struct kocoon_options options = { .space = 4096 };

	(void)state;
	for (; options.space < 1 << 20; options.space += 4096) {
		struct kocoon *kocoon = live_new(NULL, &options);

		kocoon_free(kocoon);
	}
	options.cpus = 4096;
	assert_null(live_new(NULL, &options));
}

/* ---- a module that is refused before its parameters were read ---- */

/* No function of it may be called: the kernel doesn't, either. */
static void refused_before_arguments(void **state)
{
	struct kocoon *kocoon = live_new(NULL, NULL);

	(void)state;
	assert_non_null(kocoon);
	assert_int_equal(kocoon_register_notifier(kocoon, refuse_coming, NULL, 0), 0);
	live_forget();
	assert_int_equal(live_load(kocoon, "parameters", ""), -EPERM);
	assert_int_equal(live_said_count("parameters"), 0);
	kocoon_free(kocoon);
}

/* ---- references of what is on its way out ---- */

static void none_of_the_unformed(void **state)
{
	struct kocoon *kocoon = live_new(NULL, NULL);
	struct kocoon_loaded *module;

	(void)state;
	assert_non_null(kocoon);
	module = kc_loaded_new(kocoon, "half");
	assert_non_null(module);
	assert_false(kocoon_try_module_get(module));
	assert_int_equal(kc_strong_try_module_get(module), -ENOENT);
	kc_loaded_free(module);
	kocoon_free(kocoon);
}

enum { FORMED_TIMES = 5000000 };

struct forming {
	struct kocoon_loaded *module;
	atomic_bool over;
};

static void *form_again_and_again(void *context)
{
	struct forming *forming = context;

	for (int i = 0; i < FORMED_TIMES && !atomic_load(&forming->over); i++) {
		kc_set_state(forming->module, KOCOON_STATE_UNFORMED);
		kc_set_state(forming->module, KOCOON_STATE_COMING);
	}
	atomic_store(&forming->over, true);
	return NULL;
}

/* Whoever asks for a symbol may meet its module just when that is formed. */
static void none_of_the_coming(void **state)
{
	struct kocoon *kocoon = live_new(NULL, NULL);
	struct forming forming = { .module = kocoon ? kc_loaded_new(kocoon, "half") : NULL };
	pthread_t thread;
	int err = -EBUSY;

	(void)state;
	assert_non_null(forming.module);
	assert_int_equal(pthread_create(&thread, NULL, form_again_and_again, &forming), 0);
	while (err && !atomic_load(&forming.over))
		err = kc_strong_try_module_get(forming.module);
	atomic_store(&forming.over, true);
	pthread_join(thread, NULL);
	assert_true(err == -EBUSY || err == -ENOENT);
	kc_loaded_free(forming.module);
	kocoon_free(kocoon);
}

static struct kocoon *asked;
static const char *asked_for;
static uint64_t answer;

static void ask_for_symbol(void *argument)
{
	(void)argument;
	answer = kocoon_symbol_address(asked, asked_for);
}

/* As a module's struct kernel_param_ops. */
struct param_ops {
	uint64_t flags;
	void *set, *get;
	void (*free)(void *argument);
};

/* What it exports can't be imported while a module is taken apart: its parameters are, then. */
static void no_symbols_of_the_unformed(void **state)
{
	static const struct param_ops ops = { .free = ask_for_symbol };
	struct kocoon *kocoon = live_new(NULL, NULL);
	struct kocoon_loaded *module;
	char name[64];

	(void)state;
	assert_non_null(kocoon);
	assert_int_equal(live_load(kocoon, "chain_a", ""), 0);
	module = kocoon_find_get(kocoon, "chain_a");
	assert_non_null(module);
	kocoon_module_put(module);
	assert_true(module->export_count > 0);
	assert_true(module->param_count > 0);
	module->params[0].ops = (uintptr_t)&ops;
	snprintf(name, sizeof(name), "%s", module->exports[0].name);
	asked = kocoon;
	asked_for = name;
	ask_for_symbol(NULL);
	assert_int_not_equal(answer, 0);
	assert_int_equal(kocoon_delete_module(kocoon, "chain_a", 0), 0);
	assert_int_equal(answer, 0);
	kocoon_free(kocoon);
}

/* ---- what is left is dropped, whatever uses what ---- */

static void user_is_older(void **state)
{
	enum { OTHERS = 40 };
	struct kocoon *kocoon = live_new(NULL, NULL);
	struct kocoon_loaded *user, *used;
	unsigned char *image;
	size_t len;

	(void)state;
	assert_non_null(kocoon);
	assert_int_equal(live_load(kocoon, "hello", ""), 0);
	user = kocoon_find_get(kocoon, "hello");
	image = live_image("hello", &len);
	assert_non_null(image);
	for (int i = 0; i < OTHERS; i++) {
		char name[24];

		snprintf(name, sizeof(name), "hello%d", i);
		assert_true(live_rename(image, len, name));
		assert_int_equal(kocoon_init_module(kocoon, image, len, "", NULL), 0);
		assert_non_null(kocoon_find_get(kocoon, name));
	}
	free(image);
	assert_int_equal(live_load(kocoon, "chain_a", ""), 0);
	used = kocoon_find_get(kocoon, "chain_a");
	pthread_mutex_lock(&kocoon->mutex);
	assert_int_equal(kc_ref_module(user, used), 0);
	pthread_mutex_unlock(&kocoon->mutex);
	kocoon_free(kocoon);
}

/* ---- hooks that call back ---- */

static void ask_all(void *context, enum kocoon_log_level level, const char *text)
{
	struct kocoon *const *kocoon = context;
	struct kocoon_stats stats;

	(void)level;
	(void)text;
	if (!*kocoon)
		return;
	kocoon_statistics(*kocoon, &stats);
	/* Takes the mutex. */
	assert_int_equal(kocoon_delete_module(*kocoon, "nobody", 0), -ENOENT);
	kocoon_synchronize(*kocoon);
}

static void log_hook_calls_back(void **state)
{
	struct kocoon *kocoon = NULL;
	const struct kocoon_options options = { .hooks = { .context = &kocoon, .log = ask_all } };
	struct kocoon_loaded *module;

	(void)state;
	kocoon = live_new(NULL, &options);
	assert_non_null(kocoon);
	assert_int_equal(live_load(kocoon, "chain_a", ""), 0);
	assert_int_equal(live_load(kocoon, "chain_b", ""), 0);
	module = kocoon_find_get(kocoon, "chain_a");
	assert_non_null(module);
	kocoon_symbol_get(kocoon, module->exports[0].name);
	/* More than there were: chain_b's is gone as well. */
	for (int i = 0; i < 8; i++)
		kocoon_module_put(module);
	for (int i = 0; i < 8; i++)
		kocoon_symbol_put(kocoon, module->exports[0].name);
	assert_int_equal(kocoon_delete_module(kocoon, "chain_b", 0), 0);
	kocoon_free(kocoon);
}

/* ---- waiters are woken by what they wait for ---- */

struct user {
	struct kocoon *kocoon;
	pthread_t thread;
	int err;
};

static void *load_user(void *context)
{
	struct user *user = context;

	user->err = live_load(user->kocoon, "chain_b", "");
	return NULL;
}

/* The user waits for its provider to be LIVE, as the notifier then waits for the user. */
static int wait_for_user(void *context, enum kocoon_module_state event,
			 struct kocoon_loaded *module)
{
	const struct timespec until_it_waits = { .tv_nsec = 200000000 };
	struct user *user = context;

	if (strcmp(kocoon_loaded_name(module), "chain_a") != 0)
		return 0;
	if (event == KOCOON_STATE_COMING) {
		assert_int_equal(pthread_create(&user->thread, NULL, load_user, user), 0);
		nanosleep(&until_it_waits, NULL);
	} else if (event == KOCOON_STATE_LIVE) {
		pthread_join(user->thread, NULL);
	}
	return 0;
}

static void user_waits_for_live(void **state)
{
	struct user user = { .kocoon = live_new(NULL, NULL), .err = 1 };
	struct timespec before, after;

	(void)state;
	assert_non_null(user.kocoon);
	assert_int_equal(kocoon_register_notifier(user.kocoon, wait_for_user, &user, 0), 0);
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(live_load(user.kocoon, "chain_a", ""), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_int_equal(user.err, 0);
	/* Not for as long as users have patience. */
	assert_true(after.tv_sec - before.tv_sec < 25);
	kocoon_free(user.kocoon);
}

/* ---- names ---- */

static void names_of_any_length(void **state)
{
	struct kocoon *kocoon = live_new(NULL, NULL);
	uint64_t used = kc_live_space_used(&kocoon->space);
	char longest[56], longer[80];
	unsigned char *image;
	size_t len;

	(void)state;
	memset(longest, 'n', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	memset(longer, 'n', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	image = live_image("hello", &len);
	assert_non_null(image);
	assert_true(live_rename(image, len, longest));
	assert_int_equal(kocoon_init_module(kocoon, image, len, "", NULL), 0);
	assert_int_equal(kocoon_init_module(kocoon, image, len, "", NULL), -EEXIST);
	/* The kernel cuts it off. */
	assert_int_equal(kocoon_delete_module(kocoon, longer, 0), 0);
	assert_int_equal(kocoon_delete_module(kocoon, longest, 0), -ENOENT);
	assert_true(live_rename(image, len, ""));
	assert_int_equal(kocoon_init_module(kocoon, image, len, "", NULL), -EINVAL);
	kocoon_synchronize(kocoon);
	assert_null(atomic_load(&kocoon->modules));
	assert_int_equal(kc_live_space_used(&kocoon->space), used);
	free(image);
	kocoon_free(kocoon);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(too_little_space),
		cmocka_unit_test(refused_before_arguments),
		cmocka_unit_test(none_of_the_unformed),
		cmocka_unit_test(none_of_the_coming),
		cmocka_unit_test(no_symbols_of_the_unformed),
		cmocka_unit_test(user_is_older),
		cmocka_unit_test(user_waits_for_live),
		cmocka_unit_test(names_of_any_length),
		cmocka_unit_test(log_hook_calls_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

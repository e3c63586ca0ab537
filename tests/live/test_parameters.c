/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parameters of a real module: tests/modules/parameters.c, built by Kbuild, its set, get and free
 * functions run.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supplies.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { TAINT_USER = 1 << 6 };

static struct kocoon_kernel *kernel;
static struct kocoon *kocoon;
static atomic_uint warned; /* lines about unknown parameters and what follows "--" */

static void hear(void *context, enum kocoon_log_level level, const char *text)
{
	(void)context;
	if (level == KOCOON_LOG_WARNING && (strstr(text, "'nonsense'") || strstr(text, "'int=6'")))
		atomic_fetch_add(&warned, 1);
}

static int make(void **state)
{
	struct kocoon_options options = { .size = sizeof(options), .hooks.log = hear };

	(void)state;
	kernel = live_kernel();
	assert_non_null(kernel);
	kocoon = live_new(kernel, &options);
	assert_non_null(kocoon);
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	kocoon_free(kocoon);
	kocoon_kernel_free(kernel);
	return 0;
}

static int load(const char *args)
{
	return live_load(kocoon, "parameters", args);
}

static int unload(void)
{
	return kocoon_delete_module(kocoon, "parameters", O_NONBLOCK);
}

static void assert_shows(const char *name, const char *expected)
{
	char *text = NULL;

	if (kocoon_get_parameter(kocoon, "parameters", name, &text))
		fail_msg("%s can't be read", name);
	if (strcmp(text, expected) != 0)
		fail_msg("%s is %s, not %s", name, text, expected);
	free(text);
}

struct setting {
	const char *name;
	const char *value; /* to set; NULL: leave it */
	int err;
	const char *shown;
};

static const struct setting at_first[] = {
	{ "byte", NULL, 0, "1\n" },
	{ "short", NULL, 0, "-2\n" },
	{ "ushort", NULL, 0, "3\n" },
	{ "int", NULL, 0, "-4\n" },
	{ "uint", NULL, 0, "5\n" },
	{ "long", NULL, 0, "-6\n" },
	{ "ulong", NULL, 0, "7\n" },
	{ "ullong", NULL, 0, "8\n" },
	{ "hexint", NULL, 0, "0x000009\n" },
	{ "charp", NULL, 0, "ten\n" },
	{ "bool", NULL, 0, "N\n" },
	{ "invbool", NULL, 0, "N\n" },
	{ "bint", NULL, 0, "0\n" },
	{ "string", NULL, 0, "str\n" },
	{ "fixed", NULL, 0, "1,2,3\n" },
	{ "counted", NULL, 0, "1,2\n" },
	{ "words", NULL, 0, "" },
	{ "flags", NULL, 0, "N,N\n" },
	{ "percent", NULL, 0, "50%\n" },
	{ "level", NULL, 0, "0\n" },
	{ "hidden", NULL, 0, "0\n" },
	{ "a-dashed_one", NULL, 0, "0\n" },
};

static const struct setting later[] = {
	{ "byte", "256", -ERANGE, "1\n" },
	{ "byte", "0xff\n", 0, "255\n" },
	{ "short", "-32768", 0, "-32768\n" },
	{ "ushort", "-1", -EINVAL, "3\n" },
	{ "int", " 1", -EINVAL, "-4\n" },
	{ "int", "010", 0, "8\n" },
	{ "uint", "4294967295", 0, "4294967295\n" },
	{ "long", "-9223372036854775808", 0, "-9223372036854775808\n" },
	{ "ulong", "18446744073709551616", -ERANGE, "7\n" },
	{ "ullong", "18446744073709551615", 0, "18446744073709551615\n" },
	{ "hexint", "65535", 0, "0x00ffff\n" },
	{ "charp", "eleven\n", 0, "eleven\n\n" },
	{ "bool", "on", 0, "Y\n" },
	{ "invbool", "y", 0, "Y\n" },
	{ "bint", "yes", 0, "1\n" },
	{ "string", "12345678", -ENOSPC, "str\n" },
	{ "string", "1234567", 0, "1234567\n" },
	{ "fixed", "4,5", 0, "4,5,3\n" },
	{ "counted", "9,8,7,x", -EINVAL, "9,8,7\n" },
	{ "words", "a,b c,", 0, "a,b c,\n" },
	{ "words", "d", 0, "d\n" },
	{ "words", "e,f,g", 0, "e,f,g\n" }, /* else what no longer counts would stay */
	{ "flags", "1,y,n", -EINVAL, "Y,Y\n" },
	{ "percent", "101", -EINVAL, "50%\n" },
	{ "percent", "100\n", 0, "100%\n" },
	{ "level", "7", 0, "7\n" },
	{ "hidden", "3", 0, "3\n" },
	{ "read_only", "12", 0, "12\n" },
	{ "write-only", "13", 0, "13\n" },
};

static void check_settings(const struct setting *settings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (settings[i].value)
			assert_int_equal(kocoon_set_parameter(kocoon, "parameters",
							      settings[i].name, settings[i].value),
					 settings[i].err);
		assert_shows(settings[i].name, settings[i].shown);
	}
}

static void every_type_is_read_and_set(void **state)
{
	char *text = NULL;

	(void)state;
	assert_int_equal(load(NULL), 0);
	check_settings(at_first, COUNT(at_first));
	check_settings(later, COUNT(later));
	assert_int_equal(kocoon_get_parameter(kocoon, "parameters", "none", &text), -ENOENT);
	assert_int_equal(kocoon_get_parameter(kocoon, "none", "int", &text), -ENOENT);
	assert_int_equal(kocoon_set_parameter(kocoon, "parameters", "none", "1"), -ENOENT);
	assert_null(text);
	live_forget();
	assert_int_equal(unload(), 0);
	assert_true(live_said("parameters: percent freed at 100"));
	assert_int_equal(kocoon_get_parameter(kocoon, "parameters", "int", &text), -ENOENT);
}

static void arguments_are_there_when_init_runs(void **state)
{
	(void)state;
	live_forget();
	assert_int_equal(load("int=5 charp=\"a b\" string=s counted=7,8,9,10 words=x,y bool level "
			      "a-dashed-one=3 hidden=2 nonsense=1 percent=99 -- int=6"),
			 0);
	assert_true(live_said("parameters: int=5 charp=a b string=s counted=4 hidden=2 dashed=3"));
	assert_int_equal(atomic_load(&warned), 2);
	assert_shows("level", "1\n");
	assert_shows("bool", "Y\n");
	assert_shows("words", "x,y\n");
	assert_int_equal(unload(), 0);
}

static void what_is_refused_leaves_nothing(void **state)
{
	(void)state;
	live_forget();
	assert_int_equal(load("charp=copied words=1,2 int=x"), -EINVAL);
	assert_true(live_said("parameters: percent freed at 50"));
	assert_int_equal(live_said_count("parameters: int="), 0);
	assert_int_equal(load("string=12345678"), -ENOSPC);
	assert_int_equal(load("percent=101"), -EINVAL);
	assert_int_equal(load("byte=256"), -ERANGE);
	assert_int_equal(load("charp"), -EINVAL);
	assert_int_equal(load("counted=1,2,3,4,5"), -EINVAL);
	assert_int_equal(unload(), -ENOENT);
}

static void an_unsafe_one_taints(void **state)
{
	(void)state;
	assert_int_equal(load(""), 0);
	assert_int_equal(kocoon_tainted(kocoon) & TAINT_USER, 0);
	assert_int_equal(kocoon_set_parameter(kocoon, "parameters", "unsafe", "1"), 0);
	assert_int_not_equal(kocoon_tainted(kocoon) & TAINT_USER, 0);
	assert_int_equal(unload(), 0);
}

enum { THREADS = 4, ROUNDS = 60 };

static atomic_bool stop;
static atomic_uint wrong, seen;

/* Readers and writers find the module or don't; it is never half there. */
static void *use(void *argument)
{
	bool write = argument;

	while (!atomic_load(&stop)) {
		char *text = NULL;
		int err;

		if (write)
			err = kocoon_set_parameter(kocoon, "parameters", "words", "one,two");
		else
			err = kocoon_get_parameter(kocoon, "parameters", "words", &text);
		if (err && err != -ENOENT)
			atomic_fetch_add(&wrong, 1);
		if (text && *text && strcmp(text, "one,two\n") != 0 && strcmp(text, "a,b,c\n") != 0)
			atomic_fetch_add(&wrong, 1);
		if (!err)
			atomic_fetch_add(&seen, 1);
		free(text);
	}
	return NULL;
}

/* Who reads or sets a parameter doesn't hold the module: deleting it waits, and succeeds. */
static void parameters_are_used_while_modules_come_and_go(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use, i % 2 ? &stop : NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		unsigned int before = atomic_load(&seen);

		assert_int_equal(load("words=a,b,c"), 0);
		while (atomic_load(&seen) == before)
			usleep(100);
		assert_int_equal(unload(), 0);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&wrong), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_read_and_set),
		cmocka_unit_test(arguments_are_there_when_init_runs),
		cmocka_unit_test(what_is_refused_leaves_nothing),
		cmocka_unit_test(an_unsafe_one_taints),
		cmocka_unit_test(parameters_are_used_while_modules_come_and_go),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}

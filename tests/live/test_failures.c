/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every allocation, mapping and thread creation fails once, over making a subsystem, loading,
 * asking and unloading: the right errno, and the subsystem as it was before. That nothing leaks is
 * for LeakSanitizer to say.
 *
 * The linker leads kocoon's own calls here (--wrap); those of the libraries go their usual way.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "live/live.h"
#include "supplies.h"

/* Calls that still succeed while armed. */
static long left;
static bool armed, struck;

static bool fails(void)
{
	if (!armed || left-- != 0)
		return false;
	struck = true;
	errno = ENOMEM;
	return true;
}

#define WRAP(type, name, parameters, values, failed)              \
	type __real_##name parameters;                            \
	type __wrap_##name parameters;                            \
	type __wrap_##name parameters                             \
	{                                                         \
		return fails() ? (failed) : __real_##name values; \
	}

WRAP(void *, malloc, (size_t size), (size), NULL)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), NULL)
WRAP(void *, realloc, (void *old, size_t size), (old, size), NULL)
WRAP(void *, reallocarray, (void *old, size_t count, size_t size), (old, count, size), NULL)
WRAP(void *, aligned_alloc, (size_t align, size_t size), (align, size), NULL)
WRAP(char *, strdup, (const char *text), (text), NULL)
WRAP(char *, strndup, (const char *text, size_t len), (text, len), NULL)
WRAP(void *, mmap, (void *at, size_t len, int prot, int flags, int fd, off_t offset),
     (at, len, prot, flags, fd, offset), MAP_FAILED)
WRAP(int, mprotect, (void *at, size_t len, int prot), (at, len, prot), -1)
WRAP(int, fallocate, (int fd, int mode, off_t offset, off_t len), (fd, mode, offset, len), -1)
WRAP(int, memfd_create, (const char *name, unsigned int flags), (name, flags), -1)
WRAP(int, ftruncate, (int fd, off_t len), (fd, len), -1)
WRAP(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *), void *context),
     (thread, attributes, start, context), EAGAIN)

static void arm(long allowed)
{
	left = allowed;
	struck = false;
	armed = true;
}

/* Whether something failed since arm(). */
static bool disarm(void)
{
	armed = false;
	return struck;
}

/* ---- the subsystem as it is seen from outside ---- */

struct picture {
	char *modules; /* /proc/modules */
	uint64_t used; /* bytes of live space */
	uint8_t percpu[sizeof(((struct kc_per_cpu *)NULL)->used)];
	uint32_t names, symbols, reserved_names, reserved_symbols;
};

static struct picture take_picture(struct kocoon *kocoon)
{
	const struct kocoon_reader reader = { .show_addresses = false };
	struct picture picture = { 0 };
	size_t len;

	kocoon_synchronize(kocoon);
	assert_int_equal(kocoon_view_read(kocoon, "/proc/modules", &reader, &picture.modules, &len),
			 0);
	picture.used = kc_live_space_used(&kocoon->space);
	memcpy(picture.percpu, kocoon->per_cpu.used, sizeof(picture.percpu));
	picture.names = kocoon->names.count;
	picture.reserved_names = kocoon->names.reserved;
	picture.symbols = kocoon->symbols.count;
	picture.reserved_symbols = kocoon->symbols.reserved;
	return picture;
}

static void assert_as_before(struct kocoon *kocoon, struct picture *before)
{
	struct picture after = take_picture(kocoon);

	assert_string_equal(after.modules, before->modules);
	assert_int_equal(after.used, before->used);
	assert_memory_equal(after.percpu, before->percpu, sizeof(after.percpu));
	assert_int_equal(after.names, before->names);
	assert_int_equal(after.reserved_names, before->reserved_names);
	assert_int_equal(after.symbols, before->symbols);
	assert_int_equal(after.reserved_symbols, before->reserved_symbols);
	free(after.modules);
}

/* Errors that want of memory may lead to, and no others. */
static void assert_no_memory(int err, bool failed)
{
	if (err)
		assert_int_equal(err, -ENOMEM);
	if (!failed)
		assert_int_equal(err, 0);
}

/* ---- scenes ---- */

static void making_one(void **state)
{
	bool failed = true;

	(void)state;
	for (long n = 0; failed; n++) {
		struct kocoon *kocoon = NULL;
		size_t count;
		struct kocoon_options options = {
			.size = sizeof(options),
			.supplies = live_supplies(&count),
			.policy = &(struct kocoon_policy){ .size = sizeof(struct kocoon_policy),
							   .blacklist = "none" },
		};
		int err;

		options.supply_count = count;
		arm(n);
		err = kocoon_new(NULL, &options, NULL, &kocoon);
		failed = disarm();
		/* A host that has no other way to say it says EAGAIN. */
		assert_no_memory(err, failed);
		if (err)
			assert_null(kocoon);
		else
			kocoon_free(kocoon);
		assert_true(n < 20000);
	}
}

/* Loads with the n-th call failing, for every n until none fails; the module then stays. */
static void load_with_failures(struct kocoon *kocoon, const char *module, const char *args)
{
	struct picture before = take_picture(kocoon);
	size_t len;
	unsigned char *image = live_image(module, &len);
	bool failed = true;

	assert_non_null(image);
	for (long n = 0; failed; n++) {
		int err;

		arm(n);
		err = kocoon_init_module(kocoon, image, len, args, NULL);
		failed = disarm();
		assert_no_memory(err, failed);
		if (err) {
			assert_as_before(kocoon, &before);
		} else if (failed) {
			/* It did without: what was asked for only saved time or words. */
			assert_int_equal(kocoon_delete_module(kocoon, module, 0), 0);
			assert_as_before(kocoon, &before);
		}
		assert_true(n < 20000);
	}
	free(image);
	free(before.modules);
}

/* With what the livepatch module looks for in the kernel. */
static struct kocoon *with_banner(void)
{
	static const char banner[] = "a kernel";
	struct kocoon_supply supplies[32];
	struct kocoon_options options = { .size = sizeof(options), .supplies = supplies };
	const struct kocoon_supply *usual = live_supplies(&options.supply_count);
	struct kocoon *kocoon = NULL;

	assert_in_range(options.supply_count, 1, KC_ARRAY_SIZE(supplies) - 1);
	memcpy(supplies, usual, options.supply_count * sizeof(*usual));
	supplies[options.supply_count++] = (struct kocoon_supply){
		.name = "linux_banner",
		.address = banner,
		.size = sizeof(banner),
	};
	assert_int_equal(kocoon_new(NULL, &options, NULL, &kocoon), 0);
	return kocoon;
}

static void loading(void **state)
{
	struct kocoon *kocoon = with_banner();

	(void)state;
	assert_non_null(kocoon);
	load_with_failures(kocoon, "hello", NULL);
	load_with_failures(kocoon, "chain_a", "");
	load_with_failures(kocoon, "chain_b", "");
	load_with_failures(kocoon, "chain_c", "");
	load_with_failures(kocoon, "parameters", "int=7 charp=text words=one,two string=abc");
	load_with_failures(kocoon, "percpu", "");
	load_with_failures(kocoon, "constructor", "");
	load_with_failures(kocoon, "watcher", "");
	load_with_failures(kocoon, "patch", "");
	kocoon_free(kocoon);
}

/* Nothing can keep a module from going. */
static void unloading(void **state)
{
	static const char *const modules[] = { "hello",	 "chain_a", "parameters",
					       "percpu", "watcher", "large" };
	struct kocoon *kocoon = live_new(NULL, NULL);
	struct picture before;

	(void)state;
	assert_non_null(kocoon);
	before = take_picture(kocoon);
	for (size_t i = 0; i < KC_ARRAY_SIZE(modules); i++) {
		bool failed = true;

		for (long n = 0; failed; n++) {
			assert_int_equal(live_load(kocoon, modules[i], NULL), 0);
			kocoon_synchronize(kocoon);
			arm(n);
			assert_int_equal(kocoon_delete_module(kocoon, modules[i], 0), 0);
			kocoon_synchronize(kocoon);
			failed = disarm();
			assert_as_before(kocoon, &before);
		}
	}
	free(before.modules);
	kocoon_free(kocoon);
}

/* From a file, compressed too. */
static void loading_a_file(void **state)
{
	struct kocoon *kocoon = live_new(NULL, NULL);
	static const struct {
		const char *file;
		int flags;
	} files[] = { { "hello", 0 }, { "hello_xz", KOCOON_COMPRESSED_FILE } };

	(void)state;
	assert_non_null(kocoon);
	for (size_t i = 0; i < KC_ARRAY_SIZE(files); i++) {
		struct picture before = take_picture(kocoon);
		bool failed = true;

		for (long n = 0; failed; n++) {
			struct kocoon_report *report = kocoon_report_new();
			int err;

			arm(n);
			err = live_load_flags(kocoon, files[i].file, "", files[i].flags, report);
			failed = disarm();
			assert_no_memory(err, failed);
			if (err)
				assert_true(kocoon_report_count(report) > 0);
			else
				assert_int_equal(kocoon_delete_module(kocoon, "hello", 0), 0);
			assert_as_before(kocoon, &before);
			kocoon_report_free(report);
		}
		free(before.modules);
	}
	kocoon_free(kocoon);
}

/* ---- what is asked meanwhile ---- */

static int look_at_views(struct kocoon *kocoon)
{
	static const char *const paths[] = { "/proc/modules", "/proc/kallsyms",
					     "/sys/module/parameters/parameters/words",
					     "/sys/module/parameters/sections/.text",
					     "/sys/kernel/debug/modules/stats" };
	int err = 0;

	for (size_t i = 0; i < KC_ARRAY_SIZE(paths) && !err; i++) {
		char *text = NULL;
		size_t len;

		err = kocoon_view_read(kocoon, paths[i], NULL, &text, &len);
		free(text);
	}
	return err;
}

static int set_a_parameter(struct kocoon *kocoon)
{
	return kocoon_set_parameter(kocoon, "parameters", "charp", "other");
}

static int look_up(struct kocoon *kocoon)
{
	uint64_t address = kocoon_lookup_name(kocoon, "parameters:percent_set");
	struct kocoon_address found;

	assert_true(address != 0);
	assert_true(kocoon_lookup_address(kocoon, address + 1, &found));
	assert_string_equal(found.symbol, "percent_set");
	assert_int_equal(found.offset, 1);
	return 0;
}

static int ignore(void *context, enum kocoon_module_state event, struct kocoon_loaded *module)
{
	(void)context;
	(void)event;
	(void)module;
	return 0;
}

static int register_one(struct kocoon *kocoon)
{
	int err = kocoon_register_notifier(kocoon, ignore, NULL, 0);

	if (!err)
		assert_int_equal(kocoon_unregister_notifier(kocoon, ignore, NULL), 0);
	return err;
}

static void asking(void **state)
{
	int (*const questions[])(struct kocoon *) = { look_at_views, set_a_parameter, look_up,
						      register_one };
	struct kocoon *kocoon = live_new(NULL, NULL);
	struct picture before;

	(void)state;
	assert_non_null(kocoon);
	assert_int_equal(live_load(kocoon, "parameters", "words=one,two"), 0);
	before = take_picture(kocoon);
	for (size_t i = 0; i < KC_ARRAY_SIZE(questions); i++) {
		bool failed = true;

		for (long n = 0; failed; n++) {
			int err;

			arm(n);
			err = questions[i](kocoon);
			failed = disarm();
			assert_no_memory(err, failed);
			assert_as_before(kocoon, &before);
		}
	}
	free(before.modules);
	kocoon_free(kocoon);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(making_one), cmocka_unit_test(loading),
		cmocka_unit_test(unloading),  cmocka_unit_test(loading_a_file),
		cmocka_unit_test(asking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is kept from run to run: it appears whole, is believed only where nobody has touched it
 * since, and makes room for what comes later. An unpacked image that was kept says what the kernel
 * says.
 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/kept.h"
#include "build_module.h"
#include "kernel/parts.h"

static char base[] = "/tmp/kocoon-test-XXXXXX", folder[64];
static const struct kc_kept_bounds bounds = { .rivals = 2, .most = 4 };

static int make_base(void **state)
{
	(void)state;
	strcpy(base + sizeof(base) - 7, "XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(folder, sizeof(folder), "%s/kept", base);
	return 0;
}

static size_t count_files(const char *path, bool remove_them)
{
	DIR *names = opendir(path);
	struct dirent *found;
	size_t count = 0;

	while (names && (found = readdir(names))) {
		if (*found->d_name == '.')
			continue;
		count++;
		if (remove_them)
			unlinkat(dirfd(names), found->d_name, 0);
	}
	if (names)
		closedir(names);
	return count;
}

static int remove_base(void **state)
{
	(void)state;
	count_files(folder, true);
	rmdir(folder);
	count_files(base, true);
	return rmdir(base);
}

static char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static int write_text(void *context, int file)
{
	return kc_write_all(file, context, strlen(context));
}

static int write_and_fail(void *context, int file)
{
	(void)!kc_write_all(file, context, 1);
	return -EIO;
}

static bool is_kept(const char *name)
{
	int file = kc_kept_open(folder, name);

	if (file >= 0)
		close(file);
	return file >= 0;
}

static void appears_whole_or_not_at_all(void **state)
{
	char text[8] = { 0 };
	int file;

	(void)state;
	assert_false(is_kept("a-1"));
	kc_kept_write(folder, "a-1", &bounds, write_and_fail, "x");
	assert_int_equal(count_files(folder, false), 0);
	kc_kept_write(folder, "a-1", &bounds, write_text, "text");
	file = kc_kept_open(folder, "a-1");
	assert_true(file >= 0);
	assert_int_equal(read(file, text, sizeof(text)), 4);
	assert_string_equal(text, "text");
	close(file);
	/* Nowhere to be kept: that is nobody's error. */
	kc_kept_write("/dev/null/folder", "a-1", &bounds, write_text, "text");
}

static void believes_nothing_that_was_touched(void **state)
{
	int file;

	(void)state;
	kc_kept_write(folder, "a-1", &bounds, write_text, "text");
	assert_int_equal(symlink("a-1", path_of("a-2")), 0);
	assert_false(is_kept("a-2"));
	assert_int_equal(chmod(path_of("a-1"), 0620), 0);
	assert_false(is_kept("a-1"));
	assert_int_equal(chmod(path_of("a-1"), 0600), 0);
	assert_true(is_kept("a-1"));
	file = open(path_of("a-1"), O_WRONLY);
	assert_int_equal(pwrite(file, "T", 1, 0), 1);
	close(file);
	assert_false(is_kept("a-1"));
	/* And replaces it. */
	kc_kept_write(folder, "a-1", &bounds, write_text, "text");
	assert_true(is_kept("a-1"));
	assert_int_equal(mkdir(path_of("a-3"), 0700), 0);
	assert_false(is_kept("a-3"));
	assert_int_equal(rmdir(path_of("a-3")), 0);
}

static void keep_at(const char *name, time_t used)
{
	struct timespec times[2] = { { .tv_sec = used }, { .tv_nsec = UTIME_OMIT } };

	kc_kept_write(folder, name, &bounds, write_text, "text");
	/* The time of change can't be set: a later access stands for it. */
	assert_int_equal(utimensat(AT_FDCWD, path_of(name), times, 0), 0);
}

static void makes_room(void **state)
{
	const time_t now = time(NULL) + 1000;

	(void)state;
	keep_at("a-x-1", now + 1);
	keep_at("b-x-1", now + 2);
	keep_at("b-x-2", now + 3);
	keep_at("b-x-3", now + 4);
	/* The third of one name, and the fifth of all. */
	assert_false(is_kept("b-x-1"));
	assert_true(is_kept("a-x-1") && is_kept("b-x-2") && is_kept("b-x-3"));
	keep_at("c-x-1", now + 5);
	keep_at("d-x-1", now + 6);
	assert_false(is_kept("a-x-1"));
	assert_true(is_kept("b-x-2") && is_kept("b-x-3") && is_kept("c-x-1") && is_kept("d-x-1"));
}

/* What is in the folder besides, and what another has only begun. */
static void leaves_alone_what_is_not_its_own(void **state)
{
	static const char *const others[] = { "letter", "a-x-1.aBcDeF", "a-x-old" };
	const struct timespec long_ago[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

	(void)state;
	assert_int_equal(mkdir(folder, 0700), 0);
	for (size_t i = 0; i < KC_ARRAY_SIZE(others); i++) {
		close(open(path_of(others[i]), O_CREAT | O_WRONLY, 0600));
		assert_int_equal(utimensat(AT_FDCWD, path_of(others[i]), long_ago, 0), 0);
	}
	for (int i = 0; i < 8; i++)
		kc_kept_write(folder, "a-x-2", &bounds, write_text, "text");
	for (size_t i = 0; i < KC_ARRAY_SIZE(others); i++)
		assert_int_equal(access(path_of(others[i]), F_OK), 0);
}

/* ---- images ---- */

static struct kocoon_kernel *open_with_cache(const char *path)
{
	const struct kocoon_kernel_options options = { .size = sizeof(options), .cache = folder };
	struct kocoon_kernel *kernel = NULL;

	assert_int_equal(kocoon_kernel_open(path, &options, NULL, &kernel), 0);
	return kernel;
}

static void assert_same_kernel(const struct kocoon_kernel *a, const struct kocoon_kernel *b)
{
	struct kc_span left = a->vmlinux.elf.file, right = b->vmlinux.elf.file;
	const struct kocoon_symbol *symbols;

	assert_int_equal(left.len, right.len);
	assert_memory_equal(left.data, right.data, left.len);
	assert_string_equal(kocoon_kernel_release(a), kocoon_kernel_release(b));
	assert_string_equal(kocoon_kernel_vermagic(a), kocoon_kernel_vermagic(b));
	assert_string_equal(kocoon_kernel_build_id(a), kocoon_kernel_build_id(b));
	assert_int_equal(a->format, b->format);
	assert_int_equal(a->exports.count, b->exports.count);
	assert_int_equal(a->keyring.count, b->keyring.count);
	assert_memory_equal(kc_kernel_abi(a), kc_kernel_abi(b), sizeof(struct kc_abi));
	assert_memory_equal(kc_kernel_layouts(a), kc_kernel_layouts(b), sizeof(struct kc_layouts));
	assert_memory_equal(kc_kernel_behaviour(a), kc_kernel_behaviour(b),
			    sizeof(struct kc_behaviour));
	assert_int_equal(kocoon_kernel_symbols(a, &symbols), kocoon_kernel_symbols(b, &symbols));
	assert_int_equal(kocoon_kernel_struct_size(a, "task_struct"),
			 kocoon_kernel_struct_size(b, "task_struct"));
}

static char *first_kept(void)
{
	DIR *names = opendir(folder);
	struct dirent *found;
	char *path = NULL;

	while (!path && (found = readdir(names)))
		if (*found->d_name != '.')
			path = strdup(path_of(found->d_name));
	closedir(names);
	return path;
}

static void an_image_that_was_kept_is_the_same_kernel(void **state)
{
	struct kocoon_kernel *plain = open_stock_kernel("6.12-cloud-amd64"), *first, *second;
	const char *image = kocoon_kernel_path(plain);
	struct stat status;
	char *kept;
	int file;

	(void)state;
	first = open_with_cache(image);
	assert_null(first->kept.data);
	assert_int_equal(count_files(folder, false), 1);
	second = open_with_cache(image);
	assert_non_null(second->kept.data);
	assert_same_kernel(plain, first);
	assert_same_kernel(plain, second);
	kocoon_kernel_free(first);
	kocoon_kernel_free(second);
	/* Damaged, though its times are as they were: its header doesn't add up. */
	kept = first_kept();
	assert_int_equal(stat(kept, &status), 0);
	assert_int_equal(chmod(kept, 0600), 0);
	file = open(kept, O_WRONLY);
	assert_int_equal(pwrite(file, "\xff", 1, 128), 1);
	assert_int_equal(futimens(file, (struct timespec[2]){ status.st_atim, status.st_mtim }), 0);
	close(file);
	first = open_with_cache(image);
	assert_null(first->kept.data);
	assert_same_kernel(plain, first);
	kocoon_kernel_free(first);
	/* Cut short, likewise. */
	assert_int_equal(chmod(kept, 0600), 0);
	assert_int_equal(truncate(kept, status.st_size - 1), 0);
	assert_int_equal(utimensat(AT_FDCWD, kept,
				   (struct timespec[2]){ status.st_atim, status.st_mtim }, 0),
			 0);
	first = open_with_cache(image);
	assert_null(first->kept.data);
	kocoon_kernel_free(first);
	free(kept);
	kocoon_kernel_free(plain);
}

static void copy_file(const char *from, const char *to)
{
	char command[512];

	snprintf(command, sizeof(command), "cp --preserve=timestamps '%s' '%s'", from, to);
	assert_int_equal(system(command), 0); /* NOLINT: paths of ours */
}

/* Its times may be those of another state of it. */
static void an_image_of_just_now_is_not_kept(void **state)
{
	char *image = stock_file("6.12-cloud-amd64", "boot/vmlinuz-*"), copy[64];
	struct kocoon_kernel *kernel;

	(void)state;
	snprintf(copy, sizeof(copy), "%s/vmlinuz", base);
	copy_file(image, copy);
	kernel = open_with_cache(copy);
	assert_int_equal(count_files(folder, false), 0);
	kocoon_kernel_free(kernel);
	free(image);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_base, remove_base)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(appears_whole_or_not_at_all),
		TEST(believes_nothing_that_was_touched),
		TEST(makes_room),
		TEST(leaves_alone_what_is_not_its_own),
		TEST(an_image_that_was_kept_is_the_same_kernel),
		TEST(an_image_of_just_now_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

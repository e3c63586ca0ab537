/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loading and unloading for ever: memory and address space stay what they are. KOCOON_CYCLES says
 * how often (make bench does it a million times).
 */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kocoon/live.h>

#include "supplies.h"

enum { CYCLES = 5000, WARM = 3000 };

static const char *const modules[] = { "hello", "percpu", "parameters" };
static struct {
	unsigned char *image;
	size_t len;
} files[3];

/* Pages of the process: address space, and memory. */
struct size {
	long space, resident;
	size_t heap; /* bytes in use */
	unsigned int mappings, descriptors;
};

static unsigned int count_lines(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned int lines = 0;
	int letter;

	assert_non_null(file);
	while ((letter = fgetc(file)) != EOF)
		lines += letter == '\n';
	fclose(file);
	return lines;
}

static unsigned int count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static struct size measure(struct kocoon *kocoon)
{
	FILE *file = fopen("/proc/self/statm", "re");
	struct size size = { 0 };

	kocoon_synchronize(kocoon);
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%ld %ld", &size.space, &size.resident), 2);
	fclose(file);
	size.heap = mallinfo2().uordblks;
	size.mappings = count_lines("/proc/self/maps");
	size.descriptors = count_descriptors();
	return size;
}

static void cycle(struct kocoon *kocoon, long count)
{
	for (long i = 0; i < count; i++) {
		size_t which = (size_t)i % 3;

		assert_int_equal(kocoon_init_module(kocoon, files[which].image, files[which].len,
						    which == 2 ? "charp=text words=a,b" : "", NULL),
				 0);
		assert_int_equal(kocoon_delete_module(kocoon, modules[which], O_NONBLOCK), 0);
		if (i % 64 == 0)
			live_forget();
	}
}

static void memory_and_address_space_stay_flat(void **state)
{
	const char *text = getenv("KOCOON_CYCLES");
	long cycles = text ? strtol(text, NULL, 10) : CYCLES;
	struct kocoon *kocoon = live_new(NULL, NULL);
	struct kocoon_stats stats;
	struct size before, after;

	(void)state;
	assert_non_null(kocoon);
	for (size_t i = 0; i < 3; i++) {
		files[i].image = live_image(modules[i], &files[i].len);
		assert_non_null(files[i].image);
	}
	cycle(kocoon, WARM);
	live_forget();
	before = measure(kocoon);
	cycle(kocoon, cycles);
	live_forget();
	after = measure(kocoon);
	print_message("# %ld cycles: address space %ld to %ld pages, resident %ld to %ld, heap %zu "
		      "to %zu bytes, mappings %u to %u\n",
		      cycles, before.space, after.space, before.resident, after.resident,
		      before.heap, after.heap, before.mappings, after.mappings);
	assert_int_equal(after.mappings, before.mappings);
	assert_int_equal(after.descriptors, before.descriptors);
	assert_in_range(after.space, 0, before.space + 256);
	assert_in_range(after.resident, 0, before.resident + 256);
	assert_in_range(after.heap, 0, before.heap + 16384);
	kocoon_statistics(kocoon, &stats);
	assert_int_equal(stats.loaded, cycles + WARM);
	assert_int_equal(stats.unloaded, cycles + WARM);
	for (size_t i = 0; i < 3; i++)
		free(files[i].image);
	kocoon_free(kocoon);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_and_address_space_stay_flat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

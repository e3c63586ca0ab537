/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory/link_space.c: regions are zero, one behind the other; what is large costs nothing. */
#include "unit.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memory/memory.h"

static const uint64_t base = UINT64_C(0xffffffffc0000000);

/* Bytes of this process that are in memory. */
static uint64_t resident(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long all, there;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &all, &there), 2);
	fclose(file);
	return there * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void ask(struct kc_memory *memory, uint64_t text, uint64_t data)
{
	memory->regions[KOCOON_REGION_TEXT].address = base;
	memory->regions[KOCOON_REGION_TEXT].size = text;
	memory->regions[KOCOON_REGION_DATA].address = base + text;
	memory->regions[KOCOON_REGION_DATA].size = data;
}

static void check_zeros(const struct kc_memory *memory, uint64_t address, uint64_t len)
{
	const uint8_t *bytes = kc_memory_at(memory, address, len, NULL);

	assert_non_null(bytes);
	for (uint64_t i = 0; i < len; i++)
		assert_int_equal(bytes[i], 0);
}

static void zeros_from_module_to_module(void **state)
{
	/* Small, larger, beyond what is kept, small again. */
	static const uint64_t sizes[] = { 1, 5, 20000, 2, 20000, 3 };
	struct kc_memory memory = { 0 };

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(sizes); i++) {
		uint64_t size = sizes[i] * KC_PAGE_SIZE;

		ask(&memory, KC_PAGE_SIZE, size);
		assert_int_equal(kc_memory_allocate(&memory), 0);
		assert_ptr_equal(memory.regions[KOCOON_REGION_DATA].bytes,
				 memory.regions[KOCOON_REGION_TEXT].bytes + KC_PAGE_SIZE);
		check_zeros(&memory, base, KC_PAGE_SIZE);
		check_zeros(&memory, base + KC_PAGE_SIZE, size);
		memset(memory.buffer.data, 0xcc, memory.buffer.len);
	}
	kc_memory_deinit(&memory);
}

/* A file of some bytes can ask for as much as there is room for modules. */
static void large_regions_take_no_memory(void **state)
{
	enum { LARGE = 768 << 20, ALLOWED = 160 << 20 /* a sanitizer's shadow included */ };
	struct kc_memory memory = { 0 };
	uint64_t before = resident();

	(void)state;
	/* As meson sets it for tests, calloc() writes to what it gives. */
	mallopt(M_PERTURB, 0);
	for (int i = 0; i < 3; i++) {
		ask(&memory, KC_PAGE_SIZE, LARGE);
		assert_int_equal(kc_memory_allocate(&memory), 0);
		check_zeros(&memory, base + LARGE, KC_PAGE_SIZE);
		assert_true(resident() < before + ALLOWED);
	}
	kc_memory_deinit(&memory);
	assert_true(resident() < before + ALLOWED);
}

static void more_than_there_is(void **state)
{
	struct kc_memory memory = { 0 };

	(void)state;
	ask(&memory, KC_PAGE_SIZE, UINT64_C(1) << 62);
	assert_int_equal(kc_memory_allocate(&memory), -ENOMEM);
	kc_memory_deinit(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeros_from_module_to_module),
		cmocka_unit_test(large_regions_take_no_memory),
		cmocka_unit_test(more_than_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory/live_space.c and memory/per_cpu.c */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory/per_cpu.h"

enum { SPACE = 4 << 20 };

static int setup(void **state)
{
	struct kc_live_space *space = calloc(1, sizeof(*space));

	assert_int_equal(kc_live_space_init(space, SPACE, NULL), 0);
	*state = space;
	return 0;
}

static int teardown(void **state)
{
	struct kc_live_space *space = *state;

	assert_int_equal(kc_live_space_used(space), 0);
	kc_live_space_deinit(space);
	free(space);
	return 0;
}

/* As /proc/self/maps shows the page: "r-xs"; "" where there is none. */
static void permissions(uint64_t address, char text_ret[5])
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	assert_non_null(maps);
	*text_ret = 0;
	while (fgets(line, sizeof(line), maps)) {
		char *end;
		uint64_t from = strtoull(line, &end, 16);
		uint64_t to = strtoull(end + 1, &end, 16);

		if (address >= from && address < to)
			snprintf(text_ret, 5, "%.4s", end + 1);
	}
	fclose(maps);
}

static void assert_permissions(uint64_t address, const char *expected)
{
	char found[5];

	permissions(address, found);
	assert_string_equal(found, expected);
}

static void is_below_2_gib(void **state)
{
	const struct kc_live_space *space = *state;

	assert_true(space->base >= 0x10000);
	assert_true(space->base + space->size <= UINT64_C(0x80000000));
}

static void what_is_written_is_seen_where_it_lives(void **state)
{
	struct kc_live_space *space = *state;
	uint64_t address;

	assert_int_equal(kc_live_space_allocate(space, 10000, &address), 0);
	assert_permissions(address, "---s");
	kc_live_space_clear(space, address, 10000);
	kc_live_space_bytes(space, address)[5000] = 42;
	assert_int_equal(kc_live_space_protect(space, address, 10000, KC_PROTECTION_READ), 0);
	assert_permissions(address + 8192, "r--s");
	assert_int_equal(((const uint8_t *)(uintptr_t)address)[5000], 42);
	kc_live_space_free(space, address, 10000);
	assert_permissions(address, "---s");
}

static void text_was_never_writable(void **state)
{
	struct kc_live_space *space = *state;
	uint64_t address;

	assert_int_equal(kc_live_space_allocate(space, 8192, &address), 0);
	assert_int_equal(kc_live_space_protect(space, address, 4096, KC_PROTECTION_EXECUTE), 0);
	assert_permissions(address, "r-xs");
	assert_int_equal(kc_live_space_protect(space, address + 4096, 4096, KC_PROTECTION_WRITE),
			 0);
	assert_permissions(address + 4096, "rw-s");
	assert_int_equal(kc_live_space_protect(space, address + 4096, 4096, KC_PROTECTION_EXECUTE),
			 -EINVAL);
	assert_permissions(address + 4096, "rw-s");
	/* The other mapping can't be executed. */
	assert_permissions((uintptr_t)kc_live_space_bytes(space, address), "rw-s");
	kc_live_space_free(space, address, 8192);
}

static void runs_are_guarded(void **state)
{
	struct kc_live_space *space = *state;
	uint64_t a, b;

	assert_int_equal(kc_live_space_allocate(space, 4096, &a), 0);
	assert_int_equal(kc_live_space_allocate(space, 4096, &b), 0);
	assert_true(b >= a + 8192 || a >= b + 8192);
	assert_int_equal(kc_live_space_protect(space, a, 4096, KC_PROTECTION_WRITE), 0);
	assert_permissions(a + 4096, "---s");
	kc_live_space_free(space, a, 4096);
	kc_live_space_free(space, b, 4096);
}

static void pages_are_clean_when_they_are_used_again(void **state)
{
	struct kc_live_space *space = *state;

	for (int round = 0; round < 4; round++) {
		uint64_t address;

		assert_int_equal(kc_live_space_allocate(space, SPACE / 2, &address), 0);
		kc_live_space_clear(space, address, SPACE / 2);
		for (size_t i = 0; i < SPACE / 2; i += 512)
			assert_int_equal(kc_live_space_bytes(space, address)[i], 0);
		memset(kc_live_space_bytes(space, address), 0xaa, SPACE / 2);
		kc_live_space_free(space, address, SPACE / 2);
	}
}

static void too_much_is_refused(void **state)
{
	struct kc_live_space *space = *state;
	struct kc_live_space other;
	uint64_t address = 7;

	assert_int_equal(kc_live_space_allocate(space, 0, &address), -ENOMEM);
	assert_int_equal(kc_live_space_allocate(space, SPACE, &address), -ENOMEM);
	assert_int_equal(kc_live_space_allocate(space, UINT64_MAX, &address), -ENOMEM);
	assert_int_equal(address, 7);
	assert_int_equal(kc_live_space_init(&other, UINT64_C(1) << 32, NULL), -ENOMEM);
	assert_int_equal(kc_live_space_init(&other, 0, NULL), -ENOMEM);
}

static void pages_know_their_owner(void **state)
{
	struct kc_live_space *space = *state;
	uint64_t address;
	int owner;

	assert_int_equal(kc_live_space_allocate(space, 8192, &address), 0);
	assert_null(kc_live_space_owner(space, address));
	kc_live_space_set_owner(space, address, 8192, &owner);
	assert_ptr_equal(kc_live_space_owner(space, address), &owner);
	assert_ptr_equal(kc_live_space_owner(space, address + 8191), &owner);
	assert_null(kc_live_space_owner(space, address + 8192));
	assert_null(kc_live_space_owner(space, 0));
	assert_null(kc_live_space_owner(space, space->base + space->size));
	assert_null(kc_live_space_owner(space, UINT64_MAX));
	kc_live_space_free(space, address, 8192);
	assert_null(kc_live_space_owner(space, address));
}

/* Memory of what was given back goes to the host, but for what is kept for the next one. */
static void memory_goes_back(void **state)
{
	struct kc_live_space space;
	uint64_t address;
	struct stat status;

	(void)state;
	assert_int_equal(kc_live_space_init(&space, 512 << 20, NULL), 0);
	for (int i = 0; i < 64; i++) {
		uint64_t other;

		assert_int_equal(kc_live_space_allocate(&space, 16 << 20, &address), 0);
		kc_live_space_clear(&space, address, 16 << 20);
		memset(kc_live_space_bytes(&space, address), 1, 16 << 20);
		/* Another one in between, so that places move. */
		assert_int_equal(kc_live_space_allocate(&space, 4096, &other), 0);
		kc_live_space_free(&space, address, 16 << 20);
		kc_live_space_free(&space, other, 4096);
	}
	assert_int_equal(fstat(space.fd, &status), 0);
	assert_in_range(status.st_blocks * 512, 0, 16 << 20);
	kc_live_space_deinit(&space);
}

/* ---- per-CPU areas ---- */

static uint64_t read_gs(uint64_t offset)
{
	uint64_t value;

	__asm__ volatile("movq %%gs:(%1), %0" : "=r"(value) : "r"(offset) : "memory");
	return value;
}

static void a_visitor_has_an_area(void **state)
{
	struct kc_per_cpu areas;
	uint64_t offset, value = 0x1122334455667788;

	assert_int_equal(kc_per_cpu_init(&areas, *state, 4), 0);
	assert_int_equal(kc_per_cpu_allocate(&areas, 24, 16, &offset), 0);
	assert_int_equal(offset % 16, 0);
	kc_per_cpu_copy(&areas, offset, kc_span(&value, sizeof(value)));
	assert_int_equal(kc_per_cpu_number(&areas), -1);
	kc_per_cpu_enter(&areas);
	assert_in_range(kc_per_cpu_number(&areas), 0, 3);
	assert_true(read_gs(offset) == value);
	assert_true(read_gs(offset + 8) == 0);
	assert_true(read_gs(KC_PER_CPU_COOKIE) != 0);
	assert_int_equal(read_gs(KC_PER_CPU_COOKIE) & 0xff, 0);
	kc_per_cpu_enter(&areas);
	kc_per_cpu_leave(&areas);
	assert_in_range(kc_per_cpu_number(&areas), 0, 3);
	kc_per_cpu_leave(&areas);
	assert_int_equal(kc_per_cpu_number(&areas), -1);
	kc_per_cpu_leave(&areas); /* once too often does nothing */
	kc_per_cpu_free(&areas, offset, 24);
	kc_per_cpu_deinit(&areas);
}

static void subsystems_nest(void **state)
{
	struct kc_per_cpu one, two;

	assert_int_equal(kc_per_cpu_init(&one, *state, 1), 0);
	assert_int_equal(kc_per_cpu_init(&two, *state, 1), 0);
	*kc_per_cpu_bytes(&one, 128, 0) = 1;
	*kc_per_cpu_bytes(&two, 128, 0) = 2;
	kc_per_cpu_enter(&one);
	assert_int_equal(read_gs(128), 1);
	kc_per_cpu_enter(&two);
	assert_int_equal(read_gs(128), 2);
	assert_ptr_equal(kc_per_cpu_current(), &two);
	kc_per_cpu_leave(&two);
	assert_int_equal(read_gs(128), 1);
	assert_ptr_equal(kc_per_cpu_current(), &one);
	kc_per_cpu_leave(&one);
	assert_null(kc_per_cpu_current());
	kc_per_cpu_deinit(&two);
	kc_per_cpu_deinit(&one);
}

static void the_reserve_is_bounded(void **state)
{
	struct kc_per_cpu areas;
	uint64_t a, b, c;

	assert_int_equal(kc_per_cpu_init(&areas, *state, 2), 0);
	assert_int_equal(kc_per_cpu_allocate(&areas, KC_PER_CPU_RESERVE - 8, 8, &a), 0);
	assert_int_equal(kc_per_cpu_allocate(&areas, 9, 8, &b), -ENOMEM);
	assert_int_equal(kc_per_cpu_allocate(&areas, 1, 1, &b), 0);
	assert_int_equal(kc_per_cpu_allocate(&areas, 1, 1, &c), -ENOMEM);
	assert_int_equal(kc_per_cpu_allocate(&areas, UINT64_MAX, 8, &c), -ENOMEM);
	/* What comes back is zero again. */
	memset(kc_per_cpu_bytes(&areas, a, 1), 0xff, KC_PER_CPU_RESERVE - 8);
	kc_per_cpu_free(&areas, a, KC_PER_CPU_RESERVE - 8);
	assert_int_equal(kc_per_cpu_allocate(&areas, 4096, 4096, &c), 0);
	assert_int_equal(c % 4096, 0);
	assert_int_equal(*kc_per_cpu_bytes(&areas, c, 1), 0);
	kc_per_cpu_deinit(&areas);
}

/* More threads than CPUs: each counts alone in the area that it has, so no step is lost. */
enum { THREADS = 8, STEPS = 500 };

struct counting {
	struct kc_per_cpu areas;
	uint64_t offset;
};

static void *count(void *context)
{
	struct counting *counting = context;

	for (int i = 0; i < STEPS; i++) {
		uint64_t *place;

		kc_per_cpu_enter(&counting->areas);
		place = (uint64_t *)(void *)kc_per_cpu_bytes(
			&counting->areas, counting->offset,
			(unsigned int)kc_per_cpu_number(&counting->areas));
		(*place)++;
		if (read_gs(counting->offset) != *place)
			abort();
		kc_per_cpu_leave(&counting->areas);
	}
	return NULL;
}

static void a_cpu_is_one_threads(void **state)
{
	struct counting counting;
	pthread_t threads[THREADS];
	uint64_t total = 0;

	assert_int_equal(kc_per_cpu_init(&counting.areas, *state, 3), 0);
	assert_int_equal(kc_per_cpu_allocate(&counting.areas, 8, 8, &counting.offset), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count, &counting), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int cpu = 0; cpu < 3; cpu++)
		total += kc_load64(kc_per_cpu_bytes(&counting.areas, counting.offset, cpu));
	assert_int_equal(total, THREADS * STEPS);
	kc_per_cpu_deinit(&counting.areas);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(is_below_2_gib, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_written_is_seen_where_it_lives, setup,
						teardown),
		cmocka_unit_test_setup_teardown(text_was_never_writable, setup, teardown),
		cmocka_unit_test_setup_teardown(runs_are_guarded, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_are_clean_when_they_are_used_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(too_much_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_know_their_owner, setup, teardown),
		cmocka_unit_test(memory_goes_back),
		cmocka_unit_test_setup_teardown(a_visitor_has_an_area, setup, teardown),
		cmocka_unit_test_setup_teardown(subsystems_nest, setup, teardown),
		cmocka_unit_test_setup_teardown(the_reserve_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cpu_is_one_threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

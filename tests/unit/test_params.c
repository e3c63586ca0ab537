/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* live/params.c, sysfs_active.c: records, reading and setting at run time, many threads. */
#include "unit.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "param_fixture.h"

/* ---- reading and writing later ---- */

static void reads_and_writes_at_run_time(void **state)
{
	struct fixture fixture;
	const struct kc_param *param;
	char *text = NULL;
	size_t len = 0;

	(void)state;
	make_line(&fixture);
	param = kc_params_lookup(fixture.module, "under-score");
	assert_non_null(param);
	assert_int_equal(kc_param_show(fixture.module, param, &text, &len), 0);
	assert_string_equal(text, "none\n");
	assert_int_equal(len, 5);
	free(text);
	assert_int_equal(kc_param_store(fixture.module, param, "new\n", 4), 0);
	assert_string_equal(fixture.us, "new\n");
	/* The length counts, and so does a NUL. */
	assert_int_equal(kc_param_store(fixture.module, param, "longer", 4), 0);
	assert_string_equal(fixture.us, "long");
	assert_int_equal(kc_param_store(fixture.module, param, "a\0b", 3), 0);
	assert_string_equal(fixture.us, "a");
	param = kc_params_lookup(fixture.module, "i");
	assert_int_equal(kc_param_store(fixture.module, param, "12\n", 3), 0);
	assert_int_equal(kc_param_store(fixture.module, param, "", 0), -EINVAL);
	assert_int_equal(fixture.i, 12);
	param = kc_params_lookup(fixture.module, "arr");
	assert_int_equal(kc_param_store(fixture.module, param, "4,5", 3), 0);
	assert_int_equal(kc_param_show(fixture.module, param, &text, &len), 0);
	assert_string_equal(text, "4,5\n");
	free(text);
	assert_null(kc_params_lookup(fixture.module, "j"));
	free_line(&fixture);
}

static int get_fails(char *buffer, const struct kc_kernel_param *param)
{
	(void)buffer;
	(void)param;
	return -ENODEV;
}

static int get_too_much(char *buffer, const struct kc_kernel_param *param)
{
	(void)param;
	memset(buffer, 'x', KC_PAGE_SIZE);
	return KC_PAGE_SIZE + 1;
}

static void functions_may_be_missing_or_fail(void **state)
{
	static const struct kc_kernel_param_ops none = { 0 };
	static const struct kc_kernel_param_ops failing = { .get = get_fails };
	static const struct kc_kernel_param_ops large = { .get = get_too_much };
	struct fixture fixture;
	const struct kc_param *param;
	char *text = NULL;
	size_t len = 7;

	(void)state;
	make_fixture(&fixture);
	param = add_param(&fixture, "none", &none, NULL);
	assert_int_equal(kc_param_show(fixture.module, param, &text, &len), -EPERM);
	assert_int_equal(kc_param_store(fixture.module, param, "1", 1), -EPERM);
	assert_int_equal(parse(&fixture, "none=1", NULL), -EPERM);
	param = add_param(&fixture, "failing", &failing, NULL);
	assert_int_equal(kc_param_show(fixture.module, param, &text, &len), -ENODEV);
	assert_null(text);
	assert_int_equal(len, 7);
	param = add_param(&fixture, "large", &large, NULL);
	assert_int_equal(kc_param_show(fixture.module, param, &text, &len), 0);
	assert_int_equal(len, KC_PAGE_SIZE - 1);
	assert_int_equal(strlen(text), len);
	free(text);
	param = add_param(&fixture, "ret", &returning_ops, NULL);
	assert_int_equal(kc_param_store(fixture.module, param, "3", 1), 3);
	assert_int_equal(kc_param_store(fixture.module, param, "-5", 2), -EIO);
	free_fixture(&fixture);
}

static size_t count_copies(const struct fixture *fixture)
{
	size_t used = 0;

	for (size_t i = 0; i < KC_PARAM_TEXT_BUCKETS; i++)
		used += fixture->kocoon->param_texts.buckets[i] != NULL;
	return used;
}

static unsigned int freed;

static void count_free(void *arg)
{
	*(int *)arg = 0;
	freed++;
}

static void destroying_frees(void **state)
{
	static const struct kc_kernel_param_ops counting = { .free = count_free };
	struct fixture fixture;
	int variable = 1;

	(void)state;
	make_line(&fixture);
	add_param(&fixture, "counted", &counting, &variable);
	assert_int_equal(parse(&fixture, "under_score=a-copy", NULL), 0);
	fixture.module->params = malloc(sizeof(fixture.params));
	memcpy(fixture.module->params, fixture.params, sizeof(fixture.params));
	freed = 0;
	kc_params_destroy(fixture.module);
	assert_int_equal(freed, 1);
	assert_int_equal(variable, 0);
	assert_null(fixture.module->params);
	assert_int_equal(fixture.module->param_count, 0);
	assert_int_equal(count_copies(&fixture), 0);
	kc_params_destroy(fixture.module);
	assert_int_equal(freed, 1);
	free_fixture(&fixture);
}

/* ---- records ---- */

/* A module's memory: records, then functions, then names. */
struct image {
	struct kc_kernel_param records[2];
	struct kc_kernel_param_ops ops;
	int variable;
	char names[20]; /* to the end of the region */
};

_Static_assert(sizeof(struct image) == 136, "no padding behind the names");

static const uint64_t image_address = 0x41000000;

static void make_image(struct fixture *fixture, struct image *image)
{
	struct kc_region *region = &fixture->module->memory.regions[KOCOON_REGION_DATA];

	memset(image, 0, sizeof(*image));
	memcpy(image->names, "first\0second", 13);
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t names = image_address + offsetof(struct image, names);

		image->records[i].name = (const char *)(uintptr_t)(names + 6 * i);
		image->records[i].ops =
			(const void *)(uintptr_t)(image_address + offsetof(struct image, ops));
		image->records[i].arg =
			(void *)(uintptr_t)(image_address + offsetof(struct image, variable));
		image->records[i].perm = 0444;
		image->records[i].level = (int8_t)(i ? 7 : -1);
		image->records[i].flags = (uint8_t)i;
	}
	*region = (struct kc_region){ .address = image_address,
				      .size = sizeof(*image),
				      .used = sizeof(*image),
				      .bytes = (uint8_t *)image };
	fixture->module->params = NULL;
	atomic_store(&fixture->module->region_sizes[KOCOON_REGION_DATA], sizeof(*image));
}

static void records_are_read(void **state)
{
	struct fixture fixture;
	struct image image;
	const struct kc_param *params;

	(void)state;
	make_fixture(&fixture);
	make_image(&fixture, &image);
	assert_int_equal(kc_params_find(fixture.module, image_address, 2, NULL), 0);
	params = fixture.module->params;
	assert_int_equal(fixture.module->param_count, 2);
	assert_string_equal(params[0].name, "first");
	assert_string_equal(params[1].name, "second");
	assert_int_equal(params[1].record, image_address + 40);
	assert_int_equal(params[1].ops, image_address + offsetof(struct image, ops));
	assert_int_equal(params[1].arg, image_address + offsetof(struct image, variable));
	assert_int_equal(params[0].perm, 0444);
	assert_int_equal(params[0].level, -1);
	assert_int_equal(params[1].level, 7);
	assert_int_equal(params[0].flags, 0);
	assert_int_equal(params[1].flags, 1);
	free(fixture.module->params);
	free_fixture(&fixture);
}

static void check_refused(struct fixture *fixture, uint64_t address, uint64_t count)
{
	struct kocoon_report *report = kocoon_report_new();

	assert_int_equal(kc_params_find(fixture->module, address, count, report), -ENOEXEC);
	assert_null(fixture->module->params);
	assert_int_equal(fixture->module->param_count, 0);
	assert_int_equal(kocoon_report_count(report), 1);
	assert_int_equal(kocoon_report_get(report, 0)->err, -ENOEXEC);
	kocoon_report_free(report);
}

static void hostile_records_are_refused(void **state)
{
	struct fixture fixture;
	struct image image;

	(void)state;
	make_fixture(&fixture);
	make_image(&fixture, &image);
	assert_int_equal(kc_params_find(fixture.module, 0, 0, NULL), 0);
	check_refused(&fixture, 0, 1);
	check_refused(&fixture, image_address - 1, 2);
	check_refused(&fixture, image_address, sizeof(image) / 40 + 1);
	check_refused(&fixture, image_address, UINT64_MAX / 40);
	check_refused(&fixture, image_address, UINT64_MAX / 40 + 2);
	check_refused(&fixture, UINT64_MAX - 10, 2);
	image.records[1].name = NULL;
	check_refused(&fixture, image_address, 2);
	image.records[1].name = (const char *)(uintptr_t)(image_address + sizeof(image));
	check_refused(&fixture, image_address, 2);
	make_image(&fixture, &image);
	memset(image.names + 6, 'x', sizeof(image.names) - 6); /* no end */
	check_refused(&fixture, image_address, 2);
	make_image(&fixture, &image);
	image.records[0].ops = NULL;
	check_refused(&fixture, image_address, 2);
	image.records[0].ops = (const void *)(uintptr_t)(image_address + sizeof(image) - 31);
	check_refused(&fixture, image_address, 2);
	image.records[0].ops = (const void *)(uintptr_t)(UINT64_MAX - 3);
	check_refused(&fixture, image_address, 2);
	free_fixture(&fixture);
}

/* ---- the lock, for module code ---- */

static void module_code_can_lock_them(void **state)
{
	struct fixture fixture;
	struct kc_live_space *space;
	uint64_t page;

	(void)state;
	make_line(&fixture);
	space = &fixture.kocoon->space;
	assert_int_equal(kc_live_space_allocate(space, KC_PAGE_SIZE, &page), 0);
	kc_live_space_set_owner(space, page, KC_PAGE_SIZE, fixture.module);
	fixture.module->this_module = page + 64;
	kocoon_enter(fixture.kocoon);
	kc_kernel_param_lock((void *)(uintptr_t)(page + 64));
	assert_int_equal(pthread_mutex_trylock(&fixture.module->param_lock), EBUSY);
	kc_kernel_param_unlock((void *)(uintptr_t)(page + 64));
	assert_int_equal(pthread_mutex_trylock(&fixture.module->param_lock), 0);
	/* The lock of what is built in, and of what is no module. */
	kc_kernel_param_lock(NULL);
	kc_kernel_param_unlock(NULL);
	kc_kernel_param_lock((void *)(uintptr_t)page);
	kc_kernel_param_unlock((void *)(uintptr_t)page);
	pthread_mutex_unlock(&fixture.module->param_lock);
	kocoon_leave(fixture.kocoon);
	kc_live_space_free(space, page, KC_PAGE_SIZE);
	free_line(&fixture);
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 2000 };

static void *read_one(void *argument)
{
	struct fixture *fixture = argument;
	const struct kc_param *param = kc_params_lookup(fixture->module, "under_score");

	for (int i = 0; i < ROUNDS; i++) {
		char *text = NULL;
		size_t len = 0;

		if (kc_param_show(fixture->module, param, &text, &len)) {
			atomic_fetch_add(&fixture->wrong, 1);
			continue;
		}
		/* One of the texts, never parts of two. */
		if (strspn(text, "a") != len - 1 && strspn(text, "b") != len - 1)
			atomic_fetch_add(&fixture->wrong, 1);
		free(text);
	}
	return NULL;
}

static void *write_one(void *argument)
{
	static const char as[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", bs[] = "bbbbbbb";
	struct fixture *fixture = argument;
	const struct kc_param *param = kc_params_lookup(fixture->module, "under_score");

	for (int i = 0; i < ROUNDS; i++) {
		const char *text = i % 2 ? as : bs;

		if (kc_param_store(fixture->module, param, text, strlen(text)))
			atomic_fetch_add(&fixture->wrong, 1);
	}
	return NULL;
}

static void readers_and_writers_meet(void **state)
{
	pthread_t threads[2 * THREADS];
	struct fixture fixture;

	(void)state;
	make_line(&fixture);
	assert_int_equal(kc_param_store(fixture.module, &fixture.params[1], "a", 1), 0);
	for (int i = 0; i < 2 * THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, i % 2 ? read_one : write_one, &fixture),
			0);
	for (int i = 0; i < 2 * THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&fixture.wrong), 0);
	assert_int_equal(count_copies(&fixture), 1);
	free_line(&fixture);
}

static void *visit(void *argument)
{
	struct fixture *fixture = argument;

	while (kc_sysfs_get_active(fixture->module)) {
		atomic_fetch_add(&fixture->rounds, 1);
		if (!atomic_load(&fixture->there))
			atomic_fetch_add(&fixture->wrong, 1);
		kc_sysfs_put_active(fixture->module);
	}
	return NULL;
}

static void files_stay_while_somebody_is_in_one(void **state)
{
	pthread_t threads[THREADS];
	struct fixture fixture;

	(void)state;
	make_fixture(&fixture);
	assert_false(kc_sysfs_get_active(fixture.module));
	for (int round = 0; round < 50; round++) {
		unsigned int before = atomic_load(&fixture.rounds);

		atomic_store(&fixture.there, true);
		kc_sysfs_activate(fixture.module);
		assert_true(kc_sysfs_is_there(fixture.module));
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, visit, &fixture), 0);
		while (atomic_load(&fixture.rounds) < before + 100)
			sched_yield();
		kc_sysfs_drain(fixture.module);
		atomic_store(&fixture.there, false);
		for (int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(atomic_load(&fixture.module->sysfs_active), 0);
	}
	assert_int_equal(atomic_load(&fixture.wrong), 0);
	free_fixture(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes_at_run_time),
		cmocka_unit_test(functions_may_be_missing_or_fail),
		cmocka_unit_test(destroying_frees),
		cmocka_unit_test(records_are_read),
		cmocka_unit_test(hostile_records_are_refused),
		cmocka_unit_test(module_code_can_lock_them),
		cmocka_unit_test(readers_and_writers_meet),
		cmocka_unit_test(files_stay_while_somebody_is_in_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

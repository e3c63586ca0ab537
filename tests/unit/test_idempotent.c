/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Concurrent loads of one file. */
#include "unit.h"

#include <pthread.h>
#include <string.h>

#include "live/live.h"

enum { THREADS = 8, ROUNDS = 300, FILES = 3 };

static struct kocoon kocoon;

static int set_up(void **state)
{
	(void)state;
	memset(&kocoon, 0, sizeof(kocoon));
	pthread_mutex_init(&kocoon.idempotent_lock, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < 64; i++)
		assert_null(kocoon.idempotent[i]);
	pthread_mutex_destroy(&kocoon.idempotent_lock);
	return 0;
}

static void one_caller_loads_each_time(void **state)
{
	struct kc_idempotent record;
	struct kc_idempotent_key key = { 1, 2 };
	int result = 5;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_false(kc_idempotent_begin(&kocoon, &record, key, &result));
		kc_idempotent_end(&kocoon, &record, -8);
	}
	assert_int_equal(result, 5);
}

static void different_files_do_not_wait(void **state)
{
	struct kc_idempotent records[200];
	int result;

	(void)state;
	for (uint64_t i = 0; i < 200; i++)
		assert_false(kc_idempotent_begin(&kocoon, &records[i],
						 (struct kc_idempotent_key){ i / 20, i % 20 },
						 &result));
	for (size_t i = 0; i < 200; i++)
		kc_idempotent_end(&kocoon, &records[i * 7 % 200], 0);
}

struct waiter {
	pthread_t thread;
	atomic_bool began;
	bool merged;
	int result;
};

static void *wait_for_file(void *context)
{
	struct waiter *waiter = context;
	struct kc_idempotent record;

	atomic_store(&waiter->began, true);
	waiter->merged = kc_idempotent_begin(&kocoon, &record, (struct kc_idempotent_key){ 1, 1 },
					     &waiter->result);
	return NULL;
}

/* How many wait for the file of a first caller. */
static int count_waiters(const struct kc_idempotent *first)
{
	int count = 0;

	pthread_mutex_lock(&kocoon.idempotent_lock);
	for (const struct kc_idempotent *waiter = first->waiters; waiter; waiter = waiter->next)
		count++;
	pthread_mutex_unlock(&kocoon.idempotent_lock);
	return count;
}

static void others_get_the_result(void **state)
{
	struct waiter waiters[THREADS] = { 0 };
	struct kc_idempotent record;
	int result;

	(void)state;
	assert_false(
		kc_idempotent_begin(&kocoon, &record, (struct kc_idempotent_key){ 1, 1 }, &result));
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&waiters[i].thread, NULL, wait_for_file, &waiters[i]), 0);
	while (count_waiters(&record) < THREADS)
		sched_yield();
	kc_idempotent_end(&kocoon, &record, -17);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(waiters[i].thread, NULL);
		assert_true(waiters[i].merged);
		assert_int_equal(waiters[i].result, -17);
	}
}

/* Of each file, the load that is under way; its number is the result. */
static atomic_int loading[FILES], numbers[FILES];

static void *load_often(void *context)
{
	(void)context;
	for (int i = 0; i < ROUNDS; i++) {
		int file = i % FILES, before = atomic_load(&numbers[file]), result;
		struct kc_idempotent record;

		if (kc_idempotent_begin(&kocoon, &record,
					(struct kc_idempotent_key){ 8, (uint64_t)file }, &result)) {
			/* Of a load that was not over when this call began: not older than that. */
			assert_true(result >= before && result > 0);
			continue;
		}
		assert_int_equal(atomic_fetch_add(&loading[file], 1), 0);
		if (i % 8 == 0)
			sched_yield();
		result = atomic_fetch_add(&numbers[file], 1) + 1;
		assert_int_equal(atomic_fetch_sub(&loading[file], 1), 1);
		kc_idempotent_end(&kocoon, &record, result);
	}
	return NULL;
}

static void many_threads(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, load_often, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < FILES; i++)
		assert_in_range(atomic_load(&numbers[i]), ROUNDS / FILES, THREADS * ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_caller_loads_each_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(different_files_do_not_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(others_get_the_result, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_threads, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

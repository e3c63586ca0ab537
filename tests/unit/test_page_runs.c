/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory/page_runs.c */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "memory/page_runs.h"

enum { PAGES = 4096 };

static void gives_out_all_and_no_more(void **state)
{
	struct kc_page_runs *runs = kc_page_runs_new(PAGES);

	(void)state;
	assert_non_null(runs);
	assert_int_equal(kc_page_runs_take(runs, 0), KC_NO_PAGE);
	assert_int_equal(kc_page_runs_take(runs, PAGES + 1), KC_NO_PAGE);
	assert_int_equal(kc_page_runs_take(runs, PAGES), 0);
	assert_int_equal(kc_page_runs_take(runs, 1), KC_NO_PAGE);
	assert_int_equal(kc_page_runs_used(runs), PAGES);
	kc_page_runs_give(runs, 0, PAGES);
	assert_int_equal(kc_page_runs_used(runs), 0);
	kc_page_runs_free(runs);
}

static void neighbours_become_one(void **state)
{
	struct kc_page_runs *runs = kc_page_runs_new(30);
	uint32_t a = kc_page_runs_take(runs, 10);
	uint32_t b = kc_page_runs_take(runs, 10);
	uint32_t c = kc_page_runs_take(runs, 10);

	(void)state;
	kc_page_runs_give(runs, a, 10);
	kc_page_runs_give(runs, c, 10);
	assert_int_equal(kc_page_runs_take(runs, 11), KC_NO_PAGE);
	kc_page_runs_give(runs, b, 10);
	assert_int_equal(kc_page_runs_take(runs, 30), 0);
	kc_page_runs_free(runs);
}

/* Of many runs of one class only some are long enough: the last of them is found too. */
static void the_only_run_that_fits_is_found(void **state)
{
	struct kc_page_runs *runs = kc_page_runs_new(64 * 5 + 7);
	uint32_t first[64], long_one;

	(void)state;
	long_one = kc_page_runs_take(runs, 7);
	for (int i = 0; i < 64; i++)
		first[i] = kc_page_runs_take(runs, 5);
	kc_page_runs_give(runs, long_one, 6); /* its last page stays taken */
	for (int i = 1; i < 64; i += 2)
		kc_page_runs_give(runs, first[i], 5);
	assert_int_equal(kc_page_runs_take(runs, 6), long_one);
	kc_page_runs_free(runs);
}

/* A map of who has what: no page is ever two runs', and all come back. */
static void runs_never_overlap(void **state)
{
	static uint8_t taken[PAGES];
	struct {
		uint32_t first, count;
	} have[256] = { 0 };
	struct kc_page_runs *runs = kc_page_runs_new(PAGES);

	(void)state;
	srandom(1);
	for (int round = 0; round < 200000; round++) {
		unsigned int i = (unsigned int)random() % 256;

		if (have[i].count) {
			memset(taken + have[i].first, 0, have[i].count);
			kc_page_runs_give(runs, have[i].first, have[i].count);
			have[i].count = 0;
			continue;
		}
		have[i].count = 1 + (uint32_t)random() % 40;
		have[i].first = kc_page_runs_take(runs, have[i].count);
		if (have[i].first == KC_NO_PAGE) {
			have[i].count = 0;
			continue;
		}
		assert_true(have[i].first + have[i].count <= PAGES);
		assert_null(memchr(taken + have[i].first, 1, have[i].count));
		memset(taken + have[i].first, 1, have[i].count);
	}
	for (int i = 0; i < 256; i++)
		if (have[i].count)
			kc_page_runs_give(runs, have[i].first, have[i].count);
	assert_int_equal(kc_page_runs_used(runs), 0);
	kc_page_runs_free(runs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_out_all_and_no_more),
		cmocka_unit_test(neighbours_become_one),
		cmocka_unit_test(the_only_run_that_fits_is_found),
		cmocka_unit_test(runs_never_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

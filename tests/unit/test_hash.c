/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/hash.c */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

static void hashes_bytes_and_strings_alike(void **state)
{
	const char name[] = "__x86_indirect_thunk_rax";

	(void)state;
	for (size_t len = 1; len < sizeof(name); len++) {
		char copy[sizeof(name)] = { 0 };

		memcpy(copy, name, len);
		assert_int_equal(kc_hash(copy), kc_hash_bytes(name, len));
	}
	assert_int_not_equal(kc_hash("kfree"), kc_hash("kfree_"));
	assert_int_not_equal(kc_hash("ab"), kc_hash("ba"));
}

/* Names that collide can't be chosen in advance. */
static void another_process_hashes_otherwise(void **state)
{
	uint32_t hashes[2] = { 0 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		FILE *other = popen("exec /proc/$PPID/exe hash", "re");

		assert_non_null(other);
		assert_int_equal(fread(&hashes[i], sizeof(hashes[i]), 1, other), 1);
		assert_int_equal(pclose(other), 0);
	}
	assert_int_not_equal(hashes[0], hashes[1]);
	assert_int_not_equal(hashes[0], kc_hash("kfree"));
}

static void spreads_like_names(void **state)
{
	enum { BUCKETS = 1 << 12, NAMES = 4 * BUCKETS };
	static unsigned int filled[BUCKETS];
	unsigned int most = 0;

	(void)state;
	for (unsigned int i = 0; i < NAMES; i++) {
		char name[32];
		unsigned int bucket;

		snprintf(name, sizeof(name), "symbol_%u", i);
		bucket = kc_hash(name) % BUCKETS;
		if (++filled[bucket] > most)
			most = filled[bucket];
	}
	/* Four on average; a random function gives 15 at most. */
	assert_in_range(most, 4, 20);
}

static void finds_what_was_added(void **state)
{
	struct kc_index index;

	(void)state;
	assert_int_equal(kc_index_init(&index, 0), 0);
	for (uint32_t i = 0; i < 20000; i++)
		assert_int_equal(kc_index_add(&index, kc_hash_bytes(&i, sizeof(i)), i), 0);
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t cursor = 0, found;

		do {
			found = kc_index_next(&index, kc_hash_bytes(&i, sizeof(i)), &cursor);
			assert_int_not_equal(found, KC_INDEX_NONE);
		} while (found != i);
	}
	kc_index_deinit(&index);
}

/* Around the end of the table too, and through growing. */
static void keeps_order_of_equal_hashes(void **state)
{
	const uint32_t hashes[] = { 0, 15, UINT32_MAX, 0x1234 };
	struct kc_index index;

	(void)state;
	assert_int_equal(kc_index_init(&index, 1), 0);
	for (uint32_t i = 0; i < 400; i++)
		assert_int_equal(kc_index_add(&index, hashes[i % 4], i), 0);
	for (uint32_t which = 0; which < 4; which++) {
		uint32_t cursor = 0;

		for (uint32_t i = which; i < 400; i += 4)
			assert_int_equal(kc_index_next(&index, hashes[which], &cursor), i);
		assert_int_equal(kc_index_next(&index, hashes[which], &cursor), KC_INDEX_NONE);
	}
	kc_index_deinit(&index);
}

static void finds_nothing_in_an_empty_one(void **state)
{
	struct kc_index index = { 0 };
	uint32_t cursor = 0;

	(void)state;
	assert_int_equal(kc_index_next(&index, 1, &cursor), KC_INDEX_NONE);
	assert_int_equal(kc_index_init(&index, 100), 0);
	assert_int_equal(kc_index_next(&index, 0, &cursor), KC_INDEX_NONE);
	kc_index_deinit(&index);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_bytes_and_strings_alike),
		cmocka_unit_test(another_process_hashes_otherwise),
		cmocka_unit_test(spreads_like_names),
		cmocka_unit_test(finds_what_was_added),
		cmocka_unit_test(keeps_order_of_equal_hashes),
		cmocka_unit_test(finds_nothing_in_an_empty_one),
	};

	if (argc == 2 && !strcmp(argv[1], "hash")) {
		uint32_t hash = kc_hash("kfree");

		return fwrite(&hash, sizeof(hash), 1, stdout) != 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

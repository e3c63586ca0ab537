/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/name_table.c and base/rcu.c, on which it stands. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/name_table.h"

enum { NAMES = 500 };

struct thing {
	struct kc_named named;
	char name[24];
	struct kc_waste waste;
	atomic_int number;
};

static struct thing *thing_new(int number)
{
	struct thing *thing = calloc(1, sizeof(*thing));

	assert_non_null(thing);
	snprintf(thing->name, sizeof(thing->name), "thing_%d", number);
	thing->named = (struct kc_named){ thing->name, kc_hash(thing->name) };
	atomic_init(&thing->number, number);
	return thing;
}

static struct thing *find(const struct kc_name_table *table, int number)
{
	char name[24];
	struct kc_named *named;

	snprintf(name, sizeof(name), "thing_%d", number);
	named = kc_name_table_find(table, name, kc_hash(name));
	return named ? (struct thing *)((char *)named - offsetof(struct thing, named)) : NULL;
}

static void free_thing(struct kc_waste *waste)
{
	free((char *)waste - offsetof(struct thing, waste));
}

static void finds_what_is_there_and_nothing_else(void **state)
{
	struct thing *things[NAMES];
	struct kc_garbage garbage;
	struct kc_name_table table;

	(void)state;
	kc_garbage_init(&garbage);
	assert_int_equal(kc_name_table_init(&table, &garbage), 0);
	for (int i = 0; i < NAMES; i++) {
		things[i] = thing_new(i);
		assert_int_equal(kc_name_table_reserve(&table, 1), 0);
		kc_name_table_add(&table, &things[i]->named);
	}
	for (int i = 0; i < NAMES; i += 2)
		kc_name_table_remove(&table, &things[i]->named);
	for (int i = 0; i < NAMES; i++)
		assert_ptr_equal(find(&table, i), i % 2 ? things[i] : NULL);
	assert_null(find(&table, NAMES));
	for (int i = 0; i < NAMES; i++)
		free(things[i]);
	kc_name_table_deinit(&table);
	kc_garbage_deinit(&garbage);
}

/* Marks of what was removed must not fill the table, however often that happens. */
static void lasts_through_many_generations(void **state)
{
	struct kc_garbage garbage;
	struct kc_name_table table;
	struct thing *kept = thing_new(-1);

	(void)state;
	kc_garbage_init(&garbage);
	assert_int_equal(kc_name_table_init(&table, &garbage), 0);
	assert_int_equal(kc_name_table_reserve(&table, 1), 0);
	kc_name_table_add(&table, &kept->named);
	for (int i = 0; i < 100000; i++) {
		struct thing *thing = thing_new(i);

		assert_int_equal(kc_name_table_reserve(&table, 1), 0);
		kc_name_table_add(&table, &thing->named);
		assert_ptr_equal(find(&table, i), thing);
		kc_name_table_remove(&table, &thing->named);
		assert_null(find(&table, i));
		free(thing);
	}
	assert_ptr_equal(find(&table, -1), kept);
	free(kept);
	kc_name_table_deinit(&table);
	kc_garbage_deinit(&garbage);
}

/* Room that was reserved is there whatever others reserve and use meanwhile. */
static void reserved_room_is_kept(void **state)
{
	struct thing *things[64];
	struct kc_garbage garbage;
	struct kc_name_table table;

	(void)state;
	kc_garbage_init(&garbage);
	assert_int_equal(kc_name_table_init(&table, &garbage), 0);
	assert_int_equal(kc_name_table_reserve(&table, 32), 0);
	for (int i = 0; i < 64; i++) {
		things[i] = thing_new(i);
		if (i < 32)
			assert_int_equal(kc_name_table_reserve(&table, 1), 0);
	}
	for (int i = 0; i < 64; i++)
		kc_name_table_add(&table, &things[i]->named);
	for (int i = 0; i < 64; i++)
		assert_ptr_equal(find(&table, i), things[i]);
	kc_name_table_unreserve(&table, 0);
	assert_int_equal(kc_name_table_reserve(&table, UINT32_MAX), -12);
	for (int i = 0; i < 64; i++)
		free(things[i]);
	kc_name_table_deinit(&table);
	kc_garbage_deinit(&garbage);
}

struct shared {
	struct kc_name_table table;
	struct kc_garbage garbage;
	atomic_bool stop;
	atomic_ulong seen;
};

/* One name is always there; others come and go, and what is found is whole. */
static void *read_on(void *context)
{
	struct shared *shared = context;
	unsigned long seen = 0;

	while (!atomic_load(&shared->stop)) {
		kc_rcu_read_lock();
		if (!find(&shared->table, -1))
			abort();
		for (int i = 0; i < 8; i++) {
			struct thing *thing = find(&shared->table, i);

			if (thing && atomic_load(&thing->number) != i)
				abort();
			seen += thing != NULL;
		}
		kc_rcu_read_unlock();
	}
	atomic_fetch_add(&shared->seen, seen);
	return NULL;
}

static void readers_never_see_what_is_freed(void **state)
{
	static struct shared shared;
	struct thing *kept = thing_new(-1);
	pthread_t readers[4];

	(void)state;
	kc_garbage_init(&shared.garbage);
	assert_int_equal(kc_name_table_init(&shared.table, &shared.garbage), 0);
	assert_int_equal(kc_name_table_reserve(&shared.table, 1), 0);
	kc_name_table_add(&shared.table, &kept->named);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_on, &shared), 0);
	for (int round = 0; round < 2000; round++) {
		struct thing *thing = thing_new(round % 8);

		assert_int_equal(kc_name_table_reserve(&shared.table, 1), 0);
		kc_name_table_add(&shared.table, &thing->named);
		kc_name_table_remove(&shared.table, &thing->named);
		kc_garbage_add(&shared.garbage, &thing->waste, free_thing);
	}
	atomic_store(&shared.stop, true);
	for (int i = 0; i < 4; i++)
		pthread_join(readers[i], NULL);
	kc_name_table_deinit(&shared.table);
	kc_garbage_deinit(&shared.garbage);
	free(kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_is_there_and_nothing_else),
		cmocka_unit_test(lasts_through_many_generations),
		cmocka_unit_test(reserved_room_is_kept),
		cmocka_unit_test(readers_never_see_what_is_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

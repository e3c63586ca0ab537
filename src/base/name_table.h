/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names to things that come and go: one writer at a time, any number of readers that never wait.
 *
 * | who                       | holds                    | calls                                |
 * |---------------------------|--------------------------|--------------------------------------|
 * | writer                    | a lock of the caller's   | reserve, add, remove                 |
 * | reader                    | kc_rcu_read_lock         | find                                 |
 *
 * Open addressing over pointers to entries that are embedded in the caller's things. The cost of a
 * call does not depend on how many there are. Room is reserved apart from adding, so that adding
 * and removing can't fail.
 */
#ifndef KC_BASE_NAME_TABLE_H
#define KC_BASE_NAME_TABLE_H

#include <stdint.h>

#include "base/rcu.h"
#include "base/span.h"

struct kc_named {
	const char *name;
	uint32_t hash; /* kc_hash(name) */
};

struct kc_name_slots;

struct kc_name_table {
	_Atomic(struct kc_name_slots *) slots; /* owned */
	uint32_t count; /* entries */
	uint32_t reserved; /* entries that room was promised for, those in it included */
	struct kc_garbage *garbage; /* where replaced slots go */
};

KC_MUST_CHECK int kc_name_table_init(struct kc_name_table *table, struct kc_garbage *garbage);
/* The entries are their owners'. */
void kc_name_table_deinit(struct kc_name_table *table);
/* Room for `more` entries beside those that room was reserved for. 0 or -ENOMEM. */
KC_MUST_CHECK int kc_name_table_reserve(struct kc_name_table *table, uint32_t more);
/* Gives up room that was reserved and not used. */
void kc_name_table_unreserve(struct kc_name_table *table, uint32_t fewer);
/* Into room that was reserved. */
void kc_name_table_add(struct kc_name_table *table, struct kc_named *entry);
/* Takes it out, and its room with it; it may be freed after a grace period. */
void kc_name_table_remove(struct kc_name_table *table, struct kc_named *entry);

/* NULL: none. Of entries of one name, which the caller had better not have, any. */
struct kc_named *kc_name_table_find(const struct kc_name_table *table, const char *name,
				    uint32_t hash);

#endif

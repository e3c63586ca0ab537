/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names to numbers: the hash that symbol lookups share, so that a name is hashed once and looked
 * for in several tables.
 *
 * kc_index is an open-addressing table from a name's hash to an index into an array of the
 * caller's, who holds the names and compares them. It is built by one thread; lookups may then run
 * from any number of threads.
 */
#ifndef KC_BASE_HASH_H
#define KC_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/*
 * Hash of a NUL-terminated string. Another one in each process, by a random key: nothing that is
 * shown or written may depend on it.
 */
uint32_t kc_hash(const char *name);
uint32_t kc_hash_bytes(const void *data, size_t len);

struct kc_index_slot {
	uint32_t hash;
	uint32_t value; /* index + 1; 0: empty */
};

struct kc_index {
	struct kc_index_slot *slots; /* owned; a power of two of them */
	uint32_t mask;
	uint32_t count;
};

#define KC_INDEX_NONE UINT32_MAX

/* Room for `expected` entries without growing. 0 or -ENOMEM. */
KC_MUST_CHECK int kc_index_init(struct kc_index *index, size_t expected);
void kc_index_deinit(struct kc_index *index);
/*
 * Adds; equal hashes are kept side by side in order of insertion. 0 or -ENOMEM (it grows by
 * itself).
 */
KC_MUST_CHECK int kc_index_add(struct kc_index *index, uint32_t hash, uint32_t value);

/*
 * Walks the entries with this hash: `*cursor` is 0 at first. The array index of the next one, or
 * KC_INDEX_NONE. Entries with the same hash come in the order they were added.
 */
uint32_t kc_index_next(const struct kc_index *index, uint32_t hash, uint32_t *cursor);

#endif

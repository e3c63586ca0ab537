/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names to numbers: see hash.h. Eight bytes a step, mixed by multiplication; linear probing at half
 * load. */
#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>

uint32_t kc_hash_bytes(const void *data, size_t len)
{
	const uint64_t multiplier = 0x9e3779b97f4a7c15u;
	const uint8_t *bytes = data;
	uint64_t state = len * multiplier;
	uint64_t tail = 0;

	for (; len >= 8; bytes += 8, len -= 8) {
		state = (state ^ kc_load64(bytes)) * multiplier;
		state ^= state >> 32;
	}
	memcpy(&tail, bytes, len);
	state = (state ^ tail) * multiplier;
	state ^= state >> 32;
	state *= multiplier;
	return (uint32_t)(state >> 32);
}

uint32_t kc_hash(const char *name)
{
	return kc_hash_bytes(name, strlen(name));
}

static int set_size(struct kc_index *index, size_t slots)
{
	index->slots = calloc(slots, sizeof(*index->slots));
	if (!index->slots)
		return -ENOMEM;
	index->mask = (uint32_t)(slots - 1);
	index->count = 0;
	return 0;
}

int kc_index_init(struct kc_index *index, size_t expected)
{
	size_t slots = 16;

	if (expected > UINT32_MAX / 4)
		return -ENOMEM;
	while (slots < expected * 2)
		slots *= 2;
	return set_size(index, slots);
}

void kc_index_deinit(struct kc_index *index)
{
	free(index->slots);
	*index = (struct kc_index){ 0 };
}

static void insert(struct kc_index *index, uint32_t hash, uint32_t value)
{
	uint32_t slot = hash & index->mask;

	while (index->slots[slot].value)
		slot = (slot + 1) & index->mask;
	index->slots[slot] = (struct kc_index_slot){ .hash = hash, .value = value };
	index->count++;
}

/* Order among equal hashes is kept: the old slots are walked from the start of a run, never from
 * its middle. */
static int grow(struct kc_index *index)
{
	struct kc_index old = *index;
	uint32_t start = 0;
	int err = set_size(index, ((size_t)old.mask + 1) * 2);

	if (err) {
		*index = old;
		return err;
	}
	while (old.slots[start].value)
		start++;
	for (uint32_t i = 0; i <= old.mask; i++) {
		const struct kc_index_slot *slot = &old.slots[(start + i) & old.mask];

		if (slot->value)
			insert(index, slot->hash, slot->value);
	}
	free(old.slots);
	return 0;
}

int kc_index_add(struct kc_index *index, uint32_t hash, uint32_t value)
{
	if (value >= KC_INDEX_NONE - 1)
		return -ENOMEM;
	if (index->count >= index->mask / 2) {
		int err = grow(index);

		if (err)
			return err;
	}
	insert(index, hash, value + 1);
	return 0;
}

uint32_t kc_index_next(const struct kc_index *index, uint32_t hash, uint32_t *cursor)
{
	if (!index->slots)
		return KC_INDEX_NONE;
	for (;; (*cursor)++) {
		const struct kc_index_slot *slot = &index->slots[(hash + *cursor) & index->mask];

		if (!slot->value)
			return KC_INDEX_NONE;
		if (slot->hash == hash) {
			(*cursor)++;
			return slot->value - 1;
		}
	}
}

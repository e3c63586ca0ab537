/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names to numbers: see hash.h. Linear probing at half load. */
#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/random.h>

/*
 * SipHash-1-3: who writes the names doesn't know the key, and so can't choose names that collide.
 * Set before main(), and never again.
 */
static uint64_t key[2];

__attribute__((constructor)) static void choose_key(void)
{
	const void *random = (const void *)getauxval(AT_RANDOM);

	/* The kernel's gift to each process stands in where there is nothing better so early. */
	if (getrandom(key, sizeof(key), GRND_NONBLOCK) == sizeof(key) || !random)
		return;
	memcpy(key, random, sizeof(key));
}

static inline uint64_t rotate(uint64_t value, unsigned int bits)
{
	return value << bits | value >> (64 - bits);
}

static inline void mix(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32) + v[3];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

uint32_t kc_hash_bytes(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
			  key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u };
	uint64_t last = (uint64_t)len << 56;

	for (; len >= 8; bytes += 8, len -= 8) {
		uint64_t word = kc_load64(bytes);

		v[3] ^= word;
		mix(v);
		v[0] ^= word;
	}
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)bytes[i] << (8 * i);
	v[3] ^= last;
	mix(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	mix(v);
	mix(v);
	mix(v);
	return (uint32_t)(v[0] ^ v[1] ^ v[2] ^ v[3]);
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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Link space: regions in one private buffer; see memory.h. */
#include "memory/memory.h"

#include <errno.h>
#include <stdlib.h>

/*
 * More than modules mostly are. Beyond it memory is new each time and nothing is written to it, so
 * that a small file which asks for much costs nothing but address space.
 */
enum { KEPT_MAX = 32 << 20 };

static int make_zeros(struct kc_buffer *buffer, size_t len)
{
	int err;

	if (len > KEPT_MAX || buffer->capacity > KEPT_MAX)
		kc_buffer_deinit(buffer);
	if (len > KEPT_MAX) {
		buffer->data = calloc(1, len);
		if (!buffer->data)
			return -ENOMEM;
		buffer->len = buffer->capacity = len;
		return 0;
	}
	buffer->len = 0;
	err = kc_buffer_reserve(buffer, len);
	if (err)
		return err;
	buffer->len = len;
	if (len)
		memset(buffer->data, 0, len);
	return 0;
}

int kc_memory_allocate(struct kc_memory *memory)
{
	uint64_t total = 0;
	uint8_t *next;
	int err;

	for (int i = 0; i < KOCOON_REGION_COUNT; i++)
		total += memory->regions[i].size;
	if (total > SIZE_MAX / 2)
		return -ENOMEM;
	err = make_zeros(&memory->buffer, (size_t)total);
	if (err)
		return err;

	next = memory->buffer.data;
	for (int i = 0; i < KOCOON_REGION_COUNT; i++) {
		memory->regions[i].bytes = memory->regions[i].size ? next : NULL;
		next += memory->regions[i].size;
	}
	return 0;
}

void kc_memory_deinit(struct kc_memory *memory)
{
	kc_buffer_deinit(&memory->buffer);
	*memory = (struct kc_memory){ 0 };
}

uint8_t *kc_memory_at(const struct kc_memory *memory, uint64_t address, uint64_t len,
		      uint64_t *room_ret)
{
	for (int i = 0; i < KOCOON_REGION_COUNT; i++) {
		const struct kc_region *region = &memory->regions[i];
		uint64_t offset = address - region->address;

		if (!region->bytes || address < region->address || offset >= region->size ||
		    len > region->size - offset)
			continue;
		if (room_ret)
			*room_ret = region->size - offset;
		return region->bytes + offset;
	}
	return NULL;
}

const char *kc_memory_string(const struct kc_memory *memory, uint64_t address)
{
	uint64_t room;
	const uint8_t *text = kc_memory_at(memory, address, 1, &room);

	return text && memchr(text, 0, room) ? (const char *)text : NULL;
}

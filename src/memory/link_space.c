/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Link space: regions in one private buffer; see memory.h. */
#include "memory/memory.h"

#include <errno.h>
#include <stdlib.h>

int kc_memory_allocate(struct kc_memory *memory)
{
	uint64_t total = 0;
	uint8_t *next;
	int err;

	for (int i = 0; i < KOCOON_REGION_COUNT; i++)
		total += memory->regions[i].size;
	if (total > SIZE_MAX / 2)
		return -ENOMEM;
	memory->buffer.len = 0;
	err = kc_buffer_reserve(&memory->buffer, (size_t)total);
	if (err)
		return err;
	memory->buffer.len = (size_t)total;
	if (total)
		memset(memory->buffer.data, 0, (size_t)total);

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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a module's memory is.
 *
 * Code after layout speaks of an address (uint64_t: what the module will see) and of bytes (what we
 * write): never one for the other. In link space every region has a final address in the target's
 * address space, and its bytes are in a private buffer: nothing is executed, any architecture, many
 * at a time.
 */
#ifndef KC_MEMORY_MEMORY_H
#define KC_MEMORY_MEMORY_H

#include "base/buffer.h"
#include "kocoon/kocoon.h"

#define KC_PAGE_SIZE 4096u

struct kc_region {
	uint64_t address;
	uint64_t size; /* whole pages */
	uint64_t used; /* bytes before rounding */
	/*
	 * `size` of them, zero at first; borrowed from the memory's buffer. NULL while not
	 * allocated
	 */
	uint8_t *bytes;
};

struct kc_memory {
	struct kc_region regions[KOCOON_REGION_COUNT];
	struct kc_buffer buffer; /* owned: all regions one behind the other */
};

/*
 * Gives every region of a size its bytes, zeroed. The buffer is used again from module to module.
 * -ENOMEM. Addresses are not touched.
 */
KC_MUST_CHECK int kc_memory_allocate(struct kc_memory *memory);
void kc_memory_deinit(struct kc_memory *memory);

/*
 * The bytes at [address, address + len), if they lie within one region; else NULL. `room_ret` (may
 * be NULL): how many bytes there are from `address` to the region's end.
 */
uint8_t *kc_memory_at(const struct kc_memory *memory, uint64_t address, uint64_t len,
		      uint64_t *room_ret);
/* A string that begins at an address and ends in the same region, or NULL. */
const char *kc_memory_string(const struct kc_memory *memory, uint64_t address);

#endif

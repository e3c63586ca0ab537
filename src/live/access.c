/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Module memory as the loader sees it: module addresses to bytes, for what a table of a module
 * points to. Linux follows such pointers as they are; here each is looked up first: in the module,
 * in the others of its subsystem, in what the kernel side exports.
 *
 * What is found in another module is there as long as that one is, which its user's reference or
 * RCU sees to.
 */
#include "live/live.h"

static bool is_inside(uint64_t start, uint64_t room, uint64_t address, uint64_t size)
{
	uint64_t offset = address - start;

	return address >= start && offset < room && size <= room - offset;
}

/* `size` bytes within one region that is still there; `room_ret`: up to the region's end. */
static const uint8_t *find_in_module(const struct kocoon_loaded *module, uint64_t address,
				     uint64_t size, uint64_t *room_ret)
{
	for (int i = 0; i < KOCOON_REGION_COUNT; i++) {
		const struct kc_region *region = &module->memory.regions[i];
		uint64_t room =
			atomic_load_explicit(&module->region_sizes[i], memory_order_relaxed);

		if (!region->bytes || !is_inside(region->address, room, address, size))
			continue;
		*room_ret = region->address + room - address;
		return region->bytes + (address - region->address);
	}
	return NULL;
}

/* What the kernel side has in live space, or the program below 2 GiB: readable as it stands. */
static bool is_supplied(const struct kocoon *kocoon, uint64_t address, uint64_t size)
{
	if (is_inside(kocoon->data, kocoon->data_size, address, size) ||
	    is_inside(kocoon->stubs, kocoon->stubs_size, address, size))
		return true;
	for (size_t i = 0; i < kocoon->export_count; i++)
		if (is_inside(kocoon->exports[i].address, kocoon->export_entries[i].size, address,
			      size))
			return true;
	return false;
}

static const uint8_t *find_elsewhere(const struct kocoon *kocoon, uint64_t address, uint64_t size)
{
	const struct kocoon_loaded *owner = kc_live_space_owner(&kocoon->space, address);
	uint64_t room;

	if (owner)
		return find_in_module(owner, address, size, &room);
	if (!is_supplied(kocoon, address, size))
		return NULL;
	/* Live space is there twice; its low mapping is readable only as it was protected. */
	if (address - kocoon->space.base < kocoon->space.size)
		return kc_live_space_bytes(&kocoon->space, address);
	return (const uint8_t *)(uintptr_t)address;
}

const uint8_t *kc_module_bytes(const struct kocoon_loaded *module, uint64_t address, uint64_t size)
{
	const struct kocoon *kocoon = module ? module->kocoon : kc_current();
	const uint8_t *bytes = NULL;
	uint64_t room;

	if (module)
		bytes = find_in_module(module, address, size, &room);
	if (bytes || !kocoon)
		return bytes;
	kc_rcu_read_lock();
	bytes = find_elsewhere(kocoon, address, size);
	kc_rcu_read_unlock();
	return bytes;
}

uint64_t kc_read_member(const struct kocoon_loaded *module, enum kc_module_member member)
{
	uint32_t offset = module->members.offset[member];

	return offset == KC_NO_MEMBER || !module->this_module_bytes
		       ? 0
		       : kc_load64(module->this_module_bytes + offset);
}

const char *kc_module_string(const struct kocoon_loaded *module, uint64_t address)
{
	uint64_t room;
	const uint8_t *text = find_in_module(module, address, 1, &room);

	return text && memchr(text, 0, room) ? (const char *)text : NULL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory outside of the module that is being loaded, as it was in the machine: the kernel's own,
 * and the regions of modules before. Which region is at an address is known page by page; a later
 * one takes the place of an earlier one, whose init regions have been given back by then.
 */
#include "judge.h"

#include <errno.h>
#include <stdlib.h>

#include "arch/arch.h"

enum { MAX_MEMORY = 16 };

struct run {
	uint64_t address;
	struct kc_span bytes;
};

struct judge_world {
	struct run kernel[MAX_MEMORY];
	size_t kernel_count;
	uint64_t base;
	uint64_t page_count;
	uint32_t *pages; /* owned; number of the region plus one */
	struct run *regions; /* owned */
	size_t count, room;
};

struct judge_world *judge_world_new(const struct kocoon_kernel *kernel,
				    const struct kc_records *records)
{
	const struct kc_arch *arch = kc_arch_find(kocoon_kernel_arch(kernel));
	struct judge_world *world = arch ? calloc(1, sizeof(*world)) : NULL;
	const struct kc_record *record;
	size_t at = 0;

	if (!world)
		return NULL;
	world->base = arch->module_base;
	world->page_count = arch->module_space / KC_PAGE_SIZE;
	world->pages = calloc(world->page_count, sizeof(*world->pages));
	if (!world->pages) {
		free(world);
		return NULL;
	}
	while ((record = kc_records_next(records->others, RECORD_MEMORY, &at)) &&
	       world->kernel_count < MAX_MEMORY) {
		struct run *run = &world->kernel[world->kernel_count++];

		run->address = kc_record_memory(record, &run->bytes).address;
	}
	return world;
}

void judge_world_free(struct judge_world *world)
{
	if (!world)
		return;
	free(world->pages);
	free(world->regions);
	free(world);
}

int judge_world_add(struct judge_world *world, uint64_t address, struct kc_span bytes)
{
	uint64_t first = (address - world->base) / KC_PAGE_SIZE;

	if (address < world->base || first >= world->page_count)
		return -EINVAL;
	if (world->count == world->room) {
		size_t room = world->room ? world->room * 2 : 1024;
		struct run *regions = reallocarray(world->regions, room, sizeof(*regions));

		if (!regions)
			return -ENOMEM;
		world->regions = regions;
		world->room = room;
	}
	world->regions[world->count++] = (struct run){ address, bytes };
	for (uint64_t page = first;
	     page < world->page_count && (page - first) * KC_PAGE_SIZE < bytes.len; page++)
		world->pages[page] = (uint32_t)world->count;
	return 0;
}

bool judge_world_bytes(const struct judge_world *world, uint64_t address, uint64_t size,
		       struct kc_span *bytes_ret)
{
	uint64_t page = (address - world->base) / KC_PAGE_SIZE;
	const struct run *run;

	for (size_t i = 0; i < world->kernel_count; i++)
		if (kc_span_sub(world->kernel[i].bytes, address - world->kernel[i].address, size,
				bytes_ret))
			return true;
	if (address < world->base || page >= world->page_count || !world->pages[page])
		return false;
	run = &world->regions[world->pages[page] - 1];
	return kc_span_sub(run->bytes, address - run->address, size, bytes_ret);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module's memory in live space: where its regions are, what may be done with them, how they are
 * given back (module_memory_alloc(), module_enable_text_rox() and its siblings).
 *
 * Core regions are in one run of pages, init regions in another. Between regions there is an
 * inaccessible page, but for kernels that lay them out as one piece. All stays inaccessible until
 * the module is formed; it is written through the space's other mapping.
 */
#include "live/lifecycle.h"

#include <stdlib.h>

static const enum kocoon_region_kind core_kinds[] = {
	KOCOON_REGION_TEXT,
	KOCOON_REGION_RODATA,
	KOCOON_REGION_RO_AFTER_INIT,
	KOCOON_REGION_DATA,
};
static const enum kocoon_region_kind init_kinds[] = {
	KOCOON_REGION_INIT_TEXT,
	KOCOON_REGION_INIT_RODATA,
	KOCOON_REGION_INIT_DATA,
};

static int place_run(struct kocoon_loaded *module, struct kc_memory *memory,
		     const enum kocoon_region_kind *kinds, size_t count, uint64_t gap,
		     struct kc_page_run *run)
{
	struct kc_live_space *space = &module->kocoon->space;
	uint64_t size = 0, next;
	int err;

	for (size_t i = 0; i < count; i++)
		size += memory->regions[kinds[i]].size
				? memory->regions[kinds[i]].size + (size ? gap : 0)
				: 0;
	if (!size)
		return 0;
	err = kc_live_space_allocate(space, size, &run->address);
	if (err)
		return err;
	run->size = size;
	next = run->address;
	for (size_t i = 0; i < count; i++) {
		struct kc_region *region = &memory->regions[kinds[i]];

		region->address = next;
		if (!region->size)
			continue;
		region->bytes = kc_live_space_bytes(space, next);
		kc_live_space_clear(space, next, region->size);
		next += region->size + gap;
	}
	return 0;
}

int kc_place_module(struct kocoon_loaded *module, struct kc_memory *memory,
		    const struct kc_abi *abi)
{
	uint64_t gap = abi->memory_regions ? KC_PAGE_SIZE : 0;
	int err = place_run(module, memory, core_kinds, KC_ARRAY_SIZE(core_kinds), gap,
			    &module->core_run);

	if (!err)
		err = place_run(module, memory, init_kinds, KC_ARRAY_SIZE(init_kinds), gap,
				&module->init_run);
	if (err)
		return err;
	module->one_piece = !abi->memory_regions;
	module->memory = *memory;
	module->memory.buffer = (struct kc_buffer){ 0 };
	for (int i = 0; i < KOCOON_REGION_COUNT; i++)
		atomic_store_explicit(&module->region_sizes[i], memory->regions[i].size,
				      memory_order_relaxed);
	return 0;
}

static int protect(const struct kocoon_loaded *module, enum kocoon_region_kind kind,
		   enum kc_protection protection)
{
	const struct kc_region *region = &module->memory.regions[kind];

	if (!region->size)
		return 0;
	return kc_live_space_protect(&module->kocoon->space, region->address, region->size,
				     protection);
}

int kc_protect_formed(const struct kocoon_loaded *module)
{
	static const enum kc_protection formed[KOCOON_REGION_COUNT] = {
		[KOCOON_REGION_TEXT] = KC_PROTECTION_EXECUTE,
		[KOCOON_REGION_DATA] = KC_PROTECTION_WRITE,
		[KOCOON_REGION_RODATA] = KC_PROTECTION_READ,
		[KOCOON_REGION_RO_AFTER_INIT] = KC_PROTECTION_WRITE,
		[KOCOON_REGION_INIT_TEXT] = KC_PROTECTION_EXECUTE,
		[KOCOON_REGION_INIT_DATA] = KC_PROTECTION_WRITE,
		[KOCOON_REGION_INIT_RODATA] = KC_PROTECTION_READ,
	};
	int err = 0;

	for (int i = 0; i < KOCOON_REGION_COUNT && !err; i++)
		err = protect(module, (enum kocoon_region_kind)i, formed[i]);
	return err;
}

int kc_protect_after_init(const struct kocoon_loaded *module)
{
	return protect(module, KOCOON_REGION_RO_AFTER_INIT, KC_PROTECTION_READ);
}

/* ---- giving it back ---- */

struct kc_init_waste {
	struct kc_waste waste;
	struct kc_live_space *space;
	struct kc_page_run run;
};

struct kc_init_waste *kc_init_waste_new(void)
{
	return calloc(1, sizeof(struct kc_init_waste));
}

void kc_init_waste_free(struct kc_init_waste *waste)
{
	free(waste);
}

void kc_hide_init(struct kocoon_loaded *module, struct kc_init_waste *waste)
{
	waste->space = &module->kocoon->space;
	waste->run = module->init_run;
	module->init_run = (struct kc_page_run){ 0 };
	for (size_t i = 0; i < KC_ARRAY_SIZE(init_kinds); i++)
		atomic_store_explicit(&module->region_sizes[init_kinds[i]], 0,
				      memory_order_relaxed);
	if (waste->run.size)
		kc_live_space_set_owner(waste->space, waste->run.address, waste->run.size, NULL);
}

static void free_init(struct kc_waste *waste)
{
	struct kc_init_waste *init =
		(struct kc_init_waste *)((char *)waste - offsetof(struct kc_init_waste, waste));

	kc_live_space_give_up(init->space, init->run.address, init->run.size);
	free(init);
}

void kc_release_init(struct kocoon *kocoon, struct kc_init_waste *waste)
{
	if (waste->run.size)
		kc_garbage_add(&kocoon->garbage, &waste->waste, free_init);
	else
		free(waste);
}

static void release(struct kocoon_loaded *module, struct kc_page_run *run)
{
	if (run->size)
		kc_live_space_give_up(&module->kocoon->space, run->address, run->size);
	*run = (struct kc_page_run){ 0 };
}

void kc_release_memory(struct kocoon_loaded *module)
{
	release(module, &module->core_run);
	release(module, &module->init_run);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The list of modules, and who may have one: names, states, references, addresses
 * (kernel/module/main.c, tree_lookup.c).
 *
 * Addresses are looked up by page: each page of live space knows the module that it was given to.
 * Differs from Linux: its tree is searched in logarithmic time, this in constant time.
 */
#include "live/live.h"

#include <errno.h>

/* ---- the list ---- */

struct kocoon_loaded *kc_find_module_all(struct kocoon *kocoon, const char *name,
					 bool even_unformed)
{
	struct kocoon_loaded *module =
		kc_loaded_of(kc_name_table_find(&kocoon->names, name, kc_hash(name)));

	if (module && !even_unformed && kc_state(module) == KOCOON_STATE_UNFORMED)
		return NULL;
	return module;
}

void kc_list_add(struct kocoon_loaded *module)
{
	struct kocoon *kocoon = module->kocoon;
	struct kocoon_loaded *first = atomic_load_explicit(&kocoon->modules, memory_order_relaxed);

	atomic_init(&module->next, first);
	if (first)
		first->previous = module;
	/* Release: who walks the list sees what the module consists of. */
	atomic_store_explicit(&kocoon->modules, module, memory_order_release);
	kc_name_table_add(&kocoon->names, &module->named);
}

/* Who stands on it can still go on from it: its own `next` stays. */
void kc_list_remove(struct kocoon_loaded *module)
{
	struct kocoon_loaded *next = atomic_load_explicit(&module->next, memory_order_relaxed);

	if (module->previous)
		atomic_store_explicit(&module->previous->next, next, memory_order_release);
	else
		atomic_store_explicit(&module->kocoon->modules, next, memory_order_release);
	if (next)
		next->previous = module->previous;
	kc_name_table_remove(&module->kocoon->names, &module->named);
}

int kocoon_each_module(struct kocoon *kocoon, kocoon_module_fn *fn, void *context)
{
	struct kocoon_loaded *module;
	int result = 0;

	kc_rcu_read_lock();
	module = atomic_load_explicit(&kocoon->modules, memory_order_acquire);
	for (; module && !result;
	     module = atomic_load_explicit(&module->next, memory_order_acquire))
		if (kc_state(module) != KOCOON_STATE_UNFORMED)
			result = fn(module, context);
	kc_rcu_read_unlock();
	return result;
}

/* ---- states and taints ---- */

/* A member of the image's struct module, or NULL. */
static uint8_t *member(const struct kocoon_loaded *module, enum kc_module_member which)
{
	uint32_t offset = module->members.offset[which];

	return module->this_module_bytes && offset != KC_NO_MEMBER
		       ? module->this_module_bytes + offset
		       : NULL;
}

void kc_set_state(struct kocoon_loaded *module, enum kocoon_module_state state)
{
	uint8_t *in_image = member(module, KC_MEMBER_STATE);

	if (in_image)
		kc_store32(in_image, (uint32_t)state);
	/* Release: who sees a state sees what was done to reach it. */
	atomic_store_explicit(&module->state, state, memory_order_release);
}

void kc_set_taint(struct kocoon_loaded *module, unsigned int bit)
{
	uint8_t *in_image = member(module, KC_MEMBER_TAINTS);
	unsigned long long taints = atomic_fetch_or(&module->taints, 1ULL << bit) | 1ULL << bit;

	if (in_image)
		kc_store64(in_image, taints);
	kocoon_add_taint(module->kocoon, bit);
}

uint64_t kc_total_size(const struct kocoon_loaded *module)
{
	uint64_t size = 0;

	for (int i = 0; i < KOCOON_REGION_COUNT; i++)
		size += atomic_load_explicit(&module->region_sizes[i], memory_order_relaxed);
	return size;
}

/* ---- references ---- */

void kocoon_read_lock(void)
{
	kc_rcu_read_lock();
}

void kocoon_read_unlock(void)
{
	kc_rcu_read_unlock();
}

/* A reference of a module that was found to be in this state. */
static bool get_in_state(struct kocoon_loaded *module, enum kocoon_module_state state)
{
	int count;

	if (state == KOCOON_STATE_GOING || state == KOCOON_STATE_UNFORMED)
		return false;
	count = atomic_load_explicit(module->refcnt, memory_order_relaxed);
	while (count)
		if (atomic_compare_exchange_weak(module->refcnt, &count, count + 1))
			return true;
	return false;
}

bool kocoon_try_module_get(struct kocoon_loaded *module)
{
	return !module || get_in_state(module, kc_state(module));
}

void kocoon_module_get(struct kocoon_loaded *module)
{
	if (module)
		atomic_fetch_add(module->refcnt, 1);
}

bool kc_module_put(struct kocoon_loaded *module)
{
	int count = atomic_load_explicit(module->refcnt, memory_order_relaxed);

	while (count > 0)
		if (atomic_compare_exchange_weak(module->refcnt, &count, count - 1))
			return true;
	return false;
}

void kocoon_module_put(struct kocoon_loaded *module)
{
	if (module && !kc_module_put(module))
		kc_log(module->kocoon, KOCOON_LOG_WARNING,
		       "%s: a reference was given back that nobody held", module->name);
}

int kocoon_module_refcount(const struct kocoon_loaded *module)
{
	return atomic_load_explicit(module->refcnt, memory_order_relaxed) - KC_MODULE_REF_BASE;
}

/*
 * One look at the state: exports are in the table a moment before a module is COMING, and a second
 * look would take one for LIVE that has become COMING since the first.
 */
int kc_strong_try_module_get(struct kocoon_loaded *module)
{
	enum kocoon_module_state state = module ? kc_state(module) : KOCOON_STATE_LIVE;

	if (state == KOCOON_STATE_COMING)
		return -EBUSY;
	return !module || get_in_state(module, state) ? 0 : -ENOENT;
}

struct kocoon_loaded *kocoon_find_module(struct kocoon *kocoon, const char *name)
{
	return kc_find_module_all(kocoon, name, false);
}

struct kocoon_loaded *kocoon_find_get(struct kocoon *kocoon, const char *name)
{
	struct kocoon_loaded *module;

	kc_rcu_read_lock();
	module = kc_find_module_all(kocoon, name, false);
	if (module && !kocoon_try_module_get(module))
		module = NULL;
	kc_rcu_read_unlock();
	return module;
}

/* ---- addresses ---- */

bool kc_region_holds(const struct kocoon_loaded *module, enum kocoon_region_kind kind,
		     uint64_t address)
{
	uint64_t size = atomic_load_explicit(&module->region_sizes[kind], memory_order_relaxed);

	return address - module->memory.regions[kind].address < size;
}

struct kocoon_loaded *kocoon_module_address(const struct kocoon *kocoon, uint64_t address)
{
	struct kocoon_loaded *module = kc_live_space_owner(&kocoon->space, address);

	return module && kc_state(module) != KOCOON_STATE_UNFORMED ? module : NULL;
}

struct kocoon_loaded *kocoon_module_text_address(const struct kocoon *kocoon, uint64_t address)
{
	struct kocoon_loaded *module = kocoon_module_address(kocoon, address);

	if (module && (kc_region_holds(module, KOCOON_REGION_TEXT, address) ||
		       kc_region_holds(module, KOCOON_REGION_INIT_TEXT, address)))
		return module;
	return NULL;
}

struct kocoon_loaded *kc_loaded_at(const struct kocoon *kocoon, uint64_t this_module)
{
	struct kocoon_loaded *module = kc_live_space_owner(&kocoon->space, this_module);

	return module && module->this_module == this_module ? module : NULL;
}

/* ---- what a program asks of a module ---- */

const char *kocoon_loaded_name(const struct kocoon_loaded *module)
{
	return module->name;
}

enum kocoon_module_state kocoon_loaded_state(const struct kocoon_loaded *module)
{
	return kc_state(module);
}

uint64_t kocoon_loaded_taints(const struct kocoon_loaded *module)
{
	return atomic_load_explicit(&module->taints, memory_order_relaxed);
}

uint64_t kocoon_loaded_this_module(const struct kocoon_loaded *module)
{
	return module->this_module;
}

void kocoon_loaded_region(const struct kocoon_loaded *module, enum kocoon_region_kind kind,
			  uint64_t *address_ret, uint64_t *size_ret)
{
	uint64_t size = atomic_load_explicit(&module->region_sizes[kind], memory_order_relaxed);

	*address_ret = size ? module->memory.regions[kind].address : 0;
	*size_ret = size;
}

const char *kocoon_loaded_build_id(const struct kocoon_loaded *module)
{
	return module->build_id;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's list of modules, as a load sees and joins it: memory for a module, its place in the
 * list and in the tree of addresses, what it uses of others. As layout_and_allocate(),
 * add_unformed_module(), percpu_modalloc(), resolve_symbol_wait() and ref_module() of
 * kernel/module/main.c.
 *
 * All of it runs in the task of the load, where the kernel's functions may sleep; host code is
 * never interrupted, so what is done between two calls of the kernel's is done at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/layouts.h"
#include "machine/loader.h"

enum {
	GFP_KERNEL = 0xcc0,
	STEP_MSEC = 1,
	PROVIDER_PATIENCE_MSEC = 30000,
	LIST_NEXT = 0,
	LIST_PREV = 8
};

static struct {
	uint64_t modules, module_mutex, mod_tree;
	uint64_t mutex_lock, mutex_unlock, msleep, execmem_alloc, execmem_free, pcpu_alloc,
		free_percpu, find_symbol, try_module_get, module_put, module_unload_free,
		mod_tree_insert, mod_tree_remove, synchronize_rcu, wake_up, module_wq, kmalloc,
		add_taint, tainted_mask, retpoline_module_ok, module_arch_cleanup;
} at;

static struct {
	uint32_t source, target, source_list, target_list; /* of struct module_use */
	uint32_t use_size;
	uint32_t name, gplok, owner, crc, symbol, license; /* of struct find_symbol_arg */
	uint32_t address_min, address_max; /* of struct mod_tree_root */
	uint32_t data; /* enum execmem_type */
} of;

void kc_module_list_init(void)
{
	const struct kc_needed_symbol symbols[] = {
		{ "modules", &at.modules },
		{ "module_mutex", &at.module_mutex },
		{ "mod_tree", &at.mod_tree },
		{ "mutex_lock", &at.mutex_lock },
		{ "mutex_unlock", &at.mutex_unlock },
		{ "msleep", &at.msleep },
		{ "execmem_alloc", &at.execmem_alloc },
		{ "execmem_free", &at.execmem_free },
		{ "pcpu_alloc_noprof", &at.pcpu_alloc },
		{ "free_percpu", &at.free_percpu },
		{ "find_symbol", &at.find_symbol },
		{ "try_module_get", &at.try_module_get },
		{ "module_put", &at.module_put },
		{ "module_unload_free", &at.module_unload_free },
		{ "mod_tree_insert", &at.mod_tree_insert },
		{ "mod_tree_remove", &at.mod_tree_remove },
		{ "synchronize_rcu", &at.synchronize_rcu },
		{ "__wake_up", &at.wake_up },
		{ "module_wq", &at.module_wq },
		{ "__kmalloc_noprof", &at.kmalloc },
		{ "add_taint", &at.add_taint },
		{ "tainted_mask", &at.tainted_mask },
		{ "module_arch_cleanup", &at.module_arch_cleanup },
	};

	kc_need_all(symbols, KC_ARRAY_SIZE(symbols));
	at.retpoline_module_ok = kc_symbol("retpoline_module_ok");
	of.data = kc_enumerator("execmem_type", "EXECMEM_MODULE_DATA");
	of.source_list = kc_offset("module_use", "source_list");
	of.target_list = kc_offset("module_use", "target_list");
	of.source = kc_offset("module_use", "source");
	of.target = kc_offset("module_use", "target");
	of.use_size = of.target + (uint32_t)sizeof(uint64_t);
	of.name = kc_offset("find_symbol_arg", "name");
	of.gplok = kc_offset("find_symbol_arg", "gplok");
	of.owner = kc_offset("find_symbol_arg", "owner");
	of.crc = kc_offset("find_symbol_arg", "crc");
	of.symbol = kc_offset("find_symbol_arg", "sym");
	of.license = kc_offset("find_symbol_arg", "license");
	of.address_min = kc_offset("mod_tree_root", "addr_min");
	of.address_max = kc_offset("mod_tree_root", "addr_max");
}

/* ---- the list ---- */

void kc_modules_lock(void)
{
	kc_call(at.mutex_lock, at.module_mutex, 0, 0, 0);
}

void kc_modules_unlock(void)
{
	kc_call(at.mutex_unlock, at.module_mutex, 0, 0, 0);
}

uint8_t *kc_module_member(uint64_t module, enum kc_module_member member)
{
	uint32_t offset = kc_kernel_abi(kc_machine.kernel)->members.offset[member];

	if (offset == KC_NO_MEMBER)
		kc_machine_end(KC_EXIT_UNFIT, "the kernel's struct module has not all members");
	return kc_pointer(module + offset);
}

void kc_set_module_state(uint64_t module, enum kc_state_of_module state)
{
	kc_store32(kc_module_member(module, KC_MEMBER_STATE), state);
}

static enum kc_state_of_module state_of(uint64_t module)
{
	return (enum kc_state_of_module)kc_load32(kc_module_member(module, KC_MEMBER_STATE));
}

static const char *name_of(uint64_t module)
{
	return (const char *)kc_module_member(module, KC_MEMBER_NAME);
}

/* find_module_all() */
static uint64_t find_module(const char *name)
{
	uint64_t list = kc_address(kc_module_member(0, KC_MEMBER_LIST));

	for (uint64_t link = kc_load64(kc_pointer(at.modules)); link != at.modules;
	     link = kc_load64(kc_pointer(link)))
		if (!strcmp(name_of(link - list), name))
			return link - list;
	return 0;
}

int kc_check_exists(struct kc_loading *loading)
{
	const char *name = loading->load.struct_name;
	uint64_t other = find_module(name);

	if (!other)
		return 0;
	while (other && (state_of(other) == KC_COMING || state_of(other) == KC_UNFORMED)) {
		kc_modules_unlock();
		kc_call(at.msleep, STEP_MSEC, 0, 0, 0);
		kc_modules_lock();
		other = find_module(name);
	}
	if (other && state_of(other) == KC_LIVE)
		return kc_finding(&loading->report, KOCOON_STAGE_DUPLICATE, -EEXIST,
				  "a module named %s is loaded already", name);
	return kc_finding(&loading->report, KOCOON_STAGE_DUPLICATE, -EBUSY, "a module named %s %s",
			  name,
			  other ? "is being unloaded" : "was being loaded meanwhile, and failed");
}

/* list_add_rcu() and list_add() */
static void list_add(uint64_t link, uint64_t head)
{
	uint64_t next = kc_load64(kc_pointer(head + LIST_NEXT));

	kc_store64(kc_pointer(link + LIST_NEXT), next);
	kc_store64(kc_pointer(link + LIST_PREV), head);
	kc_store64(kc_pointer(next + LIST_PREV), link);
	kc_store64(kc_pointer(head + LIST_NEXT), link);
}

/* list_del_rcu(): who is at it may still go on. */
static void list_remove(uint64_t link)
{
	const uint64_t poison = UINT64_C(0xdead000000000122);
	uint64_t next = kc_load64(kc_pointer(link + LIST_NEXT));
	uint64_t previous = kc_load64(kc_pointer(link + LIST_PREV));

	kc_store64(kc_pointer(next + LIST_PREV), previous);
	kc_store64(kc_pointer(previous + LIST_NEXT), next);
	kc_store64(kc_pointer(link + LIST_PREV), poison);
}

/* ---- memory ---- */

static bool is_text(int region)
{
	return region == KOCOON_REGION_TEXT || region == KOCOON_REGION_INIT_TEXT;
}

/* module_memory_alloc() of every region. */
static int place(void *context, struct kc_load *load)
{
	enum { EXECMEM_TEXT = 0 };
	struct kc_loading *loading = context;

	if (!load->abi->memory_regions)
		kc_machine_end(KC_EXIT_UNFIT, "the kernel's struct module has no regions");
	for (int i = 0; i < KOCOON_REGION_COUNT; i++) {
		struct kc_region *region = &load->memory.regions[i];

		if (!region->size)
			continue;
		region->address = kc_call(at.execmem_alloc, is_text(i) ? EXECMEM_TEXT : of.data,
					  region->size, 0, 0);
		if (!region->address)
			return -ENOMEM;
		region->bytes = kc_pointer(region->address);
		memset(region->bytes, 0, region->size);
		kc_forget_symbols(region->address, region->size);
	}
	loading->module = kc_section_address(load, load->index.mod);
	return 0;
}

static void free_regions(const struct kc_load *load)
{
	for (int i = 0; i < KOCOON_REGION_COUNT; i++)
		if (load->memory.regions[i].bytes)
			kc_call(at.execmem_free, load->memory.regions[i].address, 0, 0, 0);
}

static int allocate_per_cpu(void *context, uint64_t size, uint64_t align, uint64_t *address_ret)
{
	struct kc_loading *loading = context;
	const bool reserved = true;

	*address_ret = kc_call(at.pcpu_alloc, size, align, reserved, GFP_KERNEL);
	return *address_ret ? 0
			    : kc_finding(&loading->report, KOCOON_STAGE_PERCPU, -ENOMEM,
					 "no room is left for the module's per-CPU data");
}

/* mod_update_bounds() */
static void update_bounds(const struct kc_load *load)
{
	uint8_t *min = kc_pointer(at.mod_tree + of.address_min);
	uint8_t *max = kc_pointer(at.mod_tree + of.address_max);

	for (int i = 0; i < KOCOON_REGION_COUNT; i++) {
		const struct kc_region *region = &load->memory.regions[i];

		if (!region->size)
			continue;
		if (region->address < kc_load64(min))
			kc_store64(min, region->address);
		if (region->address + region->size > kc_load64(max))
			kc_store64(max, region->address + region->size);
	}
}

/* add_unformed_module() */
static int admit(void *context, struct kc_load *load)
{
	struct kc_loading *loading = context;
	int err;

	kc_find_members(load);
	kc_write_this_module(load);
	kc_write_empty_lists(load);
	kc_set_module_state(loading->module, KC_UNFORMED);
	kc_modules_lock();
	err = kc_check_exists(loading);
	if (!err) {
		update_bounds(load);
		list_add(kc_address(kc_module_member(loading->module, KC_MEMBER_LIST)), at.modules);
		kc_call(at.mod_tree_insert, loading->module, 0, 0, 0);
		loading->listed = true;
	}
	kc_modules_unlock();
	return err;
}

void kc_withdraw_module(struct kc_loading *loading)
{
	enum { UNINTERRUPTIBLE_AND_NOT = 3 };
	const struct kc_load *load = &loading->load;

	if (loading->patched)
		kc_call(at.module_arch_cleanup, loading->module, 0, 0, 0);
	if (loading->listed) {
		kc_call(at.module_unload_free, loading->module, 0, 0, 0);
		kc_modules_lock();
		list_remove(kc_address(kc_module_member(loading->module, KC_MEMBER_LIST)));
		kc_call(at.mod_tree_remove, loading->module, 0, 0, 0);
		kc_call(at.wake_up, at.module_wq, UNINTERRUPTIBLE_AND_NOT, 0, 0);
		kc_call(at.synchronize_rcu, 0, 0, 0, 0);
		kc_modules_unlock();
	}
	if (load->percpu_address)
		kc_call(at.free_percpu, load->percpu_address, 0, 0, 0);
	free_regions(load);
	loading->module = 0;
}

/* ---- taints ---- */

static bool is_tainted(enum kc_taint bit)
{
	return kc_has_taint(kc_load64(kc_pointer(at.tainted_mask)), bit);
}

static void add_taint(struct kc_loading *loading, enum kc_taint bit)
{
	enum { LOCKDEP_STILL_OK, LOCKDEP_NOW_UNRELIABLE };

	loading->told_taints |= UINT64_C(1) << bit;
	kc_call(at.add_taint, bit,
		bit == KC_TAINT_PROPRIETARY_MODULE ? LOCKDEP_NOW_UNRELIABLE : LOCKDEP_STILL_OK, 0,
		0);
}

void kc_add_other_taints(struct kc_loading *loading)
{
	uint64_t others = loading->load.taints & ~loading->told_taints;

	for (unsigned int bit = 0; others; bit++, others >>= 1)
		if (others & 1)
			add_taint(loading, (enum kc_taint)bit);
}

/* module_augment_kernel_taints(), in its order */
static void tainted(void *context, const struct kc_load *load)
{
	static const struct {
		enum kc_taint bit;
		enum kc_message message;
	} taints[] = {
		{ KC_TAINT_OOT_MODULE, KC_SAYS_OUT_OF_TREE },
		{ KC_TAINT_CRAP, KC_SAYS_STAGING },
		{ KC_TAINT_LIVEPATCH, KC_SAYS_LIVEPATCH },
		{ KC_TAINT_PROPRIETARY_MODULE, KC_SAYS_LICENSE },
		{ KC_TAINT_TEST, KC_SAYS_TEST },
		{ KC_TAINT_UNSIGNED_MODULE, KC_SAYS_UNVERIFIED },
	};
	struct kc_loading *loading = context;
	uint64_t name = kc_address(name_of(loading->module));
	const char *license = kc_get_modinfo(load, "license");

	for (size_t i = 0; i < KC_ARRAY_SIZE(taints); i++) {
		enum kc_taint bit = taints[i].bit;

		/* The first one is told of, of the staging directory all. */
		if (kc_has_taint(load->taints, bit)) {
			if (bit == KC_TAINT_CRAP || !is_tainted(bit))
				kc_say(taints[i].message, name,
				       kc_address(license ? license : "unspecified"), 0);
			add_taint(loading, bit);
		}
		if (bit == KC_TAINT_OOT_MODULE && at.retpoline_module_ok &&
		    !(kc_call(at.retpoline_module_ok, kc_get_modinfo(load, "retpoline") != NULL, 0,
			      0, 0) &
		      1))
			kc_say(KC_SAYS_NO_RETPOLINE, name, 0, 0);
	}
}

/* ---- symbols ---- */

static bool already_uses(uint64_t user, uint64_t used)
{
	uint64_t head = kc_address(kc_module_member(used, KC_MEMBER_SOURCE_LIST));

	for (uint64_t link = kc_load64(kc_pointer(head)); link != head;
	     link = kc_load64(kc_pointer(link)))
		if (kc_load64(kc_pointer(link - of.source_list + of.source)) == user)
			return true;
	return false;
}

static int add_module_usage(uint64_t user, uint64_t used)
{
	uint64_t use = kc_call(at.kmalloc, of.use_size, GFP_KERNEL, 0, 0);

	if (!use)
		return -ENOMEM;
	kc_store64(kc_pointer(use + of.source), user);
	kc_store64(kc_pointer(use + of.target), used);
	list_add(use + of.source_list, kc_address(kc_module_member(used, KC_MEMBER_SOURCE_LIST)));
	list_add(use + of.target_list, kc_address(kc_module_member(user, KC_MEMBER_TARGET_LIST)));
	return 0;
}

/* ref_module(): under the lock. */
static int ref_module(uint64_t user, uint64_t used)
{
	int err;

	if (!used || already_uses(user, used))
		return 0;
	if (state_of(used) == KC_COMING)
		return -EBUSY;
	if (!(kc_call(at.try_module_get, used, 0, 0, 0) & 1))
		return -ENOENT;
	err = add_module_usage(user, used);
	if (err)
		kc_call(at.module_put, used, 0, 0, 0);
	return err;
}

/* What a relative reference of 32 bits refers to; 0 stays 0. */
static uint64_t referred(uint64_t place)
{
	int32_t distance = (int32_t)kc_load32(kc_pointer(place));

	return distance ? place + (uint64_t)(int64_t)distance : 0;
}

/* An export of a module's; the kernel's own are those of the image. */
struct found {
	struct kocoon_export export;
	uint64_t owner;
};

static bool find_in_image(const char *name, uint32_t hash, struct found *found_ret)
{
	const struct kocoon_export *export = kc_kernel_find_export(kc_machine.kernel, name, hash);

	if (!export)
		return false;
	*found_ret = (struct found){ .export = *export };
	/* Per-CPU symbols are offsets. */
	if (export->address >= KC_LINK_BASE)
		found_ret->export.address += kc_machine.shift;
	return true;
}

/* find_symbol(): under the lock. */
static bool find_symbol(const char *name, uint32_t hash, struct found *found_ret)
{
	enum { NAMESPACE = 8, GPL_ONLY = 1 };
	uint64_t words[16] = { 0 };
	uint8_t *argument = (uint8_t *)words;
	uint64_t crc, symbol, ns;

	if (find_in_image(name, hash, found_ret))
		return true;
	kc_store64(argument + of.name, kc_address(name));
	argument[of.gplok] = true;
	if (!(kc_call(at.find_symbol, kc_address(argument), 0, 0, 0) & 1))
		return false;
	crc = kc_load64(argument + of.crc);
	symbol = kc_load64(argument + of.symbol);
	ns = referred(symbol + NAMESPACE);
	*found_ret = (struct found){
		.export = { .name = name,
			    .address = referred(symbol),
			    .gpl_only = kc_load32(argument + of.license) == GPL_ONLY,
			    .ns = ns && *(const char *)kc_pointer(ns) ? kc_pointer(ns) : NULL,
			    .has_crc = crc != 0,
			    .crc = crc ? kc_load32(kc_pointer(crc)) : 0 },
		.owner = kc_load64(argument + of.owner),
	};
	return true;
}

/* Where imports keep what they are bound to: it has to outlive the lock. */
static bool bind(struct kc_load *load, struct kc_import *import, const struct found *found)
{
	struct kc_kept *kept = calloc(1, sizeof(*kept) + 1);

	if (!kept)
		return false;
	kept->export = found->export;
	kept->next = load->kept;
	load->kept = kept;
	import->export = &kept->export;
	import->provider = found->owner ? 0 : KC_PROVIDER_KERNEL;
	import->provider_name = found->owner ? name_of(found->owner) : "";
	import->provider_taints =
		found->owner ? kc_load64(kc_module_member(found->owner, KC_MEMBER_TAINTS)) : 0;
	return true;
}

/* resolve_symbol() */
static enum kocoon_import_state resolve_once(struct kc_loading *loading, struct kc_import *import)
{
	enum kocoon_import_state state;
	struct found found = { 0 };

	import->export = NULL;
	import->provider = KC_PROVIDER_NONE;
	import->provider_name = NULL;
	import->err = 0;
	if (find_symbol(import->name, import->hash, &found) &&
	    !bind(&loading->load, import, &found))
		import->err = -ENOMEM;
	state = import->err ? KOCOON_IMPORT_UNUSABLE : kc_resolve_symbol(&loading->load, import);
	if (state != KOCOON_IMPORT_OK)
		return state;
	import->err = ref_module(loading->module, found.owner);
	return import->err ? KOCOON_IMPORT_UNUSABLE : KOCOON_IMPORT_OK;
}

static void say_what_fails(const struct kc_loading *loading, const struct kc_import *import,
			   enum kocoon_import_state state)
{
	uint64_t name = kc_address(name_of(loading->module)), symbol = kc_address(import->name);
	int64_t err = state == KOCOON_IMPORT_UNUSABLE ? import->err : -ENOENT;

	if (state == KOCOON_IMPORT_CRC)
		kc_say(KC_SAYS_OTHER_VERSION, name, symbol, 0);
	if (state == KOCOON_IMPORT_NO_VERSION)
		kc_say(KC_SAYS_NO_VERSION, name, symbol, 0);
	if (state == KOCOON_IMPORT_UNUSABLE && import->err == -EBUSY)
		kc_say(KC_SAYS_PROVIDER_LATE, name, kc_address(import->provider_name), 0);
	if (state == KOCOON_IMPORT_CRC || state == KOCOON_IMPORT_NO_VERSION ||
	    state == KOCOON_IMPORT_NAMESPACE)
		err = -EINVAL;
	if (err != -ENOENT || !import->weak)
		kc_say(KC_SAYS_UNKNOWN_SYMBOL, name, symbol, (uint64_t)err);
}

/* resolve_symbol_wait() */
static enum kocoon_import_state resolve(void *context, struct kc_load *load,
					struct kc_import *import)
{
	struct kc_loading *loading = context;
	enum kocoon_import_state state;
	unsigned int waited = 0;

	kc_modules_lock();
	for (;;) {
		state = resolve_once(loading, import);
		if (state != KOCOON_IMPORT_UNUSABLE || import->err != -EBUSY ||
		    waited == PROVIDER_PATIENCE_MSEC)
			break;
		kc_modules_unlock();
		kc_call(at.msleep, STEP_MSEC, 0, 0, 0);
		kc_modules_lock();
		waited += STEP_MSEC;
	}
	if (state != KOCOON_IMPORT_OK) {
		say_what_fails(loading, import, state);
		kc_keep_provider(load, import);
	}
	kc_modules_unlock();
	return state;
}

static const char *exported(void *context, const char *name, uint32_t hash)
{
	struct found found;

	(void)context;
	if (!find_symbol(name, hash, &found))
		return NULL;
	return found.owner ? name_of(found.owner) : "";
}

static uint64_t kernel_symbol(void *context, const char *name)
{
	(void)context;
	return kc_symbol(name);
}

struct kc_neighbours kc_kernel_neighbours(struct kc_loading *loading)
{
	return (struct kc_neighbours){
		.context = loading,
		.exported = exported,
		.place = place,
		.admit = admit,
		.links_lists = true,
		.tainted = tainted,
		.percpu = allocate_per_cpu,
		.resolve = resolve,
		.kernel_symbol = kernel_symbol,
	};
}

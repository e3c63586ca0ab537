/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who uses whose symbols: find_symbol(), resolve_symbol_wait(), ref_module(), __symbol_get() of
 * kernel/module/main.c.
 *
 * All exports are in one table, the kernel side's and the modules': a lookup costs the same however
 * many modules there are. Differs from Linux, which searches them one after another.
 */
#include "live/live.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { PROVIDER_PATIENCE = 30 }; /* seconds */

/* find_symbol(): under the mutex, or RCU. */
static const struct kc_live_export *find_symbol(const struct kocoon *kocoon, const char *name,
						uint32_t hash)
{
	struct kc_named *named = kc_name_table_find(&kocoon->symbols, name, hash);

	return named ? (struct kc_live_export *)((char *)named -
						 offsetof(struct kc_live_export, named))
		     : NULL;
}

/* ---- edges ---- */

static bool already_uses(const struct kocoon_loaded *user, const struct kocoon_loaded *used)
{
	for (const struct kc_use *use = user->target_list; use; use = use->next_of_user)
		if (use->used == used)
			return true;
	return false;
}

static int add_module_usage(struct kocoon_loaded *user, struct kocoon_loaded *used)
{
	struct kc_use *use = malloc(sizeof(*use));

	if (!use)
		return -ENOMEM;
	*use = (struct kc_use){
		.user = user,
		.used = used,
		.next_of_user = user->target_list,
		.next_of_used = used->source_list,
	};
	if (used->source_list)
		used->source_list->previous_of_used = use;
	used->source_list = use;
	user->target_list = use;
	return 0;
}

int kc_ref_module(struct kocoon_loaded *user, struct kocoon_loaded *used)
{
	int err;

	if (!used || already_uses(user, used))
		return 0;
	err = kc_strong_try_module_get(used);
	if (err)
		return err;
	err = add_module_usage(user, used);
	if (err)
		kocoon_module_put(used);
	return err;
}

static void unlink_from_used(struct kc_use *use)
{
	if (use->previous_of_used)
		use->previous_of_used->next_of_used = use->next_of_used;
	else
		use->used->source_list = use->next_of_used;
	if (use->next_of_used)
		use->next_of_used->previous_of_used = use->previous_of_used;
}

void kc_module_unload_free(struct kocoon_loaded *user)
{
	while (user->target_list) {
		struct kc_use *use = user->target_list;

		user->target_list = use->next_of_user;
		unlink_from_used(use);
		kc_module_put(use->used);
		free(use);
	}
}

/* ---- imports ---- */

static void bind(struct kc_import *import, const struct kc_live_export *found)
{
	struct kocoon_loaded *owner = found ? found->owner : NULL;

	import->export = found ? found->export : NULL;
	import->provider = owner ? 0 : found ? KC_PROVIDER_KERNEL : KC_PROVIDER_NONE;
	import->provider_name = owner ? owner->name : found ? "" : NULL;
	import->provider_taints = owner ? atomic_load(&owner->taints) : 0;
	import->err = 0;
}

static enum kocoon_import_state resolve_symbol(struct kocoon_loaded *module, struct kc_load *load,
					       struct kc_import *import)
{
	const struct kc_live_export *found =
		find_symbol(module->kocoon, import->name, import->hash);
	enum kocoon_import_state state;

	bind(import, found);
	state = kc_resolve_symbol(load, import);
	if (state != KOCOON_IMPORT_OK)
		return state;
	import->err = kc_ref_module(module, found->owner);
	return import->err ? KOCOON_IMPORT_UNUSABLE : KOCOON_IMPORT_OK;
}

enum kocoon_import_state kc_resolve_symbol_wait(struct kocoon_loaded *module, struct kc_load *load,
						struct kc_import *import)
{
	struct kocoon *kocoon = module->kocoon;
	enum kocoon_import_state state;
	struct timespec deadline;
	int waited = 0;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += PROVIDER_PATIENCE;
	pthread_mutex_lock(&kocoon->mutex);
	for (;;) {
		state = resolve_symbol(module, load, import);
		if (state != KOCOON_IMPORT_UNUSABLE || import->err != -EBUSY || waited)
			break;
		waited = pthread_cond_timedwait(&kocoon->changed, &kocoon->mutex, &deadline);
	}
	if (state != KOCOON_IMPORT_OK)
		kc_keep_provider(load, import);
	pthread_mutex_unlock(&kocoon->mutex);
	return state;
}

/* ---- symbols for whoever asks ---- */

uint64_t kocoon_symbol_address(struct kocoon *kocoon, const char *name)
{
	const struct kc_live_export *found;
	uint64_t address;

	kc_rcu_read_lock();
	found = find_symbol(kocoon, name, kc_hash(name));
	address = found ? found->export->address : 0;
	kc_rcu_read_unlock();
	return address;
}

/* Exports of the kernel side have no owner whose references would count. */
void *kocoon_symbol_get(struct kocoon *kocoon, const char *name)
{
	const struct kc_live_export *found;
	void *address = NULL;
	bool for_all;

	kc_rcu_read_lock();
	found = find_symbol(kocoon, name, kc_hash(name));
	for_all = found && !found->export->gpl_only;
	if (found && !for_all && kc_strong_try_module_get(found->owner) == 0)
		address = (void *)(uintptr_t)found->export->address;
	kc_rcu_read_unlock();
	if (for_all)
		kc_log(kocoon, KOCOON_LOG_WARNING,
		       "%s: asked for at run time, but is not exported to GPL-compatible modules "
		       "only",
		       name);
	return address;
}

static void say_not_held(struct kocoon *kocoon)
{
	kc_log(kocoon, KOCOON_LOG_WARNING,
	       "a symbol was given back whose module nobody held a reference of");
}

void kocoon_symbol_put(struct kocoon *kocoon, const char *name)
{
	const struct kc_live_export *found;
	bool held = true;

	kc_rcu_read_lock();
	found = find_symbol(kocoon, name, kc_hash(name));
	if (found && found->owner)
		held = kc_module_put(found->owner);
	kc_rcu_read_unlock();
	if (!held)
		say_not_held(kocoon);
}

void kocoon_symbol_put_addr(struct kocoon *kocoon, const void *address)
{
	struct kocoon_loaded *module;
	bool held = true;

	kc_rcu_read_lock();
	module = kocoon_module_text_address(kocoon, (uintptr_t)address);
	if (module)
		held = kc_module_put(module);
	kc_rcu_read_unlock();
	if (!held)
		say_not_held(kocoon);
}

/* ---- exports of modules come and go ---- */

int kc_exports_prepare(struct kocoon_loaded *module)
{
	size_t count = module->export_count;

	if (!count)
		return 0;
	module->export_entries = calloc(count, sizeof(*module->export_entries));
	if (!module->export_entries || count > UINT32_MAX / 16 ||
	    kc_name_table_reserve(&module->kocoon->symbols, (uint32_t)count))
		return -ENOMEM;
	module->exports_reserved = true;
	for (size_t i = 0; i < count; i++)
		module->export_entries[i] = (struct kc_live_export){
			.named = { module->exports[i].name, kc_hash(module->exports[i].name) },
			.export = &module->exports[i],
			.owner = module,
		};
	return 0;
}

void kc_exports_add(struct kocoon_loaded *module)
{
	for (size_t i = 0; i < module->export_count; i++)
		kc_name_table_add(&module->kocoon->symbols, &module->export_entries[i].named);
	module->exports_added = true;
}

void kc_exports_remove(struct kocoon_loaded *module)
{
	struct kc_name_table *symbols = &module->kocoon->symbols;

	for (size_t i = 0; module->exports_added && i < module->export_count; i++)
		kc_name_table_remove(symbols, &module->export_entries[i].named);
	if (module->exports_reserved && !module->exports_added)
		kc_name_table_unreserve(symbols, (uint32_t)module->export_count);
	module->exports_added = false;
	module->exports_reserved = false;
}

const char *kc_exported_by(const struct kocoon *kocoon, const char *name, uint32_t hash)
{
	const struct kc_live_export *found = find_symbol(kocoon, name, hash);

	if (!found)
		return NULL;
	return found->owner ? found->owner->name : "";
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * free_module() of kernel/module/main.c: a module is taken apart, from wherever its load has come
 * to, and given back once nobody can look at it any more. Nothing here needs memory.
 */
#include "live/lifecycle.h"

#include <stdlib.h>

struct kocoon_loaded *kc_loaded_new(struct kocoon *kocoon, const char *name)
{
	struct kocoon_loaded *module = calloc(1, sizeof(*module));

	if (!module)
		return NULL;
	module->kocoon = kocoon;
	strncpy(module->name, name, sizeof(module->name) - 1);
	module->named = (struct kc_named){ module->name, kc_hash(module->name) };
	atomic_init(&module->state, KOCOON_STATE_UNFORMED);
	atomic_init(&module->own_refcnt, KC_MODULE_REF_BASE + 1);
	module->refcnt = &module->own_refcnt;
	for (size_t i = 0; i < KC_MEMBER_COUNT; i++)
		module->members.offset[i] = KC_NO_MEMBER;
	pthread_mutex_init(&module->param_lock, NULL);
	return module;
}

void kc_loaded_free(struct kocoon_loaded *module)
{
	kc_kallsyms_free(module);
	kc_sysfs_free(module);
	kc_release_memory(module);
	free(module->exports);
	free(module->export_entries);
	free(module->params);
	free(module->args);
	pthread_mutex_destroy(&module->param_lock);
	free(module);
}

static void free_waste(struct kc_waste *waste)
{
	kc_loaded_free(
		(struct kocoon_loaded *)((char *)waste - offsetof(struct kocoon_loaded, waste)));
}

void kc_change_state(struct kocoon_loaded *module, enum kocoon_module_state state)
{
	pthread_mutex_lock(&module->kocoon->mutex);
	kc_set_state(module, state);
	pthread_cond_broadcast(&module->kocoon->changed);
	pthread_mutex_unlock(&module->kocoon->mutex);
}

/* Out of every table that a reader may look into. */
static void unlist(struct kocoon_loaded *module)
{
	struct kocoon *kocoon = module->kocoon;

	pthread_mutex_lock(&kocoon->mutex);
	kc_module_unload_free(module);
	if (module->listed) {
		kc_list_remove(module);
		kc_track_unload(kocoon, module);
	}
	if (module->core_run.size)
		kc_live_space_set_owner(&kocoon->space, module->core_run.address,
					module->core_run.size, NULL);
	if (module->init_run.size)
		kc_live_space_set_owner(&kocoon->space, module->init_run.address,
					module->init_run.size, NULL);
	pthread_cond_broadcast(&kocoon->changed);
	pthread_mutex_unlock(&kocoon->mutex);
}

void kc_free_module(struct kocoon_loaded *module)
{
	struct kocoon *kocoon = module->kocoon;

	kc_sysfs_teardown(module);
	/* It stays in the list, so that nobody loads another of the name, but is used by none. */
	pthread_mutex_lock(&kocoon->mutex);
	kc_set_state(module, KOCOON_STATE_UNFORMED);
	kc_exports_remove(module);
	pthread_mutex_unlock(&kocoon->mutex);
	if (module->parsed)
		kc_params_destroy(module);
	kc_free_module_elf(module);
	if (module->percpu_size)
		kc_per_cpu_free(&kocoon->per_cpu, module->percpu_offset, module->percpu_size);
	unlist(module);
	kc_garbage_add(&kocoon->garbage, &module->waste, free_waste);
}

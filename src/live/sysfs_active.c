// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who is in a module's files: kernfs_get_active(), kernfs_put_active(), kernfs_drain().
 *
 * Produces the promise that a module and what its files show stay while somebody is in one, without
 * a reference of the module, which would keep it from being deleted.
 */
#include "live/live.h"

/* The count goes up before `sysfs` is read, and kc_sysfs_drain() has it the other way round. */
bool kc_sysfs_get_active(struct kocoon_loaded *module)
{
	atomic_fetch_add(&module->sysfs_active, 1);
	if (atomic_load(&module->sysfs))
		return true;
	kc_sysfs_put_active(module);
	return false;
}

/* Once the count is down, only RCU keeps the module. */
void kc_sysfs_put_active(struct kocoon_loaded *module)
{
	struct kocoon *kocoon = module->kocoon;
	bool last;

	kc_rcu_read_lock();
	last = atomic_fetch_sub(&module->sysfs_active, 1) == 1 && !atomic_load(&module->sysfs);
	kc_rcu_read_unlock();
	if (!last)
		return;
	pthread_mutex_lock(&kocoon->mutex);
	pthread_cond_broadcast(&kocoon->changed);
	pthread_mutex_unlock(&kocoon->mutex);
}

struct kocoon_loaded *kc_sysfs_find_active(struct kocoon *kocoon, const char *name)
{
	struct kocoon_loaded *module;

	kc_rcu_read_lock();
	module = kc_find_module_all(kocoon, name, false);
	if (module && !kc_sysfs_get_active(module))
		module = NULL;
	kc_rcu_read_unlock();
	return module;
}

void kc_sysfs_drain(struct kocoon_loaded *module)
{
	struct kocoon *kocoon = module->kocoon;

	atomic_store(&module->sysfs, false);
	pthread_mutex_lock(&kocoon->mutex);
	while (atomic_load(&module->sysfs_active))
		pthread_cond_wait(&kocoon->changed, &kocoon->mutex);
	pthread_mutex_unlock(&kocoon->mutex);
}

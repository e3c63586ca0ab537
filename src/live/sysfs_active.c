/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who is in a module's files: kernfs_get_active(), kernfs_put_active(), kernfs_drain().
 *
 * Produces the promise that a module and what its files show stay while somebody is in one, without
 * a reference of the module, which would keep it from being deleted. A module's `sysfs_active` is
 * how many threads are in its files, with a bit that says that the files are there.
 */
#include "live/live.h"

enum { THERE = 1 << 30 };

void kc_sysfs_activate(struct kocoon_loaded *module)
{
	atomic_fetch_or(&module->sysfs_active, THERE);
}

bool kc_sysfs_is_there(const struct kocoon_loaded *module)
{
	return atomic_load(&module->sysfs_active) & THERE;
}

bool kc_sysfs_get_active(struct kocoon_loaded *module)
{
	unsigned int active = atomic_load(&module->sysfs_active);

	while (active & THERE) {
		if (atomic_compare_exchange_weak(&module->sysfs_active, &active, active + 1))
			return true;
	}
	return false;
}

/* Once the last one is out of files that are gone, the module may go at any moment. */
void kc_sysfs_put_active(struct kocoon_loaded *module)
{
	struct kocoon *kocoon = module->kocoon;

	if (atomic_fetch_sub(&module->sysfs_active, 1) != 1)
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

	if (!(atomic_fetch_and(&module->sysfs_active, ~(unsigned int)THERE) & (THERE - 1)))
		return;
	pthread_mutex_lock(&kocoon->mutex);
	while (atomic_load(&module->sysfs_active))
		pthread_cond_wait(&kocoon->changed, &kocoon->mutex);
	pthread_mutex_unlock(&kocoon->mutex);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * delete_module(2): kernel/module/main.c. Modern kernels never wait for references to go, with or
 * without O_NONBLOCK.
 */
#include "live/lifecycle.h"

#include <errno.h>
#include <fcntl.h>

/* try_force_unload() */
static bool try_force_unload(struct kocoon *kocoon, unsigned int flags)
{
	if (!(flags & O_TRUNC) || kocoon->no_force_unload)
		return false;
	kocoon_add_taint(kocoon, KC_TAINT_FORCED_RMMOD);
	return true;
}

/* try_release_module_ref(): takes the base away; what is left then is somebody's. */
static bool try_release_ref(struct kocoon_loaded *module)
{
	int left = atomic_fetch_sub(module->refcnt, KC_MODULE_REF_BASE) - KC_MODULE_REF_BASE;

	while (left)
		if (atomic_compare_exchange_weak(module->refcnt, &left, left + KC_MODULE_REF_BASE))
			return false;
	return true;
}

bool kc_is_permanent(const struct kocoon_loaded *module)
{
	return kc_read_member(module, KC_MEMBER_INIT) && !kc_read_member(module, KC_MEMBER_EXIT);
}

/*
 * Whether it may go, in the kernel's order; it is GOING then. Under the mutex.
 *
 * Differs from Linux: there, force also takes the reference of the load itself, which then goes on
 * with a module that is gone.
 */
static int stop_module(struct kocoon *kocoon, struct kocoon_loaded *module, unsigned int flags)
{
	if (!module)
		return -ENOENT;
	if (module->source_list)
		return -EWOULDBLOCK;
	if (kc_state(module) != KOCOON_STATE_LIVE)
		return -EBUSY;
	if (kc_is_permanent(module) && !try_force_unload(kocoon, flags))
		return -EBUSY;
	if (!try_release_ref(module) && !(module->settled && try_force_unload(kocoon, flags)))
		return -EWOULDBLOCK;
	kc_set_state(module, KOCOON_STATE_GOING);
	return 0;
}

static void count_unload(struct kocoon *kocoon)
{
	pthread_mutex_lock(&kocoon->mutex);
	kc_stats_unloaded(kocoon);
	pthread_mutex_unlock(&kocoon->mutex);
}

int kc_delete_module(struct kocoon *kocoon, const char *name, unsigned int flags)
{
	const struct kocoon_hooks *hooks = &kocoon->hooks;
	struct kocoon_loaded *module;
	char short_name[sizeof(module->name)] = { 0 };
	size_t room = kc_kernel_abi(kocoon->kernel)->module_name_len;
	uint64_t exit;
	int err;

	/* What does not fit struct module's name is cut off, as the kernel does. */
	room = room && room < sizeof(short_name) ? room : sizeof(short_name);
	strncpy(short_name, name, room - 1);
	pthread_mutex_lock(&kocoon->mutex);
	module = kc_find_module_all(kocoon, short_name, false);
	err = stop_module(kocoon, module, flags);
	pthread_mutex_unlock(&kocoon->mutex);
	if (err)
		return err;
	exit = kc_read_member(module, KC_MEMBER_EXIT);
	if (exit)
		kc_call_void(kocoon, exit);
	kc_notify(module, KOCOON_STATE_GOING);
	kc_livepatch_going(module);
	count_unload(kocoon);
	if (hooks->uevent)
		hooks->uevent(hooks->context, "remove", module->name);
	kc_free_module(module);
	return 0;
}

int kocoon_delete_module(struct kocoon *kocoon, const char *name, unsigned int flags)
{
	struct kc_cpu_pause pause;
	int err;

	if (!kc_capable(kocoon) || kocoon_modules_disabled(kocoon))
		return -EPERM;
	kc_per_cpu_pause(&kocoon->per_cpu, &pause);
	err = kc_delete_module(kocoon, name, flags);
	kc_per_cpu_resume(&pause);
	return err;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * do_init_module() of kernel/module/main.c: constructors, init, and what follows its success or
 * failure. Runs module code in the calling thread.
 */
#include "live/lifecycle.h"

#include <errno.h>

/* do_mod_ctors(): the table is in the module's own memory. */
static void run_constructors(struct kocoon_loaded *module)
{
	const uint8_t *table = module->ctor_count
				       ? kc_module_bytes(module, module->ctors,
							 module->ctor_count * sizeof(uint64_t))
				       : NULL;

	for (uint64_t i = 0; table && i < module->ctor_count; i++)
		kc_call_void(module->kocoon, kc_load64(table + i * sizeof(uint64_t)));
}

static int fail(struct kocoon_loaded *module, struct kc_init_waste *waste, int err)
{
	kc_init_waste_free(waste);
	kc_change_state(module, KOCOON_STATE_GOING);
	kocoon_module_put(module);
	kc_notify(module, KOCOON_STATE_GOING);
	kc_livepatch_going(module);
	kc_free_module(module);
	return err;
}

static void send_uevent(const struct kocoon_loaded *module, const char *action)
{
	const struct kocoon_hooks *hooks = &module->kocoon->hooks;

	if (hooks->uevent)
		hooks->uevent(hooks->context, action, module->name);
}

/*
 * The reference that the load held is given back with the mutex: no sooner can the module be
 * unloaded. What can fail is done before.
 */
static void settle(struct kocoon_loaded *module, struct kc_init_waste *waste)
{
	struct kocoon *kocoon = module->kocoon;

	if (kc_protect_after_init(module))
		kc_log(kocoon, KOCOON_LOG_WARNING,
		       "%s: data that is to be read-only after init stays writable: no memory",
		       module->name);
	pthread_mutex_lock(&kocoon->mutex);
	kc_kallsyms_switch_to_core(module);
	kc_stats_loaded(kocoon, module);
	kc_hide_init(module, waste);
	module->settled = true;
	kocoon_module_put(module);
	pthread_cond_broadcast(&kocoon->changed);
	pthread_mutex_unlock(&kocoon->mutex);
	kc_release_init(kocoon, waste);
}

int kc_do_init_module(struct kocoon_loaded *module)
{
	struct kocoon *kocoon = module->kocoon;
	struct kc_init_waste *waste = kc_init_waste_new();
	int result = waste ? 0 : -ENOMEM;
	uint64_t init;

	if (waste) {
		run_constructors(module);
		init = kc_read_member(module, KC_MEMBER_INIT);
		if (init)
			result = kc_call_int(kocoon, init);
	}
	if (result < 0)
		return fail(module, waste, result);
	if (result > 0)
		kc_log(kocoon, KOCOON_LOG_WARNING,
		       "%s: init returned %d, which is neither 0 nor a negative errno; the module "
		       "is taken to be loaded",
		       module->name, result);
	kc_change_state(module, KOCOON_STATE_LIVE);
	kc_notify(module, KOCOON_STATE_LIVE);
	send_uevent(module, "add");
	if (!module->async_probe && kocoon->hooks.wait_for_probes)
		kocoon->hooks.wait_for_probes(kocoon->hooks.context);
	settle(module, waste);
	return 0;
}

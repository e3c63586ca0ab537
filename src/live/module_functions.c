/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the subsystem itself exports to modules, with the kernel's names and conventions. Modules
 * are known there by the address of their struct module.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "live/live.h"

/*
 * Whoever hands over a struct module keeps it: the RCU section is for the list only. NULL: built
 * in, or none of this subsystem.
 */
static struct kocoon_loaded *loaded_at(const void *this_module)
{
	struct kocoon_loaded *module;

	if (!this_module)
		return NULL;
	kc_rcu_read_lock();
	module = kc_loaded_at(kc_current(), (uint64_t)(uintptr_t)this_module);
	kc_rcu_read_unlock();
	return module;
}

KOCOON_CALLED_BY_MODULE static bool try_module_get(const void *this_module)
{
	struct kocoon_loaded *module = loaded_at(this_module);

	return this_module && !module ? false : kocoon_try_module_get(module);
}

KOCOON_CALLED_BY_MODULE static void module_get(const void *this_module)
{
	kocoon_module_get(loaded_at(this_module));
}

KOCOON_CALLED_BY_MODULE static void module_put(const void *this_module)
{
	kocoon_module_put(loaded_at(this_module));
}

KOCOON_CALLED_BY_MODULE static int module_refcount(const void *this_module)
{
	const struct kocoon_loaded *module = loaded_at(this_module);

	return module ? kocoon_module_refcount(module) : -1;
}

KOCOON_CALLED_BY_MODULE static void *symbol_get(const char *name)
{
	return kocoon_symbol_get(kc_current(), name);
}

KOCOON_CALLED_BY_MODULE static void symbol_put(const char *name)
{
	kocoon_symbol_put(kc_current(), name);
}

KOCOON_CALLED_BY_MODULE static void symbol_put_addr(const void *address)
{
	kocoon_symbol_put_addr(kc_current(), address);
}

KOCOON_CALLED_BY_MODULE static int register_module_notifier(const void *block)
{
	return kc_register_module_block(kc_current(), (uint64_t)(uintptr_t)block);
}

KOCOON_CALLED_BY_MODULE static int unregister_module_notifier(const void *block)
{
	return kc_unregister_module_block(kc_current(), (uint64_t)(uintptr_t)block);
}

/* The kernel's own formats (%pM and the like) are printed as C knows them. */
KOCOON_CALLED_BY_MODULE KC_PRINTF(2, 3) static int request_module(bool wait, const char *format,
								  ...)
{
	char name[256];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	if (len < 0)
		return -EINVAL;
	return kocoon_request_module(kc_current(), name, wait);
}

KOCOON_CALLED_BY_MODULE static bool is_module_sig_enforced(void)
{
	const struct kocoon *kocoon = kc_current();

	return kocoon->policy.sig_enforce || kc_kernel_behaviour(kocoon->kernel)->sig_enforce;
}

#define FUNCTION(text, function)                                    \
	{                                                           \
		.name = (text), .address = (const void *)(function) \
	}
#define GPL_FUNCTION(text, function)                                                  \
	{                                                                             \
		.name = (text), .address = (const void *)(function), .gpl_only = true \
	}

static const struct kocoon_supply supplies[] = {
	FUNCTION("try_module_get", try_module_get),
	FUNCTION("__module_get", module_get),
	FUNCTION("module_put", module_put),
	FUNCTION("module_refcount", module_refcount),
	GPL_FUNCTION("__symbol_get", symbol_get),
	FUNCTION("__symbol_put", symbol_put),
	GPL_FUNCTION("symbol_put_addr", symbol_put_addr),
	FUNCTION("register_module_notifier", register_module_notifier),
	FUNCTION("unregister_module_notifier", unregister_module_notifier),
	FUNCTION("__request_module", request_module),
	FUNCTION("is_module_sig_enforced", is_module_sig_enforced),
};

struct kc_own_exports kc_own_module_functions(void)
{
	return (struct kc_own_exports){ supplies, sizeof(supplies) / sizeof(supplies[0]) };
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A subsystem is made, and given back. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "live/lifecycle.h"

enum { CPUS = 64, CPUS_MAX = 4096 };
#define SPACE_DEFAULT (UINT64_C(256) << 20)

static const struct kocoon_options no_options = { .size = sizeof(no_options) };

static int copy_policy(struct kocoon *kocoon, const struct kocoon_policy *policy)
{
	if (!policy)
		return 0;
	memcpy(&kocoon->policy, policy,
	       policy->size < sizeof(*policy) ? policy->size : sizeof(*policy));
	if (!kocoon->policy.blacklist)
		return 0;
	kocoon->blacklist = strdup(kocoon->policy.blacklist);
	kocoon->policy.blacklist = kocoon->blacklist;
	return kocoon->blacklist ? 0 : -ENOMEM;
}

/* What a batch of modules has given up becomes inaccessible at once. */
static void settle(struct kc_garbage *garbage)
{
	struct kocoon *kocoon =
		(struct kocoon *)((char *)garbage - offsetof(struct kocoon, garbage));

	if (kocoon->space.book)
		kc_live_space_settle(&kocoon->space);
}

/* Locks first: they are there whatever fails behind them. */
static void init_locks(struct kocoon *kocoon)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&kocoon->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&kocoon->mutex, NULL);
	kc_garbage_init(&kocoon->garbage);
	kocoon->garbage.settle = settle;
	kc_notifiers_init(kocoon);
	pthread_mutex_init(&kocoon->idempotent_lock, NULL);
	kc_param_texts_init(&kocoon->param_texts);
}

static int set_kernel(struct kocoon *kocoon, const struct kocoon_kernel *kernel,
		      struct kocoon_report *report)
{
	int err = kernel ? 0 : kc_kernel_bare(&kocoon->own_kernel);

	if (err)
		return err;
	kocoon->kernel = kernel ? kernel : kocoon->own_kernel;
	kocoon->arch = kc_arch_find(kocoon_kernel_arch(kocoon->kernel));
#if !defined(__x86_64__)
	kocoon->arch = NULL;
#endif
	if (!kocoon->arch)
		return kc_finding(report, KOCOON_STAGE_KERNEL, -ENOTSUP,
				  "code for %s can't be run on this machine",
				  kocoon_kernel_arch(kocoon->kernel));
	if (kocoon->arch->cpu_host)
		kocoon->arch->cpu_host(&kocoon->cpu);
	return 0;
}

static int make(struct kocoon *kocoon, const struct kocoon_kernel *kernel,
		const struct kocoon_options *options, struct kocoon_report *report)
{
	unsigned int cpus = options->cpus ? options->cpus : CPUS;
	int err = set_kernel(kocoon, kernel, report);

	if (!err)
		err = copy_policy(kocoon, options->policy);
	if (!err)
		err = kc_live_space_init(&kocoon->space,
					 options->space ? options->space : SPACE_DEFAULT, report);
	if (!err)
		err = kc_per_cpu_init(&kocoon->per_cpu, &kocoon->space,
				      cpus < CPUS_MAX ? cpus : CPUS_MAX);
	if (!err)
		err = kc_name_table_init(&kocoon->names, &kocoon->garbage);
	if (!err)
		err = kc_name_table_init(&kocoon->symbols, &kocoon->garbage);
	if (!err)
		err = kc_exports_new(kocoon, options->supplies, options->supply_count, report);
	if (!err)
		err = kc_requests_new(kocoon);
	if (!err)
		err = kc_traps_register(kocoon);
	kocoon->registered = !err;
	return err;
}

/* From wherever make() came to. */
static void unmake(struct kocoon *kocoon)
{
	if (kocoon->registered)
		kc_traps_unregister(kocoon);
	kc_garbage_deinit(&kocoon->garbage);
	kc_requests_free(kocoon);
	kc_notifiers_free(kocoon);
	kc_param_texts_deinit(&kocoon->param_texts);
	pthread_mutex_destroy(&kocoon->idempotent_lock);
	kc_exports_free(kocoon);
	kc_name_table_deinit(&kocoon->symbols);
	kc_name_table_deinit(&kocoon->names);
	kc_per_cpu_deinit(&kocoon->per_cpu);
	if (kocoon->space.base)
		kc_live_space_deinit(&kocoon->space);
	kc_stats_free(kocoon);
	kc_tracking_free(kocoon);
	pthread_cond_destroy(&kocoon->changed);
	pthread_mutex_destroy(&kocoon->mutex);
	kocoon_kernel_free(kocoon->own_kernel);
	free(kocoon->blacklist);
	free(kocoon);
}

int kocoon_new(const struct kocoon_kernel *kernel, const struct kocoon_options *options,
	       struct kocoon_report *report, struct kocoon **kocoon_ret)
{
	struct kocoon_options known = no_options;
	struct kocoon *kocoon = calloc(1, sizeof(*kocoon));
	int err;

	if (!kocoon)
		return -ENOMEM;
	/* An older program's options are shorter, a newer one's longer. */
	if (options)
		memcpy(&known, options,
		       options->size < sizeof(known) ? options->size : sizeof(known));
	kocoon->hooks = known.hooks;
	kocoon->no_force_unload = known.no_force_unload;
	init_locks(kocoon);
	err = make(kocoon, kernel, &known, report);
	if (err) {
		unmake(kocoon);
		return err;
	}
	*kocoon_ret = kocoon;
	return 0;
}

void kocoon_synchronize(struct kocoon *kocoon)
{
	kc_garbage_flush(&kocoon->garbage);
}

/* Newest first; those that were used can go once their users are gone. */
static bool delete_some(struct kocoon *kocoon)
{
	struct kocoon_loaded *module = atomic_load(&kocoon->modules);
	bool deleted = false;

	while (module) {
		struct kocoon_loaded *next = atomic_load(&module->next);

		deleted |= kc_delete_module(kocoon, module->name, 0) == 0;
		module = next;
	}
	return deleted;
}

/* No thread is inside and none comes, so the list only changes by what is done here. */
static void delete_all(struct kocoon *kocoon)
{
	struct kocoon_loaded *module;

	while (delete_some(kocoon))
		;
	/* A user may have waited for a module that began to load later, and goes first. */
	pthread_mutex_lock(&kocoon->mutex);
	for (module = atomic_load(&kocoon->modules); module; module = atomic_load(&module->next))
		kc_module_unload_free(module);
	pthread_mutex_unlock(&kocoon->mutex);
	while ((module = atomic_load(&kocoon->modules)))
		kc_free_module(module);
}

void kocoon_free(struct kocoon *kocoon)
{
	if (!kocoon)
		return;
	delete_all(kocoon);
	unmake(kocoon);
}

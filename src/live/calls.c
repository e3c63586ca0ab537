/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calling module code: a thread gets a per-CPU area for the time that it is inside. No lock of the
 * subsystem's is held meanwhile, but for those that live.h allows.
 */
#include "live/live.h"

/* An address in live space becomes something to call. */
typedef int init_function(void);

int kc_call_int(struct kocoon *kocoon, uint64_t function)
{
	init_function *call = (init_function *)(uintptr_t)function;
	int result;

	kocoon_enter(kocoon);
	result = call();
	kocoon_leave(kocoon);
	return result;
}

typedef void exit_function(void);

void kc_call_void(struct kocoon *kocoon, uint64_t function)
{
	exit_function *call = (exit_function *)(uintptr_t)function;

	kocoon_enter(kocoon);
	call();
	kocoon_leave(kocoon);
}

struct kocoon *kc_current(void)
{
	const struct kc_per_cpu *areas = kc_per_cpu_current();

	return areas ? (struct kocoon *)((uintptr_t)areas - offsetof(struct kocoon, per_cpu))
		     : NULL;
}

void kocoon_enter(struct kocoon *kocoon)
{
	kc_per_cpu_enter(&kocoon->per_cpu);
}

void kocoon_leave(struct kocoon *kocoon)
{
	kc_per_cpu_leave(&kocoon->per_cpu);
}

int kocoon_cpu(const struct kocoon *kocoon)
{
	return kc_per_cpu_number(&kocoon->per_cpu);
}

void *kocoon_per_cpu(const struct kocoon *kocoon, uint64_t offset, unsigned int cpu)
{
	if (cpu >= kocoon->per_cpu.count || offset >= KC_PER_CPU_AREA)
		return NULL;
	return kc_per_cpu_bytes(&kocoon->per_cpu, offset, cpu);
}

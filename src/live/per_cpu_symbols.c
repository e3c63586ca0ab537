/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Per-CPU variables of the kernel that inlined code of its headers reads in every module: which CPU
 * this is, where its area is, whether it may be preempted. Their addresses are offsets.
 */
#include "live/live.h"

struct kc_own_exports kc_own_per_cpu_symbols(void)
{
/* NOLINTBEGIN(performance-no-int-to-ptr) */
#define AT(symbol, place)                                                     \
	{                                                                     \
		.name = (symbol), .address = (const void *)(uintptr_t)(place) \
	}
	static const struct kocoon_supply supplies[] = {
		AT("this_cpu_off", KC_PER_CPU_OFFSET),
		AT("cpu_number", KC_PER_CPU_NUMBER),
		AT("__preempt_count", KC_PER_CPU_PREEMPT),
		AT("current_task", KC_PER_CPU_CURRENT),
		AT("pcpu_hot", KC_PER_CPU_HOT),
	};
#undef AT
	/* NOLINTEND(performance-no-int-to-ptr) */

	return (struct kc_own_exports){ supplies, KC_ARRAY_SIZE(supplies) };
}

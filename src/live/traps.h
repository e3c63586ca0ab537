/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Traps in module code, between traps.c (signals, bug tables), extable.c and thunks.c. */
#ifndef KC_LIVE_TRAPS_H
#define KC_LIVE_TRAPS_H

#include <signal.h>
#include <ucontext.h>

#include "live/live.h"

/* Bytes of the module's memory, to be written; NULL: not all of them are its. Takes no lock. */
static inline uint8_t *kc_own_bytes(const struct kocoon_loaded *module, uint64_t address,
				    uint64_t size)
{
	const struct kc_live_space *space = &module->kocoon->space;
	uint64_t page;

	if (!size || size > space->size || address + size < address)
		return NULL;
	for (page = address & -(uint64_t)KC_PAGE_SIZE; page < address + size; page += KC_PAGE_SIZE)
		if (kc_live_space_owner(space, page) != module)
			return NULL;
	return kc_live_space_bytes(space, address);
}

/*
 * fixup_exception(): whether the module has an entry in its exception table for the instruction at
 * `ip`; the context is then as the entry wants it, to go on.
 */
bool kc_fixup_exception(const struct kocoon_loaded *module, uint64_t ip, const siginfo_t *info,
			ucontext_t *context);

/* The stack protector found the stack of the function that returns to `caller` damaged. */
void kc_trap_stack_corrupted(uint64_t caller);

#endif

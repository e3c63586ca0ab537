/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Live space: address space of this process, below 2 GiB, that modules live in.
 *
 * One memory file is mapped twice: low, where modules see and run it, and somewhere else, writable,
 * where the loader writes. A page of the low mapping is inaccessible until its region is protected
 * as what it is; text is never writable there, not even before, and a page that was writable never
 * becomes executable. Between runs of pages there is always one that stays inaccessible.
 *
 * Pages that are given back are kept for the next module, up to a bound; over it, their memory goes
 * back to the host. Finding room, and giving it back, cost the same however many modules there are.
 *
 * Owners: each page knows whom it was given to, for address lookups that take no lock.
 *
 * Threads: allocate, free take a lock of their own; owner lookups none; protect and set_owner are
 * for whoever has the run.
 */
#ifndef KC_MEMORY_LIVE_SPACE_H
#define KC_MEMORY_LIVE_SPACE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/report.h"
#include "memory/memory.h"

enum kc_protection {
	KC_PROTECTION_NONE,
	KC_PROTECTION_READ,
	KC_PROTECTION_WRITE, /* and read */
	KC_PROTECTION_EXECUTE, /* and read */
};

struct kc_page_book; /* private to live_space.c */

struct kc_live_space {
	uint64_t base; /* address of the first page */
	uint64_t size; /* bytes */
	uint8_t *writable; /* the other mapping; byte i of it is the byte at base + i */
	int fd;
	pthread_mutex_t lock;
	struct kc_page_book *book; /* owned; which pages are free: under the lock */
	_Atomic(void *) *owners; /* owned; one a page */
};

/* -ENOMEM: no memory, or no room below 2 GiB; else the errno of memfd_create(). */
KC_MUST_CHECK int kc_live_space_init(struct kc_live_space *space, uint64_t size,
				     struct kocoon_report *report);
void kc_live_space_deinit(struct kc_live_space *space);

/*
 * A run of whole pages, inaccessible at its address so far, guarded behind. What of it is to be
 * used has to be cleared first: it may hold what somebody left. -ENOMEM.
 */
KC_MUST_CHECK int kc_live_space_allocate(struct kc_live_space *space, uint64_t size,
					 uint64_t *address_ret);
void kc_live_space_clear(struct kc_live_space *space, uint64_t address, uint64_t size);
/*
 * Gives a run back in two steps, for who has many of them: it stays accessible until
 * kc_live_space_settle() makes all of them inaccessible, neighbours at once, since every change of
 * a mapping interrupts all threads of the process. `size` as it was allocated.
 */
void kc_live_space_give_up(struct kc_live_space *space, uint64_t address, uint64_t size);
void kc_live_space_settle(struct kc_live_space *space);
/* Makes a run inaccessible and gives it back, `size` as it was allocated. Its owner is cleared. */
void kc_live_space_free(struct kc_live_space *space, uint64_t address, uint64_t size);
/* Whole pages of one run. 0 or -ENOMEM. Not from writable to executable: -EINVAL. */
KC_MUST_CHECK int kc_live_space_protect(struct kc_live_space *space, uint64_t address,
					uint64_t size, enum kc_protection protection);

static inline uint8_t *kc_live_space_bytes(const struct kc_live_space *space, uint64_t address)
{
	return space->writable + (address - space->base);
}

/* Bytes that are given out, guards included. */
uint64_t kc_live_space_used(struct kc_live_space *space);

void kc_live_space_set_owner(struct kc_live_space *space, uint64_t address, uint64_t size,
			     void *owner);

/* Whose page it is; NULL: nobody's. The acquire shows the owner as it was when it was set. */
static inline void *kc_live_space_owner(const struct kc_live_space *space, uint64_t address)
{
	uint64_t offset = address - space->base;

	if (offset >= space->size)
		return NULL;
	return atomic_load_explicit(&space->owners[offset / KC_PAGE_SIZE], memory_order_acquire);
}

#endif

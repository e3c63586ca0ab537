/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request_module, between kmod.c (places and upcalls) and dups.c (who asks for the same). */
#ifndef KC_LIVE_REQUESTS_H
#define KC_LIVE_REQUESTS_H

#include "live/live.h"

struct kc_place_waiter; /* private to kmod.c */

/* A request that waits for its answer, on its thread's stack; the members are dups.c's. */
struct kc_dup_request {
	const char *name;
	struct kc_dup_request *next; /* among first ones, or among those that wait for one */
	struct kc_dup_request *waiters; /* of a first one */
	pthread_cond_t answered;
	bool complete;
	int result;
};

struct kc_requests {
	pthread_mutex_t lock;
	char path[KC_PATH_MAX_MODPROBE];
	unsigned int under_way;
	struct kc_place_waiter *first_waiter, **last_waiter;
	struct kc_dup_request *dups; /* the first one of every name */
};

/*
 * Whether the name was asked for and has not been answered: then the answer, once it is there, in
 * `*ret_ret`; without `wait` 0, at once. If not, and with `wait`, the record is the first one, and
 * kc_dup_request_announce() has to follow.
 */
bool kc_dup_request_exists_wait(struct kocoon *kocoon, struct kc_dup_request *record,
				const char *name, bool wait, int *ret_ret);
void kc_dup_request_announce(struct kocoon *kocoon, struct kc_dup_request *record, int ret);

#endif

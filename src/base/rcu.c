/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Read-copy-update: see rcu.h. */
#include "base/rcu.h"

/* So much gathers before somebody waits for a grace period: one costs about as much as a load. */
enum { GARBAGE_MAX = 32 };

#ifdef KC_TSAN
char kc_rcu_edge;
#endif

void kc_garbage_init(struct kc_garbage *garbage)
{
	*garbage = (struct kc_garbage){ 0 };
	pthread_mutex_init(&garbage->lock, NULL);
}

static struct kc_waste *take(struct kc_garbage *garbage, size_t at_least)
{
	struct kc_waste *first = NULL;

	pthread_mutex_lock(&garbage->lock);
	if (garbage->count >= at_least) {
		first = garbage->first;
		garbage->first = NULL;
		garbage->count = 0;
	}
	pthread_mutex_unlock(&garbage->lock);
	return first;
}

static void free_all(struct kc_garbage *garbage, struct kc_waste *waste)
{
	if (!waste)
		return;
	kc_synchronize_rcu();
	while (waste) {
		struct kc_waste *next = waste->next;

		waste->free(waste);
		waste = next;
	}
	if (garbage->settle)
		garbage->settle(garbage);
}

void kc_garbage_flush(struct kc_garbage *garbage)
{
	free_all(garbage, take(garbage, 0));
}

void kc_garbage_add(struct kc_garbage *garbage, struct kc_waste *waste,
		    void (*free_waste)(struct kc_waste *waste))
{
	waste->free = free_waste;
	pthread_mutex_lock(&garbage->lock);
	waste->next = garbage->first;
	garbage->first = waste;
	garbage->count++;
	pthread_mutex_unlock(&garbage->lock);
	free_all(garbage, take(garbage, GARBAGE_MAX));
}

void kc_garbage_deinit(struct kc_garbage *garbage)
{
	kc_garbage_flush(garbage);
	pthread_mutex_destroy(&garbage->lock);
}

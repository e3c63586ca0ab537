/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests for a module that has been asked for already and is not there yet are merged: they share
 * the first one's result. kernel/module/dups.c.
 *
 * A request that doesn't wait can be merged into another, but others not into it, since it has no
 * result to share.
 *
 * Differs from Linux: there a name is remembered for 60 s behind its answer, to find whoever asks
 * too often; a module that was unloaded meanwhile would not be loaded again. Here it is forgotten
 * with the answer.
 */
#include <string.h>

#include "live/requests.h"

/* Under the lock. */
static struct kc_dup_request *lookup(const struct kc_requests *requests, const char *name)
{
	struct kc_dup_request *first = requests->dups;

	while (first && strcmp(first->name, name) != 0)
		first = first->next;
	return first;
}

/* Under the lock, which is not held while asleep. */
static int wait_for(struct kc_requests *requests, struct kc_dup_request *first,
		    struct kc_dup_request *record)
{
	pthread_cond_init(&record->answered, NULL);
	record->next = first->waiters;
	first->waiters = record;
	while (!record->complete)
		pthread_cond_wait(&record->answered, &requests->lock);
	pthread_cond_destroy(&record->answered);
	return record->result;
}

static void add_first(struct kc_requests *requests, struct kc_dup_request *record)
{
	record->next = requests->dups;
	requests->dups = record;
}

static void count(struct kocoon *kocoon, const char *name)
{
	pthread_mutex_lock(&kocoon->mutex);
	kc_count(&kocoon->stats.public.duplicate_requests, 1);
	pthread_mutex_unlock(&kocoon->mutex);
	kc_log(kocoon, KOCOON_LOG_WARNING, "module-autoload: duplicate request for module %s",
	       name);
}

bool kc_dup_request_exists_wait(struct kocoon *kocoon, struct kc_dup_request *record,
				const char *name, bool wait, int *ret_ret)
{
	struct kc_requests *requests = kocoon->requests;
	struct kc_dup_request *first;
	int ret = 0;

	*record = (struct kc_dup_request){ .name = name };
	pthread_mutex_lock(&requests->lock);
	first = lookup(requests, name);
	if (first && wait)
		ret = wait_for(requests, first, record);
	else if (wait)
		add_first(requests, record);
	pthread_mutex_unlock(&requests->lock);
	if (!first)
		return false;
	count(kocoon, name);
	*ret_ret = ret;
	return true;
}

void kc_dup_request_announce(struct kocoon *kocoon, struct kc_dup_request *record, int ret)
{
	struct kc_requests *requests = kocoon->requests;
	struct kc_dup_request **link = &requests->dups;
	struct kc_dup_request *waiter, *next;

	pthread_mutex_lock(&requests->lock);
	while (*link != record)
		link = &(*link)->next;
	*link = record->next;
	/* A waiter's record is gone as soon as the lock is: it is not looked at after that. */
	for (waiter = record->waiters; waiter; waiter = next) {
		next = waiter->next;
		waiter->result = ret;
		waiter->complete = true;
		pthread_cond_signal(&waiter->answered);
	}
	pthread_mutex_unlock(&requests->lock);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls of finit_module for one file at one time converge on one load and one result:
 * idempotent_init_module() of kernel/module/main.c.
 *
 * The first caller for a file loads it; others sleep until it is through. Every caller brings a
 * record on its stack, so that nothing here needs memory.
 */
#include "live/live.h"

static struct kc_idempotent **bucket_of(struct kocoon *kocoon, struct kc_idempotent_key key)
{
	size_t count = sizeof(kocoon->idempotent) / sizeof(kocoon->idempotent[0]);

	return &kocoon->idempotent[kc_hash_bytes(&key, sizeof(key)) % count];
}

static struct kc_idempotent *first_caller(struct kc_idempotent *bucket,
					  struct kc_idempotent_key key)
{
	while (bucket && (bucket->key.device != key.device || bucket->key.inode != key.inode))
		bucket = bucket->next;
	return bucket;
}

/* Under the lock, which is not held while asleep. */
static int wait_for(struct kocoon *kocoon, struct kc_idempotent *first,
		    struct kc_idempotent *record)
{
	pthread_cond_init(&record->done, NULL);
	record->next = first->waiters;
	first->waiters = record;
	while (!record->complete)
		pthread_cond_wait(&record->done, &kocoon->idempotent_lock);
	pthread_cond_destroy(&record->done);
	return record->result;
}

bool kc_idempotent_begin(struct kocoon *kocoon, struct kc_idempotent *record,
			 struct kc_idempotent_key key, int *result_ret)
{
	struct kc_idempotent **bucket = bucket_of(kocoon, key);
	struct kc_idempotent *first;

	record->key = key;
	record->waiters = NULL;
	record->complete = false;
	pthread_mutex_lock(&kocoon->idempotent_lock);
	first = first_caller(*bucket, key);
	if (first) {
		*result_ret = wait_for(kocoon, first, record);
	} else {
		record->next = *bucket;
		*bucket = record;
	}
	pthread_mutex_unlock(&kocoon->idempotent_lock);
	return first;
}

void kc_idempotent_end(struct kocoon *kocoon, struct kc_idempotent *record, int result)
{
	struct kc_idempotent **link = bucket_of(kocoon, record->key);
	struct kc_idempotent *waiter, *next;

	pthread_mutex_lock(&kocoon->idempotent_lock);
	while (*link != record)
		link = &(*link)->next;
	*link = record->next;
	/* A waiter's record is gone as soon as the lock is: it is not looked at after that. */
	for (waiter = record->waiters; waiter; waiter = next) {
		next = waiter->next;
		waiter->result = result;
		waiter->complete = true;
		pthread_cond_signal(&waiter->done);
	}
	pthread_mutex_unlock(&kocoon->idempotent_lock);
}

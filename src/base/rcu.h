/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Read-copy-update, by liburcu's "bulletproof" flavour: threads need not register.
 *
 * | who                  | may                                    | may not                       |
 * |----------------------|----------------------------------------|-------------------------------|
 * | between lock, unlock | follow pointers that were published    | wait for a grace period       |
 * | a writer             | publish with release, unpublish        | free before a grace period    |
 *
 * Pointers are published by atomic_store_explicit(release) and read by
 * atomic_load_explicit(acquire): the release orders what the pointer leads to before the pointer.
 * What was unpublished goes to a struct kc_garbage, which frees batches of it after a grace period:
 * one wait serves many.
 *
 * ThreadSanitizer doesn't see into liburcu: the two edges that a grace period makes (readers' last
 * accesses before the writer's free) are told to it here.
 */
#ifndef KC_BASE_RCU_H
#define KC_BASE_RCU_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

/*
 * Inline, but for UBSan's builds: liburcu's own structures are not aligned as they say. Nor for
 * clang-tidy, which takes the thread's record for NULL that registering has just made.
 */
#if !defined(KC_RCU_CALLS) && !defined(__clang_analyzer__)
#define _LGPL_SOURCE
#endif
#include <urcu-bp.h>

#if defined(__SANITIZE_THREAD__)
#define KC_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KC_TSAN 1
#endif
#endif

#ifdef KC_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
extern char kc_rcu_edge;
#define KC_RCU_READERS_DONE() __tsan_release(&kc_rcu_edge)
#define KC_RCU_WRITER_SEES() __tsan_acquire(&kc_rcu_edge)
#else
#define KC_RCU_READERS_DONE() ((void)0)
#define KC_RCU_WRITER_SEES() ((void)0)
#endif

static inline void kc_rcu_read_lock(void)
{
	urcu_bp_read_lock();
}

static inline void kc_rcu_read_unlock(void)
{
	KC_RCU_READERS_DONE();
	urcu_bp_read_unlock();
}

static inline void kc_synchronize_rcu(void)
{
	urcu_bp_synchronize_rcu();
	KC_RCU_WRITER_SEES();
}

/* Something to be freed once no reader can have it any more; embedded in what is to be freed, so
 * that giving something up never needs memory. */
struct kc_waste {
	struct kc_waste *next;
	void (*free)(struct kc_waste *waste);
};

struct kc_garbage {
	/* Called behind each batch that was freed, or NULL. */
	void (*settle)(struct kc_garbage *garbage);
	pthread_mutex_t lock;
	struct kc_waste *first;
	size_t count;
};

void kc_garbage_init(struct kc_garbage *garbage);
/* Empties it first. */
void kc_garbage_deinit(struct kc_garbage *garbage);
/*
 * Hands something over that is not published any more. Every so often this waits for a grace period
 * and frees all that has gathered: not to be called between read lock and unlock, nor with a lock
 * held that a reader may wait for.
 */
void kc_garbage_add(struct kc_garbage *garbage, struct kc_waste *waste,
		    void (*free_waste)(struct kc_waste *waste));
/* Waits for a grace period and frees what was handed over before. */
void kc_garbage_flush(struct kc_garbage *garbage);

#endif

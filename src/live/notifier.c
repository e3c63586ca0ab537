/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The module notifier chain: kernel/notifier.c, as kernel/module/main.c uses it.
 *
 * On the chain are functions of the program and blocks (struct notifier_block) of modules, by
 * falling priority, later ones behind earlier ones of the same.
 *
 * Differs from Linux: there a lock is held for reading while the chain is called, so a call-back
 * that loads a module can wait for a writer that waits for it. Here one that is being called is
 * pinned and the lock let go. What the lock gave is kept: one that is registered while the chain is
 * called is not called before the next event, and unregistering returns when no call of what it
 * took away is under way.
 */
#include <errno.h>
#include <stdlib.h>

#include "live/live.h"

/* What a block's function returns (include/linux/notifier.h). */
enum {
	NOTIFY_OK = 1,
	NOTIFY_STOP_MASK = 0x8000,
};

/* struct notifier_block, in a module or where a module allocated it. */
struct block {
	int (*notifier_call)(struct block *block, unsigned long action, void *data);
	struct block *next; /* Linux links by it; here nobody does */
	int priority;
};

struct kc_notifier {
	struct kc_notifier *next, *previous;
	kocoon_notifier_fn *fn; /* NULL: it is a module's block */
	void *context; /* or the block */
	int priority;
	uint64_t number; /* which registration it is */
	unsigned int calls; /* that are under way */
	bool removed; /* it is being unregistered: no new calls */
};

void kc_notifiers_init(struct kocoon *kocoon)
{
	kocoon->notifiers = (struct kc_notifiers){ 0 };
	pthread_mutex_init(&kocoon->notifiers.lock, NULL);
	pthread_cond_init(&kocoon->notifiers.idle, NULL);
}

void kc_notifiers_free(struct kocoon *kocoon)
{
	struct kc_notifier *notifier, *next;

	for (notifier = kocoon->notifiers.first; notifier; notifier = next) {
		next = notifier->next;
		free(notifier);
	}
	kocoon->notifiers.first = NULL;
	pthread_cond_destroy(&kocoon->notifiers.idle);
	pthread_mutex_destroy(&kocoon->notifiers.lock);
}

/* ---- registering; under the lock where not said otherwise */

static struct kc_notifier *find(const struct kc_notifiers *chain, kocoon_notifier_fn *fn,
				const void *context)
{
	struct kc_notifier *notifier;

	for (notifier = chain->first; notifier; notifier = notifier->next)
		if (!notifier->removed && notifier->fn == fn && notifier->context == context)
			return notifier;
	return NULL;
}

static void insert(struct kc_notifiers *chain, struct kc_notifier *notifier)
{
	struct kc_notifier *previous = NULL, *next = chain->first;

	while (next && next->priority >= notifier->priority) {
		previous = next;
		next = next->next;
	}
	notifier->number = ++chain->registered;
	notifier->previous = previous;
	notifier->next = next;
	if (previous)
		previous->next = notifier;
	else
		chain->first = notifier;
	if (next)
		next->previous = notifier;
}

static void take_out(struct kc_notifiers *chain, struct kc_notifier *notifier)
{
	if (notifier->previous)
		notifier->previous->next = notifier->next;
	else
		chain->first = notifier->next;
	if (notifier->next)
		notifier->next->previous = notifier->previous;
}

/* Without the lock. */
static int add(struct kocoon *kocoon, kocoon_notifier_fn *fn, void *context, int priority)
{
	struct kc_notifiers *chain = &kocoon->notifiers;
	struct kc_notifier *notifier = malloc(sizeof(*notifier));
	bool exists;

	if (!notifier)
		return -ENOMEM;
	*notifier = (struct kc_notifier){ .fn = fn, .context = context, .priority = priority };
	pthread_mutex_lock(&chain->lock);
	exists = find(chain, fn, context);
	if (!exists)
		insert(chain, notifier);
	pthread_mutex_unlock(&chain->lock);
	if (exists)
		free(notifier);
	return exists ? -EEXIST : 0;
}

/* Without the lock. */
static int drop(struct kocoon *kocoon, kocoon_notifier_fn *fn, void *context)
{
	struct kc_notifiers *chain = &kocoon->notifiers;
	struct kc_notifier *notifier;

	pthread_mutex_lock(&chain->lock);
	notifier = find(chain, fn, context);
	if (notifier) {
		notifier->removed = true;
		while (notifier->calls)
			pthread_cond_wait(&chain->idle, &chain->lock);
		take_out(chain, notifier);
	}
	pthread_mutex_unlock(&chain->lock);
	free(notifier);
	return notifier ? 0 : -ENOENT;
}

int kocoon_register_notifier(struct kocoon *kocoon, kocoon_notifier_fn *fn, void *context,
			     int priority)
{
	return add(kocoon, fn, context, priority);
}

int kocoon_unregister_notifier(struct kocoon *kocoon, kocoon_notifier_fn *fn, void *context)
{
	return drop(kocoon, fn, context);
}

static struct block *block_at(uint64_t address)
{
	return (struct block *)(uintptr_t)address;
}

/* Differs from Linux: -ENOMEM, since the chain is linked by memory of ours. */
int kc_register_module_block(struct kocoon *kocoon, uint64_t block)
{
	struct block *code = block_at(block);
	int err = add(kocoon, NULL, code, code->priority);

	if (err == -EEXIST) {
		kc_log(kocoon, KOCOON_LOG_WARNING, "notifier callback %p already registered",
		       (void *)(uintptr_t)code->notifier_call);
		kocoon_add_taint(kocoon, KC_TAINT_WARN);
	}
	return err;
}

int kc_unregister_module_block(struct kocoon *kocoon, uint64_t block)
{
	return drop(kocoon, NULL, block_at(block));
}

/* ---- calling */

/* One call of the chain. */
struct walk {
	struct kocoon_loaded *module;
	uint64_t last; /* those that were registered behind it aren't called */
};

/* What a block returns for an errno: notifier_from_errno(). */
static int from_errno(int err)
{
	return err < 0 ? NOTIFY_STOP_MASK | (NOTIFY_OK - err) : NOTIFY_OK;
}

static int to_errno(int ret)
{
	ret &= ~NOTIFY_STOP_MASK;
	return ret > NOTIFY_OK ? NOTIFY_OK - ret : 0;
}

static int call(const struct kc_notifier *notifier, struct kocoon_loaded *module,
		enum kocoon_module_state event)
{
	struct block *block = notifier->context;
	int ret;

	if (notifier->fn) {
		ret = notifier->fn(notifier->context, event, module);
		return event == KOCOON_STATE_COMING ? from_errno(ret) : NOTIFY_OK;
	}
	kocoon_enter(module->kocoon);
	ret = block->notifier_call(block, event, (void *)(uintptr_t)module->this_module);
	kocoon_leave(module->kocoon);
	return ret;
}

/* Under the lock. */
static void unpin(struct kc_notifiers *chain, struct kc_notifier *notifier)
{
	if (!--notifier->calls && notifier->removed)
		pthread_cond_broadcast(&chain->idle);
}

/*
 * notifier_call_chain(): up to `end`, which may be NULL, or to one that says stop, which is then
 * left pinned in `stopped_ret`. Under the lock, which is let go meanwhile.
 */
static int call_chain(struct kc_notifiers *chain, const struct walk *walk,
		      enum kocoon_module_state event, const struct kc_notifier *end,
		      struct kc_notifier **stopped_ret)
{
	struct kc_notifier *notifier, *next;
	int ret = 0;

	*stopped_ret = NULL;
	for (notifier = chain->first; notifier && notifier != end; notifier = next) {
		next = notifier->next;
		if (notifier->removed || notifier->number > walk->last)
			continue;
		notifier->calls++;
		pthread_mutex_unlock(&chain->lock);
		ret = call(notifier, walk->module, event);
		pthread_mutex_lock(&chain->lock);
		if (ret & NOTIFY_STOP_MASK) {
			*stopped_ret = notifier;
			break;
		}
		next = notifier->next;
		unpin(chain, notifier);
	}
	return ret;
}

/*
 * Where one says stop to COMING, those before it are called with GOING, from the first again, even
 * where what it returned is no error.
 */
int kc_notify_coming(struct kocoon_loaded *module)
{
	struct kc_notifiers *chain = &module->kocoon->notifiers;
	struct walk walk = { .module = module };
	struct kc_notifier *stopped, *again;
	int ret;

	pthread_mutex_lock(&chain->lock);
	walk.last = chain->registered;
	ret = call_chain(chain, &walk, KOCOON_STATE_COMING, NULL, &stopped);
	if (stopped) {
		call_chain(chain, &walk, KOCOON_STATE_GOING, stopped, &again);
		if (again)
			unpin(chain, again);
		unpin(chain, stopped);
	}
	pthread_mutex_unlock(&chain->lock);
	return to_errno(ret);
}

void kc_notify(struct kocoon_loaded *module, enum kocoon_module_state event)
{
	struct kc_notifiers *chain = &module->kocoon->notifiers;
	struct walk walk = { .module = module };
	struct kc_notifier *stopped;

	pthread_mutex_lock(&chain->lock);
	walk.last = chain->registered;
	call_chain(chain, &walk, event, NULL, &stopped);
	if (stopped)
		unpin(chain, stopped);
	pthread_mutex_unlock(&chain->lock);
}

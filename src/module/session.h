/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A session: many modules judged against one kernel, each as if it were loaded behind those that it
 * depends on.
 *
 * Entries are modules, in the order of their numbers: earlier ones win where two exclude each
 * other. Worker threads take an entry through kc_load_prepare(); that tells what it exports and
 * imports. If an import may be answered by an entry that is not decided yet, the load is parked and
 * resumed when that one is; else kc_load_finish() decides it. So a tree is read once, in any order,
 * and the hints of a kocoon_tree only decide how often something is parked.
 *
 * Parked images are bounded: over PARKED_LIMIT a load is dropped and its file read again later.
 *
 * Locking: everything in struct kc_session and in entries belongs to `mutex`, but for the job of
 * the entry that a worker runs, which is that worker's. Exports of a settled entry are read-only
 * and may be read without the mutex.
 */
#ifndef KC_MODULE_SESSION_H
#define KC_MODULE_SESSION_H

#include <pthread.h>

#include "image/image.h"
#include "module/load.h"
#include "module/tree.h"

/* A load with the buffers that it stands on. */
struct kc_job {
	struct kc_load load;
	struct kocoon_report report;
	struct kc_buffer file;
	struct kc_buffer image;
	struct kc_span bytes; /* of the module, decompressed: in `file` or in `image` */
	enum kc_format format;
	bool loading; /* `load` is to be given back */
	uint64_t nsec; /* spent so far */
	struct kocoon_export *overrides; /* owned; stand in for exports at other addresses */
	struct kc_job *next; /* in the list of spare ones */
};

/* A verdict with the memory behind its texts. */
struct kc_verdict {
	struct kocoon_verdict public;
	struct kocoon_report report;
	struct kc_signature signature;
	char *module;
	const char **depends; /* array owned, names the session's */
};

enum kc_entry_state {
	KC_ENTRY_NEW,
	KC_ENTRY_RUNNING,
	KC_ENTRY_WAITING,
	KC_ENTRY_READY,
	KC_ENTRY_DONE
};

/* What an entry waits for, beside the number of another one. */
enum kc_wait {
	KC_WAIT_NOTHING = -1,
	KC_WAIT_ALL_CLAIMS = -2, /* nobody known exports it: until every entry was looked at */
	KC_WAIT_EARLIER_CLAIMS =
		-3, /* until every earlier entry was looked at: they may export the same */
};

struct kc_entry {
	char *path; /* owned */
	char *name; /* owned: as the file is named */
	char *real_name; /* owned: as the module itself says; NULL: not known */
	bool selected; /* a verdict is wanted */
	bool claimed; /* what it exports is known, or that it can't export */
	bool accepted;
	bool hinted; /* what the tree's hint names for its imports is included */
	enum kc_entry_state state;
	int wait; /* enum kc_wait, or the number of an entry */
	uint32_t slot; /* in the list of its state */
	uint32_t number; /* its own, while it waits */
	struct kc_entry *next_waiter; /* for the same */
	struct kc_entry *waiters; /* for this one */
	struct kc_job *job; /* parked or kept */
	uint64_t taints;
	struct kocoon_export *exports; /* owned; once accepted */
	size_t export_count;
	char *export_names; /* owned: names and namespaces of `exports` */
	struct kc_verdict *verdict; /* owned, until it was delivered */
};

/* "This entry exports this name", by relocations or, once accepted, in fact. */
struct kc_claim {
	char *name; /* owned */
	uint32_t entry;
	const struct kocoon_export *export; /* once accepted */
};

struct kc_session {
	/* Given; constant while workers run. */
	const struct kocoon_kernel *kernel;
	const struct kocoon_tree *tree;
	struct kocoon_policy policy;
	const struct kocoon_module_options *options; /* of the one entry that is kept, or NULL */
	const struct kc_cpu *cpu; /* that the code of that one is patched for, or NULL */
	int kept; /* whose job is kept when it is decided; -1: none */
	kocoon_verdict_fn *verdict_fn;
	void *context;

	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct kc_entry **entries; /* owned */
	uint32_t count, capacity;
	bool *included; /* owned: by index in the tree */
	bool all_included;
	uint32_t next_new; /* entries before it have been started */
	uint32_t next_verdict; /* verdicts of entries before it have been delivered */
	uint32_t claimed_prefix; /* entries before it have claimed */
	uint32_t claimed_count;
	uint32_t running;
	bool delivering;
	struct kc_entry_list {
		uint32_t *numbers; /* owned */
		uint32_t count;
	} lists[KC_ENTRY_DONE +
		1]; /* heaps: those in states WAITING and READY; the others have none */
	/* no claim will be made any more, though some entries have made none */
	bool claims_complete;
	bool last_resort; /* what is not decided yet never will be: dependencies in a circle */
	struct kc_entry *wait_all_claims, *wait_earlier_claims;
	int result; /* not 0: stop */
	size_t parked; /* bytes */
	uint64_t base; /* where module memory starts */
	uint64_t next_address;
	struct kc_claim *claims; /* owned */
	uint32_t claim_count, claim_capacity;
	struct kc_index claim_index;
	struct kc_index name_index; /* entries by real_name */
	struct kc_job *spare;
	struct kc_tree_symbols *symbols; /* owned; the tree's hint */
	bool symbols_tried;
};

int kc_session_init(struct kc_session *session, const struct kocoon_kernel *kernel,
		    const struct kocoon_tree *tree, const struct kocoon_policy *policy);
void kc_session_deinit(struct kc_session *session);

/* Adds a module to be judged. Call before kc_session_run(). */
KC_MUST_CHECK int kc_session_add(struct kc_session *session, const char *path);
/*
 * Adds the modules of the tree that the hints name as dependencies of the added ones; or all of the
 * tree, selected.
 */
KC_MUST_CHECK int kc_session_add_depends(struct kc_session *session);
KC_MUST_CHECK int kc_session_add_tree(struct kc_session *session);
/* 0, -ENOMEM, or what a verdict_fn returned. */
KC_MUST_CHECK int kc_session_run(struct kc_session *session);

/* ---- providers.c; all under the mutex */

/* Once for each entry that was prepared: it is known what it may export. 0 or -ENOMEM. */
int kc_session_claim(struct kc_session *session, uint32_t number);
void kc_session_set_state(struct kc_session *session, uint32_t number, enum kc_entry_state state);
/* From now on it waits: for an entry, or for one of enum kc_wait. */
void kc_session_wait(struct kc_session *session, uint32_t number, int wait);
/* Wakes the entries that wait for `wait`. */
void kc_session_wake(struct kc_session *session, int wait);
void kc_session_wake_all(struct kc_session *session);
/*
 * Binds what can be bound. What the entry has to wait for before it can be finished: enum kc_wait
 * or an entry.
 */
int kc_session_find_wait(struct kc_session *session, uint32_t self, struct kc_load *load);
/* The next claim on a name; `*cursor` is 0 at first. NULL: no further one. */
struct kc_claim *kc_session_next_claim(const struct kc_session *session, const char *name,
				       uint32_t hash, uint32_t *cursor);
/* The exports of an accepted entry can be bound to from now on. 0 or -ENOMEM. */
int kc_session_publish(struct kc_session *session, uint32_t number);

/* ---- session.c, verdict.c */

void kc_job_free(struct kc_job *job);
void kc_verdict_free(struct kc_verdict *verdict);
/* The verdict of a decided load; takes over the report. NULL: no memory. */
struct kc_verdict *kc_verdict_new(const struct kc_entry *entry, struct kc_job *job);

#endif

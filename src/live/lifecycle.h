/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stations of a module's life, between the files that make them: load_module.c forms a module
 * and hands it to init_module.c; delete_module.c and every failure end in free_module.c.
 */
#ifndef KC_LIVE_LIFECYCLE_H
#define KC_LIVE_LIFECYCLE_H

#include "live/live.h"

/* What a load was given, beside the module's bytes. */
struct kc_load_request {
	struct kc_span image; /* does not change during the load */
	const char *args; /* or NULL */
	const struct kocoon_policy *policy;
	struct kocoon_report *report;
	/* Result. */
	enum kocoon_stage stage; /* of the refusal */
	char name[64]; /* of the module, as far as it became known */
};

/* load_module(): 0, or the errno of the first refusal, with nothing left behind. */
int kc_load_module(struct kocoon *kocoon, struct kc_load_request *request);

/*
 * do_init_module(): runs constructors and init of a COMING module, which is LIVE then; or it has
 * been taken apart and freed, and that's a negative errno.
 */
int kc_do_init_module(struct kocoon_loaded *module);

/* delete_module() without asking who calls. */
int kc_delete_module(struct kocoon *kocoon, const char *name, unsigned int flags);

/* A module that is in no list yet. NULL: no memory. */
struct kocoon_loaded *kc_loaded_new(struct kocoon *kocoon, const char *name);
/*
 * free_module(): takes a module apart that nobody runs or refers to any more, from wherever its
 * load has come to. Whoever reads without a lock may look at it until a grace period is over.
 */
void kc_free_module(struct kocoon_loaded *module);
/* At once: a module that never was in a list. */
void kc_loaded_free(struct kocoon_loaded *module);

/* ---- strict_rwx.c: where a module's memory is, and what may be done with it */

/* Two runs of pages, core and init; bytes and addresses of `memory`'s regions. -ENOMEM. */
int kc_place_module(struct kocoon_loaded *module, struct kc_memory *memory,
		    const struct kc_abi *abi);
/* As a COMING module's: text executable, data writable, the rest read-only. 0 or -ENOMEM. */
int kc_protect_formed(const struct kocoon_loaded *module);
/* Data that is read-only after init becomes so. */
int kc_protect_after_init(const struct kocoon_loaded *module);

/* Init regions on their way out; made before init runs, so that giving them up can't fail. */
struct kc_init_waste;
struct kc_init_waste *kc_init_waste_new(void);
void kc_init_waste_free(struct kc_init_waste *waste);
/* Under the mutex: nobody finds them any more. They are given back after a grace period. */
void kc_hide_init(struct kocoon_loaded *module, struct kc_init_waste *waste);
void kc_release_init(struct kocoon *kocoon, struct kc_init_waste *waste);
/* Everything, at once: nobody can look at it any more. */
void kc_release_memory(struct kocoon_loaded *module);

#endif

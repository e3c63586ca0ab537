/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loader of a machine's kernel is libkocoon's: load_module() is replaced by the pipeline of
 * module/load.c, which writes into the kernel's own memory and joins the kernel's own list of
 * modules (module_list.c), and by the steps behind it (load_module.c). What acts on a struct module
 * that stands - references, lookups, notifiers, init, unloading, sysfs - is the kernel's: it works
 * on the structure that is written here, to the byte as the kernel would.
 *
 * What the kernel would say of a module is said in its own words: messages.c finds its texts in its
 * image.
 */
#ifndef KC_MACHINE_LOADER_H
#define KC_MACHINE_LOADER_H

#include "machine/machine.h"
#include "module/load.h"

/* One load on its way. */
struct kc_loading {
	struct kc_load load;
	struct kocoon_report report;
	struct kocoon_policy policy;
	uint64_t info; /* the kernel's struct load_info */
	uint64_t arguments; /* of user memory, to it */
	int flags; /* of finit_module() */
	uint64_t module; /* struct module; 0: it has no memory yet */
	bool listed;
	bool has_modinfo; /* version and srcversion are the kernel's copies */
	bool patched; /* module_finalize() has been through */
	uint64_t told_taints; /* that the kernel has already */
	struct kc_neighbours neighbours;
	int err;
	enum kocoon_stage stage; /* of a refusal */
};

/* ---- module_list.c ---- */

/* What struct module's state can be. */
enum kc_state_of_module { KC_LIVE, KC_COMING, KC_GOING, KC_UNFORMED };

void kc_module_list_init(void);
void kc_modules_lock(void);
void kc_modules_unlock(void);
/* Address of a member; the kernel's struct module has it, or the machine ends. */
uint8_t *kc_module_member(uint64_t module, enum kc_module_member member);
void kc_set_module_state(uint64_t module, enum kc_state_of_module state);
/* module_patient_check_exists(): under the lock. 0; -EEXIST, -EBUSY, with a finding. */
KC_MUST_CHECK int kc_check_exists(struct kc_loading *loading);
/* The other modules, for a load. */
struct kc_neighbours kc_kernel_neighbours(struct kc_loading *loading);
/* Taints that came to a module on its way become the kernel's. */
void kc_add_other_taints(struct kc_loading *loading);
/* Takes back all that a load has of the kernel's, as far as it has come: before it is COMING. */
void kc_withdraw_module(struct kc_loading *loading);

/* ---- load_module.c ---- */

void kc_loader_init(void);
/*
 * The kernel's load_module(info, arguments, flags), on the stack of the task that has made the
 * system call, and for it.
 */
int kc_load_module_here(uint64_t info, uint64_t arguments, int flags);

/* ---- module_symbols.c ---- */

/* The kernel's function of that name. */
const char *kc_find_kallsyms_symbol(uint64_t module, uint64_t address, uint64_t *size_ret,
				    uint64_t *offset_ret);
/* Memory gets another use: nothing is known of tables in it. */
void kc_forget_symbols(uint64_t address, uint64_t size);

/* ---- messages.c ---- */

enum kc_message {
	KC_SAYS_OUT_OF_TREE, /* name */
	KC_SAYS_NO_RETPOLINE, /* name */
	KC_SAYS_STAGING, /* name */
	KC_SAYS_LIVEPATCH, /* name */
	KC_SAYS_LICENSE, /* name, license */
	KC_SAYS_TEST, /* name */
	KC_SAYS_UNVERIFIED, /* name */
	KC_SAYS_UNKNOWN_SYMBOL, /* name, symbol, errno */
	KC_SAYS_OTHER_VERSION, /* name, symbol */
	KC_SAYS_NO_VERSION, /* name, symbol */
	KC_SAYS_PROVIDER_LATE, /* name, provider */
	KC_SAYS_AFTER_DASHES, /* name, arguments */
	KC_MESSAGES
};

void kc_messages_init(void);
void kc_say(enum kc_message message, uint64_t a, uint64_t b, uint64_t c);
/* Text of ours, of level error: "NAME: TEXT". */
void kc_say_error(const char *name, const char *text);

#endif

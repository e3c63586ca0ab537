/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The living subsystem: what is behind include/kocoon/live.h. One file a concern, named as in the
 * kernel's source file map.
 *
 * | lock                | protects                                                              |
 * |---------------------|-----------------------------------------------------------------------|
 * | mutex               | list, names, exports (writers), uses, states, taints of modules,      |
 * |                     | statistics, wait queue `changed`                                      |
 * | notifiers.lock      | notifier chain; not held while one is called                          |
 * | param_lock (module) | reading and setting its parameters; never taken with the mutex held   |
 * | idempotent.lock     | files that are being loaded                                           |
 * | requests.lock       | request_module                                                        |
 | param_texts.lock    | texts of charp parameters; under it nothing else is taken             |
 * | RCU                 | readers of list, names, exports, owners of addresses, symbol indices  |
 *
 * Order: param_lock, then mutex, then the locks of memory/; notifiers.lock, idempotent.lock and
 * requests.lock are taken with none of the others held, and none is taken inside. Module code and
 * hooks are called with none of them but param_lock held. A reader between kc_rcu_read_lock() and
 * unlock takes no lock and calls no module code.
 *
 * A struct kocoon_loaded is in the list from add_unformed_module() to free_module(), and is freed
 * after a grace period behind that.
 */
#ifndef KC_LIVE_LIVE_H
#define KC_LIVE_LIVE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/name_table.h"
#include "base/rcu.h"
#include "kocoon/live.h"
#include "memory/live_space.h"
#include "memory/per_cpu.h"
#include "module/load.h"
#include "module/symbol_table.h"

enum {
	KC_MODULE_REF_BASE = 1, /* what refcnt is of a module that nobody uses */
	KC_PATH_MAX_MODPROBE = 256,
};

/* More taints than kc_taint has: those that no module carries. */
enum {
	KC_TAINT_FORCED_RMMOD = 3,
	KC_TAINT_DIE = 7,
	KC_TAINT_WARN = 9,
	KC_TAINT_USER = 6,
};

/* One export that can be imported: of the kernel behind the subsystem, or of a module. */
struct kc_live_export {
	struct kc_named named;
	const struct kocoon_export *export; /* borrowed from what owns it */
	struct kocoon_loaded *owner; /* NULL: the kernel */
	uint64_t size; /* bytes of supplied data; 0: a function, or a module's */
};

/* `user` uses symbols of `used`: struct module_use. In both modules' lists. */
struct kc_use {
	struct kocoon_loaded *user;
	struct kocoon_loaded *used;
	struct kc_use *next_of_user; /* in user->target_list */
	struct kc_use *next_of_used, *previous_of_used; /* in used->source_list */
};

/* A parameter, as params.c found it in __param; addresses are module addresses. */
struct kc_param {
	const char *name; /* in the module's memory */
	uint64_t record; /* address of its struct kernel_param */
	uint64_t ops; /* address of its struct kernel_param_ops */
	uint64_t arg;
	uint16_t perm;
	int8_t level;
	uint8_t flags; /* KERNEL_PARAM_FL_UNSAFE 1, KERNEL_PARAM_FL_HWPARAM 2 */
};

/* A section that has a file under /sys/module/NAME/sections, or notes. */
struct kc_section_file {
	const char *name; /* in `section_names` */
	uint64_t address;
	uint64_t size;
	/* SHT_NOTE: it has one under notes/ too, with a copy of its bytes; in `section_names` */
	const uint8_t *note;
};

/* Which symbols stand where: built when first asked for; private to kallsyms.c. */
struct kc_symbol_index;

struct kc_page_run {
	uint64_t address, size; /* 0, 0: none */
};

struct kocoon_loaded {
	struct kocoon *kocoon;
	struct kc_named named; /* its name: `name` */
	char name[64];
	/* The list: newest first. Readers follow `next` only. */
	_Atomic(struct kocoon_loaded *) next;
	struct kocoon_loaded *previous; /* under the mutex */
	atomic_int state; /* enum kocoon_module_state; written under the mutex */
	/* Where the count is: in the image's struct module where that has one, else own_refcnt. */
	atomic_int *refcnt;
	atomic_int own_refcnt;
	atomic_ullong taints; /* written under the mutex, or before others see it */

	/* Constant once placed; which regions are still there, `region_sizes` tells. */
	struct kc_memory memory;
	_Atomic uint64_t region_sizes[KOCOON_REGION_COUNT]; /* 0: there is none, or any more */
	struct kc_page_run core_run, init_run; /* the pages that the regions are in */
	bool one_piece; /* as in kernels that have one allocation for all core regions */
	bool listed; /* in the list and in `names` */
	bool settled; /* its load touches it no more; under the mutex */
	uint64_t percpu_offset, percpu_size; /* 0, 0: none */
	struct kc_module_members members; /* of its struct module */
	uint64_t this_module; /* address */
	uint8_t *this_module_bytes; /* the same, to be written */

	uint64_t ctors; /* address of the table of constructors */
	uint64_t ctor_count;
	/* exception_table_entry, sorted; core and init ones together */
	uint64_t extable, extable_count;
	uint64_t bug_table, bug_table_size; /* struct bug_entry */

	struct kocoon_export *exports; /* owned; names are in its memory */
	struct kc_live_export *export_entries; /* owned, as many */
	size_t export_count;
	bool exports_reserved, exports_added; /* in the table; under the mutex */

	struct kc_use *target_list; /* owned: what it depends on, newest first */
	struct kc_use *source_list; /* who depends on it, newest first */

	pthread_mutex_t param_lock;
	struct kc_param *params; /* owned */
	size_t param_count;
	char *args; /* owned: the argument string, which charp parameters may point into */
	bool async_probe;
	bool parsed; /* arguments have been, so parameters may have something to free */

	/* What views show. Texts are owned. */
	char *version, *srcversion; /* or NULL */
	char build_id[41];
	struct kc_section_file *section_files; /* owned */
	size_t section_file_count;
	bool sections_clash; /* two of them have one name, and the kernel minds */
	char *section_names; /* owned */
	/* Owned: where its taints are noted when it goes; NULL: its folder never was there. */
	struct kc_unload_taint *unload_taint;
	/* Its folder under /sys/module is there, and who is in it: sysfs_active.c. */
	atomic_uint sysfs_active;

	/* kallsyms: the whole table while init runs, then the core one. */
	struct kc_mod_kallsyms full_kallsyms, core_kallsyms; /* constant once formed */
	_Atomic(const struct kc_mod_kallsyms *) kallsyms;
	_Atomic(struct kc_symbol_index *) symbol_index; /* owned: a list, one a table */

	/* owned: klp_modinfo; NULL: not a livepatch module. Under the mutex */
	struct kc_livepatch *livepatch;
	bool klp_alive; /* patches may touch it; under the mutex */

	struct kc_waste waste;
};

struct kc_stats {
	struct kocoon_stats public;
};

enum { KC_PARAM_TEXT_BUCKETS = 1024 };

struct kc_param_text; /* private to param_text.c */

/* What charp parameters point to. */
struct kc_param_texts {
	pthread_mutex_t lock;
	struct kc_param_text *buckets[KC_PARAM_TEXT_BUCKETS]; /* owned */
};

struct kc_notifier; /* private to notifier.c */
struct kc_requests; /* private to kmod.c */
struct kc_unload_taint; /* private to tracking.c */
struct kc_failed_load; /* private to stats.c */

/* The module notifier chain. */
struct kc_notifiers {
	pthread_mutex_t lock;
	pthread_cond_t idle; /* a call of one that is being unregistered has ended */
	struct kc_notifier *first; /* owned; by priority */
	uint64_t registered; /* how many there have been */
};

/* A file that is given to finit_module: by which calls for the same one know each other. */
struct kc_idempotent_key {
	uint64_t device, inode;
};

/* One call of finit_module, on its stack; the members are idempotent.c's. */
struct kc_idempotent {
	struct kc_idempotent_key key;
	struct kc_idempotent *next; /* in its bucket: first callers */
	struct kc_idempotent *waiters; /* others, of a first caller; linked by `next` */
	pthread_cond_t done;
	bool complete;
	int result;
};

struct kocoon {
	const struct kocoon_kernel *kernel; /* borrowed, or own_kernel */
	struct kocoon_kernel *own_kernel; /* owned; or NULL */
	const struct kc_arch *arch;
	struct kc_cpu cpu; /* that code is patched for */
	struct kocoon_hooks hooks;
	struct kocoon_policy policy;
	char *blacklist; /* owned; policy.blacklist */
	bool no_force_unload;
	atomic_bool modules_disabled;
	atomic_ullong tainted;

	struct kc_garbage garbage;
	struct kc_live_space space;
	struct kc_per_cpu per_cpu;

	/* What the kernel side exports: supplies, then libkocoon's own. */
	struct kocoon_export *exports; /* owned, texts too */
	struct kc_live_export *export_entries; /* owned */
	size_t export_count;
	uint64_t stubs, stubs_size; /* run of pages with jumps to far functions */
	uint64_t data, data_size; /* run of pages with copies of data */

	pthread_mutex_t mutex;
	pthread_cond_t changed; /* module_wq: CLOCK_MONOTONIC */
	_Atomic(struct kocoon_loaded *) modules; /* newest first */
	struct kocoon_loaded *patches; /* livepatch modules; under the mutex */
	struct kc_name_table names; /* modules by name */
	struct kc_name_table symbols; /* struct kc_live_export by name */
	struct kc_stats stats;
	struct kc_failed_load *failed_loads; /* owned; under the mutex */
	struct kc_unload_taint *unload_taints; /* owned; under the mutex */

	struct kc_notifiers notifiers;

	pthread_mutex_t idempotent_lock;
	struct kc_idempotent *idempotent[64]; /* first callers */

	struct kc_requests *requests; /* owned */
	struct kc_param_texts param_texts;
	_Atomic(struct kocoon *) next_registered; /* traps.c */
	bool registered;
};

static inline struct kocoon_loaded *kc_loaded_of(struct kc_named *named)
{
	return named ? (struct kocoon_loaded *)((char *)named -
						offsetof(struct kocoon_loaded, named))
		     : NULL;
}

static inline enum kocoon_module_state kc_state(const struct kocoon_loaded *module)
{
	return (enum kocoon_module_state)atomic_load_explicit(&module->state, memory_order_acquire);
}

/* ---- log.c */
/* A line of the kernel's log, to the program's hook. */
void kc_log(const struct kocoon *kocoon, enum kocoon_log_level level, const char *format, ...)
	KC_PRINTF(3, 4);
bool kc_capable(const struct kocoon *kocoon);

/* ---- memory of a module, by module addresses: access.c
 *
 * Module memory as the loader sees it, bounds checked: in the module, in others of its subsystem (a
 * parameter's variable), in data that was supplied. `module` may be NULL: of the subsystem whose
 * code the calling thread is in. NULL: not to be touched. */
const uint8_t *kc_module_bytes(const struct kocoon_loaded *module, uint64_t address, uint64_t size);
/*
 * A pointer of its struct module; 0: none. What that holds is what counts, as there: `init` and
 * `exit` may have been changed by who was called with COMING.
 */
uint64_t kc_read_member(const struct kocoon_loaded *module, enum kc_module_member member);
/* A NUL-terminated string in the module's own memory; NULL: none. */
const char *kc_module_string(const struct kocoon_loaded *module, uint64_t address);

/* ---- registry.c: the list, names, states, references; kernel/module/main.c */
/* find_module_all(): under the mutex, or RCU. */
struct kocoon_loaded *kc_find_module_all(struct kocoon *kocoon, const char *name,
					 bool even_unformed);
/* strong_try_module_get(): -EBUSY while COMING, -ENOENT once GOING. NULL: 0. */
int kc_strong_try_module_get(struct kocoon_loaded *module);
/*
 * kocoon_module_put() that says nothing, for where no hook may be called: never below zero, false
 * if nobody held a reference.
 */
bool kc_module_put(struct kocoon_loaded *module);
/* Also in the image. Under the mutex. */
void kc_set_state(struct kocoon_loaded *module, enum kocoon_module_state state);
void kc_set_taint(struct kocoon_loaded *module, unsigned int bit); /* and the kernel's */
uint64_t kc_total_size(const struct kocoon_loaded *module); /* module_total_size() */
/* Which module's struct module is at this address; under the mutex or RCU. NULL: none. */
struct kocoon_loaded *kc_loaded_at(const struct kocoon *kocoon, uint64_t this_module);
/* Into the list, with a name that room was reserved for, and out of it; under the mutex. */
void kc_list_add(struct kocoon_loaded *module);
void kc_list_remove(struct kocoon_loaded *module);
/* kc_set_state() with the mutex taken for it; who waits for a state is woken. */
void kc_change_state(struct kocoon_loaded *module, enum kocoon_module_state state);
/* Whether an address is in a region of this kind; false once that is gone. */
bool kc_region_holds(const struct kocoon_loaded *module, enum kocoon_region_kind kind,
		     uint64_t address);

/* ---- delete_module.c */
/* It has an init and no exit: nothing but force removes it. */
bool kc_is_permanent(const struct kocoon_loaded *module);

/* ---- uses.c: who uses whose symbols; all but the waiting one under the mutex */
/* resolve_symbol_wait(): 30 s for a provider that is loading. */
enum kocoon_import_state kc_resolve_symbol_wait(struct kocoon_loaded *module, struct kc_load *load,
						struct kc_import *import);
/* ref_module(): `user` uses `used` (NULL: the kernel side) now. -EBUSY, -ENOENT, -ENOMEM. */
int kc_ref_module(struct kocoon_loaded *user, struct kocoon_loaded *used);
void kc_module_unload_free(struct kocoon_loaded *user); /* it uses nobody any more */
/* Entries for the module's exports, and room for them in the table. 0 or -ENOMEM. */
int kc_exports_prepare(struct kocoon_loaded *module);
void kc_exports_add(struct kocoon_loaded *module);
void kc_exports_remove(struct kocoon_loaded *module);
/* A module's name, "" for the kernel side; NULL: nobody exports it. */
const char *kc_exported_by(const struct kocoon *kocoon, const char *name, uint32_t hash);

/* ---- calls.c: calling module code, with a per-CPU area and no lock of ours */
int kc_call_int(struct kocoon *kocoon, uint64_t function);
void kc_call_void(struct kocoon *kocoon, uint64_t function);
/* The subsystem whose module code the calling thread is in: for functions that modules call. */
struct kocoon *kc_current(void);

/* ---- exports.c: what the kernel side exports */
int kc_exports_new(struct kocoon *kocoon, const struct kocoon_supply *supplies, size_t count,
		   struct kocoon_report *report);
void kc_exports_free(struct kocoon *kocoon);

/*
 * What libkocoon itself supplies to modules, in tables that a file of functions gives: a supply of
 * the program's of the same name goes before.
 */
struct kc_own_exports {
	const struct kocoon_supply *supplies;
	size_t count;
};
struct kc_own_exports kc_own_per_cpu_symbols(void); /* per_cpu_symbols.c */
struct kc_own_exports kc_own_thunks(void); /* thunks.c: __fentry__, return and retpoline thunks */
struct kc_own_exports kc_own_module_functions(void); /* module_functions.c: try_module_get, ... */
struct kc_own_exports kc_own_param_functions(void); /* param_ops.c: param_ops_int, param_set_int */

/* ---- params.c: kernel/params.c */
/*
 * Reads __param into module->params. -ENOEXEC: a record, its name or its functions are nowhere;
 * -ENOMEM.
 */
int kc_params_find(struct kocoon_loaded *module, uint64_t address, uint64_t count,
		   struct kocoon_report *report);
/*
 * parse_args() on module->args (which it changes), with what load_module() does about the result:
 * "--" and what follows it, unknown parameters. 0 or the kernel's errno. What the kernel would
 * print about the line is in the report.
 */
int kc_parse_args(struct kocoon_loaded *module, struct kocoon_report *report);
/*
 * destroy_params(): calls `free` of every parameter that has one, then forgets the parameters. The
 * module's code has to be there still. module->args stays, as code may have kept pointers into it.
 */
void kc_params_destroy(struct kocoon_loaded *module);
/* By name, '-' and '_' equal; NULL: none. */
const struct kc_param *kc_params_lookup(const struct kocoon_loaded *module, const char *name);
/*
 * param_attr_show(), param_attr_store(): under param_lock, with the module's own get and set
 * functions; between kc_sysfs_get_active() and put. show: text of at most 4095 bytes, mostly with
 * its end of line, malloc()ed, with a NUL behind it; -EPERM: no get function. store: -EPERM: no set
 * function, or locked down; taints if the parameter is unsafe. Over 0: what a set function
 * returned, which write(2) would return as well.
 */
int kc_param_show(struct kocoon_loaded *module, const struct kc_param *param, char **text_ret,
		  size_t *len_ret);
int kc_param_store(struct kocoon_loaded *module, const struct kc_param *param, const char *text,
		   size_t len);
/* param_text.c: with the subsystem. What is left of texts is freed. */
void kc_param_texts_init(struct kc_param_texts *texts);
void kc_param_texts_deinit(struct kc_param_texts *texts);

/* ---- sysfs_active.c: kernfs_get_active() and its like
 *
 * Who looks at a file of a module, or writes to one, holds no reference of the module, or deleting
 * it would fail meanwhile. Deleting waits instead, in kc_sysfs_drain().
 */
/* From here on the module's files are there: the last thing that kc_sysfs_setup() does. */
void kc_sysfs_activate(struct kocoon_loaded *module);
/*
 * Takes them away, and waits until nobody is in one: the first thing that kc_sysfs_teardown() does,
 * without a lock held.
 */
void kc_sysfs_drain(struct kocoon_loaded *module);
bool kc_sysfs_is_there(const struct kocoon_loaded *module);
/* False: its files are not there. Under RCU, or whoever knows that the module is there. */
bool kc_sysfs_get_active(struct kocoon_loaded *module);
void kc_sysfs_put_active(struct kocoon_loaded *module);
/* The module of this name, whose files stay until put; NULL: none, or it has no files. */
struct kocoon_loaded *kc_sysfs_find_active(struct kocoon *kocoon, const char *name);

/* ---- notifier.c: the module notifier chain */
void kc_notifiers_init(struct kocoon *kocoon);
/* blocking_notifier_call_chain_robust(COMING, GOING): 0 or a negative errno; those called before
 * have then been called with GOING. */
int kc_notify_coming(struct kocoon_loaded *module);
void kc_notify(struct kocoon_loaded *module, enum kocoon_module_state event);
/* A module's own struct notifier_block, at a module address. */
int kc_register_module_block(struct kocoon *kocoon, uint64_t block);
int kc_unregister_module_block(struct kocoon *kocoon, uint64_t block);
void kc_notifiers_free(struct kocoon *kocoon);

/* ---- kmod.c, dups.c: request_module */
int kc_requests_new(struct kocoon *kocoon);
void kc_requests_free(struct kocoon *kocoon);
/* kernel.modprobe, malloc()ed; NULL: no memory */
char *kc_modprobe_path(struct kocoon *kocoon);

/* ---- idempotent.c */
/*
 * For the first caller with a file: false, and kc_idempotent_end() with the result has to follow.
 * For others: true when the first one is through, its result in `*result_ret`. `record` is the
 * caller's, and need not be set.
 */
bool kc_idempotent_begin(struct kocoon *kocoon, struct kc_idempotent *record,
			 struct kc_idempotent_key key, int *result_ret);
void kc_idempotent_end(struct kocoon *kocoon, struct kc_idempotent *record, int result);

/* ---- kallsyms.c */
/* Points full_kallsyms and core_kallsyms at the tables that kc_add_kallsyms() wrote. */
void kc_kallsyms_attach(struct kocoon_loaded *module, const struct kc_load *load);
/* From the full to the core table, in the image too. Can't fail, frees nothing. */
void kc_kallsyms_switch_to_core(struct kocoon_loaded *module);
void kc_kallsyms_free(struct kocoon_loaded *module); /* nobody can look it up any more */
/* Symbol n of the current table: false behind the last. Under RCU. */
bool kc_kallsyms_get(const struct kocoon_loaded *module, uint32_t index, const char **name_ret,
		     uint64_t *address_ret, char *type_ret);
/*
 * klp_find_object_symbol(): of the symbols of a name the `position`-th, from 1; 0: the only one.
 * Under the mutex or RCU.
 */
bool kc_kallsyms_find_position(const struct kocoon_loaded *module, const char *name,
			       uint64_t position, uint64_t *address_ret);

/* ---- livepatch.c */
/*
 * copy_module_elf(): what a livepatch module keeps of its file; and what it has for modules that
 * are there is applied. 0, -ENOMEM, or why that can't be: -EINVAL, -ENOEXEC.
 */
int kc_copy_module_elf(struct kocoon_loaded *module, const struct kc_load *load);
void kc_free_module_elf(struct kocoon_loaded *module);
/* klp_module_coming(): applies what live patches have for it, then asks the hook. */
int kc_livepatch_coming(struct kocoon_loaded *module);
void kc_livepatch_going(struct kocoon_loaded *module);

/* ---- views: sysfs.c, procfs.c, views.c */
/* The texts and lists that a module's files show, from its load: section files, notes, version,
 * srcversion, build id. 0 or -ENOMEM. */
int kc_sysfs_collect(struct kocoon_loaded *module, const struct kc_load *load);
/*
 * mod_sysfs_setup(): its folder appears. -EEXIST: two parameters would have files of one name;
 * -EINVAL: a module without a name; -ENOMEM.
 */
int kc_sysfs_setup(struct kocoon_loaded *module);
void kc_sysfs_teardown(struct kocoon_loaded *module);
void kc_sysfs_free(struct kocoon_loaded *module);

/* ---- stats.c */
/* Counters are changed and read without a lock. */
static inline void kc_count(uint64_t *counter, uint64_t more)
{
	__atomic_fetch_add(counter, more, __ATOMIC_RELAXED);
}

/* A load that failed at `stage`, of so many bytes; `name` may be NULL. Not under the mutex. */
void kc_stats_failed(struct kocoon *kocoon, enum kocoon_stage stage, const char *name,
		     uint64_t bytes);
/* While its init regions are there still, which count. */
void kc_stats_loaded(struct kocoon *kocoon, const struct kocoon_loaded *module);
void kc_stats_unloaded(struct kocoon *kocoon);
void kc_stats_free(struct kocoon *kocoon);

/* ---- tracking.c */
/* What kc_track_unload() will need: 0 or -ENOMEM. */
int kc_track_prepare(struct kocoon_loaded *module);
/* try_add_tainted_module(). Under the mutex. Modules whose folder never was there are left out. */
void kc_track_unload(struct kocoon *kocoon, struct kocoon_loaded *module);
void kc_track_free(struct kocoon_loaded *module);
void kc_tracking_free(struct kocoon *kocoon);

/* ---- traps.c: exception tables, WARN, BUG */
/* Signal handlers of this process are taken while any subsystem is there. 0 or -errno. */
int kc_traps_register(struct kocoon *kocoon);
void kc_traps_unregister(struct kocoon *kocoon);

#endif

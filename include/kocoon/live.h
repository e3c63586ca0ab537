/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The living module subsystem: modules are loaded into memory of this process, run, are looked up,
 * parametrised, depended upon, and unloaded, with the semantics of Linux.
 *
 * A `struct kocoon` is one subsystem: its list of modules, its taints, its address space. Any
 * number of them live side by side. The kernel behind it is the program's own: what modules import
 * is what the program supplies as functions and data of this process (struct kocoon_supply), beside
 * the few things that every module needs and libkocoon brings along (kocoon_own_exports()).
 *
 * Module code is native code and can do whatever this process can. It runs in the thread that calls
 * kocoon_finit_module() and the like. Memory of modules is below 2 GiB, since kernel code is
 * compiled for addresses that fit 31 bits.
 *
 * fork(): modules' memory is shared with the child, which must leave the subsystem alone.
 *
 * Threads: every function of this file may be called from any thread at any time, unless it says
 * otherwise. kocoon_free() is the last call on its object.
 *
 * Errors: 0 or the negative errno that Linux would return. Texts that the kernel would print go to
 * the program's log function; findings, where a report is given, say more.
 *
 * Calling conventions: module code keeps the stack aligned to 8 bytes only. Functions that modules
 * call have to be defined with KOCOON_CALLED_BY_MODULE, which realigns it.
 */
#ifndef KOCOON_LIVE_H
#define KOCOON_LIVE_H

#include <kocoon/kocoon.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__x86_64__)
#define KOCOON_CALLED_BY_MODULE __attribute__((force_align_arg_pointer))
#else
#define KOCOON_CALLED_BY_MODULE
#endif

/* ---- the subsystem ---- */

struct kocoon; /* one module subsystem */
struct kocoon_loaded; /* one module of its list; see "references" for how long it lives */

/* Something that modules can import. */
struct kocoon_supply {
	const char *name; /* copied */
	/* A function of this process, wherever it is; or data. */
	const void *address;
	/*
	 * 0: a function. Else the bytes of the data, which are copied below 2 GiB unless they are
	 * there already: kocoon_symbol_address() says where.
	 */
	size_t size;
	const char *ns; /* namespace, or NULL; copied */
	bool gpl_only;
	/* false: the kernel image's CRC for this name, if it has one; else any version fits */
	bool has_crc;
	uint32_t crc;
};

enum kocoon_module_state {
	KOCOON_STATE_LIVE,
	KOCOON_STATE_COMING, /* formed, its init runs */
	KOCOON_STATE_GOING,
	KOCOON_STATE_UNFORMED, /* still being set up: seen by loaders of the same name only */
};

enum kocoon_log_level { /* as in printk */
			KOCOON_LOG_ERROR = 3,
			KOCOON_LOG_WARNING = 4,
			KOCOON_LOG_NOTICE = 5,
			KOCOON_LOG_INFO = 6,
			KOCOON_LOG_DEBUG = 7,
};

/* What happened in module code that no program survives by itself. */
enum kocoon_trap {
	KOCOON_TRAP_WARN, /* WARN(): execution goes on when the handler returns */
	KOCOON_TRAP_BUG, /* BUG() */
	KOCOON_TRAP_FAULT, /* any other fault without an entry in an exception table */
};

struct kocoon_trap_info {
	enum kocoon_trap trap;
	/* SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP; SIGABRT: the stack protector's, a BUG */
	int signal;
	uint64_t ip; /* address of the instruction */
	uint64_t address; /* that could not be accessed, of a SIGSEGV or SIGBUS */
	const struct kocoon_loaded *module; /* whose code it is */
	const char *file; /* of a WARN or BUG, or NULL */
	unsigned int line;
	void *context; /* ucontext_t, of the signal; NULL with SIGABRT */
};

/* What the program does for the subsystem. Every member may be NULL. */
struct kocoon_hooks {
	void *context; /* given to each of them */
	/* The kernel's log. One line, without end of line. */
	void (*log)(void *context, enum kocoon_log_level level, const char *text);
	/* CAP_SYS_MODULE of the calling thread. NULL: everybody has it. */
	bool (*capable)(void *context);
	/*
	 * request_module(): has `name` loaded, as the kernel's call of /sbin/modprobe does, and
	 * returns when that is done (`wait`) or begun: 0, a negative errno, or an exit status as
	 * wait(2) gives it. NULL: the real modprobe is run, as kocoon_set_modprobe_path() says.
	 */
	int (*modprobe)(void *context, const char *name, bool wait);
	/* Waits until no probe that a module's init has started is under way. */
	void (*wait_for_probes)(void *context);
	/* "add@/module/NAME" or "remove@/module/NAME", when the kernel would send that uevent. */
	void (*uevent)(void *context, const char *action, const char *module);
	/*
	 * A trap in module code; called in the signal handler, on the faulting thread. Returning
	 * from KOCOON_TRAP_WARN continues; returning from others hands the signal to whoever had
	 * it before, which mostly ends the process. siglongjmp() out of it is allowed: the thread
	 * is then still inside, and leaves by kocoon_leave() until kocoon_cpu() is -1.
	 */
	void (*trap)(void *context, const struct kocoon_trap_info *info);
	/* The livepatch side: a module that patches may concern comes, goes. Negative: refused. */
	int (*livepatch_coming)(void *context, struct kocoon_loaded *module);
	void (*livepatch_going)(void *context, struct kocoon_loaded *module);
};

struct kocoon_options {
	size_t size; /* sizeof(struct kocoon_options) */
	const struct kocoon_supply *supplies;
	size_t supply_count;
	struct kocoon_hooks hooks;
	const struct kocoon_policy
		*policy; /* the kernel's switches; `threads`, `base` don't count */
	/* Bytes of address space, of somewhat below 2 GiB for all subsystems; 0: 256 MiB. */
	uint64_t space;
	unsigned int cpus; /* per-CPU areas: threads in module code at one time; 0: 64 */
	bool no_force_unload; /* as a kernel without CONFIG_MODULE_FORCE_UNLOAD */
	/* release for vermagic and logs comes from the kernel */
};

/*
 * A new subsystem. `kernel` gives what modules are compared with: layouts, vermagic, CRCs, keys; it
 * is borrowed, must outlive the subsystem, and may be NULL: then nothing is known of any kernel,
 * structures are laid out as in every x86-64 kernel of today, and what depends on more than that
 * (vermagic, struct module's size, signatures) is not checked. `options` may be NULL.
 *
 * -ENOMEM: no memory, or no address space below 2 GiB. -EINVAL: a supply without name or address,
 * or two of one name. -ENOTSUP: this machine is not of the kernel's architecture.
 */
KOCOON_API int kocoon_new(const struct kocoon_kernel *kernel, const struct kocoon_options *options,
			  struct kocoon_report *report, struct kocoon **kocoon_ret);
/*
 * Unloads what can be unloaded, in reverse order, as delete_module() does; drops the rest without
 * running its exit. No thread may be inside module code or hold a reference.
 */
KOCOON_API void kocoon_free(struct kocoon *kocoon);

/* ---- the three system calls ---- */

enum { /* flags of kocoon_finit_module() */
       KOCOON_IGNORE_MODVERSIONS = 1,
       KOCOON_IGNORE_VERMAGIC = 2,
       KOCOON_COMPRESSED_FILE = 4,
};

/* init_module(2). `args` may be NULL. `report` may be NULL. */
KOCOON_API int kocoon_init_module(struct kocoon *kocoon, const void *image, size_t len,
				  const char *args, struct kocoon_report *report);
/*
 * finit_module(2). Calls for one file at one time converge on one load and one result. Differs from
 * Linux: a program that opens a compressed file without KOCOON_COMPRESSED_FILE gets -ENOEXEC as
 * there, and kmod's way (unpack, then init_module) is the caller's.
 */
KOCOON_API int kocoon_finit_module(struct kocoon *kocoon, int fd, const char *args, int flags,
				   struct kocoon_report *report);
/*
 * delete_module(2). flags: O_NONBLOCK, O_TRUNC (force). Differs from Linux: force does nothing for
 * a module that is LIVE already, but whose load still calls notifiers and hooks: -EWOULDBLOCK.
 */
KOCOON_API int kocoon_delete_module(struct kocoon *kocoon, const char *name, unsigned int flags);

/* kernel.modules_disabled: one way. From then on nothing is loaded or unloaded: -EPERM. */
KOCOON_API void kocoon_disable_modules(struct kocoon *kocoon);
KOCOON_API bool kocoon_modules_disabled(const struct kocoon *kocoon);

/* Returns when everything that was unloaded before the call has been given back. */
KOCOON_API void kocoon_synchronize(struct kocoon *kocoon);

/* ---- references ----
 *
 * A struct kocoon_loaded stays valid while the caller holds a reference of the module
 * (kocoon_find_get, kocoon_try_module_get), inside call-backs that are given it, and between
 * kocoon_read_lock() and kocoon_read_unlock(), which nest and never block.
 *
 * As in the kernel, no reference keeps a module whose init fails, nor one that is unloaded by
 * force: one that is LIVE once the reference is held stays, one that is COMING may not.
 */
KOCOON_API void kocoon_read_lock(void);
KOCOON_API void kocoon_read_unlock(void);
/* find_module(): NULL where there is none or it is UNFORMED. Between read_lock and read_unlock. */
KOCOON_API struct kocoon_loaded *kocoon_find_module(struct kocoon *kocoon, const char *name);
/* The same with a reference, that kocoon_module_put() gives back. NULL: none, or GOING. */
KOCOON_API struct kocoon_loaded *kocoon_find_get(struct kocoon *kocoon, const char *name);
/* try_module_get(), __module_get(), module_put(), module_refcount(). NULL is "built in": true. */
KOCOON_API bool kocoon_try_module_get(struct kocoon_loaded *module);
KOCOON_API void kocoon_module_get(struct kocoon_loaded *module);
KOCOON_API void kocoon_module_put(struct kocoon_loaded *module);
KOCOON_API int kocoon_module_refcount(const struct kocoon_loaded *module);

/* Newest first, without UNFORMED ones. Not 0 ends the walk and is returned. Under kocoon_read_lock
 * inside: call-backs may take references, not block for long. */
typedef int kocoon_module_fn(struct kocoon_loaded *module, void *context);
KOCOON_API int kocoon_each_module(struct kocoon *kocoon, kocoon_module_fn *fn, void *context);

KOCOON_API const char *kocoon_loaded_name(const struct kocoon_loaded *module);
KOCOON_API enum kocoon_module_state kocoon_loaded_state(const struct kocoon_loaded *module);
KOCOON_API uint64_t kocoon_loaded_taints(const struct kocoon_loaded *module);
/* Address of its struct module, as module code sees it (THIS_MODULE). */
KOCOON_API uint64_t kocoon_loaded_this_module(const struct kocoon_loaded *module);
/* The region's address and size in whole pages; 0s where it has none (init regions: any more). */
KOCOON_API void kocoon_loaded_region(const struct kocoon_loaded *module,
				     enum kocoon_region_kind kind, uint64_t *address_ret,
				     uint64_t *size_ret);
/* Lower-case hex, or "". */
KOCOON_API const char *kocoon_loaded_build_id(const struct kocoon_loaded *module);

/* ---- symbols and addresses ---- */

/* Address of an export of the kernel or of a LIVE or COMING module; 0: none. Takes no reference. */
KOCOON_API uint64_t kocoon_symbol_address(struct kocoon *kocoon, const char *name);
/*
 * __symbol_get(): the address with a reference of its owner, or NULL; exports for GPL-compatible
 * modules only, as the kernel has it. symbol_put() gives it back.
 */
KOCOON_API void *kocoon_symbol_get(struct kocoon *kocoon, const char *name);
KOCOON_API void kocoon_symbol_put(struct kocoon *kocoon, const char *name);
KOCOON_API void kocoon_symbol_put_addr(struct kocoon *kocoon, const void *address);

/* __module_address(), __module_text_address(): who owns it, UNFORMED ones excepted; constant time,
 * lock-free. Between read_lock and read_unlock. */
KOCOON_API struct kocoon_loaded *kocoon_module_address(const struct kocoon *kocoon,
						       uint64_t address);
KOCOON_API struct kocoon_loaded *kocoon_module_text_address(const struct kocoon *kocoon,
							    uint64_t address);

struct kocoon_address {
	char symbol[512];
	char module[64];
	char build_id[41];
	uint64_t offset; /* from the symbol */
	uint64_t size; /* of the symbol: up to the next one */
};

/* module_address_lookup(). False: no module has it, or no symbol before it. Logarithmic. */
KOCOON_API bool kocoon_lookup_address(const struct kocoon *kocoon, uint64_t address,
				      struct kocoon_address *address_ret);
/* module_kallsyms_lookup_name(): "symbol" or "module:symbol"; 0: none. */
KOCOON_API uint64_t kocoon_lookup_name(struct kocoon *kocoon, const char *name);

/* ---- notifiers ---- */

/*
 * `event` is the new state: COMING, LIVE, GOING. A negative return from COMING refuses the module:
 * those that were called before are called with GOING, in the same order, and the load fails with
 * it. Returns from other events don't count.
 */
typedef int kocoon_notifier_fn(void *context, enum kocoon_module_state event,
			       struct kocoon_loaded *module);
/* Higher priorities are called first. -EEXIST: the pair is registered. -ENOMEM. */
KOCOON_API int kocoon_register_notifier(struct kocoon *kocoon, kocoon_notifier_fn *fn,
					void *context, int priority);
/* Returns when no call of it is under way: not to be called from within one. -ENOENT. */
KOCOON_API int kocoon_unregister_notifier(struct kocoon *kocoon, kocoon_notifier_fn *fn,
					  void *context);

/* ---- request_module ---- */

/*
 * __request_module(): at most 50 at a time, others wait for 5 s (-ETIME). The same name asked for
 * at the same time is asked for once. 0, negative errno, or modprobe's wait status.
 */
KOCOON_API int kocoon_request_module(struct kocoon *kocoon, const char *name, bool wait);
/* kernel.modprobe. "" switches request_module off (-ENOENT). -EINVAL: too long (255). */
KOCOON_API int kocoon_set_modprobe_path(struct kocoon *kocoon, const char *path);

/* ---- parameters ---- */

/* The text that /sys/module/MODULE/parameters/NAME shows, without regard to permissions. -ENOENT;
 * `text_ret` is the caller's, free(3). */
KOCOON_API int kocoon_get_parameter(struct kocoon *kocoon, const char *module, const char *name,
				    char **text_ret);
/* Sets one at run time, whatever its permissions. -ENOENT, or what its set function says. */
KOCOON_API int kocoon_set_parameter(struct kocoon *kocoon, const char *module, const char *name,
				    const char *value);

/* ---- views: what /sys/module, /proc/modules, /proc/kallsyms and others would show ---- */

enum kocoon_view_kind { KOCOON_VIEW_FOLDER, KOCOON_VIEW_FILE, KOCOON_VIEW_LINK };

struct kocoon_view {
	enum kocoon_view_kind kind;
	unsigned int mode; /* permission bits */
	uint64_t size; /* as stat(2) shows it: 4096 for text files of sysfs, 0 in procfs */
};

/*
 * Who looks. Addresses are hidden (zeros) from all but readers with CAP_SYSLOG, as with
 * kptr_restrict=1.
 */
struct kocoon_reader {
	bool show_addresses;
};

/*
 * Absolute paths: /sys/module and all below it, /proc/modules, /proc/kallsyms,
 * /proc/sys/kernel/{tainted,modprobe,modules_disabled}, /sys/kernel/debug/modules/... -ENOENT,
 * -ENOTDIR, -EISDIR; -EINVAL from readlink of what is no link. Links are followed as by open(2) and
 * lstat(2); "." and ".." are no names. Permissions are told, not enforced: a file that can't be
 * read, or not be written, is -EIO. While a call is in a module's files, unloading the module
 * waits.
 */
KOCOON_API int kocoon_view_stat(struct kocoon *kocoon, const char *path,
				struct kocoon_view *view_ret);
/* Not 0 ends the listing and is returned. May do anything: the list is made before. */
typedef int kocoon_view_fn(void *context, const char *name, const struct kocoon_view *view);
KOCOON_API int kocoon_view_list(struct kocoon *kocoon, const char *path, kocoon_view_fn *fn,
				void *context);
/* The whole contents, `len_ret` bytes and a NUL behind them; the caller's, free(3). */
KOCOON_API int kocoon_view_read(struct kocoon *kocoon, const char *path,
				const struct kocoon_reader *reader, char **data_ret,
				size_t *len_ret);
/*
 * Writes it all, as a program does that calls write(2) until it has. 0, a negative errno, or over 0
 * what a parameter's own set function returned.
 */
KOCOON_API int kocoon_view_write(struct kocoon *kocoon, const char *path, const char *data,
				 size_t len);
KOCOON_API int kocoon_view_readlink(struct kocoon *kocoon, const char *path, char **target_ret);

/* ---- taints and statistics ---- */

/* The global taint bits, as in /proc/sys/kernel/tainted. */
KOCOON_API uint64_t kocoon_tainted(const struct kocoon *kocoon);
KOCOON_API void kocoon_add_taint(struct kocoon *kocoon, unsigned int bit);

struct kocoon_stats { /* kernel/module/stats.c */
	uint64_t loaded; /* successful loads so far */
	uint64_t unloaded; /* successful unloads so far */
	uint64_t failed_kernel_reads; /* the file could not be read */
	uint64_t failed_decompress;
	uint64_t failed_becoming; /* refused before layout */
	uint64_t failed_loads; /* refused later */
	uint64_t failed_by_stage[KOCOON_STAGE_KERNEL + 1];
	/* of memory of modules that were loaded, init regions included */
	uint64_t total_module_bytes;
	uint64_t total_text_bytes;
	uint64_t invalid_kread_bytes, invalid_decompress_bytes, invalid_becoming_bytes,
		invalid_module_bytes; /* wasted on failures */
	uint64_t duplicate_requests; /* of request_module, merged */
	uint64_t merged_loads; /* of kocoon_finit_module, merged */
};

KOCOON_API void kocoon_statistics(const struct kocoon *kocoon, struct kocoon_stats *stats_ret);

/* ---- livepatch ---- */

/*
 * Applies the relocation sections of a livepatch module that concern `object` (a module's name, or
 * "vmlinux"): klp_apply_section_relocs(). Done by the subsystem itself when the object comes after
 * the patch, and the other way round; here for a livepatch side of one's own. -EINVAL: not a
 * livepatch module; -ENOEXEC, -EINVAL: as the kernel.
 */
KOCOON_API int kocoon_livepatch_apply(struct kocoon *kocoon, struct kocoon_loaded *patch,
				      const char *object);

/* ---- calling module code ---- */

/*
 * Between the two, the calling thread has a per-CPU area of its own, and the CPU's GS base points
 * to it: call functions of modules (addresses of symbols) only there. They nest; a thread may sleep
 * inside. Enter waits where `cpus` threads are inside already.
 */
KOCOON_API void kocoon_enter(struct kocoon *kocoon);
KOCOON_API void kocoon_leave(struct kocoon *kocoon);
/* The calling thread's CPU, as smp_processor_id() would return it; -1: not inside. */
KOCOON_API int kocoon_cpu(const struct kocoon *kocoon);
/*
 * Where the loader writes a per-CPU variable of one CPU, by its offset: the same memory that module
 * code sees at another address. NULL: no such CPU or offset.
 */
KOCOON_API void *kocoon_per_cpu(const struct kocoon *kocoon, uint64_t offset, unsigned int cpu);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine: a stock kernel's own code, in a process of its own, in which modules run.
 *
 * A kernel is booted once; what has booted is kept (in a cache folder, if there is one), and each
 * machine goes on from there: nothing that a module does in one is seen in another, or after it.
 * x86-64 on x86-64 only.
 *
 * Isolation: the process has no privileges, no descriptors but its channel, and a list of system
 * calls that it may make; see SECURITY.md for what is and what is not a boundary.
 *
 * Threads: a machine belongs to one thread at a time. kocoon_machine_boot() forks a process that
 * machines come from; all of them end with the thread that has booted.
 */
#ifndef KOCOON_MACHINE_H
#define KOCOON_MACHINE_H

#include "kocoon/kocoon.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A line of the machine's kernel log. `text` has no newline, and any bytes. */
typedef void kocoon_machine_log_fn(void *context, int level, uint64_t usec, const char *text,
				   size_t len);

struct kocoon_machine_options {
	size_t size; /* sizeof(struct kocoon_machine_options) */
	uint64_t memory; /* bytes; 0: 512 MiB */
	const char *command_line; /* more of the kernel's; or NULL */
	const char *cache; /* folder for booted machines, made where it is missing; NULL: none */
	unsigned int timeout; /* seconds that one question may take; 0: 60 */
	const struct kocoon_tree *tree; /* for dependencies and request_module(); or NULL */
	kocoon_machine_log_fn *log; /* what the kernel says while it boots; or NULL */
	void *log_context;
	bool oops_continue; /* a machine takes further work after an oops */
	const char *debug; /* folder as /usr/lib/debug, which it is where this is NULL */
};

/* A kernel that has booted. Read-only, and shared by threads. */
struct kocoon_booted;

/*
 * Takes a booted machine from the cache, or boots the kernel, which takes seconds; its log is
 * logged. -ENOTSUP: this kernel, or this host, is of a kind that can't be hosted (the report says
 * what is missing). -EHOSTDOWN: it died while it booted. -ENOMEM. The kernel has to outlive it.
 */
KOCOON_API int kocoon_machine_boot(const struct kocoon_kernel *kernel,
				   const struct kocoon_machine_options *options,
				   struct kocoon_report *report, struct kocoon_booted **booted_ret);
KOCOON_API void kocoon_booted_free(struct kocoon_booted *booted);

struct kocoon_machine;

/*
 * Starts a machine from there: milliseconds. Its log goes to `log`, which may be NULL. -ENOMEM,
 * -EAGAIN (no process).
 */
KOCOON_API int kocoon_machine_start(const struct kocoon_booted *booted, kocoon_machine_log_fn *log,
				    void *log_context, struct kocoon_machine **machine_ret);
/* Ends it, whatever it does. */
KOCOON_API void kocoon_machine_free(struct kocoon_machine *machine);

struct kocoon_machine_result {
	int err; /* 0, or the negative errno of init_module() or delete_module() */
	bool oops; /* an oops came meanwhile, in whatever task; err is 0 where it was this one's */
	uint64_t nsec; /* of the machine's own time */
};

/*
 * Loads a module as modprobe does: what its .modinfo says that it depends on first, from the tree,
 * and its soft dependencies before and behind it, which may be missing or fail.
 * `args` may be NULL. 0: the kernel has answered, result_ret says what; where a dependency was
 * refused it is that one's errno. Else -ETIMEDOUT or -EHOSTDOWN: the machine is gone, and
 * kocoon_machine_end() says why; or the errno of reading the file. -EIO: there was an oops before,
 * and the machine is not one that goes on (oops_continue).
 */
KOCOON_API int kocoon_machine_insert(struct kocoon_machine *machine, const char *path,
				     const char *args, struct kocoon_machine_result *result_ret);
/*
 * What the loader has found about the modules that the last kocoon_machine_insert() meant, and
 * those that it brought in: why one was refused before its init, and what is worth knowing. Each
 * finding's text begins with the module's name. Valid until the next call.
 */
KOCOON_API const struct kocoon_report *kocoon_machine_report(const struct kocoon_machine *machine);
/* delete_module(2) with O_NONBLOCK. Errors as above. */
KOCOON_API int kocoon_machine_remove(struct kocoon_machine *machine, const char *name,
				     struct kocoon_machine_result *result_ret);
/* Names of what kocoon_machine_insert() has loaded and nobody removed, oldest first. */
KOCOON_API const char *kocoon_machine_loaded(const struct kocoon_machine *machine, size_t index);

/* ---- looking inside ---- */

/*
 * Files of the machine's own, as its kernel has them: /proc, /sys, /sys/kernel/debug, /dev. Errors
 * of the machine's system calls, which end nothing; -ETIMEDOUT and -EHOSTDOWN as above. -EFBIG:
 * more than 64 MiB. -EIO also: the task that looked was killed by an oops. What comes is what the
 * machine says: any bytes, and no more true than the modules in it are honest.
 */

/* The text of a file. The caller frees it; a NUL follows it. */
KOCOON_API int kocoon_machine_read(struct kocoon_machine *machine, const char *path,
				   char **text_ret, size_t *len_ret);
/* What `echo` does: truncates, and writes. -EIO also: as kocoon_machine_insert(). */
KOCOON_API int kocoon_machine_write(struct kocoon_machine *machine, const char *path,
				    const void *bytes, size_t len);
/* Where a symbolic link leads. The caller frees it. */
KOCOON_API int kocoon_machine_link(struct kocoon_machine *machine, const char *path,
				   char **target_ret);
struct kocoon_machine_status {
	uint32_t mode; /* kind and permissions, as st_mode */
	uint32_t uid, gid;
	uint64_t inode, links, size;
	int64_t modified; /* seconds of the machine's own time */
};

/*
 * What a file is; of a symbolic link, the link. -EPROTO: the machine answers with something else.
 */
KOCOON_API int kocoon_machine_status(struct kocoon_machine *machine, const char *path,
				     struct kocoon_machine_status *status_ret);
/*
 * Entries of a folder, in the machine's order, without "." and ".."; no name has a '/'. `type` is
 * the letter that `ls -l` shows: '-', 'd', 'l', 'c', 'b', 'p', 's'; '?' for others. Not 0 ends it,
 * and is what is answered.
 */
typedef int kocoon_machine_entry_fn(void *context, char type, const char *name);
KOCOON_API int kocoon_machine_list(struct kocoon_machine *machine, const char *path,
				   kocoon_machine_entry_fn *entry, void *context);
/* The kernel's log since it began to boot, as dmesg gets it: "<6>[    1.646096] text\n". */
KOCOON_API int kocoon_machine_log(struct kocoon_machine *machine, char **text_ret, size_t *len_ret);
/* The process that the machine is, for a debugger; 0: it is gone. */
KOCOON_API long kocoon_machine_pid(const struct kocoon_machine *machine);
/*
 * Makes what gdb needs in an empty folder: symbols of the kernel and of the modules that are
 * loaded, and a script, "attach" (gdb -x FOLDER/attach). While the debugger stops it, the machine's
 * time to answer runs. -EINVAL: gdb couldn't take the folder's name; the errno of writing there.
 */
KOCOON_API int kocoon_machine_debug(struct kocoon_machine *machine, const char *folder);

/* Why the machine is gone, in words; NULL: it is not. */
KOCOON_API const char *kocoon_machine_end(const struct kocoon_machine *machine);
/* The errno that goes with that: -ETIMEDOUT, -EHOSTDOWN; 0: it is not gone. */
KOCOON_API int kocoon_machine_error(const struct kocoon_machine *machine);

/* ---- oopses, and what else a kernel reports with a back-trace ---- */

enum kocoon_oops_kind {
	KOCOON_OOPS_OTHER,
	KOCOON_OOPS_PAGE_FAULT,
	KOCOON_OOPS_PROTECTION, /* general protection fault */
	KOCOON_OOPS_DIVIDE,
	KOCOON_OOPS_OPCODE, /* that is none */
	KOCOON_OOPS_STACK, /* it overflowed */
	KOCOON_OOPS_BUG,
	KOCOON_OOPS_WARN,
	KOCOON_OOPS_SOFT_LOCKUP,
	KOCOON_OOPS_HUNG_TASK,
	KOCOON_OOPS_HANG, /* where the processor was when the time was up */
	KOCOON_OOPS_PANIC,
};

/* "page-fault", "general-protection", ... */
KOCOON_API const char *kocoon_oops_kind_name(enum kocoon_oops_kind kind);

/* A place in code, as the kernel names it: SYMBOL+OFFSET/SIZE [MODULE]. */
struct kocoon_place {
	const char *symbol; /* "0x7000deadb000": the kernel knew none. NULL: nothing was said */
	uint64_t offset, size;
	const char *module; /* NULL: the kernel's own */
	bool sure; /* false: found on the stack, but no caller that unwinding led to */
};

struct kocoon_register {
	const char *name; /* as the kernel prints it: "RAX" */
	uint64_t value;
};

struct kocoon_linked {
	const char *name, *taints; /* a module; "OE+", or "" */
};

/* What was not said is NULL or 0. */
struct kocoon_oops {
	enum kocoon_oops_kind kind;
	const char *what; /* its first line */
	unsigned int number; /* of the oops; 0: the kernel went on, or ended */
	const char *task;
	unsigned int pid;
	const char *tainted; /* letters */
	struct kocoon_place at;
	const char *code; /* bytes around it, <> at it */
	const char *file; /* of a BUG or a WARN */
	unsigned int line;
	struct kocoon_register *registers;
	size_t register_count;
	struct kocoon_place *trace; /* innermost first */
	size_t trace_count;
	struct kocoon_linked *linked; /* modules, newest first */
	size_t linked_count;
};

/*
 * What the machine's kernel has reported, oldest first; NULL: no more. It is read from the log, so
 * a module can forge it. Valid while the machine is.
 */
KOCOON_API const struct kocoon_oops *kocoon_machine_oops(const struct kocoon_machine *machine,
							 size_t index);

/*
 * Where in its source a place is, by debug information: of the module's file itself, or of the
 * `debug` folder of the options, where it is of this build. `call`: the place is where a call
 * returns to, and the call is meant. `file_ret` is the caller's to free. -ENOENT: nothing says;
 * -ENOMEM. Debug information is read by a process that may be lost, within a few seconds.
 */
KOCOON_API int kocoon_machine_source(const struct kocoon_machine *machine,
				     const struct kocoon_place *place, bool call, char **file_ret,
				     unsigned int *line_ret);

#ifdef __cplusplus
}
#endif

#endif

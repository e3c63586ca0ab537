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
 * Threads: a machine belongs to one thread at a time. kocoon_machine_start() forks.
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
	bool oops; /* the task was killed in it; err is 0 */
	uint64_t nsec; /* of the machine's own time */
};

/*
 * Loads a module as modprobe does: what its .modinfo says that it depends on first, from the tree.
 * `args` may be NULL. 0: the kernel has answered, result_ret says what; where a dependency was
 * refused it is that one's errno. Else -ETIMEDOUT or -EHOSTDOWN: the machine is gone, and
 * kocoon_machine_end() says why; or the errno of reading the file.
 */
KOCOON_API int kocoon_machine_insert(struct kocoon_machine *machine, const char *path,
				     const char *args, struct kocoon_machine_result *result_ret);
/* delete_module(2) with O_NONBLOCK. */
KOCOON_API int kocoon_machine_remove(struct kocoon_machine *machine, const char *name,
				     struct kocoon_machine_result *result_ret);
/* Names of what kocoon_machine_insert() has loaded and nobody removed, oldest first. */
KOCOON_API const char *kocoon_machine_loaded(const struct kocoon_machine *machine, size_t index);

/*
 * The text of a file of the machine's own: below /proc, /sys, /sys/kernel/debug. The caller frees
 * it; a NUL follows it. Errors of the machine's open() and read() as well as the above.
 */
KOCOON_API int kocoon_machine_read(struct kocoon_machine *machine, const char *path,
				   char **text_ret, size_t *len_ret);

/* Why the machine is gone, in words; NULL: it is not. */
KOCOON_API const char *kocoon_machine_end(const struct kocoon_machine *machine);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Booting, and the cache of what has booted. */
#include "machine/booted.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/kept.h"
#include "kernel/kernel.h"
#include "machine/machine.h"
#include "machine/oops.h"
#include "machine/process.h"

#define MEMORY_DEFAULT (UINT64_C(512) << 20)
#define MEMORY_MIN (UINT64_C(128) << 20)
#define MEMORY_MAX (UINT64_C(1) << 30) /* modules need room up to 2 GiB */

enum { TIMEOUT_DEFAULT = 60 };

/* ---- the log ---- */

/* "LEVEL,NUMBER,USEC,FLAGS;TEXT\n", and then " KEY=VALUE\n" */
void kc_pass_log(kocoon_machine_log_fn *log, void *context, const char *line, size_t len)
{
	const char *text = memchr(line, ';', len);
	const char *end = memchr(line, '\n', len);
	unsigned int level = 0;
	uint64_t usec = 0;

	if (!log)
		return;
	if (!end)
		end = line + len;
	if (!text || text > end ||
	    sscanf(line, "%u,%*u,%" SCNu64, &level, &usec) != 2) { /* NOLINT: counted */
		log(context, 0, 0, line, (size_t)(end - line));
		return;
	}
	text++;
	log(context, (int)(level & 7), usec, text, (size_t)(end - text));
}

/* ---- the cache ---- */

/*
 * The name that a machine of this kernel, these options and this build of ours is kept by: its
 * addresses of host functions are numbers that only the same code gives. NULL: none.
 */
static char *name_machine(const struct kocoon_kernel *kernel, const char *command_line,
			  uint64_t memory)
{
	struct kc_span own = kc_own_build_id();
	const char *build_id = kocoon_kernel_build_id(kernel);
	char *name;

	if (!*build_id || !own.len ||
	    asprintf(&name, "%s-%" PRIx64 "-%016" PRIx64 "-%016" PRIx64, build_id, memory >> 20,
		     kc_kept_mark(0, command_line, strlen(command_line)),
		     kc_kept_mark(0, own.data, own.len)) < 0)
		return NULL;
	return name;
}

static int open_cached(const char *folder, const char *name)
{
	int file = kc_kept_open(folder, name);

	if (file >= 0 && !kc_template_is_whole(file)) {
		close(file);
		return -1;
	}
	return file;
}

/* What is data of a file with holes; the holes stay. */
static int copy_data(void *context, int to)
{
	const int from = *(const int *)context;
	off_t at = 0;
	struct stat status;

	if (fstat(from, &status) || ftruncate(to, status.st_size))
		return -errno;
	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		off_t end = lseek(from, at, SEEK_HOLE);

		if (end < 0 || lseek(to, at, SEEK_SET) < 0)
			return -errno;
		while (at < end) {
			ssize_t done = sendfile(to, from, &at, (size_t)(end - at));

			if (done <= 0)
				return done ? -errno : -EIO;
		}
	}
	return errno == ENXIO ? 0 : -errno;
}

/* ---- booting ---- */

/* What hears a boot's log. */
struct listener {
	const struct kocoon_machine_options *options;
	struct kc_oops_reader oopses;
};

static void hear_line(void *context, int level, uint64_t usec, const char *text, size_t len)
{
	struct listener *listener = context;

	kc_oops_read_line(&listener->oopses, text, len);
	if (listener->options->log)
		listener->options->log(listener->options->log_context, level, usec, text, len);
}

static int hear_boot(struct listener *listener, struct kc_process *process)
{
	char *bytes = malloc(KC_TELL_MAX + 1);
	struct kc_tell tell;
	int err = bytes ? 0 : -ENOMEM;

	kc_process_start_clock(process);
	while (!err) {
		err = kc_process_hear(process, &tell, bytes);
		if (!err && tell.kind == KC_TELL_LOG)
			kc_pass_log(hear_line, listener, bytes, tell.len);
	}
	free(bytes);
	kc_process_stop(process);
	if (err != -EHOSTDOWN)
		return err;
	if (!WIFEXITED(process->status))
		return -EHOSTDOWN;
	switch (WEXITSTATUS(process->status)) {
	case KC_EXIT_OK:
		return 0;
	case KC_EXIT_UNFIT:
		return -ENOTSUP;
	default:
		return -EHOSTDOWN;
	}
}

/* The function that was called by one of these, and died. */
static const char *failed_step(const struct kocoon_oops *oops)
{
	static const char *const callers[] = { "do_one_initcall", "kernel_init_freeable",
					       "start_kernel" };

	for (size_t i = 0; i < KC_ARRAY_SIZE(callers); i++) {
		const char *step = oops->at.symbol;

		for (size_t j = 0; j < oops->trace_count; j++) {
			if (!strcmp(oops->trace[j].symbol, callers[i]))
				return step;
			if (oops->trace[j].sure)
				step = oops->trace[j].symbol;
		}
	}
	return NULL;
}

static int report_boot(const struct listener *listener, const struct kc_process *process, int err,
		       struct kocoon_report *report)
{
	const struct kocoon_oops *oops = NULL;
	const char *step;

	for (size_t i = 0; i < listener->oopses.count && !oops; i++)
		if (listener->oopses.oopses[i]->number ||
		    listener->oopses.oopses[i]->kind == KOCOON_OOPS_PANIC)
			oops = listener->oopses.oopses[i];
	step = oops ? failed_step(oops) : NULL;
	if (!step)
		return kc_finding(report, KOCOON_STAGE_KERNEL, err, "the kernel can't be run: %s",
				  *process->end ? process->end : strerror(-err));
	kc_finding(report, KOCOON_STAGE_KERNEL, err,
		   "the kernel can't be run: its step %s fails: %s", step,
		   oops->what ? oops->what : "an oops");
	kc_found(report, "at %s", oops->at.symbol ? oops->at.symbol : step);
	return err;
}

static int boot(struct kocoon_booted *booted, const struct kocoon_machine_options *options,
		const char *command_line, uint64_t memory, struct kocoon_report *report)
{
	struct kc_process process = { .channel = -1, .timeout = booted->timeout };
	struct kc_child child = { .kernel = booted->kernel,
				  .command_line = command_line,
				  .ram_size = memory };
	struct listener listener = { .options = options };
	int err;

	booted->file = memfd_create("kocoon-machine", MFD_CLOEXEC);
	child.file = booted->file;
	err = booted->file < 0 ? -errno : kc_process_boot(&process, &child);
	if (!err)
		err = hear_boot(&listener, &process);
	if (err)
		(void)report_boot(&listener, &process, err, report);
	kc_oops_reader_deinit(&listener.oopses);
	return err;
}

static int check_host(const struct kocoon_kernel *kernel, struct kocoon_report *report)
{
	uint64_t text;

	if (!strcmp(kocoon_kernel_arch(kernel), "x86_64") && kc_kernel_has_image(kernel) &&
	    kc_kernel_btf(kernel) && kc_kernel_find_symbol(kernel, "_text", &text))
		return 0;
	return kc_finding(report, KOCOON_STAGE_KERNEL, -ENOTSUP,
			  "only an x86-64 kernel with its image, symbols and BTF can be run");
}

static int get_machine(struct kocoon_booted *booted, const struct kocoon_machine_options *options,
		       const char *command_line, uint64_t memory, struct kocoon_report *report)
{
	static const struct kc_kept_bounds bounds = { .rivals = 6, .most = 16 };
	char *name = options->cache ? name_machine(booted->kernel, command_line, memory) : NULL;
	int err = 0;

	booted->file = name ? open_cached(options->cache, name) : -1;
	if (booted->file < 0) {
		err = check_host(booted->kernel, report);
		if (!err)
			err = boot(booted, options, command_line, memory, report);
		if (!err)
			kc_template_note_untouched(booted->file);
		if (!err && name)
			kc_kept_write(options->cache, name, &bounds, copy_data, &booted->file);
	}
	free(name);
	return err;
}

static int start_zygote(struct kocoon_booted *booted, struct kocoon_report *report)
{
	const struct kc_child child = { .kernel = booted->kernel, .file = booted->file };

	booted->zygote = calloc(1, sizeof(*booted->zygote));
	return booted->zygote ? kc_zygote_start(booted->zygote, &child, report) : -ENOMEM;
}

int kocoon_machine_boot(const struct kocoon_kernel *kernel,
			const struct kocoon_machine_options *given, struct kocoon_report *report,
			struct kocoon_booted **booted_ret)
{
	struct kocoon_machine_options options = { 0 };
	struct kocoon_booted *booted;
	uint64_t memory;
	char *command_line;
	int err;

	if (given)
		memcpy(&options, given,
		       given->size < sizeof(options) ? given->size : sizeof(options));
	memory = options.memory ? options.memory : MEMORY_DEFAULT;
	if (memory < MEMORY_MIN || memory > MEMORY_MAX || memory % (UINT64_C(2) << 20))
		return kc_finding(report, KOCOON_STAGE_KERNEL, -EINVAL,
				  "a machine has 128 to 1024 MiB of memory, in steps of 2");
	booted = calloc(1, sizeof(*booted));
	if (!booted ||
	    asprintf(&command_line, "panic=-1 ignore_loglevel%s%s", options.command_line ? " " : "",
		     options.command_line ? options.command_line : "") < 0) {
		free(booted);
		return -ENOMEM;
	}
	*booted = (struct kocoon_booted){
		.kernel = kernel,
		.tree = options.tree,
		.file = -1,
		.oops_continue = options.oops_continue,
		.debug = strdup(options.debug ? options.debug : "/usr/lib/debug"),
		.timeout = options.timeout ? options.timeout : TIMEOUT_DEFAULT
	};
	/* What the loader in each machine asks for is made here, once. */
	(void)kc_kernel_behaviour(kernel);
	err = get_machine(booted, &options, command_line, memory, report);
	if (!err)
		err = start_zygote(booted, report);
	free(command_line);
	if (err)
		kocoon_booted_free(booted);
	else
		*booted_ret = booted;
	return err;
}

void kocoon_booted_free(struct kocoon_booted *booted)
{
	if (!booted)
		return;
	if (booted->zygote)
		kc_zygote_stop(booted->zygote);
	free(booted->zygote);
	if (booted->file >= 0)
		close(booted->file);
	free(booted->debug);
	free(booted);
}

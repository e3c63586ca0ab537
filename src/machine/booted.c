/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Booting, and the cache of what has booted. */
#include "machine/booted.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/kernel.h"
#include "machine/machine.h"
#include "machine/process.h"

#define MEMORY_DEFAULT (UINT64_C(512) << 20)
#define MEMORY_MIN (UINT64_C(128) << 20)
#define MEMORY_MAX (UINT64_C(1) << 30) /* modules need room up to 2 GiB */

enum { TIMEOUT_DEFAULT = 60, ID_MAX = 64 };

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

struct own_id {
	uint8_t bytes[ID_MAX];
	size_t len;
};

/* The build id of the object that this code is in. */
static int note_own_id(struct dl_phdr_info *object, size_t size, void *context)
{
	struct own_id *id = context;
	bool own = false;

	(void)size;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *phdr = &object->dlpi_phdr[i];

		own |= phdr->p_type == PT_LOAD &&
		       (uintptr_t)note_own_id - object->dlpi_addr - phdr->p_vaddr < phdr->p_memsz;
	}
	for (int i = 0; own && i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *phdr = &object->dlpi_phdr[i];
		const ElfW(Nhdr) *note =
			(const void *)(object->dlpi_addr + phdr->p_vaddr); /* NOLINT */

		if (phdr->p_type != PT_NOTE || note->n_type != NT_GNU_BUILD_ID ||
		    note->n_descsz > sizeof(id->bytes))
			continue;
		id->len = note->n_descsz;
		memcpy(id->bytes, (const uint8_t *)(note + 1) + note->n_namesz, id->len);
	}
	return own;
}

/*
 * Where a machine of this kernel, these options and this build of ours is kept: its addresses of
 * host functions are numbers that only the same code gives. NULL: nowhere.
 */
static char *cache_path(const struct kocoon_kernel *kernel, const char *folder,
			const char *command_line, uint64_t memory)
{
	struct own_id id = { 0 };
	const char *build_id = kocoon_kernel_build_id(kernel);
	uint64_t mark = UINT64_C(0xcbf29ce484222325);
	char *path;

	dl_iterate_phdr(note_own_id, &id);
	if (!folder || !*build_id || !id.len)
		return NULL;
	/* FNV-1a: no secret, and the same in every process. */
	for (size_t i = 0; i < id.len; i++)
		mark = (mark ^ id.bytes[i]) * UINT64_C(0x100000001b3);
	for (const char *at = command_line; *at; at++)
		mark = (mark ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
	if (asprintf(&path, "%s/%s-%" PRIx64 "-%016" PRIx64, folder, build_id, memory >> 20, mark) <
	    0)
		return NULL;
	return path;
}

/* Only a whole one of our own that nobody else may write. -1: there is none. */
static int open_cached(const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0 &&
	    (fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_uid != geteuid() ||
	     status.st_mode & (S_IWGRP | S_IWOTH) || !kc_template_is_whole(fd))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* What is data of a file with holes; the holes stay. */
static int copy_data(int to, int from)
{
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

/* The file appears whole or not at all. That it can't be kept costs time only. */
static void keep(const char *path, const char *folder, int file)
{
	char *work;
	int fd;

	(void)mkdir(folder, 0700);
	if (asprintf(&work, "%s.XXXXXX", path) < 0)
		return;
	fd = mkostemp(work, O_CLOEXEC);
	if (fd >= 0) {
		if (copy_data(fd, file) || fchmod(fd, 0400) || rename(work, path))
			unlink(work);
		close(fd);
	}
	free(work);
}

/* ---- booting ---- */

static int hear_boot(const struct kocoon_machine_options *options, struct kc_process *process)
{
	char *bytes = malloc(KC_TELL_MAX + 1);
	struct kc_tell tell;
	int err = bytes ? 0 : -ENOMEM;

	kc_process_start_clock(process);
	while (!err) {
		err = kc_process_hear(process, &tell, bytes);
		if (!err && tell.kind == KC_TELL_LOG)
			kc_pass_log(options->log, options->log_context, bytes, tell.len);
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

static int boot(struct kocoon_booted *booted, const struct kocoon_machine_options *options,
		const char *command_line, uint64_t memory, struct kocoon_report *report)
{
	struct kc_process process = { .channel = -1, .timeout = booted->timeout };
	struct kc_child child = { .kernel = booted->kernel,
				  .command_line = command_line,
				  .ram_size = memory,
				  .boot = true };
	int err;

	booted->file = memfd_create("kocoon-machine", MFD_CLOEXEC);
	child.file = booted->file;
	err = booted->file < 0 ? -errno : kc_process_start(&process, &child);
	if (!err)
		err = hear_boot(options, &process);
	if (err)
		kc_finding(report, KOCOON_STAGE_KERNEL, err, "the kernel can't be run: %s",
			   *process.end ? process.end : strerror(-err));
	return err;
}

static int check_host(const struct kocoon_kernel *kernel, struct kocoon_report *report)
{
	uint64_t text;

	/* Made here once, not in each machine. */
	if (!strcmp(kocoon_kernel_arch(kernel), "x86_64") && kc_kernel_has_image(kernel) &&
	    kc_kernel_btf(kernel) && kc_kernel_find_symbol(kernel, "_text", &text))
		return 0;
	return kc_finding(report, KOCOON_STAGE_KERNEL, -ENOTSUP,
			  "only an x86-64 kernel with its image, symbols and BTF can be run");
}

static int get_machine(struct kocoon_booted *booted, const struct kocoon_machine_options *options,
		       const char *command_line, uint64_t memory, struct kocoon_report *report)
{
	char *path = cache_path(booted->kernel, options->cache, command_line, memory);
	int err = 0;

	booted->file = path ? open_cached(path) : -1;
	if (booted->file < 0) {
		err = boot(booted, options, command_line, memory, report);
		if (!err && path)
			keep(path, options->cache, booted->file);
	}
	free(path);
	return err;
}

int kocoon_machine_boot(const struct kocoon_kernel *kernel,
			const struct kocoon_machine_options *given, struct kocoon_report *report,
			struct kocoon_booted **booted_ret)
{
	struct kocoon_machine_options options = { 0 };
	struct kocoon_booted *booted;
	uint64_t memory;
	char *command_line;
	int err = check_host(kernel, report);

	if (err)
		return err;
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
	*booted = (struct kocoon_booted){ .kernel = kernel,
					  .tree = options.tree,
					  .file = -1,
					  .timeout = options.timeout ? options.timeout
								     : TIMEOUT_DEFAULT };
	err = get_machine(booted, &options, command_line, memory, report);
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
	if (booted->file >= 0)
		close(booted->file);
	free(booted);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that are kept between runs: see kept.h. */
#include "base/kept.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * The time of last modification that a whole file is given. Who writes to it afterwards, by
 * whatever way, makes it another.
 */
static const struct timespec whole = { 946684800, 111 };

enum { ABANDONED = 3600 /* seconds, of a file that somebody began to write */ };

static bool is_whole(const struct stat *status)
{
	return S_ISREG(status->st_mode) && status->st_uid == geteuid() &&
	       !(status->st_mode & (S_IWGRP | S_IWOTH)) && status->st_mtim.tv_sec == whole.tv_sec &&
	       status->st_mtim.tv_nsec == whole.tv_nsec;
}

static char *join(const char *folder, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

int kc_kept_open(const char *folder, const char *name)
{
	char *path = join(folder, name);
	struct stat status;
	int file = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;

	free(path);
	if (file >= 0 && (fstat(file, &status) || !is_whole(&status))) {
		close(file);
		return -1;
	}
	return file;
}

int kc_write_all(int file, const void *bytes, size_t len)
{
	while (len) {
		ssize_t done = write(file, bytes, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -EIO;
		bytes = (const uint8_t *)bytes + done;
		len -= (size_t)done;
	}
	return 0;
}

uint64_t kc_kept_mark(uint64_t mark, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	if (!mark)
		mark = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < len; i++)
		mark = (mark ^ at[i]) * UINT64_C(0x100000001b3);
	return mark;
}

/* ---- which stay ---- */

struct entry {
	char *name; /* owned */
	int64_t used; /* seconds */
	bool begun; /* not whole: somebody writes it, or has given up */
};

static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	return a->used > b->used ? -1 : a->used < b->used;
}

static bool are_rivals(const char *one, const char *other)
{
	const char *end = strrchr(one, '-');
	size_t len = end ? (size_t)(end - one) + 1 : 0;

	return len && !strncmp(one, other, len) && !strchr(other + len, '-');
}

/* The time of access is a day late at most, by the usual mount option. */
static int64_t last_use(const struct stat *status, bool just_written)
{
	if (just_written)
		return INT64_MAX;
	return status->st_atime > status->st_ctime ? status->st_atime : status->st_ctime;
}

/* A rival under the name that it had while it was written. */
static bool is_begun(const char *name, const char *found)
{
	const char *end = strrchr(found, '.');

	return end && strlen(end) == sizeof(".XXXXXX") - 1 && are_rivals(name, found);
}

/* Those of ours; the folder may hold anything else as well. */
static struct entry *list(int folder, DIR *names, const char *name, size_t *count_ret)
{
	struct entry *entries = NULL;
	size_t count = 0;
	struct dirent *found;

	/* cppcheck-suppress readdirCalled */ /* the stream is this thread's alone */
	while ((found = readdir(names))) {
		struct entry *more;
		struct stat status;

		if (fstatat(folder, found->d_name, &status, AT_SYMLINK_NOFOLLOW) ||
		    !S_ISREG(status.st_mode) ||
		    (!is_whole(&status) && !is_begun(name, found->d_name)))
			continue;
		more = reallocarray(entries, count + 1, sizeof(*more));
		if (!more)
			break;
		entries = more;
		entries[count] = (struct entry){
			.name = strdup(found->d_name),
			.used = last_use(&status, !strcmp(found->d_name, name)),
			.begun = !is_whole(&status),
		};
		if (!entries[count].name)
			break;
		count++;
	}
	*count_ret = count;
	return entries;
}

/* Whether those before it, which were used later, leave it no place. */
static bool has_no_place(const struct entry *entries, size_t index, const char *name,
			 const struct kc_kept_bounds *bounds)
{
	size_t rivals = 0, all = 0;

	if (entries[index].begun)
		return entries[index].used < time(NULL) - ABANDONED;
	for (size_t i = 0; i < index; i++) {
		all += !entries[i].begun;
		rivals += !entries[i].begun && are_rivals(name, entries[i].name);
	}
	return all >= bounds->most ||
	       (rivals >= bounds->rivals && are_rivals(name, entries[index].name));
}

static void prune(const char *path, const char *name, const struct kc_kept_bounds *bounds)
{
	DIR *names = opendir(path);
	size_t count = 0;
	struct entry *entries;

	if (!names)
		return;
	entries = list(dirfd(names), names, name, &count);
	if (count)
		qsort(entries, count, sizeof(*entries), compare_entries);
	for (size_t i = 0; i < count; i++)
		if (has_no_place(entries, i, name, bounds))
			unlinkat(dirfd(names), entries[i].name, 0);
	for (size_t i = 0; i < count; i++)
		free(entries[i].name);
	free(entries);
	closedir(names);
}

/* ---- writing ---- */

static int fill(int file, kc_kept_write_fn *write, void *context)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, whole };
	int err = write(context, file);

	return err ?: fchmod(file, 0400) || futimens(file, times) ? -errno : 0;
}

void kc_kept_write(const char *folder, const char *name, const struct kc_kept_bounds *bounds,
		   kc_kept_write_fn *write, void *context)
{
	char *path = join(folder, name), *work = NULL;
	int file = -1;

	(void)mkdir(folder, 0700);
	if (path && asprintf(&work, "%s.XXXXXX", path) < 0)
		work = NULL;
	if (work)
		file = mkostemp(work, O_CLOEXEC);
	if (file >= 0) {
		if (fill(file, write, context) || rename(work, path))
			unlink(work);
		else
			prune(folder, name, bounds);
		close(file);
	}
	free(work);
	free(path);
}

/* ---- of which build we are ---- */

static int note_own_id(struct dl_phdr_info *object, size_t size, void *context)
{
	struct kc_span *id = context;
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

		if (phdr->p_type == PT_NOTE && note->n_type == NT_GNU_BUILD_ID)
			*id = kc_span((const uint8_t *)(note + 1) + kc_align(note->n_namesz, 4),
				      note->n_descsz);
	}
	return own;
}

struct kc_span kc_own_build_id(void)
{
	struct kc_span id = kc_span("", 0);

	dl_iterate_phdr(note_own_id, &id);
	return id;
}

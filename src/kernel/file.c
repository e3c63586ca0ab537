/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A kernel's file, as bytes that nobody else can change.
 *
 * Consumes a path; produces a private copy. A mapping of the file would cost less, and the process,
 * where somebody cuts the file short meanwhile. Not read, and so zero in the copy, are what is no
 * kernel, holes of a sparse file, and sections with debug information: nothing looks at those, and
 * they are most of a vmlinux.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/parts.h"

/* So much is read to tell a kernel from something else. */
enum { HEAD = 4096 };

#define KERNEL_FILE_MAX (UINT64_C(4) << 30)

struct copy {
	int fd;
	uint8_t *bytes;
	uint64_t len;
};

struct range {
	uint64_t start, end;
};

static int fail(struct kocoon_report *report, int err, const char *path, const char *what)
{
	kc_finding(report, KOCOON_STAGE_READ, err, "%s: %s", path, what);
	return err;
}

static int read_whole(const struct copy *copy, uint64_t place, uint64_t end)
{
	while (place < end) {
		ssize_t got = pread(copy->fd, copy->bytes + place, end - place, (off_t)place);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EIO;
		place += (uint64_t)got;
	}
	return 0;
}

/* Reads what there is of it on disk. */
static int read_range(const struct copy *copy, uint64_t place, uint64_t end)
{
	int err = 0;

	while (!err && place < end) {
		off_t data = lseek(copy->fd, (off_t)place, SEEK_DATA);
		off_t hole = data < 0 ? -1 : lseek(copy->fd, data, SEEK_HOLE);

		if (data < 0 && errno == ENXIO)
			return 0;
		/* Not all file systems can tell. */
		if (hole < 0 || (uint64_t)hole > end)
			hole = (off_t)end;
		if (data < 0)
			data = (off_t)place;
		if ((uint64_t)data >= end)
			return 0;
		err = read_whole(copy, (uint64_t)data, (uint64_t)hole);
		place = (uint64_t)hole;
	}
	return err;
}

static int compare_ranges(const void *left, const void *right)
{
	const struct range *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

/* Reads the tables that tell the names of sections; false: there are none to be had. */
static bool read_sections(const struct copy *copy, struct kc_elf *elf_ret)
{
	struct kc_span file = kc_span(copy->bytes, (size_t)copy->len);
	struct kc_ehdr ehdr;
	Elf64_Shdr names;
	uint64_t size;

	if (!kc_elf_ehdr(file, &ehdr))
		return false;
	size = (uint64_t)ehdr.shnum * sizeof(Elf64_Shdr);
	if (!size || !kc_span_contains(file, ehdr.shoff, size) ||
	    read_range(copy, ehdr.shoff, ehdr.shoff + size) ||
	    !kc_elf_shdr(kc_span(file.data + ehdr.shoff, (size_t)size), ehdr.shstrndx, &names) ||
	    !kc_span_contains(file, names.sh_offset, names.sh_size) ||
	    read_range(copy, names.sh_offset, names.sh_offset + names.sh_size))
		return false;
	return kc_elf_open(file, elf_ret) == 0;
}

static bool is_debug(const struct kc_elf *elf, const Elf64_Shdr *shdr)
{
	static const char prefix[] = ".debug_";
	struct kc_span name;

	return !(shdr->sh_flags & SHF_ALLOC) && shdr->sh_type != SHT_NOBITS &&
	       kc_span_sub(elf->names, shdr->sh_name, sizeof(prefix) - 1, &name) &&
	       !memcmp(name.data, prefix, name.len) &&
	       kc_span_contains(elf->file, shdr->sh_offset, shdr->sh_size);
}

/* Where debug information is, by ascending start. NULL with a count of 0: nowhere. */
static int find_debug(const struct copy *copy, struct range **ranges_ret, size_t *count_ret)
{
	struct range *ranges;
	struct kc_elf elf;
	Elf64_Shdr shdr;
	size_t count = 0;

	*ranges_ret = NULL;
	*count_ret = 0;
	if (!read_sections(copy, &elf))
		return 0;
	ranges = calloc(elf.ehdr.shnum, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	for (uint64_t i = 1; kc_elf_shdr(elf.sections, i, &shdr); i++)
		if (is_debug(&elf, &shdr))
			ranges[count++] =
				(struct range){ shdr.sh_offset, shdr.sh_offset + shdr.sh_size };
	qsort(ranges, count, sizeof(*ranges), compare_ranges);
	*ranges_ret = ranges;
	*count_ret = count;
	return 0;
}

/* All that follows the head. */
static int read_rest(const struct copy *copy, uint64_t place)
{
	struct range *debug;
	size_t count;
	int err = find_debug(copy, &debug, &count);

	for (size_t i = 0; !err && i < count; i++) {
		if (debug[i].start > place)
			err = read_range(copy, place, debug[i].start);
		if (debug[i].end > place)
			place = debug[i].end;
	}
	if (!err)
		err = read_range(copy, place, copy->len);
	free(debug);
	return err;
}

static bool is_kernel(struct kc_span file)
{
	return kc_bzimage_detect(file) ||
	       (file.len >= SELFMAG && !memcmp(file.data, ELFMAG, SELFMAG));
}

static void note_identity(const struct stat *status, struct kc_file_identity *identity)
{
	*identity = (struct kc_file_identity){
		.device = status->st_dev,
		.inode = status->st_ino,
		.size = (uint64_t)status->st_size,
		.modified_sec = status->st_mtim.tv_sec,
		.modified_nsec = status->st_mtim.tv_nsec,
		.changed_sec = status->st_ctim.tv_sec,
		.changed_nsec = status->st_ctim.tv_nsec,
	};
}

bool kc_kernel_file_identify(const char *path, struct kc_file_identity *identity_ret)
{
	struct stat status;

	if (stat(path, &status) || !S_ISREG(status.st_mode) || access(path, R_OK))
		return false;
	note_identity(&status, identity_ret);
	return true;
}

static int read_kernel(const struct copy *copy)
{
	uint64_t head = copy->len < HEAD ? copy->len : HEAD;
	struct stat status;
	int err = read_whole(copy, 0, head);

	if (err || !is_kernel(kc_span(copy->bytes, (size_t)head)))
		return err;
	err = read_rest(copy, head);
	if (!err && fstat(copy->fd, &status) < 0)
		err = -errno;
	/* What was cut off meanwhile looks like a hole. */
	return err ?: (uint64_t)status.st_size < copy->len ? -EIO : 0;
}

static int check_file(int fd, const char *path, struct kocoon_report *report,
		      struct kc_file_identity *identity_ret)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return fail(report, -errno, path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return fail(report, -EINVAL, path, "not a regular file");
	if (!status.st_size)
		return fail(report, -ENOEXEC, path, "the file is empty");
	if ((uint64_t)status.st_size > KERNEL_FILE_MAX) {
		fail(report, -EFBIG, path, "too large for a kernel");
		kc_expected(report, "at most %" PRIu64 " bytes", KERNEL_FILE_MAX);
		kc_found(report, "%jd bytes", (intmax_t)status.st_size);
		return -EFBIG;
	}
	note_identity(&status, identity_ret);
	return 0;
}

static int copy_file(int fd, const char *path, struct kocoon_report *report,
		     struct kc_file_identity *identity_ret, struct kc_span *file_ret)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	struct copy copy = { .fd = fd };
	int err = check_file(fd, path, report, identity_ret);

	if (err)
		return err;
	copy.len = identity_ret->size;
	/* cppcheck-suppress invalidFunctionArg */ /* -1 goes with MAP_ANONYMOUS */
	copy.bytes = mmap(NULL, (size_t)copy.len, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (copy.bytes == MAP_FAILED)
		return fail(report, -errno, path, strerror(errno));
	/* Page by page, faults would take as long as reading. Only a wish. */
	(void)madvise(copy.bytes, (size_t)copy.len, MADV_HUGEPAGE);
	err = read_kernel(&copy);
	if (err) {
		munmap(copy.bytes, (size_t)copy.len);
		fail(report, err, path,
		     err == -EIO ? "the file could not be read whole" : strerror(-err));
		if (err == -EIO)
			kc_hint(report, "somebody may be writing it: try again");
		return err;
	}
	*file_ret = kc_span(copy.bytes, (size_t)copy.len);
	return 0;
}

int kc_kernel_file_open(const char *path, struct kocoon_report *report,
			struct kc_file_identity *identity_ret, struct kc_span *file_ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int err;

	if (fd < 0)
		return fail(report, -errno, path, strerror(errno));
	err = copy_file(fd, path, report, identity_ret, file_ret);
	close(fd);
	return err;
}

void kc_kernel_file_close(struct kc_span file)
{
	if (file.data)
		munmap((void *)(uintptr_t)file.data, file.len);
}

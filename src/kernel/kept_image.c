/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A bzImage's kernel as it was unpacked, kept in a file with what was found out about it.
 *
 * Which kernel it is can't be known without unpacking it, so the file of the bzImage stands for it:
 * device, inode, size, and both times in nanoseconds. A file can't be given other bytes without
 * another time of change, which nobody can set, but for a change within one tick of the host's
 * clock; one that has changed only just now is therefore not kept. The findings are structures of
 * ours, and of use to the same build only.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/kept.h"
#include "kernel/parts.h"

enum { HEADER_SIZE = 4096, RELEASE_MAX = 256, SETTLED = 2 /* seconds */ };

static const char magic[16] = "kocoon image 1";

struct header {
	char magic[16];
	struct kc_file_identity source;
	uint64_t own; /* mark of our build */
	uint64_t image_len;
	uint32_t format;
	char release[RELEASE_MAX];
	struct kc_abi abi;
	struct kc_layouts layouts;
	struct kc_behaviour behaviour;
	uint64_t mark; /* of all before it */
};

_Static_assert(sizeof(struct header) <= HEADER_SIZE, "the image follows it");

static uint64_t mark_of(const struct header *header)
{
	return kc_kept_mark(0, header, offsetof(struct header, mark));
}

static uint64_t own_mark(void)
{
	struct kc_span own = kc_own_build_id();

	return own.len ? kc_kept_mark(0, own.data, own.len) : 0;
}

static char *name_of(const struct kc_file_identity *source)
{
	char *name;

	if (asprintf(&name, "%" PRIx64 "-%" PRIx64 "-%016" PRIx64, source->device, source->inode,
		     own_mark()) < 0)
		return NULL;
	return name;
}

static bool read_header(int file, const struct kc_file_identity *source, struct header *header)
{
	struct stat status;

	return pread(file, header, sizeof(*header), 0) == sizeof(*header) &&
	       !memcmp(header->magic, magic, sizeof(magic)) && header->mark == mark_of(header) &&
	       header->own == own_mark() && !memcmp(&header->source, source, sizeof(*source)) &&
	       header->image_len && !fstat(file, &status) &&
	       (uint64_t)status.st_size == HEADER_SIZE + header->image_len;
}

void kc_kept_image_close(struct kc_span image)
{
	if (image.data)
		munmap((void *)(uintptr_t)image.data, image.len);
}

static int take(struct kocoon_kernel *kernel, const struct header *header, int file)
{
	size_t len = (size_t)header->image_len;
	void *image = mmap(NULL, len, PROT_READ, MAP_PRIVATE, file, HEADER_SIZE);
	int err;

	if (image == MAP_FAILED)
		return -errno;
	kernel->kept = kc_span(image, len);
	err = kc_vmlinux_open(kernel->kept, NULL, &kernel->vmlinux);
	if (!err && !(kernel->release = strdup(header->release)))
		err = -ENOMEM;
	if (err) {
		kc_kept_image_close(kernel->kept);
		kernel->kept = kc_span(NULL, 0);
		return err;
	}
	kernel->format = (enum kc_format)header->format;
	kernel->abi = header->abi;
	kernel->layouts = header->layouts;
	kernel->behaviour = header->behaviour;
	atomic_store(&kernel->abi_once.done, true);
	atomic_store(&kernel->behaviour_once.done, true);
	return 0;
}

int kc_kept_image_open(struct kocoon_kernel *kernel, const char *path, const char *folder)
{
	struct kc_file_identity source;
	struct header header;
	char *name = NULL;
	int file = -1, err = -ENOENT;

	if (folder && kc_kernel_file_identify(path, &source) && own_mark())
		name = name_of(&source);
	if (name)
		file = kc_kept_open(folder, name);
	free(name);
	if (file < 0)
		return err;
	if (read_header(file, &source, &header))
		err = take(kernel, &header, file);
	close(file);
	return err;
}

struct writing {
	const struct header *header;
	struct kc_span image;
};

static int write_image(void *context, int file)
{
	static const uint8_t gap[HEADER_SIZE - sizeof(struct header)];
	const struct writing *writing = context;
	int err = kc_write_all(file, writing->header, sizeof(*writing->header));

	if (!err)
		err = kc_write_all(file, gap, sizeof(gap));
	return err ?: kc_write_all(file, writing->image.data, writing->image.len);
}

static bool has_settled(const struct kc_file_identity *source)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return source->changed_sec < now.tv_sec - SETTLED &&
	       source->modified_sec < now.tv_sec - SETTLED;
}

void kc_kept_image_write(const struct kocoon_kernel *kernel, const struct kc_file_identity *source,
			 const char *folder)
{
	static const struct kc_kept_bounds bounds = { .rivals = 2, .most = 8 };
	struct header header;
	const struct writing writing = { &header, kc_buffer_span(&kernel->image) };
	char *name;

	if (!kernel->image.len || strlen(kernel->release) >= RELEASE_MAX || !own_mark() ||
	    !has_settled(source))
		return;
	memset(&header, 0, sizeof(header));
	memcpy(header.magic, magic, sizeof(magic));
	header.source = *source;
	header.own = own_mark();
	header.image_len = kernel->image.len;
	header.format = kernel->format;
	strcpy(header.release, kernel->release); /* NOLINT: it fits */
	header.abi = *kc_kernel_abi(kernel);
	header.layouts = *kc_kernel_layouts(kernel);
	header.behaviour = *kc_kernel_behaviour(kernel);
	header.mark = mark_of(&header);
	name = name_of(source);
	if (name)
		kc_kept_write(folder, name, &bounds, write_image, (void *)(uintptr_t)&writing);
	free(name);
}

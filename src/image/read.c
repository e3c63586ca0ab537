/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stage KOCOON_STAGE_READ: a file's bytes, whole, into a buffer of the caller's.
 *
 * Only regular files are read: a FIFO or a device could block for ever or never end, so the file is
 * opened without waiting for anybody and looked at before a byte is asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/image.h"

static int fail(struct kocoon_report *report, int err, const char *path, const char *what)
{
	kc_finding(report, KOCOON_STAGE_READ, err, "%s: %s", path, what);
	if (err == -ENOENT || err == -EACCES)
		kc_hint(report, "%s",
			err == -ENOENT ? "check the path" : "check the file's permissions");
	return err;
}

static int read_all(int fd, size_t size, struct kc_buffer *buffer)
{
	while (buffer->len < size) {
		ssize_t got = pread(fd, buffer->data + buffer->len, size - buffer->len,
				    (off_t)buffer->len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -EIO;
		buffer->len += (size_t)got;
	}
	return 0;
}

int kc_read_open_file(int fd, const char *path, uint64_t limit, struct kc_buffer *buffer,
		      struct kocoon_report *report)
{
	struct stat status;
	int err;

	if (fstat(fd, &status) < 0)
		return fail(report, -errno, path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return fail(report, -EINVAL, path, "not a regular file");
	if (status.st_size < 0 || (uint64_t)status.st_size > limit) {
		fail(report, -EFBIG, path, "the file is too large");
		kc_expected(report, "at most %" PRIu64 " bytes", limit);
		kc_found(report, "%jd bytes", (intmax_t)status.st_size);
		return -EFBIG;
	}
	buffer->len = 0;
	err = kc_buffer_reserve(buffer, (size_t)status.st_size);
	if (err)
		return fail(report, err, path, "out of memory");
	err = read_all(fd, (size_t)status.st_size, buffer);
	if (err == -EIO)
		return fail(report, err, path, "the file could not be read whole");
	return err ? fail(report, err, path, strerror(-err)) : 0;
}

int kc_read_file(const char *path, uint64_t limit, struct kc_buffer *buffer,
		 struct kocoon_report *report)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int err;

	if (fd < 0)
		return fail(report, -errno, path, strerror(errno));
	err = kc_read_open_file(fd, path, limit, buffer, report);
	close(fd);
	return err;
}

int kc_read_text(const char *path, uint64_t limit, struct kc_buffer *buffer,
		 struct kocoon_report *report)
{
	int err = kc_read_file(path, limit, buffer, report);

	return err ? err : kc_buffer_append(buffer, "", 1);
}

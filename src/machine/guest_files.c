/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of the machine's own, on the host's side, by the kernel's own system calls. In a task of
 * its own: what it is asked for may sleep, or die of a module's fault.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "machine/machine.h"

enum { CHUNK = 1 << 15, LINK_MAX_LEN = 4096, LOG_READ_ALL = 3, LOG_SIZE = 10 };
/* struct linux_dirent64 */
enum { ENTRY_SIZE = 16, ENTRY_TYPE = 18, ENTRY_NAME = 19 };

/* Nothing that waits for ever. */
static int64_t open_file(const char *path, uint64_t flags)
{
	return kc_syscall(SYS_open, kc_address(path), flags | O_NONBLOCK, 0, 0, 0);
}

static int64_t call_with(unsigned int number, int64_t fd, const void *bytes, uint64_t len)
{
	return kc_syscall(number, (uint64_t)fd, kc_address(bytes), len, 0, 0);
}

static void close_file(int64_t fd)
{
	kc_syscall(SYS_close, (uint64_t)fd, 0, 0, 0, 0);
}

static void tell_text(const char *text, uint64_t len)
{
	for (uint64_t at = 0; at < len; at += KC_TELL_MAX)
		kc_tell(KC_TELL_TEXT, text + at, len - at);
}

static int read_file(const char *path, char *bytes)
{
	int64_t fd = open_file(path, O_RDONLY), len;
	uint64_t all = 0;

	if (fd < 0)
		return (int)fd;
	do {
		len = call_with(SYS_read, fd, bytes, CHUNK);
		if (len <= 0)
			continue;
		all += (uint64_t)len;
		if (all > KC_TEXT_MAX)
			len = -EFBIG;
		else
			tell_text(bytes, (uint64_t)len);
	} while (len > 0);
	close_file(fd);
	return (int)len;
}

static int write_file(const char *path, const char *bytes, uint64_t len)
{
	int64_t fd = open_file(path, O_WRONLY | O_TRUNC), done = 0;

	if (fd < 0)
		return (int)fd;
	/* Once at least: nothing is a value too. */
	do {
		bytes += done;
		len -= (uint64_t)done;
		done = call_with(SYS_write, fd, bytes, len);
	} while (done > 0 && len > (uint64_t)done);
	close_file(fd);
	return done < 0 ? (int)done : 0;
}

/* As `ls -l` has it. */
static char letter_of(uint8_t type)
{
	static const char letters[] = "?pc?d?b?-?l?s";

	return type < sizeof(letters) - 1 ? letters[type] : '?';
}

static void tell_entries(const char *bytes, int64_t len)
{
	for (int64_t at = 0; at < len; at += kc_load16(bytes + at + ENTRY_SIZE)) {
		const char *name = bytes + at + ENTRY_NAME;
		char letter = letter_of((uint8_t)bytes[at + ENTRY_TYPE]);

		if (!strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		tell_text(&letter, 1);
		tell_text(name, strlen(name) + 1);
	}
}

static int list_folder(const char *path, char *bytes)
{
	int64_t fd = open_file(path, O_RDONLY | O_DIRECTORY), len;

	if (fd < 0)
		return (int)fd;
	do {
		len = call_with(SYS_getdents64, fd, bytes, CHUNK);
		tell_entries(bytes, len);
	} while (len > 0);
	close_file(fd);
	return (int)len;
}

static int read_link(const char *path, char *bytes)
{
	int64_t len =
		kc_syscall(SYS_readlink, kc_address(path), kc_address(bytes), LINK_MAX_LEN, 0, 0);

	if (len < 0)
		return (int)len;
	tell_text(bytes, (uint64_t)len);
	return 0;
}

static int read_status(const char *path)
{
	struct stat status = { 0 }; /* the kernel's too */
	struct kc_status told = { 0 };
	int err = (int)kc_syscall(SYS_lstat, kc_address(path), kc_address(&status), 0, 0, 0);

	if (err)
		return err;
	told.inode = status.st_ino;
	told.size = (uint64_t)status.st_size;
	told.links = status.st_nlink;
	told.modified = status.st_mtime;
	told.mode = status.st_mode;
	told.uid = status.st_uid;
	told.gid = status.st_gid;
	kc_tell(KC_TELL_TEXT, &told, sizeof(told));
	return 0;
}

static int read_log(void)
{
	int64_t size = kc_syscall(SYS_syslog, LOG_SIZE, 0, 0, 0, 0), len;
	char *bytes;

	if (size <= 0)
		return (int)size;
	bytes = malloc((size_t)size);
	if (!bytes)
		return -ENOMEM;
	len = kc_syscall(SYS_syslog, LOG_READ_ALL, kc_address(bytes), (uint64_t)size, 0, 0);
	if (len > 0)
		tell_text(bytes, (uint64_t)len);
	free(bytes);
	return len < 0 ? (int)len : 0;
}

static int do_file(const struct kc_ask *ask, const char *path, const char *text, char *bytes)
{
	switch (ask->kind) {
	case KC_ASK_READ:
		return read_file(path, bytes);
	case KC_ASK_WRITE:
		return write_file(path, text, ask->second_len);
	case KC_ASK_LIST:
		return list_folder(path, bytes);
	case KC_ASK_LINK:
		return read_link(path, bytes);
	case KC_ASK_STATUS:
		return read_status(path);
	case KC_ASK_LOG:
		return read_log();
	case KC_ASK_SHOW:
		kc_mmu_show_modules();
		return 0;
	default:
		return -EINVAL;
	}
}

int kc_guest_file(const struct kc_ask *ask, const char *path, const char *text)
{
	char *bytes = malloc(CHUNK);
	int err = bytes ? do_file(ask, path, text, bytes) : -ENOMEM;

	free(bytes);
	return err;
}

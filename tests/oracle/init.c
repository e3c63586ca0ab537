/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The only process of the oracle's machine: puts modules before the real kernel and tells the host
 * what it answered. Started as /init of an initramfs that `ask` has packed; linked statically.
 *
 * Consumes /plan, one action a line, fields separated by tabs:
 *
 *	module INDEX FLAGS PARAMETERS [keep]
 *					finit_module("/m/INDEX", PARAMETERS, FLAGS); with `keep`
 *					it is not deleted again
 *	write FILE TEXT			writes TEXT to FILE
 *	try INDEX FILE TEXT		the same, and tells what came of it
 *	show INDEX PATH [user]		what is at PATH and below it: kinds, modes, sizes, contents;
 *					with `user`, as somebody without rights
 *	symbols INDEX MODULE [user]	lines of /proc/kallsyms that end in [MODULE]
 *	option NAME			from here on: `log` (send the kernel log of each load),
 *					`unload` (delete a module again when it loaded)
 *
 * Produces lines on the second serial port, so that nothing mixes with the kernel's console:
 *
 *	start INDEX			about to load
 *	result INDEX ERRNO		0, or what finit_module failed with
 *	unload INDEX ERRNO NAME		what delete_module answered
 *	log INDEX TEXT			one record of the kernel log
 *	tried INDEX ERRNO		of a try
 *	view INDEX PATH KIND MODE SIZE TEXT
 *					KIND: d, f, l. TEXT: contents, a link's target, "!ERRNO";
 *					what is not printable as \\xx, cut behind VIEW_BYTES
 *	symbol INDEX LINE
 *	failed TEXT			an action of the plan could not be done
 *	end				the plan is through
 *
 * A kernel that dies or hangs leaves the last "start" without a "result": `ask` goes on from there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int host = -1;
static int kernel_log = -1;
static bool want_log, want_unload;

/* The line has left the machine when this returns: what follows may be the kernel's death. */
static void tell(const char *format, ...)
{
	char line[8192];
	va_list arguments;
	size_t done = 0, len;
	int got;

	va_start(arguments, format);
	got = vsnprintf(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	if (got < 0)
		return;
	len = (size_t)got < sizeof(line) - 2 ? (size_t)got : sizeof(line) - 2;
	line[len++] = '\n';
	while (done < len) {
		ssize_t step = write(host, line + done, len - done);

		if (step <= 0)
			break;
		done += (size_t)step;
	}
	tcdrain(host);
}

static void open_host(void)
{
	struct termios mode;

	host = open("/dev/ttyS1", O_RDWR | O_NOCTTY);
	if (host < 0 || tcgetattr(host, &mode))
		return;
	cfmakeraw(&mode);
	cfsetspeed(&mode, B115200);
	tcsetattr(host, TCSANOW, &mode);
}

/* A record is "priority,sequence,time,flags;text\n" and further lines that begin with a blank. */
static void send_log(const char *index)
{
	char record[8192];

	for (;;) {
		ssize_t len = read(kernel_log, record, sizeof(record) - 1);
		char *text;

		if (len < 0 && errno == EPIPE)
			continue;
		if (len <= 0)
			return;
		record[len] = 0;
		text = strchr(record, ';');
		if (!text || !index)
			continue;
		text[strcspn(text, "\n")] = 0;
		tell("log\t%s\t%s", index, text + 1);
	}
}

/* The name of the newest module: /proc/modules lists it first. */
static bool newest_module(char *name, size_t size)
{
	FILE *modules = fopen("/proc/modules", "re");
	bool found = false;

	if (!modules)
		return false;
	if (fgets(name, (int)size, modules)) {
		name[strcspn(name, " \n")] = 0;
		found = true;
	}
	fclose(modules);
	return found;
}

static void load(const char *index, const char *flags, const char *parameters, bool keep)
{
	char path[64], name[128];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/m/%s", index);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		tell("failed\topen %s: %s", path, strerror(errno));
		return;
	}
	if (want_log)
		send_log(NULL);
	tell("start\t%s", index);
	if (syscall(SYS_finit_module, fd, parameters, (int)strtol(flags, NULL, 0)))
		err = errno;
	close(fd);
	tell("result\t%s\t%d", index, err);
	if (!err && want_unload && !keep && newest_module(name, sizeof(name))) {
		err = syscall(SYS_delete_module, name, O_NONBLOCK) ? errno : 0;
		tell("unload\t%s\t%d\t%s", index, err, name);
	}
	if (want_log)
		send_log(index);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		tell("failed\twrite %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void try_file(const char *index, const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = fd < 0 || write(fd, text, strlen(text)) < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	tell("tried\t%s\t%d", index, err);
}

enum { VIEW_BYTES = 2000 };

/* The file's contents, or "!ERRNO". */
static void contents(const char *path, char *text, size_t size)
{
	unsigned char bytes[VIEW_BYTES];
	size_t len = 0, at = 0;
	ssize_t step = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && len < sizeof(bytes) &&
	       (step = read(fd, bytes + len, sizeof(bytes) - len)) > 0)
		len += (size_t)step;
	if (fd < 0 || step < 0) {
		snprintf(text, size, "!%d", errno);
		len = 0;
	}
	for (size_t i = 0; i < len && at + 4 < size; i++)
		at += (size_t)snprintf(
			text + at, size - at,
			bytes[i] >= 32 && bytes[i] < 127 && bytes[i] != '\\' ? "%c" : "\\%02x",
			bytes[i]);
	if (fd >= 0)
		close(fd);
}

static void show(const char *index, const char *path)
{
	char text[4 * VIEW_BYTES + 1] = "", below[PATH_MAX];
	struct dirent *entry;
	struct stat status;
	DIR *folder;

	if (lstat(path, &status)) {
		tell("view\t%s\t%s\t-\t0\t0\t!%d", index, path, errno);
		return;
	}
	if (S_ISREG(status.st_mode))
		contents(path, text, sizeof(text));
	else if (S_ISLNK(status.st_mode) && readlink(path, text, sizeof(text) - 1) < 0)
		snprintf(text, sizeof(text), "!%d", errno);
	tell("view\t%s\t%s\t%c\t%04o\t%lld\t%s", index, path,
	     S_ISDIR(status.st_mode)   ? 'd'
	     : S_ISLNK(status.st_mode) ? 'l'
				       : 'f',
	     (unsigned int)status.st_mode & 07777, (long long)status.st_size, text);
	folder = S_ISDIR(status.st_mode) ? opendir(path) : NULL;
	while (folder && (entry = readdir(folder))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		show(index, below);
	}
	if (folder)
		closedir(folder);
}

static void show_symbols(const char *index, const char *module)
{
	FILE *kallsyms = fopen("/proc/kallsyms", "re");
	char end[128], *line = NULL;
	size_t size = 0, len;

	snprintf(end, sizeof(end), "\t[%s]", module);
	while (kallsyms && getline(&line, &size, kallsyms) > 0) {
		line[strcspn(line, "\n")] = 0;
		len = strlen(line);
		if (len > strlen(end) && !strcmp(line + len - strlen(end), end))
			tell("symbol\t%s\t%s", index, line);
	}
	free(line);
	if (kallsyms)
		fclose(kallsyms);
}

typedef void show_function(const char *index, const char *what);

/* A child takes the rights off. */
static void show_as(show_function *function, const char *index, const char *what, bool user)
{
	pid_t child = user ? fork() : -1;

	if (!user) {
		function(index, what);
	} else if (!child) {
		if (!setgid(65534) && !setuid(65534))
			function(index, what);
		_exit(0);
	} else if (child > 0) {
		waitpid(child, NULL, 0);
	}
}

static const char *field(char **rest)
{
	char *text = strsep(rest, "\t");

	return text ? text : "";
}

static void follow(char *line)
{
	const char *verb = field(&line), *first = field(&line), *second = field(&line);
	const char *third = field(&line), *fourth = field(&line);

	if (!strcmp(verb, "module"))
		load(first, second, third, !strcmp(fourth, "keep"));
	else if (!strcmp(verb, "write"))
		write_file(first, second);
	else if (!strcmp(verb, "try"))
		try_file(first, second, third);
	else if (!strcmp(verb, "show"))
		show_as(show, first, second, !strcmp(third, "user"));
	else if (!strcmp(verb, "symbols"))
		show_as(show_symbols, first, second, !strcmp(third, "user"));
	else if (!strcmp(verb, "option") && !strcmp(first, "log"))
		want_log = true;
	else if (!strcmp(verb, "option") && !strcmp(first, "unload"))
		want_unload = true;
	else
		tell("failed\tunknown action %s %s", verb, first);
}

static void follow_plan(void)
{
	FILE *plan = fopen("/plan", "re");
	char *line = NULL;
	size_t size = 0;

	if (!plan) {
		tell("failed\tno /plan");
		return;
	}
	while (getline(&line, &size, plan) > 0) {
		line[strcspn(line, "\n")] = 0;
		follow(line);
	}
	free(line);
	fclose(plan);
	tell("end");
}

int main(void)
{
	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	mount("debug", "/sys/kernel/debug", "debugfs", 0, NULL);
	mount("security", "/sys/kernel/security", "securityfs", 0, NULL);
	open_host();
	kernel_log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	follow_plan();
	sync();
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

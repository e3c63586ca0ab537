/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The only process of the oracle's machine: puts modules before the real kernel and tells the host
 * what it answered. Started as /init of an initramfs that `ask` has packed; linked statically.
 *
 * Consumes the plan in the shared memory (machine.h), one action a line, fields separated by tabs:
 *
 *	helper OFFSET SIZE		loads the helper module (witness.c), which is there in the
 *					input, with its marks replaced
 *	module INDEX OFFSET SIZE FLAGS PARAMETERS [keep]
 *					finit_module(the file there in the input, PARAMETERS,
 *					FLAGS); with `keep` it is not deleted again
 *	write FILE TEXT			writes TEXT to FILE
 *	try INDEX FILE TEXT		the same, and tells what came of it
 *	show INDEX PATH [user]		what is at PATH and below it: kinds, modes, sizes, contents;
 *					with `user`, as somebody without rights
 *	symbols INDEX MODULE [user]	lines of /proc/kallsyms that end in [MODULE]; *: of any
 *	delete INDEX NAME		tries to delete the module
 *	delete-all INDEX [oldest]	tries to delete all modules but the helper, the newest first
 *	memory START END		the kernel's own memory between two symbols
 *	option NAME			from here on: `log` (send the kernel log of each load),
 *					`unload` (delete a module again when it loaded), `views`
 *					(what is shown of a module that has loaded), `task` (load
 *					and delete in a task of its own, which an oops may kill)
 *
 * Started as modprobe, it loads /lib/modules/NAME.ko.
 *
 * Produces records (record.h) in the shared memory. A kernel that dies or hangs leaves the last
 * RECORD_START without a RECORD_RESULT: `ask` goes on from there.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.h"
#include "record.h"

static const char module_file[] = "/module", helper_name[] = "witness";

static struct shared_memory *shared;
static uint64_t shared_physical, shared_size;
static int kernel_log = -1;
static bool want_log, want_unload, want_views, want_task;

/* ---- what is told ---- */

static uint32_t number(const char *index)
{
	return (uint32_t)strtoul(index, NULL, 10);
}

/* Room for a record's `size` bytes, or NULL. */
static char *begin(uint32_t kind, uint32_t index, uint64_t size)
{
	const struct record_header header = { kind, index, size };
	char *to = (char *)shared + shared->output + shared->written;
	uint64_t whole = sizeof(header) + (size + 7) / 8 * 8;

	if (whole > shared->output_size - shared->written)
		return NULL;
	memcpy(to, &header, sizeof(header));
	return to + sizeof(header);
}

/* The record counts from here on, whatever the kernel does next. */
static void end(uint64_t size)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	shared->written += sizeof(struct record_header) + (size + 7) / 8 * 8;
}

static void tell(uint32_t kind, uint32_t index, const void *bytes, size_t size)
{
	char *to = begin(kind, index, size);

	if (!to)
		return;
	if (size)
		memcpy(to, bytes, size);
	end(size);
}

static void tell_text(uint32_t kind, uint32_t index, const char *text)
{
	tell(kind, index, text, strlen(text));
}

static void fail(const char *what, const char *which)
{
	char text[512];

	snprintf(text, sizeof(text), "%s %s: %s", what, which, strerror(errno));
	tell_text(RECORD_FAILED, RECORD_NO_INDEX, text);
}

/* ---- the shared memory ---- */

static bool read_number(const char *device, const char *file, uint64_t *value_ret)
{
	char path[512], text[64] = "";
	FILE *stream;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device, file);
	stream = fopen(path, "re");
	if (stream && !fgets(text, sizeof(text), stream))
		text[0] = 0;
	if (stream)
		fclose(stream);
	*value_ret = strtoull(text, NULL, 0);
	return text[0];
}

/* `resource` has a line "START END FLAGS" for each BAR. */
static bool find_bar(const char *device)
{
	char path[512], line[128] = "";
	uint64_t last = 0;
	FILE *stream;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource", device);
	stream = fopen(path, "re");
	for (int i = 0; stream && i <= 2; i++)
		if (!fgets(line, sizeof(line), stream))
			line[0] = 0;
	if (stream)
		fclose(stream);
	if (sscanf(line, "%" SCNx64 " %" SCNx64, &shared_physical, &last) != 2 || !shared_physical)
		return false;
	shared_size = last - shared_physical + 1;
	return true;
}

static bool map_bar(const char *device)
{
	char path[512];
	void *memory;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/enable", device);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		return false;
	close(fd);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource2", device);
	fd = open(path, O_RDWR | O_CLOEXEC);
	memory = mmap(NULL, shared_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || memory == MAP_FAILED)
		return false;
	shared = memory;
	return shared->magic == SHARED_MAGIC;
}

static bool find_shared_memory(void)
{
	enum { VENDOR = 0x1af4, IVSHMEM = 0x1110 };
	DIR *devices = opendir("/sys/bus/pci/devices");
	const struct dirent *entry;
	uint64_t vendor, device;
	bool found = false;

	while (devices && !found && (entry = readdir(devices)))
		found = entry->d_name[0] != '.' && read_number(entry->d_name, "vendor", &vendor) &&
			read_number(entry->d_name, "device", &device) && vendor == VENDOR &&
			device == IVSHMEM && find_bar(entry->d_name) && map_bar(entry->d_name);
	if (devices)
		closedir(devices);
	return found;
}

/* ---- views ---- */

/* A text that grows. */
struct text {
	char *bytes;
	size_t len, room;
};

static void append(struct text *text, const char *bytes, size_t len)
{
	if (text->len + len > text->room) {
		size_t room = (text->len + len) * 2 + 4096;
		char *more = realloc(text->bytes, room);

		if (!more)
			return;
		text->bytes = more;
		text->room = room;
	}
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
}

static void append_escaped(struct text *text, const unsigned char *bytes, size_t len)
{
	char escaped[8];

	for (size_t i = 0; i < len; i++) {
		bool plain = bytes[i] >= 32 && bytes[i] < 127 && bytes[i] != '\\';

		snprintf(escaped, sizeof(escaped), "\\%02x", bytes[i]);
		if (plain)
			append(text, (const char *)&bytes[i], 1);
		else
			append(text, escaped, 3);
	}
}

/* The file's contents, or "!ERRNO". */
static void append_contents(struct text *text, const char *path)
{
	unsigned char bytes[65536];
	size_t before = text->len;
	ssize_t step = 0;
	char err[16];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && (step = read(fd, bytes, sizeof(bytes))) > 0)
		append_escaped(text, bytes, (size_t)step);
	if (fd < 0 || step < 0) {
		text->len = before;
		append(text, err, (size_t)snprintf(err, sizeof(err), "!%d", errno));
	}
	if (fd >= 0)
		close(fd);
}

static void append_target(struct text *text, const char *path)
{
	char target[PATH_MAX];
	ssize_t len = readlink(path, target, sizeof(target));
	char err[16];

	if (len < 0)
		append(text, err, (size_t)snprintf(err, sizeof(err), "!%d", errno));
	else
		append_escaped(text, (unsigned char *)target, (size_t)len);
}

static void show(uint32_t index, const char *path)
{
	static struct text text;
	char head[PATH_MAX + 64], below[PATH_MAX];
	struct dirent *entry;
	struct stat status;
	DIR *folder;

	text.len = 0;
	if (lstat(path, &status)) {
		snprintf(head, sizeof(head), "%s\t-\t0\t0\t!%d", path, errno);
		return tell_text(RECORD_VIEW, index, head);
	}
	append(&text, head,
	       (size_t)snprintf(head, sizeof(head), "%s\t%c\t%04o\t%lld\t", path,
				S_ISDIR(status.st_mode)	  ? 'd'
				: S_ISLNK(status.st_mode) ? 'l'
							  : 'f',
				(unsigned int)status.st_mode & 07777, (long long)status.st_size));
	if (S_ISREG(status.st_mode))
		append_contents(&text, path);
	else if (S_ISLNK(status.st_mode))
		append_target(&text, path);
	tell(RECORD_VIEW, index, text.bytes, text.len);
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

static void show_symbols(uint32_t index, const char *module)
{
	FILE *kallsyms = fopen("/proc/kallsyms", "re");
	bool any = !strcmp(module, "*");
	char end_of_line[128], *line = NULL;
	size_t size = 0, len;

	snprintf(end_of_line, sizeof(end_of_line), "\t[%s]", module);
	while (kallsyms && getline(&line, &size, kallsyms) > 0) {
		line[strcspn(line, "\n")] = 0;
		len = strlen(line);
		if (any ? len && line[len - 1] == ']'
			: len > strlen(end_of_line) &&
				    !strcmp(line + len - strlen(end_of_line), end_of_line))
			tell_text(RECORD_SYMBOL, index, line);
	}
	free(line);
	if (kallsyms)
		fclose(kallsyms);
}

typedef void show_function(uint32_t index, const char *what);

/* A child takes the rights off. */
static void show_as(show_function *function, const char *index, const char *what, bool user)
{
	pid_t child = user ? fork() : -1;

	if (!user) {
		function(number(index), what);
	} else if (!child) {
		if (!setgid(65534) && !setuid(65534))
			function(number(index), what);
		_exit(0);
	} else if (child > 0) {
		waitpid(child, NULL, 0);
	}
}

/* ---- modules ---- */

/* A record is "priority,sequence,time,flags;text\n" and further lines that begin with a blank. */
static void send_log(uint32_t index)
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
		if (!text || index == RECORD_NO_INDEX)
			continue;
		text[strcspn(text, "\n")] = 0;
		tell_text(RECORD_LOG, index, text + 1);
	}
}

/* The newest module's line of /proc/modules, which lists it first; its name ends in NUL then. */
static bool newest_module(char *line, size_t size)
{
	FILE *modules = fopen("/proc/modules", "re");
	bool found = modules && fgets(line, (int)size, modules);

	if (modules)
		fclose(modules);
	return found;
}

static void show_module(uint32_t index)
{
	char line[4096], path[256];
	struct text text = { 0 };

	if (!newest_module(line, sizeof(line)))
		return;
	append(&text, "/proc/modules\tf\t0444\t0\t", 23);
	append_escaped(&text, (unsigned char *)line, strcspn(line, "\n"));
	tell(RECORD_VIEW, index, text.bytes, text.len);
	free(text.bytes);
	line[strcspn(line, " \n")] = 0;
	snprintf(path, sizeof(path), "/sys/module/%.128s", line);
	show(index, path);
}

/* ---- modules ---- */

struct call {
	long number, first, second, third;
};

static int32_t do_call(const struct call *call)
{
	return syscall(call->number, call->first, call->second, call->third) ? errno : 0;
}

/* The errno of a system call, by a task of its own where that is wanted. */
static int32_t make_call(const struct call call)
{
	static int32_t *answer;
	int status = 0;
	pid_t child;

	if (!want_task)
		return do_call(&call);
	if (!answer)
		answer = mmap(NULL, sizeof(*answer), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (answer == MAP_FAILED)
		return ENOMEM;
	*answer = RECORD_KILLED;
	child = fork();
	if (!child) {
		*answer = do_call(&call);
		_exit(0);
	}
	if (child < 0)
		return errno;
	waitpid(child, &status, 0);
	return *answer;
}

static void delete_module(uint32_t index, const char *name)
{
	int32_t err = make_call((struct call){ SYS_delete_module, (long)name, O_NONBLOCK, 0 });
	char answer[sizeof(err) + 128];
	size_t len = strnlen(name, 128);

	memcpy(answer, &err, sizeof(err));
	memcpy(answer + sizeof(err), name, len);
	tell(RECORD_UNLOAD, index, answer, sizeof(err) + len);
}

static void delete_named(uint32_t index, const char *name)
{
	if (want_log)
		send_log(RECORD_NO_INDEX);
	delete_module(index, name);
	if (want_log)
		send_log(index);
}

static void delete_all(uint32_t index, bool oldest_first)
{
	FILE *modules = fopen("/proc/modules", "re");
	char(*names)[128] = NULL, *line = NULL;
	size_t size = 0, count = 0;

	while (modules && getline(&line, &size, modules) > 0) {
		char(*more)[128] = realloc(names, (count + 1) * sizeof(*names));

		if (!more)
			break;
		names = more;
		line[strcspn(line, " \n")] = 0;
		if (strcmp(line, helper_name) != 0)
			snprintf(names[count++], sizeof(*names), "%.127s", line);
	}
	for (size_t i = 0; i < count; i++)
		delete_module(index, names[oldest_first ? count - 1 - i : i]);
	free(names);
	free(line);
	if (modules)
		fclose(modules);
}

/* A file can't be read as a module while somebody may write to it. */
static int module_from(const void *bytes, size_t size)
{
	int fd = open(module_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t done = 0;
	ssize_t step = 1;

	while (fd >= 0 && done < size && step > 0) {
		step = write(fd, (const char *)bytes + done, size - done);
		done += step > 0 ? (size_t)step : 0;
	}
	if (fd >= 0)
		close(fd);
	return fd < 0 || done < size ? -1 : open(module_file, O_RDONLY | O_CLOEXEC);
}

static const char *input(const char *offset)
{
	return (const char *)shared + SHARED_INPUT + strtoull(offset, NULL, 10);
}

static void load(const char *index_text, int fd, const char *flags, const char *parameters,
		 bool keep)
{
	uint32_t index = number(index_text);
	char line[4096];
	int32_t err;

	if (fd < 0)
		return fail("module", index_text);
	if (want_log)
		send_log(RECORD_NO_INDEX);
	shared->current = index;
	tell(RECORD_START, index, NULL, 0);
	err = make_call(
		(struct call){ SYS_finit_module, fd, (long)parameters, strtol(flags, NULL, 0) });
	close(fd);
	shared->current = RECORD_NO_INDEX;
	tell(RECORD_RESULT, index, &err, sizeof(err));
	if (!err && want_views)
		show_module(index);
	if (!err && want_unload && !keep && newest_module(line, sizeof(line))) {
		line[strcspn(line, " \n")] = 0;
		delete_module(index, line);
	}
	if (want_log)
		send_log(index);
}

static void replace(char *bytes, size_t size, uint64_t mark, uint64_t value)
{
	for (size_t at = 0; at + sizeof(mark) <= size; at += sizeof(mark))
		if (!memcmp(bytes + at, &mark, sizeof(mark)))
			memcpy(bytes + at, &value, sizeof(value));
}

static void load_helper(const char *offset, const char *size_text)
{
	enum { IGNORE_MODVERSIONS = 1, IGNORE_VERMAGIC = 2 };
	size_t size = strtoull(size_text, NULL, 10);
	char *bytes = malloc(size + 1);
	int fd = -1;

	if (bytes) {
		memcpy(bytes, input(offset), size);
		replace(bytes, size, SHARED_ADDRESS_MARK, shared_physical);
		replace(bytes, size, SHARED_SIZE_MARK, shared_size);
		fd = module_from(bytes, size);
	}
	if (fd < 0 || syscall(SYS_finit_module, fd, "", IGNORE_MODVERSIONS | IGNORE_VERMAGIC))
		fail("helper module", helper_name);
	if (fd >= 0)
		close(fd);
	free(bytes);
}

/* ---- the kernel's own memory ---- */

static uint64_t find_symbol(const char *name)
{
	FILE *symbols = fopen("/proc/kallsyms", "re");
	uint64_t address = 0;
	char line[512], found[256];

	while (symbols && !address && fgets(line, sizeof(line), symbols)) {
		if (sscanf(line, "%" SCNx64 " %*c %255s", &address, found) != 2 ||
		    strcmp(found, name) != 0)
			address = 0;
	}
	if (symbols)
		fclose(symbols);
	return address;
}

/* Through /proc/kcore: the segment that holds the address. */
static bool read_kernel(uint64_t address, void *bytes, size_t size)
{
	int core = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr;
	bool done = false;

	if (core < 0 || pread(core, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr))
		ehdr.e_phnum = 0;
	for (int i = 0; i < ehdr.e_phnum && !done; i++) {
		off_t at = (off_t)(ehdr.e_phoff + (size_t)i * sizeof(phdr));

		if (pread(core, &phdr, sizeof(phdr), at) != sizeof(phdr))
			break;
		if (phdr.p_type == PT_LOAD && address >= phdr.p_vaddr &&
		    address - phdr.p_vaddr <= phdr.p_memsz - size)
			done = pread(core, bytes, size,
				     (off_t)(phdr.p_offset + address - phdr.p_vaddr)) ==
			       (ssize_t)size;
	}
	if (core >= 0)
		close(core);
	return done;
}

static void send_memory(const char *start, const char *stop)
{
	struct record_memory memory = { .address = find_symbol(start) };
	uint64_t last = find_symbol(stop);
	char *to;

	memory.size = last > memory.address ? last - memory.address : 0;
	snprintf(memory.start, sizeof(memory.start), "%s", start);
	to = begin(RECORD_MEMORY, RECORD_NO_INDEX, sizeof(memory) + memory.size);
	if (!memory.size || !to || !read_kernel(memory.address, to + sizeof(memory), memory.size))
		return fail("memory", start);
	memcpy(to, &memory, sizeof(memory));
	end(sizeof(memory) + memory.size);
}

/* ---- the plan ---- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail("write", path);
	if (fd >= 0)
		close(fd);
}

static void try_file(const char *index, const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int32_t err = fd < 0 || write(fd, text, strlen(text)) < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	tell(RECORD_TRIED, number(index), &err, sizeof(err));
}

static const char *field(char **rest)
{
	char *text = strsep(rest, "\t");

	return text ? text : "";
}

static void set_option(const char *name)
{
	want_log = want_log || !strcmp(name, "log");
	want_unload = want_unload || !strcmp(name, "unload");
	want_views = want_views || !strcmp(name, "views");
	want_task = want_task || !strcmp(name, "task");
}

static void follow(char *line)
{
	const char *fields[7];

	for (size_t i = 0; i < 7; i++)
		fields[i] = field(&line);
	if (!strcmp(fields[0], "module"))
		load(fields[1], module_from(input(fields[2]), strtoull(fields[3], NULL, 10)),
		     fields[4], fields[5], !strcmp(fields[6], "keep"));
	else if (!strcmp(fields[0], "helper"))
		load_helper(fields[1], fields[2]);
	else if (!strcmp(fields[0], "write"))
		write_file(fields[1], fields[2]);
	else if (!strcmp(fields[0], "try"))
		try_file(fields[1], fields[2], fields[3]);
	else if (!strcmp(fields[0], "show"))
		show_as(show, fields[1], fields[2], !strcmp(fields[3], "user"));
	else if (!strcmp(fields[0], "symbols"))
		show_as(show_symbols, fields[1], fields[2], !strcmp(fields[3], "user"));
	else if (!strcmp(fields[0], "delete-all"))
		delete_all(number(fields[1]), !strcmp(fields[2], "oldest"));
	else if (!strcmp(fields[0], "delete"))
		delete_named(number(fields[1]), fields[2]);
	else if (!strcmp(fields[0], "memory"))
		send_memory(fields[1], fields[2]);
	else if (!strcmp(fields[0], "option"))
		set_option(fields[1]);
	else
		fail("action", fields[0]);
}

static void follow_plan(void)
{
	char *plan = malloc(shared->plan_size + 1), *rest = plan;

	if (!plan)
		return fail("plan", "");
	memcpy(plan, (const char *)shared + shared->plan, shared->plan_size);
	plan[shared->plan_size] = 0;
	while (rest && *rest)
		follow(strsep(&rest, "\n"));
	free(plan);
	tell(RECORD_END, RECORD_NO_INDEX, NULL, 0);
}

/* What the kernel asks for, of what there is. */
static int be_modprobe(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/lib/modules/%.128s.ko", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 1;
	return syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST;
}

int main(int argc, char **argv)
{
	if (getpid() != 1)
		return be_modprobe(argv[argc - 1]);
	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	mount("debug", "/sys/kernel/debug", "debugfs", 0, NULL);
	mount("security", "/sys/kernel/security", "securityfs", 0, NULL);
	kernel_log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (find_shared_memory())
		follow_plan();
	sync();
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

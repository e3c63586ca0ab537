/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The only process of the machine that `dump` boots: loads modules, and sends the memory of each to
 * the host while its init sleeps, so that code for initialization is still there and everything has
 * been patched. Started as /init of an initramfs; linked statically.
 *
 * Consumes /plan, one action a line, fields separated by tabs:
 *
 *	load INDEX FLAGS		finit_module("/m/INDEX", "", FLAGS) in another process, up
 *					to where the module's init would run (see hold.c)
 *	section NAME SIZE		sends that section of it
 *	tables WHOLE CORE		sends its symbol tables, as its struct module has them: at
 *					WHOLE a pointer to a struct mod_kallsyms, at CORE one such
 *	release				lets it go on
 *	memory NAME START END		sends memory of the kernel's, between two symbols
 *
 * Produces, on the port of a debug console, which takes bytes as they come:
 *
 *	module INDEX			a line; its sections follow
 *	section NAME ADDRESS SIZE	a line, and SIZE bytes
 *	memory NAME ADDRESS SIZE	a line, and SIZE bytes
 *	failed TEXT			a line: an action could not be done
 *	end				a line: the plan is through
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEBUG_CONSOLE = 0xe9, PATIENCE_MSEC = 60000, STEP_MSEC = 20 };

static pid_t loader;
static char module_name[64];

static void send(const void *bytes, size_t len)
{
	outsb(DEBUG_CONSOLE, bytes, len);
}

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...)
{
	char line[512];
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (len > 0 && (size_t)len < sizeof(line))
		send(line, (size_t)len);
}

/* Kernel memory through /proc/kcore: the segment that holds the address. */
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

static void send_memory(const char *kind, const char *name, uint64_t address, size_t size)
{
	void *bytes = malloc(size + 1);

	if (bytes && read_kernel(address, bytes, size)) {
		tell("%s %s %" PRIx64 " %zu\n", kind, name, address, size);
		send(bytes, size);
	} else {
		tell("failed %s %s cannot be read\n", kind, name);
	}
	free(bytes);
}

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

static void send_between(const char *name, const char *start, const char *end)
{
	uint64_t from = find_symbol(start), to = find_symbol(end);

	if (from && to > from)
		send_memory("memory", name, from, to - from);
	else
		tell("failed no symbols %s and %s\n", start, end);
}

/* Its init sleeps so that a signal wakes it: nothing before that does. */
static bool sleeps(pid_t pid)
{
	char path[64], line[512] = "";
	FILE *file;
	const char *state;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file && !fgets(line, sizeof(line), file))
		line[0] = 0;
	if (file)
		fclose(file);
	state = strrchr(line, ')');
	return state && state[1] && state[2] == 'S';
}

static bool newest_module(void)
{
	FILE *modules = fopen("/proc/modules", "re");
	char line[512] = "";

	if (modules && !fgets(line, sizeof(line), modules))
		line[0] = 0;
	if (modules)
		fclose(modules);
	line[strcspn(line, " \n")] = 0;
	snprintf(module_name, sizeof(module_name), "%.63s", line);
	return module_name[0];
}

static void load(const char *index, const char *flags)
{
	char path[64];
	int fd, slept = 0;

	snprintf(path, sizeof(path), "/m/%s", index);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	loader = fork();
	if (loader == 0)
		_exit(syscall(SYS_finit_module, fd, "", atoi(flags)) ? errno : 0);
	close(fd);
	for (int waited = 0; waited < PATIENCE_MSEC && slept < 3; waited += STEP_MSEC) {
		int status;

		if (waitpid(loader, &status, WNOHANG) == loader) {
			loader = 0;
			if (strcmp(index, "hold"))
				tell("failed module %s: errno %d\n", index, WEXITSTATUS(status));
			return;
		}
		slept = sleeps(loader) ? slept + 1 : 0;
		usleep(STEP_MSEC * 1000);
	}
	if (newest_module())
		tell("module %s\n", index);
}

static void release(void)
{
	if (loader > 0) {
		kill(loader, SIGKILL);
		waitpid(loader, NULL, 0);
	}
	loader = 0;
}

/*
 * Per-CPU data is in no file of sysfs: the lowest of its symbols is where it begins. Addresses of
 * per-CPU data are small numbers.
 */
static void send_percpu(const char *name)
{
	FILE *symbols = fopen("/proc/kallsyms", "re");
	uint64_t lowest = 0, address;
	char line[512], owner[64], type;

	while (symbols && fgets(line, sizeof(line), symbols)) {
		if (sscanf(line, "%" SCNx64 " %c %*s [%63[^]]", &address, &type, owner) == 3 &&
		    (type | 0x20) != 'u' && address && address < UINT32_MAX &&
		    !strcmp(owner, module_name) && (!lowest || address < lowest))
			lowest = address;
	}
	if (symbols)
		fclose(symbols);
	tell("section %s %" PRIx64 " 0\n", name, lowest);
}

/* 0: there is no such section. */
static uint64_t section_address(const char *name)
{
	char path[256], text[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/sys/module/%s/sections/%s", module_name, name);
	file = fopen(path, "re");
	if (file && !fgets(text, sizeof(text), file))
		text[0] = 0;
	if (file)
		fclose(file);
	return strtoull(text, NULL, 16);
}

static void send_section(const char *name, const char *size)
{
	uint64_t address;

	if (!loader)
		return;
	if (!strcmp(name, ".data..percpu"))
		return send_percpu(name);
	address = section_address(name);
	if (address)
		send_memory("section", name, address, strtoull(size, NULL, 0));
	else
		tell("failed section %s of %s has no address\n", name, module_name);
}

/* In all kernels so far: two words, a count in a word of its own. */
struct mod_kallsyms {
	uint64_t symtab;
	uint32_t count;
	uint64_t strtab, typetab;
};

static void send_tables(const char *whole, const char *core)
{
	uint64_t module = section_address(".gnu.linkonce.this_module"), header = 0;
	struct mod_kallsyms tables;

	if (!loader)
		return;
	if (!module || !read_kernel(module + strtoull(core, NULL, 0), &tables, sizeof(tables)))
		return tell("failed %s has no struct module\n", module_name);
	send_memory("section", "core-tables", tables.symtab,
		    tables.typetab + tables.count - tables.symtab);
	if (!read_kernel(module + strtoull(whole, NULL, 0), &header, sizeof(header)) ||
	    !read_kernel(header, &tables, sizeof(tables)))
		return tell("failed %s has no struct mod_kallsyms\n", module_name);
	send_memory("section", "mod_kallsyms", header, tables.typetab + tables.count - header);
}

static const char *field(char **rest)
{
	char *text = strsep(rest, "\t");

	return text ? text : "";
}

static void follow(char *line)
{
	const char *verb = field(&line), *first = field(&line), *second = field(&line);
	const char *third = field(&line);

	if (!strcmp(verb, "load"))
		load(first, second);
	else if (!strcmp(verb, "section"))
		send_section(first, second);
	else if (!strcmp(verb, "tables"))
		send_tables(first, second);
	else if (!strcmp(verb, "release"))
		release();
	else if (!strcmp(verb, "memory"))
		send_between(first, second, third);
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;
	FILE *plan;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	plan = fopen("/plan", "re");
	if (plan && ioperm(DEBUG_CONSOLE, 1, 1) == 0) {
		while (getline(&line, &size, plan) > 0) {
			line[strcspn(line, "\n")] = 0;
			follow(line);
		}
		tell("end\n");
	}
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

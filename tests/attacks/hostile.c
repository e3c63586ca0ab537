/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See hostile.h. */
#include "hostile.h"

#include "../unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MODULE_NAME = 24, TIMEOUT = 120 };

/* Redzones, and memory that is given back late. */
#if defined(__SANITIZE_ADDRESS__)
enum { MEMORY_FACTOR = 4 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { MEMORY_FACTOR = 4 };
#else
enum { MEMORY_FACTOR = 1 };
#endif
#else
enum { MEMORY_FACTOR = 1 };
#endif

static void append(struct kc_buffer *buffer, const void *bytes, size_t len)
{
	assert_int_equal(kc_buffer_append(buffer, bytes, len), 0);
}

static void append_zeros(struct kc_buffer *buffer, size_t len)
{
	static const uint8_t zeros[4096];

	for (; len > sizeof(zeros); len -= sizeof(zeros))
		append(buffer, zeros, sizeof(zeros));
	append(buffer, zeros, len);
}

Elf64_Shdr *hostile_header(struct hostile *hostile, uint32_t section)
{
	return (Elf64_Shdr *)hostile->headers.data + section;
}

uint32_t hostile_section(struct hostile *hostile, const char *name, uint32_t type, uint64_t flags,
			 const void *bytes, size_t len)
{
	Elf64_Shdr header = {
		.sh_type = type, .sh_flags = flags, .sh_size = len, .sh_addralign = 1
	};

	append_zeros(&hostile->file, (8 - hostile->file.len % 8) % 8);
	header.sh_offset = hostile->file.len;
	header.sh_name = (uint32_t)hostile->names.len;
	append(&hostile->names, name, strlen(name) + 1);
	if (bytes)
		append(&hostile->file, bytes, len);
	append(&hostile->headers, &header, sizeof(header));
	return (uint32_t)(hostile->headers.len / sizeof(header) - 1);
}

void hostile_symbol(struct hostile *hostile, uint32_t st_name, uint16_t section)
{
	Elf64_Sym symbol = { .st_name = st_name,
			     .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE),
			     .st_shndx = section };

	append(&hostile->symbols, &symbol, sizeof(symbol));
}

uint32_t hostile_long_string(struct kc_buffer *strings, size_t len)
{
	size_t at = strings->len;

	assert_int_equal(kc_buffer_reserve(strings, at + len + 1), 0);
	memset(strings->data + at, 'a', len);
	strings->data[at + len] = 0;
	strings->len = at + len + 1;
	return (uint32_t)at;
}

void hostile_start(struct hostile *hostile, const struct kocoon_kernel *kernel, const void *modinfo,
		   size_t modinfo_len)
{
	static const Elf64_Sym no_symbol;
	static const Elf64_Shdr no_section;
	size_t size = kocoon_kernel_struct_size(kernel, "module");
	struct kc_buffer texts = { 0 };
	char *module = calloc(1, size);
	char vermagic[512];
	int len =
		snprintf(vermagic, sizeof(vermagic), "vermagic=%s", kocoon_kernel_vermagic(kernel));

	assert_non_null(module);
	strcpy(module + MODULE_NAME, "hostile");
	*hostile = (struct hostile){
		.ehdr = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				       EV_CURRENT },
			  .e_type = ET_REL,
			  .e_machine = EM_X86_64,
			  .e_version = EV_CURRENT,
			  .e_ehsize = sizeof(Elf64_Ehdr),
			  .e_shentsize = sizeof(Elf64_Shdr) },
	};
	append_zeros(&hostile->file, sizeof(Elf64_Ehdr));
	append(&hostile->headers, &no_section, sizeof(no_section));
	append(&hostile->names, "", 1);
	append(&hostile->strings, "", 1);
	append(&hostile->symbols, &no_symbol, sizeof(no_symbol));
	append(&texts, vermagic, (size_t)len + 1);
	append(&texts, "license=GPL", 12);
	append(&texts, modinfo, modinfo_len);
	hostile_section(hostile, ".gnu.linkonce.this_module", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE,
			module, size);
	hostile_section(hostile, ".modinfo", SHT_PROGBITS, SHF_ALLOC, texts.data, texts.len);
	kc_buffer_deinit(&texts);
	free(module);
}

static void write_bytes(const char *path, struct kc_span bytes)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
	assert_int_equal(fclose(file), 0);
}

void hostile_write(struct hostile *hostile, const char *path)
{
	Elf64_Ehdr *ehdr = &hostile->ehdr;
	uint32_t symtab = hostile_section(hostile, ".symtab", SHT_SYMTAB, 0, hostile->symbols.data,
					  hostile->symbols.len);
	uint32_t strtab = hostile_section(hostile, ".strtab", SHT_STRTAB, 0, hostile->strings.data,
					  hostile->strings.len);
	uint32_t names;

	hostile_header(hostile, symtab)->sh_link = strtab;
	append(&hostile->names, "", 1);
	names = hostile_section(hostile, "", SHT_STRTAB, 0, hostile->names.data,
				hostile->names.len);
	hostile_header(hostile, names)->sh_name = 0;
	append_zeros(&hostile->file, (8 - hostile->file.len % 8) % 8);
	if (!ehdr->e_shoff) {
		ehdr->e_shoff = hostile->file.len;
		ehdr->e_shnum = (uint16_t)(hostile->headers.len / sizeof(Elf64_Shdr));
		ehdr->e_shstrndx = (uint16_t)names;
	}
	append(&hostile->file, hostile->headers.data, hostile->headers.len);
	memcpy(hostile->file.data, ehdr, sizeof(*ehdr));
	write_bytes(path, kc_buffer_span(&hostile->file));
	kc_buffer_deinit(&hostile->file);
	kc_buffer_deinit(&hostile->headers);
	kc_buffer_deinit(&hostile->names);
	kc_buffer_deinit(&hostile->strings);
	kc_buffer_deinit(&hostile->symbols);
}

/* ---- what it costs ---- */

static uint64_t status_kib(const char *field)
{
	FILE *status = fopen("/proc/self/status", "re");
	size_t len = strlen(field);
	uint64_t kib = 0;
	char line[256];

	while (status && fgets(line, sizeof(line), status))
		if (!strncmp(line, field, len))
			kib = strtoull(line + len, NULL, 10);
	if (status)
		fclose(status);
	return kib;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* In the child: from now on, the high water mark is its own. */
static void forget_peak(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "5", 1) != 1)
		_exit(3);
	close(fd);
}

static void run_child(attack_fn *run, void *context, int fd)
{
	struct outcome outcome = { 0 };
	uint64_t before;
	double start = now();

	alarm(TIMEOUT);
	forget_peak();
	before = status_kib("VmRSS:");
	run(&outcome, context);
	outcome.seconds = now() - start;
	outcome.kib = status_kib("VmHWM:");
	outcome.kib -= outcome.kib > before ? before : outcome.kib;
	_exit(write(fd, &outcome, sizeof(outcome)) == sizeof(outcome) ? 0 : 4);
}

struct outcome attack(attack_fn *run, void *context)
{
	struct outcome outcome;
	int pipes[2], status;
	ssize_t got;
	pid_t child;

	assert_int_equal(pipe(pipes), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		run_child(run, context, pipes[1]);
	close(pipes[1]);
	got = read(pipes[0], &outcome, sizeof(outcome));
	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status))
		fail_msg("it ends by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(got, sizeof(outcome));
	print_message("# %.3f s, %" PRIu64 " KiB, %zu accepted, %zu refused: %d (%s) %s\n",
		      outcome.seconds, outcome.kib, outcome.accepted, outcome.refused, outcome.err,
		      kocoon_stage_name(outcome.stage), outcome.text);
	return outcome;
}

int note_verdict(const struct kocoon_verdict *verdict, void *context)
{
	struct outcome *outcome = context;

	*(verdict->err ? &outcome->refused : &outcome->accepted) += 1;
	outcome->err = verdict->err;
	outcome->stage = verdict->err ? verdict->stage : KOCOON_STAGE_READ;
	snprintf(outcome->text, sizeof(outcome->text), "%s",
		 verdict->err && verdict->reason ? verdict->reason : "");
	return 0;
}

struct one_module {
	const struct kocoon_kernel *kernel;
	const char *path;
	uint64_t mib; /* that it may take; 0: any */
};

/* On top of what is mapped already. */
static void limit_memory(uint64_t mib)
{
	rlim_t limit = (status_kib("VmSize:") + mib * 1024) * 1024;

	if (mib && MEMORY_FACTOR == 1 && setrlimit(RLIMIT_AS, &(struct rlimit){ limit, limit }))
		_exit(5);
}

static void check_one(struct outcome *outcome, void *context)
{
	const struct one_module *one = context;
	struct kocoon_policy policy = { .size = sizeof(policy), .threads = 1 };
	int err;

	limit_memory(one->mib);
	err = kocoon_check(one->kernel, NULL, &policy, &one->path, 1, note_verdict, outcome);

	if (err)
		outcome->err = err;
}

struct outcome attack_module(const struct kocoon_kernel *kernel, const char *path)
{
	return attack_module_within(kernel, path, 0);
}

struct outcome attack_module_within(const struct kocoon_kernel *kernel, const char *path,
				    uint64_t mib)
{
	struct one_module one = { kernel, path, mib };

	return attack(check_one, &one);
}

void assert_memory(const struct outcome *outcome, uint64_t mib)
{
	assert_in_range(outcome->kib, 0, mib * 1024 * MEMORY_FACTOR);
}

void assert_refused(const struct outcome *outcome, int err, enum kocoon_stage stage,
		    const char *text, uint64_t mib)
{
	assert_int_equal(outcome->err, err);
	assert_string_equal(kocoon_stage_name(outcome->stage), kocoon_stage_name(stage));
	if (!strstr(outcome->text, text))
		fail_msg("'%s' is not in '%s'", text, outcome->text);
	assert_memory(outcome, mib);
}

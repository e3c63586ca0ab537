/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Source lines of places in code, by DWARF, which is read in a process of its own: a module's debug
 * information is as hostile as the module, and larger than anything that is checked before.
 */
#include "kocoon/machine.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "elf/elf.h"
#include "image/image.h"
#include "kernel/kernel.h"
#include "machine/booted.h"
#include "machine/parent.h"
#include "machine/sandbox.h"
#include "module/tree.h"

enum { IMAGES_MAX = 2, ID_MAX = 64, FILE_MAX = 1024, PATIENCE_MSEC = 10000 };
#define MEMORY_MAX (UINT64_C(2) << 30)

/* What the process answers with, all of it or nothing. */
struct answer {
	uint32_t line;
	char file[FILE_MAX]; /* ends in a NUL */
};

/* Where to look, in this order: each has to be of the build of the one before. */
struct question {
	const struct kocoon_place *place;
	bool call;
	char build_id[2 * ID_MAX + 1]; /* of the first; "": any */
	struct kc_span images[IMAGES_MAX]; /* mappings or buffers that may be written */
	size_t count;
};

/* ---- in the process that may be lost ---- */

static int find_no_more(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base,
			const char *file, const char *link, GElf_Word crc, char **path_ret)
{
	(void)module;
	(void)user;
	(void)name;
	(void)base;
	(void)file;
	(void)link;
	(void)crc;
	(void)path_ret;
	return -1;
}

static Dwfl_Module *open_image(struct kc_span image)
{
	static const Dwfl_Callbacks callbacks = {
		.find_debuginfo = find_no_more,
		.section_address = dwfl_offline_section_address,
	};
	Dwfl *dwfl = dwfl_begin(&callbacks);
	Dwfl_Module *module = NULL;

	if (dwfl)
		module = dwfl_report_offline_memory(dwfl, "image", "image",
						    (char *)(uintptr_t)image.data, image.len);
	if (module)
		dwfl_report_end(dwfl, NULL, NULL);
	return module;
}

/*
 * The function of that name and, as far as the kernel knew it, of that size: what lies between it
 * and the next one counts for the kernel.
 */
static bool find_function(Dwfl_Module *module, const struct kocoon_place *place,
			  Dwarf_Addr *address_ret)
{
	int count = dwfl_module_getsymtab(module);
	uint64_t best = 0;
	bool found = false;

	for (int i = 0; i < count; i++) {
		GElf_Sym symbol;
		GElf_Addr address;
		const char *name =
			dwfl_module_getsym_info(module, i, &symbol, &address, NULL, NULL, NULL);

		if (!name || strcmp(name, place->symbol) != 0 || symbol.st_size > place->size ||
		    (found && symbol.st_size < best))
			continue;
		found = true;
		best = symbol.st_size;
		*address_ret = address;
	}
	return found;
}

/* The first one's build is what is asked for, the others' have to be the same. */
static bool is_of_build(Dwfl_Module *module, char *wanted)
{
	const unsigned char *id;
	GElf_Addr address;
	int len = dwfl_module_build_id(module, &id, &address);
	char text[2 * ID_MAX + 1] = "";

	for (int i = 0; i < len && i < ID_MAX; i++)
		snprintf(text + 2 * (size_t)i, 3, "%02x", id[i]);
	if (!*wanted)
		memcpy(wanted, text, sizeof(text));
	return !strcmp(wanted, text);
}

static bool look_up(struct question *question, struct kc_span image, struct answer *answer)
{
	Dwfl_Module *module = open_image(image);
	Dwarf_Addr address;
	Dwfl_Line *line;
	const char *file;
	int number;

	if (!module || !is_of_build(module, question->build_id) ||
	    !find_function(module, question->place, &address))
		return false;
	line = dwfl_module_getsrc(module, address + question->place->offset - question->call);
	file = line ? dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL) : NULL;
	if (!file || number <= 0)
		return false;
	answer->line = (uint32_t)number;
	snprintf(answer->file, sizeof(answer->file), "%s", file);
	return true;
}

/* A system call that the sandbox stops fails: libdw looks for names that it can do without. */
static void fail_call(int signal, siginfo_t *info, void *opaque)
{
	ucontext_t *context = opaque;

	(void)signal;
	(void)info;
	context->uc_mcontext.gregs[REG_RAX] = -ENOSYS;
}

static _Noreturn void answer_and_end(struct question *question, int channel)
{
	const struct sigaction stopped = { .sa_sigaction = fail_call, .sa_flags = SA_SIGINFO };
	const struct rlimit memory = { MEMORY_MAX, MEMORY_MAX };
	struct answer answer = { 0 };
	bool found = false;

	if (sigaction(SIGSYS, &stopped, NULL) || setrlimit(RLIMIT_DATA, &memory) ||
	    kc_sandbox_enter(channel, channel))
		_exit(1);
	for (size_t i = 0; i < question->count && !found; i++)
		found = look_up(question, question->images[i], &answer);
	if (found)
		(void)kc_box_send(channel, &answer, sizeof(answer));
	_exit(0);
}

/* ---- in the parent ---- */

static bool hear(int channel, struct answer *answer)
{
	struct pollfd ready = { .fd = channel, .events = POLLIN };

	return poll(&ready, 1, PATIENCE_MSEC) == 1 &&
	       recv(channel, answer, sizeof(*answer), MSG_WAITALL | MSG_DONTWAIT) ==
		       sizeof(*answer);
}

static bool ask_process(struct question *question, struct answer *answer)
{
	int channels[2];
	bool found = false;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channels))
		return false;
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0)
		answer_and_end(question, channels[1]);
	close(channels[1]);
	if (pid > 0) {
		found = hear(channels[0], answer);
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(channels[0]);
	return found;
}

/* A large file; pages are read when they are looked at. */
static struct kc_span map_file(const char *path)
{
	struct kc_span image = kc_span(NULL, 0);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	void *at = MAP_FAILED;

	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
		at = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (at != MAP_FAILED)
		image = kc_span(at, (size_t)status.st_size);
	if (fd >= 0)
		close(fd);
	return image;
}

/* Whether it is worth a process. */
static bool has_lines(struct kc_span image)
{
	struct kc_elf elf;
	struct kc_span bytes;
	Elf64_Shdr shdr;

	return !kc_elf_open(image, &elf) && kc_elf_find_section(&elf, ".debug_line", &shdr, &bytes);
}

char *kc_kernel_debug_file(const struct kocoon_booted *booted)
{
	static const char *const forms[][2] = { { "/boot/vmlinux-", "" },
						{ "/lib/modules/", "/vmlinux" } };

	for (size_t i = 0; i < KC_ARRAY_SIZE(forms) && booted->debug; i++) {
		char *path;

		if (asprintf(&path, "%s%s%s%s", booted->debug, forms[i][0],
			     kocoon_kernel_release(booted->kernel), forms[i][1]) < 0)
			return NULL;
		if (access(path, R_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static bool ask_kernel(const struct kocoon_booted *booted, struct question *question,
		       struct answer *answer)
{
	char *path = kc_kernel_debug_file(booted);
	bool found = false;

	snprintf(question->build_id, sizeof(question->build_id), "%s",
		 kocoon_kernel_build_id(booted->kernel));
	if (path)
		question->images[0] = map_file(path);
	if (question->images[0].data) {
		question->count = 1;
		found = has_lines(question->images[0]) && ask_process(question, answer);
		munmap((void *)(uintptr_t)question->images[0].data, question->images[0].len);
	}
	free(path);
	return found;
}

/* Of the tree: "kernel/net/x.ko.xz" is "DEBUG/lib/modules/RELEASE/kernel/net/x.ko". NULL: none. */
static char *debug_path(const struct kocoon_booted *booted, const char *path)
{
	size_t folder = booted->tree ? strlen(booted->tree->folder) : 0;
	const char *end = strstr(path, ".ko");
	char *debug;

	if (!folder || !end || strncmp(path, booted->tree->folder, folder) != 0 ||
	    asprintf(&debug, "%s/lib/modules/%s/%.*s", booted->debug,
		     kocoon_kernel_release(booted->kernel), (int)(end + 3 - path - (long)folder),
		     path + folder) < 0)
		return NULL;
	return debug;
}

static const char *file_of(const struct kocoon_machine *machine, const char *name)
{
	for (size_t i = 0; i < machine->file_count; i++)
		if (!strcmp(machine->files[i].name, name))
			return machine->files[i].path;
	return NULL;
}

static bool ask_module(const struct kocoon_machine *machine, struct question *question,
		       struct answer *answer)
{
	static const struct kc_decompressor none = { .format = KC_FORMAT_NONE };
	const char *path = file_of(machine, question->place->module);
	char *debug = path ? debug_path(machine->booted, path) : NULL;
	struct kc_buffer file = { 0 }, unpacked = { 0 };
	struct kc_unpacker unpacker = { 0 };
	struct kc_span other = debug ? map_file(debug) : kc_span(NULL, 0);
	enum kc_format format;
	bool found = false;

	if (path && !kc_read_file(path, KC_MODULE_IMAGE_MAX, &file, NULL) &&
	    !kc_module_decompress(&none, kc_buffer_span(&file), &unpacker, &unpacked, NULL, &format,
				  &question->images[0])) {
		question->images[1] = other;
		question->count = other.data ? 2 : 1;
		found = (has_lines(question->images[0]) || (other.data && has_lines(other))) &&
			ask_process(question, answer);
	}
	if (other.data)
		munmap((void *)(uintptr_t)other.data, other.len);
	kc_unpacker_deinit(&unpacker);
	kc_buffer_deinit(&unpacked);
	kc_buffer_deinit(&file);
	free(debug);
	return found;
}

int kocoon_machine_source(const struct kocoon_machine *machine, const struct kocoon_place *place,
			  bool call, char **file_ret, unsigned int *line_ret)
{
	struct question question = { .place = place, .call = call && place->offset };
	struct answer answer = { 0 };
	char *file;
	bool found;

	if (!place->symbol || !place->size || !machine->booted->debug)
		return -ENOENT;
	found = place->module ? ask_module(machine, &question, &answer)
			      : ask_kernel(machine->booted, &question, &answer);
	answer.file[sizeof(answer.file) - 1] = 0;
	if (!found || !answer.line || !*answer.file)
		return -ENOENT;
	file = strdup(answer.file);
	if (!file)
		return -ENOMEM;
	*file_ret = file;
	*line_ret = answer.line;
	return 0;
}

int kc_note_file(struct kocoon_machine *machine, const char *path)
{
	struct kc_module_file *more =
		reallocarray(machine->files, machine->file_count + 1, sizeof(*more));
	struct kc_module_file *file;

	if (!more)
		return -ENOMEM;
	machine->files = more;
	file = &more[machine->file_count];
	*file = (struct kc_module_file){ kc_tree_module_name(path), strdup(path) };
	if (!file->name || !file->path) {
		free(file->name);
		free(file->path);
		return -ENOMEM;
	}
	machine->file_count++;
	return 0;
}

void kc_free_files(struct kocoon_machine *machine)
{
	for (size_t i = 0; i < machine->file_count; i++) {
		free(machine->files[i].name);
		free(machine->files[i].path);
	}
	free(machine->files);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mutants in live space: the kernel's own exports are supplied by name, and a notifier takes init
 * and exit away when a module is COMING, as the oracle's helper module does. So they are loaded to
 * the end, arguments and folder included, and nothing of theirs runs. An argument that the module's
 * parameter can't take is given to those that have one.
 *
 * Functions that set parameters are found through the module, so damage may lead anywhere: the work
 * is done in a child, and one that dies has died of the mutant that it was at.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "judge.h"
#include "kocoon/live.h"

enum { OTHER_FAILURE = 125, SPACE = 256 << 20, NAME_SIZE = 64 };

/* Offsets in struct module. */
static size_t init_at, exit_at;

struct shared {
	size_t current; /* the mutant that the child is at */
	struct judged judged[];
};

_Noreturn static void fail(const char *what)
{
	fprintf(stderr, "mutants: live: %s\n", what);
	exit(OTHER_FAILURE);
}

/* For what modules import: nothing of them runs. */
_Noreturn static void never_called(void)
{
	abort();
}

/* ---- where init and exit are: the relocations of a stock module tell */

static const Elf64_Sym *symbol(struct edit *edit, uint64_t index)
{
	const Elf64_Shdr *symtab = edit_shdr(edit, edit_symtab(edit));

	return (const Elf64_Sym *)(const void *)(edit->data + symtab->sh_offset) + index;
}

static void find_members(const struct bases *bases)
{
	for (unsigned int i = 0; i < bases->count && (!init_at || !exit_at); i++) {
		struct edit *edit = (struct edit *)(uintptr_t)&bases->all[i].stock;
		unsigned int index = edit_find(edit, ".rela.gnu.linkonce.this_module");
		const Elf64_Shdr *shdr = index ? edit_shdr(edit, index) : NULL;
		const Elf64_Rela *rela = shdr ? (const void *)(edit->data + shdr->sh_offset) : NULL;

		for (size_t j = 0; shdr && j < shdr->sh_size / sizeof(*rela); j++) {
			const char *name =
				edit_symbol_name(edit, symbol(edit, ELF64_R_SYM(rela[j].r_info)));

			if (!strcmp(name, "init_module"))
				init_at = rela[j].r_offset;
			else if (!strcmp(name, "cleanup_module"))
				exit_at = rela[j].r_offset;
		}
	}
	if (!init_at || !exit_at)
		fail("no stock module tells where init and exit are");
}

static int take_init_away(void *context, enum kocoon_module_state event,
			  struct kocoon_loaded *module)
{
	char *this_module = (char *)(uintptr_t)kocoon_loaded_this_module(module);

	(void)context;
	if (event != KOCOON_STATE_COMING)
		return 0;
	memset(this_module + init_at, 0, sizeof(void *));
	memset(this_module + exit_at, 0, sizeof(void *));
	return 0;
}

/* ---- arguments */

/* The name of the parameter whose record has this place, as the stock module has it. */
static bool name_of_record(struct edit *edit, const Elf64_Rela *rela, size_t count, uint64_t record,
			   char *name_ret)
{
	for (size_t i = 0; i < count; i++) {
		const Elf64_Sym *at = symbol(edit, ELF64_R_SYM(rela[i].r_info));
		uint64_t place = at->st_value + (uint64_t)rela[i].r_addend;

		if (rela[i].r_offset != record || at->st_shndx >= edit_ehdr(edit)->e_shnum)
			continue;
		snprintf(name_ret, NAME_SIZE, "%s",
			 (const char *)edit->data + edit_shdr(edit, at->st_shndx)->sh_offset +
				 place);
		return true;
	}
	return false;
}

void live_argument(const struct base *base, char *text_ret, size_t size)
{
	static const char *const numbers[] = { "param_ops_int",	  "param_ops_uint",
					       "param_ops_bool",  "param_ops_ulong",
					       "param_ops_short", "param_ops_ushort" };
	struct edit *edit = (struct edit *)(uintptr_t)&base->stock;
	unsigned int index = edit_find(edit, ".rela__param");
	const Elf64_Shdr *shdr = index ? edit_shdr(edit, index) : NULL;
	const Elf64_Rela *rela = shdr ? (const void *)(edit->data + shdr->sh_offset) : NULL;
	size_t count = shdr ? shdr->sh_size / sizeof(*rela) : 0;
	char name[NAME_SIZE];

	*text_ret = 0;
	for (size_t i = 0; i < count; i++) {
		const char *ops = edit_symbol_name(edit, symbol(edit, ELF64_R_SYM(rela[i].r_info)));

		for (size_t j = 0; j < sizeof(numbers) / sizeof(numbers[0]); j++)
			if (!strcmp(ops, numbers[j]) && rela[i].r_offset >= 16 &&
			    name_of_record(edit, rela, count, rela[i].r_offset - 16, name)) {
				snprintf(text_ret, size, "%s=!", name);
				return;
			}
	}
}

/* ---- the subsystem */

/* All that the kernel exports, but what the library brings along. */
static struct kocoon *new_subsystem(const struct kocoon_kernel *kernel)
{
	struct kocoon_options options = { .size = sizeof(options), .space = SPACE, .cpus = 2 };
	const struct kocoon_export *exports;
	size_t count = kocoon_kernel_exports(kernel, &exports);
	struct kocoon_supply *supplies = calloc(count, sizeof(*supplies));
	struct kocoon *bare, *kocoon;

	if (!supplies || kocoon_new(kernel, &options, NULL, &bare))
		fail("no subsystem");
	for (size_t i = 0; i < count; i++) {
		if (kocoon_symbol_address(bare, exports[i].name))
			continue;
		supplies[options.supply_count++] = (struct kocoon_supply){
			.name = exports[i].name,
			.address = (const void *)(uintptr_t)never_called,
			.ns = exports[i].ns,
			.gpl_only = exports[i].gpl_only,
		};
	}
	kocoon_free(bare);
	options.supplies = supplies;
	if (kocoon_new(kernel, &options, NULL, &kocoon) ||
	    kocoon_register_notifier(kocoon, take_init_away, NULL, -1))
		fail("no subsystem");
	free(supplies);
	return kocoon;
}

static int load(struct kocoon *kocoon, const char *path, const char *args, bool packed,
		struct kocoon_report *report)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		fail(path);
	err = kocoon_finit_module(kocoon, fd, args, packed ? KOCOON_COMPRESSED_FILE : 0, report);
	close(fd);
	return err;
}

static int take_name(struct kocoon_loaded *module, void *name)
{
	snprintf(name, NAME_SIZE, "%s", kocoon_loaded_name(module));
	return 1;
}

static void judge(struct kocoon *kocoon, struct judged *judged)
{
	struct kocoon_report *report = kocoon_report_new();
	const struct kocoon_finding *finding;
	char args[NAME_SIZE * 2], name[NAME_SIZE];

	live_argument(judged->base, args, sizeof(args));
	judged->err = load(kocoon, judged->path, args, judged->packed, report);
	judged->stage = judged->err ? KOCOON_STAGE_KERNEL : -1;
	snprintf(judged->reason, sizeof(judged->reason),
		 judged->err ? "no reason given" : "accepted");
	for (size_t i = 0; judged->err && (finding = kocoon_report_get(report, i)); i++) {
		if (finding->err != judged->err)
			continue;
		judged->stage = (int)finding->stage;
		snprintf(judged->reason, sizeof(judged->reason), "%s", finding->what);
		break;
	}
	kocoon_report_free(report);
	if (!judged->err && kocoon_each_module(kocoon, take_name, name) == 1)
		snprintf(judged->left, sizeof(judged->left), "%d",
			 -kocoon_delete_module(kocoon, name, O_NONBLOCK));
	kocoon_synchronize(kocoon);
}

/* What mutants need stays loaded, as in the kernel. */
static void load_needs(struct kocoon *kocoon, const struct bases *bases)
{
	for (unsigned int i = 0; i < bases->count; i++)
		for (unsigned int j = 0; j < bases->all[i].need_count; j++)
			load(kocoon, bases->all[i].needs[j], "", true, NULL);
}

static void child(struct shared *shared, size_t count, const char *vmlinuz,
		  const struct bases *bases)
{
	struct kocoon_kernel *kernel;
	struct kocoon *kocoon;

	if (kocoon_kernel_open(vmlinuz, NULL, NULL, &kernel))
		fail(vmlinuz);
	kocoon = new_subsystem(kernel);
	load_needs(kocoon, bases);
	for (; shared->current < count; shared->current++)
		judge(kocoon, &shared->judged[shared->current]);
	kocoon_free(kocoon);
	kocoon_kernel_free(kernel);
	exit(0);
}

void live_judge_all(struct batch *batch, const struct place *place, const struct bases *bases)
{
	size_t size = sizeof(struct shared) + batch->count * sizeof(struct judged);
	struct shared *shared =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		fail("no memory");
	find_members(bases);
	memcpy(shared->judged, batch->all, batch->count * sizeof(struct judged));
	while (shared->current < batch->count) {
		struct judged *judged;
		pid_t pid = fork();
		int status;

		if (!pid)
			child(shared, batch->count, place->vmlinuz, bases);
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			fail("no child");
		if (WIFEXITED(status) && WEXITSTATUS(status))
			exit(2);
		if (shared->current == batch->count)
			break;
		judged = &shared->judged[shared->current++];
		judged->err = -1;
		judged->died = true;
		snprintf(judged->reason, sizeof(judged->reason), "signal %d", WTERMSIG(status));
	}
	memcpy(batch->all, shared->judged, batch->count * sizeof(struct judged));
	munmap(shared, size);
}

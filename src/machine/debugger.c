/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What gdb needs to know of a machine: a file with the kernel's symbols where they are, the modules
 * as they were loaded, with the addresses of their sections, and a script that attaches. In the
 * script are names that can mean nothing else to gdb; what the machine tells is not in it.
 */
#include "kocoon/machine.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "elf/elf.h"
#include "image/image.h"
#include "kernel/kernel.h"
#include "machine/booted.h"
#include "machine/machine.h"
#include "machine/parent.h"

/* ---- the kernel's symbols ---- */

enum { SECTION_TEXT = 1, SECTION_SYMBOLS, SECTION_STRINGS, SECTION_NAMES, SECTIONS };

static const char section_names[] = "\0.text\0.symtab\0.strtab\0.shstrtab";

enum { NAME_TEXT = 1, NAME_SYMBOLS = 7, NAME_STRINGS = 15, NAME_NAMES = 23 };

static Elf64_Sym make_symbol(const struct kocoon_symbol *symbol, uint64_t end, uint64_t name)
{
	bool code = symbol->type == 't' || symbol->type == 'T' || symbol->type == 'w' ||
		    symbol->type == 'W';

	return (Elf64_Sym){
		.st_name = (uint32_t)name,
		.st_info = ELF64_ST_INFO(STB_GLOBAL, code ? STT_FUNC : STT_OBJECT),
		.st_shndx = code ? SECTION_TEXT : SHN_ABS,
		.st_value = symbol->address + KC_RAM_BASE - KC_LINK_BASE,
		.st_size = code ? end - symbol->address : 0,
	};
}

/* Those that are addresses; `count_ret` is how many, `strings` their names. */
static int collect(const struct kocoon_kernel *kernel, struct kc_buffer *symbols,
		   struct kc_buffer *strings, uint64_t *end_ret)
{
	const Elf64_Sym none = { 0 };
	const struct kocoon_symbol *all;
	size_t count = kocoon_kernel_symbols(kernel, &all);
	int err = kc_buffer_append(symbols, &none, sizeof(none));

	if (!err)
		err = kc_buffer_append(strings, "", 1);
	for (size_t i = 0; i + 1 < count && !err; i++) {
		Elf64_Sym symbol;

		if (all[i].address < KC_LINK_BASE)
			continue;
		symbol = make_symbol(&all[i], all[i + 1].address, strings->len);
		*end_ret = all[i + 1].address + KC_RAM_BASE - KC_LINK_BASE;
		err = kc_buffer_append(symbols, &symbol, sizeof(symbol));
		if (!err)
			err = kc_buffer_append(strings, all[i].name, strlen(all[i].name) + 1);
	}
	return err;
}

static void make_sections(const struct kc_buffer *symbols, const struct kc_buffer *strings,
			  uint64_t end, Elf64_Shdr *sections)
{
	uint64_t at = sizeof(Elf64_Ehdr) + SECTIONS * sizeof(Elf64_Shdr);

	sections[SECTION_TEXT] = (Elf64_Shdr){ .sh_name = NAME_TEXT,
					       .sh_type = SHT_NOBITS,
					       .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
					       .sh_addr = KC_RAM_BASE,
					       .sh_offset = at,
					       .sh_size = end - KC_RAM_BASE,
					       .sh_addralign = 16 };
	sections[SECTION_SYMBOLS] = (Elf64_Shdr){ .sh_name = NAME_SYMBOLS,
						  .sh_type = SHT_SYMTAB,
						  .sh_offset = at,
						  .sh_size = symbols->len,
						  .sh_link = SECTION_STRINGS,
						  .sh_info = 1,
						  .sh_addralign = 8,
						  .sh_entsize = sizeof(Elf64_Sym) };
	sections[SECTION_STRINGS] = (Elf64_Shdr){ .sh_name = NAME_STRINGS,
						  .sh_type = SHT_STRTAB,
						  .sh_offset = at + symbols->len,
						  .sh_size = strings->len,
						  .sh_addralign = 1 };
	sections[SECTION_NAMES] = (Elf64_Shdr){ .sh_name = NAME_NAMES,
						.sh_type = SHT_STRTAB,
						.sh_offset = at + symbols->len + strings->len,
						.sh_size = sizeof(section_names),
						.sh_addralign = 1 };
}

static int write_all(FILE *file, const void *bytes, size_t len)
{
	return fwrite(bytes, 1, len, file) == len ? 0 : -EIO;
}

/* A new file; NULL, with errno. */
static FILE *create(const char *folder, const char *name)
{
	char *path;
	FILE *file;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return NULL;
	file = fopen(path, "wxe");
	free(path);
	return file;
}

static int finish(FILE *file, int err)
{
	return fclose(file) && !err ? -EIO : err;
}

static int write_symbols(FILE *file, const struct kc_buffer *symbols,
			 const struct kc_buffer *strings, uint64_t end)
{
	const Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_shoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = SECTIONS,
		.e_shstrndx = SECTION_NAMES,
	};
	Elf64_Shdr sections[SECTIONS] = { 0 };
	int err = write_all(file, &header, sizeof(header));

	make_sections(symbols, strings, end, sections);
	if (!err)
		err = write_all(file, sections, sizeof(sections));
	if (!err)
		err = write_all(file, symbols->data, symbols->len);
	if (!err)
		err = write_all(file, strings->data, strings->len);
	return err ? err : write_all(file, section_names, sizeof(section_names));
}

static int make_kernel(const struct kocoon_booted *booted, const char *folder)
{
	struct kc_buffer symbols = { 0 }, strings = { 0 };
	uint64_t end = KC_RAM_BASE;
	FILE *file = create(folder, "kernel");
	int err = file ? collect(booted->kernel, &symbols, &strings, &end) : -errno;

	if (!err)
		err = write_symbols(file, &symbols, &strings, end);
	kc_buffer_deinit(&symbols);
	kc_buffer_deinit(&strings);
	return file ? finish(file, err) : err;
}

/* ---- modules ---- */

/* A word for gdb that is nothing but itself, and a file's name that stays in its folder. */
static bool is_plain(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._$-";

	return *name && *name != '-' && strcmp(name, "..") != 0 && !name[strspn(name, plain)];
}

/* Sections of a module, as /sys/module/NAME/sections has them. */
struct sections {
	struct {
		char *name;
		uint64_t address;
	} * all;
	size_t count;
};

static int take_section(void *context, char type, const char *name)
{
	struct sections *sections = context;
	void *more = reallocarray(sections->all, sections->count + 1, sizeof(*sections->all));

	(void)type;
	if (!more)
		return -ENOMEM;
	sections->all = more;
	sections->all[sections->count].name = strdup(name);
	sections->all[sections->count].address = 0;
	if (!sections->all[sections->count].name)
		return -ENOMEM;
	sections->count++;
	return 0;
}

static uint64_t section_address(struct kocoon_machine *machine, const char *folder,
				const char *section)
{
	char *path, *text;
	uint64_t address;
	size_t len;
	int err;

	if (asprintf(&path, "%s/%s", folder, section) < 0)
		return 0;
	err = kocoon_machine_read(machine, path, &text, &len);
	free(path);
	if (err)
		return 0;
	address = strtoull(text, NULL, 16);
	free(text);
	return address;
}

/* Whether its init is over, and the memory for that given back. */
static bool is_live(struct kocoon_machine *machine, const char *module)
{
	char *path, *text;
	bool live = false;
	size_t len;

	if (asprintf(&path, "/sys/module/%s/initstate", module) < 0)
		return false;
	if (!kocoon_machine_read(machine, path, &text, &len)) {
		live = !strcmp(text, "live\n");
		free(text);
	}
	free(path);
	return live;
}

static int find_sections(struct kocoon_machine *machine, const char *module,
			 struct sections *sections)
{
	bool live = is_live(machine, module);
	char *folder;
	int err;

	if (asprintf(&folder, "/sys/module/%s/sections", module) < 0)
		return -ENOMEM;
	err = kocoon_machine_list(machine, folder, take_section, sections);
	for (size_t i = 0; i < sections->count && !err; i++)
		if (!live || strncmp(sections->all[i].name, ".init", 5) != 0)
			sections->all[i].address =
				section_address(machine, folder, sections->all[i].name);
	free(folder);
	return err;
}

static uint64_t find_address(const struct sections *sections, const char *name)
{
	for (size_t i = 0; i < sections->count; i++)
		if (!strcmp(sections->all[i].name, name))
			return sections->all[i].address;
	return 0;
}

/*
 * Writes where a section is into its header. gdb, told of sections' addresses beside the file,
 * takes all debug information for that of the first one.
 */
static void place_sections(uint8_t *image, size_t len, const struct sections *sections)
{
	struct kc_elf elf;
	Elf64_Shdr shdr;

	if (kc_elf_open(kc_span(image, len), &elf))
		return;
	for (uint64_t i = 0; kc_elf_shdr(elf.sections, i, &shdr); i++) {
		const char *name = kc_span_string(elf.names, shdr.sh_name);
		size_t at = (size_t)(elf.sections.data - image) + i * sizeof(shdr);

		if (name && shdr.sh_flags & SHF_ALLOC)
			kc_store64(image + at + offsetof(Elf64_Shdr, sh_addr),
				   find_address(sections, name));
	}
}

static int write_module(const char *path, const char *folder, const char *name,
			const struct sections *sections)
{
	static const struct kc_decompressor none = { .format = KC_FORMAT_NONE };
	struct kc_buffer file = { 0 }, unpacked = { 0 };
	struct kc_unpacker unpacker = { 0 };
	struct kc_span image = kc_span(NULL, 0);
	enum kc_format format;
	FILE *copy = NULL;
	int err = kc_read_file(path, KC_MODULE_IMAGE_MAX, &file, NULL);

	if (!err)
		err = kc_module_decompress(&none, kc_buffer_span(&file), &unpacker, &unpacked, NULL,
					   &format, &image);
	if (!err) {
		/* It is one of the two buffers. */
		place_sections((uint8_t *)(uintptr_t)image.data, image.len, sections);
		copy = create(folder, name);
		err = copy ? write_all(copy, image.data, image.len) : -errno;
	}
	kc_unpacker_deinit(&unpacker);
	kc_buffer_deinit(&unpacked);
	kc_buffer_deinit(&file);
	return copy ? finish(copy, err) : err;
}

static int add_module(struct kocoon_machine *machine, const struct kc_module_file *module,
		      const char *folder, FILE *script)
{
	struct sections sections = { 0 };
	char *name = NULL;
	int err;

	if (!is_plain(module->name))
		return 0;
	err = find_sections(machine, module->name, &sections);
	if (!err && asprintf(&name, "%s.ko", module->name) < 0)
		err = -ENOMEM;
	if (!err)
		err = write_module(module->path, folder, name, &sections);
	if (!err)
		fprintf(script, "add-symbol-file %s/%s\n", folder, name);
	for (size_t i = 0; i < sections.count; i++)
		free(sections.all[i].name);
	free(sections.all);
	free(name);
	/* It is not loaded, or its file has gone, or another module had its name before. */
	return err == -ENOENT || err == -EEXIST ? 0 : err;
}

/* ---- the script ---- */

/* Debug information of the kernel where it is at hand, or else what the image itself tells. */
static int add_kernel(struct kocoon_machine *machine, const char *folder, FILE *script)
{
	char *debug = kc_kernel_debug_file(machine->booted);
	int err = 0;

	if (debug) {
		fprintf(script, "add-symbol-file %s -o 0x%" PRIx64 "\n", debug,
			KC_RAM_BASE - KC_LINK_BASE);
	} else {
		err = make_kernel(machine->booted, folder);
		fprintf(script, "add-symbol-file %s/kernel\n", folder);
	}
	free(debug);
	return err;
}

/* gdb takes words apart at blanks and quotes. */
static bool is_path_for_gdb(const char *path)
{
	return *path == '/' && !strpbrk(path, " \t\n\\'\"");
}

int kocoon_machine_debug(struct kocoon_machine *machine, const char *folder)
{
	const struct kc_span none = kc_span("", 0);
	struct kc_done done;
	FILE *script;
	int err;

	if (!machine->process.pid)
		return -EHOSTDOWN;
	if (!is_path_for_gdb(folder))
		return -EINVAL;
	kc_process_start_clock(&machine->process);
	err = kc_ask(machine, KC_ASK_SHOW, none, none, &done);
	if (err)
		return err;
	script = create(folder, "attach");
	if (!script)
		return -errno;
	/* The unit that maps pages works by SIGSEGV, and the clock by SIGVTALRM. */
	fprintf(script,
		"set confirm off\n"
		"set pagination off\n"
		"set sysroot /\n"
		"handle SIGSEGV SIGBUS SIGILL SIGFPE SIGVTALRM SIGUSR1 SIGSYS nostop noprint pass\n"
		"attach %d\n",
		(int)machine->process.pid);
	err = add_kernel(machine, folder, script);
	for (size_t i = 0; i < machine->file_count && !err; i++)
		err = add_module(machine, &machine->files[i], folder, script);
	return finish(script, err);
}

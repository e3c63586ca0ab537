/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Seeds by the builders of the unit tests, and a stock kernel cut down; see seeds.h. */
#include "../unit/unit.h"

#include "seeds.h"

#include <string.h>

#include "../unit/build_signature.h"
#include "../unit/build_vmlinux.h"
#include "../unit/build_xz.h"
#include "../unit/compress.h"

enum {
	PART_MAX = 6000,
	RODATA_MAX = 20000,
	PARTS_MAX = 16,
	NAMES = 512,
	BODY = 3000,
	SIGNED_LEN = 1024,
	PACKED_MAX = 20000
};

/* ---- kernels and symbol tables */

static const struct {
	const char *name;
	struct vmlinux_recipe recipe;
} kernels[] = {
	{ "plain", { 0 } },
	{ "pointers", { .pointers = true } },
	{ "no-namespaces", { .pointers = true, .no_namespaces = true } },
	{ "wide-crcs", { .wide_crcs = true } },
	{ "no-crcs", { .no_crcs = true } },
	{ "no-section-names", { .no_section_names = true } },
	{ "no-kallsyms", { .no_kallsyms = true } },
	{ "old-order", { .old_order = true } },
	{ "unsigned", { .form = KC_KALLSYMS_UNSIGNED } },
	{ "absolute", { .form = KC_KALLSYMS_ABSOLUTE } },
	{ "no-by-name", { .no_by_name = true } },
	{ "functions-only", { .functions_only = true } },
	{ "no-btf", { .no_btf = true } },
	{ "sig-enforce", { .sig_enforce = true } },
};

/* The read-only data without the text, which stands before it. */
static void save_kallsyms(const char *name, struct kc_span file)
{
	struct kc_vmlinux vmlinux;
	struct kc_span bytes;
	uint64_t address;

	if (kc_vmlinux_open(file, NULL, &vmlinux) ||
	    !kc_vmlinux_rodata(&vmlinux, 0, &address, &bytes))
		exit(2);
	if (address % 8 == 0)
		save("kallsyms", name, bytes.data, bytes.len);
}

static void save_kernels(void)
{
	for (size_t i = 0; i < KC_ARRAY_SIZE(kernels); i++) {
		struct kc_buffer file = build_vmlinux(&kernels[i].recipe);

		save("kernel", kernels[i].name, file.data, file.len);
		if (!kernels[i].recipe.no_kallsyms)
			save_kallsyms(kernels[i].name, kc_buffer_span(&file));
		kc_buffer_deinit(&file);
	}
}

static void save_bzimages(void)
{
	const struct vmlinux_recipe recipe = { .no_kallsyms = true };
	struct kc_buffer file = build_vmlinux(&recipe);

	for (size_t i = 0; i < KC_ARRAY_SIZE(packers); i++) {
		struct kc_buffer packed = pack(&packers[i], kc_buffer_span(&file));
		struct kc_buffer image = build_bzimage(kc_buffer_span(&packed), (uint32_t)file.len);
		char name[32];

		snprintf(name, sizeof(name), "bzimage-%s", kc_format_name(packers[i].format));
		save("kernel", name, image.data, image.len);
		kc_buffer_deinit(&image);
		kc_buffer_deinit(&packed);
	}
	kc_buffer_deinit(&file);
}

/* ---- streams */

static void save_streams(void)
{
	const struct vmlinux_recipe recipe = { .no_kallsyms = true };
	struct kc_buffer file = build_vmlinux(&recipe);
	struct kc_span body = kc_span(file.data, BODY);

	for (size_t i = 0; i < KC_ARRAY_SIZE(packers); i++) {
		struct kc_buffer packed = pack(&packers[i], body);
		char name[64];

		for (uint8_t how = 0; how < 6; how++) {
			snprintf(name, sizeof(name), "%s-%u", kc_format_name(packers[i].format),
				 how);
			save_behind("decompress", name, how, packed.data, packed.len);
		}
		kc_buffer_deinit(&packed);
	}
	for (size_t i = 0; i < xz_case_count; i++) {
		struct kc_buffer made = xz_cases[i].make(kc_buffer_span(&file));
		char name[64];

		snprintf(name, sizeof(name), "xz-%s", xz_cases[i].name);
		/* Some hold a whole dictionary's worth. */
		if (made.len < PACKED_MAX)
			save_behind("decompress", name, (uint8_t)(i % 2), made.data, made.len);
		kc_buffer_deinit(&made);
	}
	kc_buffer_deinit(&file);
}

/* ---- messages */

static void save_messages(void)
{
	/* Some messages hold the beginning of it. */
	static const char bytes[SIGNED_LEN] = "the module";
	struct kc_span module = kc_span(bytes, sizeof(bytes));

	make_signing_keys();
	for (size_t i = 0; i < recipe_count; i++) {
		struct kc_buffer message, file;
		char name[128];

		file = sign_module(&recipes[i], module);
		snprintf(name, sizeof(name), "file-%zu", i);
		if (file.len < PART_MAX)
			save_behind("signature", name, (uint8_t)(i % 8 * 2), file.data, file.len);
		kc_buffer_deinit(&file);
		if (recipes[i].defect == UNSIGNED)
			continue;
		message = build_message(&recipes[i], module);
		snprintf(name, sizeof(name), "message-%zu", i);
		save_behind("signature", name, (uint8_t)(1 | i % 8 * 2), message.data, message.len);
		kc_buffer_deinit(&message);
	}
	free_signing_keys();
}

void save_built(void)
{
	save_kernels();
	save_bzimages();
	save_streams();
	save_messages();
}

/* ---- the stock kernel */

struct cut {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdrs[PARTS_MAX];
	Elf64_Shdr shdrs[PARTS_MAX + 2];
	char names[NAMES];
	size_t names_len;
	struct kc_buffer bytes;
};

static uint32_t add_name(struct cut *cut, const char *name)
{
	uint32_t place = (uint32_t)cut->names_len;

	memcpy(cut->names + place, name, strlen(name) + 1);
	cut->names_len += strlen(name) + 1;
	return place;
}

static void add_part(struct cut *cut, const struct kc_elf *elf, const char *name, size_t most)
{
	struct kc_span bytes;
	Elf64_Shdr shdr;

	if (!kc_elf_find_section(elf, name, &shdr, &bytes) || !bytes.len)
		return;
	bytes.len = bytes.len < most ? bytes.len : most;
	cut->phdrs[cut->ehdr.e_phnum++] = (Elf64_Phdr){ .p_type = PT_LOAD,
							.p_offset = cut->bytes.len,
							.p_vaddr = shdr.sh_addr,
							.p_filesz = bytes.len,
							.p_memsz = bytes.len };
	shdr.sh_name = add_name(cut, name);
	shdr.sh_offset = cut->bytes.len;
	shdr.sh_size = bytes.len;
	cut->shdrs[cut->ehdr.e_shnum++] = shdr;
	append(&cut->bytes, bytes.data, bytes.len);
}

static void write_cut(struct cut *cut)
{
	const size_t tables = sizeof(cut->ehdr) + sizeof(cut->phdrs) + sizeof(cut->shdrs);
	struct kc_buffer file = { 0 };

	cut->shdrs[cut->ehdr.e_shnum] = (Elf64_Shdr){ .sh_name = add_name(cut, ".shstrtab"),
						      .sh_type = SHT_STRTAB,
						      .sh_offset = cut->bytes.len,
						      .sh_size = cut->names_len };
	append(&cut->bytes, cut->names, cut->names_len);
	cut->ehdr.e_shstrndx = cut->ehdr.e_shnum++;
	for (size_t i = 0; i < cut->ehdr.e_phnum; i++)
		cut->phdrs[i].p_offset += tables;
	for (size_t i = 1; i < cut->ehdr.e_shnum; i++)
		cut->shdrs[i].sh_offset += tables;
	append(&file, &cut->ehdr, sizeof(cut->ehdr));
	append(&file, cut->phdrs, sizeof(cut->phdrs));
	append(&file, cut->shdrs, sizeof(cut->shdrs));
	append(&file, cut->bytes.data, cut->bytes.len);
	save("kernel", "stock-cut", file.data, file.len);
	kc_buffer_deinit(&file);
}

void save_stock_kernel(const struct kocoon_kernel *kernel)
{
	static const char *const names[] = { ".text",	  "__ksymtab",	   "__ksymtab_gpl",
					     "__kcrctab", "__kcrctab_gpl", "__ksymtab_strings",
					     "__param",	  "__modver",	   ".notes",
					     "__ex_table" };
	const struct kc_elf *elf = &kernel->vmlinux.elf;
	struct cut cut = { .names_len = 1 };

	cut.ehdr.e_type = elf->ehdr.type;
	memcpy(cut.ehdr.e_ident, elf->ehdr.ident, EI_NIDENT);
	cut.ehdr.e_machine = elf->ehdr.machine;
	cut.ehdr.e_phoff = sizeof(cut.ehdr);
	cut.ehdr.e_phentsize = sizeof(Elf64_Phdr);
	cut.ehdr.e_shoff = sizeof(cut.ehdr) + sizeof(cut.phdrs);
	cut.ehdr.e_shentsize = sizeof(Elf64_Shdr);
	cut.ehdr.e_shnum = 1;
	add_part(&cut, elf, ".rodata", RODATA_MAX);
	for (size_t i = 0; i < KC_ARRAY_SIZE(names); i++)
		add_part(&cut, elf, names[i], PART_MAX);
	write_cut(&cut);
	kc_buffer_deinit(&cut.bytes);
}

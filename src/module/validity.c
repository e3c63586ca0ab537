/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ELF validity: what the kernel demands of a module's file before it looks at its contents, in its
 * order (elf_validity_cache_copy() of kernel/module/main.c; elf_validity_check() and
 * setup_load_info() of older kernels).
 *
 * Consumes the image without its signature. Produces section headers, indices, names. Two orders of
 * checks exist among kernels; which one this kernel has is probed for (behaviour.validity_split).
 * All refusals are -ENOEXEC.
 */
#include "module/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define REFUSE(load, ...) kc_finding((load)->report, KOCOON_STAGE_ELF, -ENOEXEC, __VA_ARGS__)

static const char cut_short[] = "the file looks cut short or overwritten: copy or build it again";

static uint32_t find(const struct kc_load *load, const char *name, uint64_t flags)
{
	for (uint32_t i = 1; i < load->ehdr.shnum; i++)
		if ((load->sections[i].shdr.sh_flags & flags) == flags &&
		    strcmp(load->sections[i].name, name) == 0)
			return i;
	return 0;
}

uint32_t kc_find_sec(const struct kc_load *load, const char *name)
{
	return find(load, name, SHF_ALLOC);
}

uint32_t kc_find_any_sec(const struct kc_load *load, const char *name)
{
	return find(load, name, 0);
}

static unsigned int count_sections(const struct kc_load *load, const char *name)
{
	unsigned int count = 0;

	for (uint32_t i = 1; i < load->ehdr.shnum; i++)
		count += strcmp(load->sections[i].name, name) == 0;
	return count;
}

static int check_ehdr(struct kc_load *load)
{
	const struct kc_ehdr *ehdr = &load->ehdr;

	if (!kc_elf_ehdr(load->image, &load->ehdr)) {
		REFUSE(load, "the file is too short for an ELF header");
		kc_expected(load->report, "at least %zu bytes", sizeof(Elf64_Ehdr));
		kc_found(load->report, "%zu", load->image.len);
		kc_hint(load->report, "%s", cut_short);
		return -ENOEXEC;
	}
	if (memcmp(ehdr->ident, ELFMAG, SELFMAG) != 0) {
		REFUSE(load, "not an ELF file: wrong magic");
		kc_expected(load->report, "7f 45 4c 46");
		kc_found(load->report, "%02x %02x %02x %02x", ehdr->ident[0], ehdr->ident[1],
			 ehdr->ident[2], ehdr->ident[3]);
		kc_hint(load->report, "is it compressed by something that the kernel does not "
				      "know, or no module at all?");
		return -ENOEXEC;
	}
	if (ehdr->type != ET_REL) {
		REFUSE(load, "not a relocatable object");
		kc_expected(load->report, "ELF type %u (ET_REL)", ET_REL);
		kc_found(load->report, "%u", ehdr->type);
		kc_hint(load->report, "a module is an object file, not a program or library");
		return -ENOEXEC;
	}
	if (ehdr->machine != load->arch->machine) {
		REFUSE(load, "built for another architecture");
		kc_expected(load->report, "ELF machine %u (%s)", load->arch->machine,
			    load->arch->name);
		kc_found(load->report, "%u", ehdr->machine);
		kc_hint(load->report,
			"build it for %s, or check it against a kernel of its own "
			"architecture",
			load->arch->name);
		return -ENOEXEC;
	}
	return 0;
}

/* Finds the section header table and copies it. */
static int read_section_headers(struct kc_load *load)
{
	const struct kc_ehdr *ehdr = &load->ehdr;
	struct kc_span table;

	if (ehdr->shentsize != sizeof(Elf64_Shdr)) {
		REFUSE(load, "wrong size of section headers");
		kc_expected(load->report, "%zu", sizeof(Elf64_Shdr));
		kc_found(load->report, "%u", ehdr->shentsize);
		return -ENOEXEC;
	}
	if (ehdr->shoff >= load->image.len ||
	    !kc_span_sub(load->image, ehdr->shoff, (uint64_t)ehdr->shnum * sizeof(Elf64_Shdr),
			 &table)) {
		REFUSE(load, "the section header table reaches behind the end of the file");
		kc_expected(load->report, "at most %zu bytes", load->image.len);
		kc_found(load->report, "%u headers at offset %#" PRIx64, ehdr->shnum, ehdr->shoff);
		kc_hint(load->report, "%s", cut_short);
		return -ENOEXEC;
	}
	/* Differs from Linux: a file without any section header has no header 0 to be looked at. */
	if (!ehdr->shnum) {
		REFUSE(load, "the file has no section headers");
		return -ENOEXEC;
	}
	load->sections = calloc(ehdr->shnum, sizeof(*load->sections));
	if (!load->sections)
		return kc_finding(load->report, KOCOON_STAGE_ELF, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < ehdr->shnum; i++) {
		struct kc_section *section = &load->sections[i];

		if (!kc_elf_shdr(table, i, &section->shdr))
			return -ENOEXEC;
		section->file_flags = section->shdr.sh_flags;
		section->name = "";
		if (section->shdr.sh_type != SHT_NOBITS &&
		    !kc_span_sub(load->image, section->shdr.sh_offset, section->shdr.sh_size,
				 &section->file))
			section->file = kc_span(NULL, 0);
	}
	return 0;
}

static int check_section_zero(struct kc_load *load)
{
	const Elf64_Shdr *shdr = &load->sections[0].shdr;

	if (shdr->sh_type == SHT_NULL && shdr->sh_size == 0 && shdr->sh_addr == 0)
		return 0;
	REFUSE(load, "section 0 is not empty");
	kc_expected(load->report, "type 0, size 0, address 0");
	kc_found(load->report, "type %u, size %#" PRIx64 ", address %#" PRIx64, shdr->sh_type,
		 shdr->sh_size, shdr->sh_addr);
	return -ENOEXEC;
}

static int check_section_bounds(struct kc_load *load, uint32_t index)
{
	const Elf64_Shdr *shdr = &load->sections[index].shdr;

	if (kc_span_contains(load->image, shdr->sh_offset, shdr->sh_size))
		return 0;
	REFUSE(load, "section %u (type %u) reaches behind the end of the file", index,
	       shdr->sh_type);
	kc_expected(load->report, "at most %#zx", load->image.len);
	kc_found(load->report, "offset %#" PRIx64 " and size %#" PRIx64, shdr->sh_offset,
		 shdr->sh_size);
	kc_hint(load->report, "%s", cut_short);
	return -ENOEXEC;
}

static bool has_contents(const Elf64_Shdr *shdr)
{
	return shdr->sh_type != SHT_NULL && shdr->sh_type != SHT_NOBITS;
}

static int check_shstrndx(struct kc_load *load)
{
	const struct kc_ehdr *ehdr = &load->ehdr;

	if (ehdr->shstrndx != SHN_UNDEF && ehdr->shstrndx < ehdr->shnum)
		return 0;
	REFUSE(load, "no such section name table");
	kc_expected(load->report, "a section index from 1 to %u", ehdr->shnum - 1);
	kc_found(load->report, "%u", ehdr->shstrndx);
	return -ENOEXEC;
}

/* The table is not empty and ends in a NUL, so that every name in it ends. */
static int check_name_table(struct kc_load *load, struct kc_span *names_ret)
{
	const Elf64_Shdr *shdr = &load->sections[load->ehdr.shstrndx].shdr;
	struct kc_span names = kc_span(NULL, 0);

	if (shdr->sh_size == 0)
		return REFUSE(load, "the section name table is empty");
	/* Differs from Linux: a table of type SHT_NOBITS has no offset that anybody checked. */
	if (!kc_span_sub(load->image, shdr->sh_offset, shdr->sh_size, &names))
		return check_section_bounds(load, load->ehdr.shstrndx);
	if (names.data[names.len - 1] != 0) {
		REFUSE(load, "the section name table doesn't end in a NUL");
		kc_found(load->report, "%#x", names.data[names.len - 1]);
		return -ENOEXEC;
	}
	*names_ret = names;
	return 0;
}

static int bad_name(struct kc_load *load, uint32_t index, struct kc_span names)
{
	REFUSE(load, "the name of section %u (type %u) is outside of the section name table", index,
	       load->sections[index].shdr.sh_type);
	kc_expected(load->report, "an offset below %#zx", names.len);
	kc_found(load->report, "%#x", load->sections[index].shdr.sh_name);
	return -ENOEXEC;
}

/*
 * The table ends in a NUL, so every name in it does. Differs from Linux: where a kernel does not
 * look at a name that is out of bounds, the section has none; and names that overlap so much that
 * there is more of them than KC_NAMES_MAX are refused.
 */
static int set_names(struct kc_load *load, struct kc_span names)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < load->ehdr.shnum; i++) {
		uint32_t at = load->sections[i].shdr.sh_name;

		if (at >= names.len)
			continue;
		load->sections[i].name = (const char *)names.data + at;
		total += strlen(load->sections[i].name) + 1;
		if (total > KC_NAMES_MAX)
			return kc_too_much(load, KOCOON_STAGE_ELF, "names of sections");
	}
	return 0;
}

static int check_secstrings(struct kc_load *load)
{
	struct kc_span names = kc_span(NULL, 0);
	int err = check_shstrndx(load);

	if (err)
		return err;
	if (load->behaviour->validity_name_type &&
	    load->sections[load->ehdr.shstrndx].shdr.sh_type != SHT_STRTAB) {
		REFUSE(load, "the section name table (section %u) is no string table",
		       load->ehdr.shstrndx);
		kc_expected(load->report, "type %u (SHT_STRTAB)", SHT_STRTAB);
		kc_found(load->report, "%u", load->sections[load->ehdr.shstrndx].shdr.sh_type);
		return -ENOEXEC;
	}
	err = check_name_table(load, &names);
	if (err)
		return err;
	for (uint32_t i = 0; i < load->ehdr.shnum; i++)
		if (load->sections[i].shdr.sh_type != SHT_NULL &&
		    load->sections[i].shdr.sh_name >= names.len)
			return bad_name(load, i, names);
	return set_names(load, names);
}

static int check_this_module_shape(struct kc_load *load, uint32_t index)
{
	const Elf64_Shdr *shdr = &load->sections[index].shdr;
	uint32_t wanted = load->abi->module_size;

	if (shdr->sh_type == SHT_NOBITS)
		return REFUSE(load, ".gnu.linkonce.this_module has no contents (SHT_NOBITS)");
	if (!(shdr->sh_flags & SHF_ALLOC))
		return REFUSE(load, ".gnu.linkonce.this_module is not to be loaded (no SHF_ALLOC)");
	if (wanted && shdr->sh_size != wanted) {
		REFUSE(load, "the module's struct module is not of this kernel's size");
		kc_expected(load->report, "%u bytes", wanted);
		kc_found(load->report, "%" PRIu64, shdr->sh_size);
		kc_hint(load->report,
			"the module was built for a kernel with another configuration or version: "
			"build it against the headers of %s",
			kocoon_kernel_release(load->kernel));
		return -ENOEXEC;
	}
	return 0;
}

static int find_this_module(struct kc_load *load)
{
	unsigned int count = count_sections(load, ".gnu.linkonce.this_module");
	uint32_t index = kc_find_any_sec(load, ".gnu.linkonce.this_module");

	if (load->behaviour->validity_split ? count != 1 : count == 0) {
		REFUSE(load, "there has to be one section .gnu.linkonce.this_module");
		kc_found(load->report, "%u of them", count);
		kc_hint(load->report, count ? "link the module once, by Kbuild"
					    : "this is an object file, but no kernel module: use "
					      "the .ko that Kbuild makes");
		return -ENOEXEC;
	}
	load->index.mod = index;
	return load->behaviour->validity_this_module ? check_this_module_shape(load, index) : 0;
}

/* Older kernels look for the section among those with SHF_ALLOC, and at nothing else of it. */
static int find_this_module_unchecked(struct kc_load *load)
{
	uint32_t index = kc_find_sec(load, ".gnu.linkonce.this_module");

	if (!index) {
		REFUSE(load, "no section .gnu.linkonce.this_module");
		kc_hint(load->report, "this is an object file, but no kernel module: use the .ko "
				      "that Kbuild makes");
		return -ENOEXEC;
	}
	load->index.mod = index;
	/* Differs from Linux: a struct module that is too small would be written behind its end. */
	if (load->abi->module_size && load->sections[index].shdr.sh_size < load->abi->module_size)
		return check_this_module_shape(load, index);
	return 0;
}

static int find_info(struct kc_load *load)
{
	unsigned int count = count_sections(load, ".modinfo");

	if (count > 1) {
		REFUSE(load, "only one section .modinfo may exist");
		kc_found(load->report, "%u of them", count);
		return -ENOEXEC;
	}
	load->index.info = kc_find_any_sec(load, ".modinfo");
	return 0;
}

static int find_symtab(struct kc_load *load)
{
	unsigned int count = 0;

	for (uint32_t i = 1; i < load->ehdr.shnum; i++) {
		if (load->sections[i].shdr.sh_type != SHT_SYMTAB)
			continue;
		if (!count++ || load->behaviour->validity_split)
			load->index.sym = i;
	}
	if (load->behaviour->validity_split ? count == 1 : count > 0)
		return 0;
	REFUSE(load, "there has to be one symbol table");
	kc_found(load->report, "%u of them", count);
	kc_hint(load->report, "was the module stripped? 'strip --strip-debug' is what a module can "
			      "stand");
	return -ENOEXEC;
}

static int find_strtab(struct kc_load *load)
{
	uint32_t index = load->sections[load->index.sym].shdr.sh_link;

	if (index == SHN_UNDEF || index >= load->ehdr.shnum) {
		REFUSE(load, "the symbol table (section %u) has no string table", load->index.sym);
		kc_expected(load->report, "a section index from 1 to %u", load->ehdr.shnum - 1);
		kc_found(load->report, "%u", index);
		return -ENOEXEC;
	}
	if (load->behaviour->validity_symtab_type &&
	    load->sections[index].shdr.sh_type != SHT_STRTAB) {
		REFUSE(load, "the symbol table's string table (section %u) is none", index);
		kc_expected(load->report, "type %u (SHT_STRTAB)", SHT_STRTAB);
		kc_found(load->report, "%u", load->sections[index].shdr.sh_type);
		return -ENOEXEC;
	}
	load->index.str = index;
	return 0;
}

static int check_contents(struct kc_load *load)
{
	int err = 0;

	for (uint32_t i = 1; i < load->ehdr.shnum && !err; i++)
		if (has_contents(&load->sections[i].shdr))
			err = check_section_bounds(load, i);
	return err;
}

/* The order of kernels whose check is one function a concern. */
static int check_split(struct kc_load *load)
{
	int (*const checks[])(struct kc_load *) = {
		check_section_zero, check_contents, check_secstrings, find_info,
		find_this_module,   find_symtab,    find_strtab,
	};

	for (size_t i = 0; i < KC_ARRAY_SIZE(checks); i++) {
		int err = checks[i](load);

		if (err)
			return err;
	}
	return 0;
}

/* Sections of the older check: bounds, the symbol table's link, the names of those that are loaded.
 */
static int check_contents_whole(struct kc_load *load, struct kc_span names)
{
	for (uint32_t i = 1; i < load->ehdr.shnum; i++) {
		const Elf64_Shdr *shdr = &load->sections[i].shdr;
		int err = 0;

		if (!has_contents(shdr))
			continue;
		if (shdr->sh_type == SHT_SYMTAB) {
			load->index.sym = i;
			err = find_strtab(load);
		}
		if (!err)
			err = check_section_bounds(load, i);
		if (!err && (shdr->sh_flags & SHF_ALLOC) && shdr->sh_name >= names.len)
			err = bad_name(load, i, names);
		if (err)
			return err;
	}
	return 0;
}

/* The order of kernels that check it all in one function. */
static int check_whole(struct kc_load *load)
{
	struct kc_span names = kc_span(NULL, 0);
	int err = check_shstrndx(load);

	if (!err)
		err = check_section_bounds(load, load->ehdr.shstrndx);
	if (!err)
		err = check_name_table(load, &names);
	if (!err)
		err = check_section_zero(load);
	if (!err)
		err = check_contents_whole(load, names);
	if (!err)
		err = set_names(load, names);
	if (err)
		return err;
	load->index.info = kc_find_sec(load, ".modinfo");
	err = find_symtab(load);
	if (!err)
		err = find_strtab(load);
	if (!err)
		err = find_this_module_unchecked(load);
	return err;
}

/* mod->name as it stands in the file. */
static int read_struct_name(struct kc_load *load)
{
	struct kc_span module = load->sections[load->index.mod].file;
	size_t len = load->abi->module_name_len;
	struct kc_span name;

	if (len >= sizeof(load->struct_name))
		len = sizeof(load->struct_name) - 1;
	/* Differs from Linux: a struct module that can't hold the name is refused even where sizes
	 * aren't compared. */
	if (!kc_span_sub(module, load->abi->module_name, len, &name))
		return REFUSE(load, ".gnu.linkonce.this_module is too small for a struct module");
	memcpy(load->struct_name, name.data, len);
	load->struct_name[len] = 0;
	return 0;
}

/* Its contents count whatever its type is, SHT_NOBITS too; empty where it is not in the file. */
static uint32_t find_versions(struct kc_load *load, const char *name)
{
	uint32_t index = kc_find_sec(load, name);
	struct kc_section *section = &load->sections[index];

	if (index && !kc_span_sub(load->whole, section->shdr.sh_offset, section->shdr.sh_size,
				  &section->file))
		section->file = kc_span(NULL, 0);
	return index;
}

static void find_optional(struct kc_load *load)
{
	if (!load->policy->force_modversions) {
		load->index.vers = find_versions(load, "__versions");
		if (load->behaviour->extended_modversions) {
			load->index.vers_ext_crc = find_versions(load, "__version_ext_crcs");
			load->index.vers_ext_name = find_versions(load, "__version_ext_names");
		}
	}
	load->index.pcpu = kc_find_sec(load, ".data..percpu");
}

int kc_elf_validity_cache_copy(struct kc_load *load)
{
	int err = check_ehdr(load);

	if (!err)
		err = read_section_headers(load);
	if (!err)
		err = load->behaviour->validity_split ? check_split(load) : check_whole(load);
	if (!err)
		err = read_struct_name(load);
	if (err)
		return err;
	find_optional(load);
	load->name = kc_get_modinfo(load, "name");
	if (!load->name)
		load->name = load->struct_name;
	return 0;
}

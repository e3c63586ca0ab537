/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Relocations: which sections are applied to what (apply_relocations() of kernel/module/main.c);
 * how one is applied is the architecture's. Consumes final symbol values, writes into the module's
 * memory.
 */
#include "module/livepatch.h"

#include <errno.h>
#include <inttypes.h>

static const char *symbol_text(const struct kc_load *load, uint64_t index)
{
	Elf64_Sym symbol;
	const char *name;

	if (!kc_elf_sym(load->sections[load->index.sym].file, index, &symbol))
		return "?";
	name = kc_symbol_name(load, symbol.st_name);
	if (name && *name)
		return name;
	return symbol.st_shndx < load->ehdr.shnum ? load->sections[symbol.st_shndx].name : "?";
}

static void explain(struct kc_load *load, uint32_t section, const struct kc_relocations *at)
{
	struct kocoon_report *report = load->report;
	uint32_t type = (uint32_t)ELF64_R_TYPE(at->at.r_info);
	uint64_t symbol = ELF64_R_SYM(at->at.r_info);
	const char *name = load->arch->relocation_name(type);
	const char *in = load->sections[section].name;

	name = name ? name : "unknown type";
	switch (at->fault) {
	case KC_RELOCATION_TYPE:
		kc_finding(report, KOCOON_STAGE_RELOCATIONS, -ENOEXEC,
			   "unknown relocation: entry %" PRIu64
			   " of %s has type %u (%s), symbol %s",
			   at->at_index, in, type, name, symbol_text(load, symbol));
		kc_hint(report,
			"compile with the kernel's own flags (-mcmodel=kernel, no PIC): build "
			"by Kbuild");
		break;
	case KC_RELOCATION_OVERFLOW:
		kc_finding(report, KOCOON_STAGE_RELOCATIONS, -ENOEXEC,
			   "overflow in relocation type %u (%s): entry %" PRIu64
			   " of %s, symbol %s",
			   type, name, at->at_index, in, symbol_text(load, symbol));
		kc_expected(report, "a value that fits 32 bits");
		kc_found(report, "%#" PRIx64, at->value);
		kc_hint(report, "likely not compiled with -mcmodel=kernel");
		break;
	case KC_RELOCATION_NONZERO:
		kc_finding(report, KOCOON_STAGE_RELOCATIONS, -ENOEXEC,
			   "invalid relocation target: entry %" PRIu64
			   " of %s (%s, symbol %s) would "
			   "overwrite something",
			   at->at_index, in, name, symbol_text(load, symbol));
		kc_expected(report, "0 at offset %#" PRIx64, at->at.r_offset);
		kc_found(report, "%#" PRIx64, at->existing);
		kc_hint(report,
			"the module was relocated or edited after it was linked: build it again");
		break;
	case KC_RELOCATION_PLACE:
		kc_finding(report, KOCOON_STAGE_RELOCATIONS, -ENOEXEC,
			   "entry %" PRIu64 " of %s points outside of its region", at->at_index,
			   in);
		kc_expected(report, "an offset below %#" PRIx64, at->target_len);
		kc_found(report, "%#" PRIx64, at->at.r_offset);
		break;
	default:
		kc_finding(report, KOCOON_STAGE_RELOCATIONS, -ENOEXEC,
			   "entry %" PRIu64 " of %s names symbol %" PRIu64 ", which does not exist",
			   at->at_index, in, symbol);
	}
}

static int refuse_rel(struct kc_load *load, uint32_t section)
{
	kc_finding(load->report, KOCOON_STAGE_RELOCATIONS, -ENOEXEC,
		   "REL relocations are not supported: section %u (%s)", section,
		   load->sections[section].name);
	kc_expected(load->report, "SHT_RELA");
	kc_found(load->report, "SHT_REL");
	return -ENOEXEC;
}

/*
 * The kernel does not look where a relocation's place is. Within the region it writes what it is
 * told to, behind the section too; outside of it, other memory. Differs from Linux: not that.
 */
static uint64_t room_behind(const struct kc_load *load, uint32_t target)
{
	const struct kc_section *section = &load->sections[target];

	return section->placed ? load->memory.regions[section->region].size - section->offset : 0;
}

/*
 * Differs from Linux: tables of relocations can lie over each other, and work be multiplied by
 * that; only so far.
 */
static bool overlap_too_much(struct kc_load *load, uint32_t section)
{
	enum { OVERLAP_MAX = 4, SMALL = 1 << 20 };

	load->relocation_bytes += load->sections[section].file.len;
	return load->relocation_bytes > load->whole.len * OVERLAP_MAX + SMALL;
}

static int apply_section(struct kc_load *load, uint32_t section, uint32_t target)
{
	struct kc_relocations relocations = {
		.entries = load->sections[section].file,
		.symbols = kc_span(kc_section_memory(load, load->index.sym),
				   load->sections[load->index.sym].file.len),
		.target = kc_section_memory(load, target),
		.target_len = room_behind(load, target),
		.target_address = kc_section_address(load, target),
	};
	int err;

	if (overlap_too_much(load, section)) {
		kc_finding(load->report, KOCOON_STAGE_RELOCATIONS, -ENOEXEC,
			   "the tables of relocations lie over each other, up to section %u (%s)",
			   section, load->sections[section].name);
		kc_expected(load->report, "tables that fit the file one beside the other");
		kc_found(load->report, "%" PRIu64 " bytes of tables in a file of %zu",
			 load->relocation_bytes, load->whole.len);
		return -ENOEXEC;
	}
	err = load->arch->apply_relocate_add(&relocations);
	load->relocations += relocations.applied;
	for (size_t i = 0; i < KC_RELOCATION_TYPES; i++)
		load->relocation_counts[i] += relocations.counts[i];
	if (err)
		explain(load, section, &relocations);
	return err;
}

static bool find_kernel_symbol(void *context, const char *object, const char *name,
			       uint64_t position, uint64_t *address_ret)
{
	const struct kc_load *load = context;

	if (strcmp(object, "vmlinux") != 0)
		return false;
	if (!load->live)
		return kc_kernel_find_nth_symbol(load->kernel, name, position, address_ret);
	/* A name is exported once. */
	*address_ret = load->neighbours->kernel_symbol(load->neighbours->context, name);
	return position <= 1 && *address_ret != 0;
}

/* A section for the kernel itself is applied right away, to symbols that it finds by name. */
static int apply_for_kernel(struct kc_load *load, uint32_t section)
{
	struct kc_klp_resolution resolution = {
		.entries = load->sections[section].file,
		.object = "vmlinux",
		.symbols = kc_section_memory(load, load->index.sym),
		.symbol_count = load->sections[load->index.sym].file.len / sizeof(Elf64_Sym),
		.strtab = load->sections[load->index.str].file,
		.find = find_kernel_symbol,
		.context = load,
	};
	int err = kc_klp_resolve_symbols(&resolution);

	if (err)
		return kc_finding(load->report, KOCOON_STAGE_RELOCATIONS, err, "%s (%s)",
				  resolution.fault, load->sections[section].name);
	return apply_section(load, section, load->sections[section].shdr.sh_info);
}

/*
 * Other livepatch relocations wait for the object that they patch; only their section's name, which
 * tells the object, is looked at: klp_apply_section_relocs(). Those for the kernel wait too where
 * nothing is known of its symbols.
 */
static int apply_livepatch(struct kc_load *load, uint32_t section)
{
	const char *name = load->sections[section].name;
	const struct kocoon_symbol *symbols;
	char object[KC_KLP_OBJECT_SIZE];

	if (!load->behaviour->livepatch && !load->livepatch)
		return 0;
	if (!kc_klp_section_object(name, object)) {
		kc_finding(load->report, KOCOON_STAGE_RELOCATIONS, -EINVAL,
			   "livepatch section %u has a name that names no object", section);
		kc_expected(load->report, ".klp.rela.OBJECT.SECTION");
		kc_found(load->report, "%s", name);
		return -EINVAL;
	}
	if (strcmp(object, "vmlinux") != 0 ||
	    (!load->live && !kocoon_kernel_symbols(load->kernel, &symbols)))
		return 0;
	return apply_for_kernel(load, section);
}

int kc_apply_relocations(struct kc_load *load)
{
	for (uint32_t i = 1; i < load->ehdr.shnum; i++) {
		const Elf64_Shdr *shdr = &load->sections[i].shdr;
		int err = 0;

		if (shdr->sh_info >= load->ehdr.shnum ||
		    !(load->sections[shdr->sh_info].shdr.sh_flags & SHF_ALLOC))
			continue;
		if (shdr->sh_flags & KC_SHF_RELA_LIVEPATCH)
			err = apply_livepatch(load, i);
		else if (shdr->sh_type == SHT_REL)
			err = refuse_rel(load, i);
		else if (shdr->sh_type == SHT_RELA)
			err = apply_section(load, i, shdr->sh_info);
		if (err)
			return err;
	}
	return 0;
}

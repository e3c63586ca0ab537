/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Relocations: which sections are applied to what (apply_relocations() of kernel/module/main.c);
 * how one is applied is the architecture's. Consumes final symbol values, writes into the module's
 * memory.
 */
#include "module/load.h"

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
	int err = load->arch->apply_relocate_add(&relocations);

	load->relocations += relocations.applied;
	for (size_t i = 0; i < KC_RELOCATION_TYPES; i++)
		load->relocation_counts[i] += relocations.counts[i];
	if (err)
		explain(load, section, &relocations);
	return err;
}

/*
 * Livepatch relocations wait for the object that they patch; only their section's name, which tells
 * the object, is looked at: klp_apply_section_relocs().
 */
static int check_livepatch(struct kc_load *load, uint32_t section)
{
	static const char prefix[] = ".klp.rela.";
	const char *name = load->sections[section].name;

	if (!load->behaviour->livepatch ||
	    (strncmp(name, prefix, sizeof(prefix) - 1) == 0 && name[sizeof(prefix) - 1] &&
	     name[sizeof(prefix) - 1] != '.'))
		return 0;
	kc_finding(load->report, KOCOON_STAGE_RELOCATIONS, -EINVAL,
		   "livepatch section %u has a name that names no object", section);
	kc_expected(load->report, ".klp.rela.OBJECT.SECTION");
	kc_found(load->report, "%s", name);
	return -EINVAL;
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
			err = check_livepatch(load, i);
		else if (shdr->sh_type == SHT_REL)
			err = refuse_rel(load, i);
		else if (shdr->sh_type == SHT_RELA)
			err = apply_section(load, i, shdr->sh_info);
		if (err)
			return err;
	}
	return 0;
}

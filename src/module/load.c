/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pipeline: load_module() of kernel/module/main.c, stage by stage, in the kernel's order.
 *
 * The first refusal decides errno and stage. Stages behind it still run where nothing that they
 * rely on is missing, so that a report lists all that is wrong; a stage in whose absence the next
 * ones make no sense stops the load.
 */
#include "module/load.h"

#include <errno.h>
#include <stdlib.h>

void kc_load_init(struct kc_load *load, const struct kocoon_kernel *kernel,
		  const struct kocoon_policy *policy, struct kocoon_report *report)
{
	*load = (struct kc_load){
		.kernel = kernel,
		.arch = kc_arch_find(kocoon_kernel_arch(kernel)),
		.policy = policy,
		.abi = kc_kernel_abi(kernel),
		.behaviour = kc_kernel_behaviour(kernel),
		.report = report,
	};
}

void kc_load_deinit(struct kc_load *load)
{
	while (load->kept) {
		struct kc_kept *kept = load->kept;

		load->kept = kept->next;
		free(kept);
	}
	free(load->sections);
	free(load->imports);
	free(load->exports);
	free(load->extended);
	kc_index_deinit(&load->imports_by_name);
	kc_index_deinit(&load->versions);
	kc_index_deinit(&load->namespaces);
	kc_signature_deinit(&load->signature);
	kc_memory_deinit(&load->memory);
}

int kc_too_much(struct kc_load *load, enum kocoon_stage stage, const char *what)
{
	kc_finding(load->report, stage, -ENOMEM, "the %s are more than any module has", what);
	kc_hint(load->report, "the file is damaged, or made to use up memory");
	return -ENOMEM;
}

/* One stage. Without an essential one, those behind it have nothing to stand on. */
struct step {
	enum kocoon_stage stage;
	int (*run)(struct kc_load *load);
	bool essential;
};

/* Notes the first refusal. */
static void refuse(struct kc_load *load, enum kocoon_stage stage, int err, bool essential)
{
	if (!err)
		return;
	if (!load->err) {
		load->err = err;
		load->stage = stage;
	}
	load->stopped |= essential || load->live;
}

static int run_steps(struct kc_load *load, const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count && !load->stopped; i++)
		refuse(load, steps[i].stage, steps[i].run(load), steps[i].essential);
	return load->err;
}

static int blacklist(struct kc_load *load)
{
	if (!kc_blacklisted(load->policy->blacklist, load->name))
		return 0;
	kc_finding(load->report, KOCOON_STAGE_BLACKLIST, -EPERM, "module %s is blacklisted",
		   load->name);
	kc_hint(load->report, "take %s out of module_blacklist= on the kernel command line",
		load->name);
	return -EPERM;
}

/*
 * Another module of the name is only known to be there once its own load is decided, so it is asked
 * last; what the kernel looks at behind its own question then gives way.
 */
static void check_duplicate(struct kc_load *load, const struct kc_neighbours *neighbours)
{
	enum kocoon_stage before =
		load->behaviour->early_mod_check ? KOCOON_STAGE_DUPLICATE : KOCOON_STAGE_LAYOUT;

	if (!*load->struct_name || !neighbours->exists(neighbours->context, load->struct_name))
		return;
	kc_finding(load->report, KOCOON_STAGE_DUPLICATE, -EEXIST,
		   "a module named %s is loaded already", load->struct_name);
	kc_hint(load->report, "unload the other one, or leave one of the two files out");
	if (load->err && load->stage <= before)
		return;
	load->err = -EEXIST;
	load->stage = KOCOON_STAGE_DUPLICATE;
}

/* Sections whose bytes are needed but never become part of the module's memory. */
static int rewrite_section_headers(struct kc_load *load)
{
	load->sections[load->index.vers].shdr.sh_flags &= ~(uint64_t)SHF_ALLOC;
	load->sections[load->index.info].shdr.sh_flags &= ~(uint64_t)SHF_ALLOC;
	return 0;
}

int kc_load_prepare(struct kc_load *load, struct kc_span image)
{
	static const struct step steps[] = {
		/* From here on all indices and names are good, and the section contents lie
		 * inside the image. */
		{ KOCOON_STAGE_ELF, kc_elf_validity_cache_copy, true },
		{ KOCOON_STAGE_BLACKLIST, blacklist, false },
		{ KOCOON_STAGE_MODVERSION, rewrite_section_headers, false },
		{ KOCOON_STAGE_MODVERSION, kc_check_modstruct_version, false },
		{ KOCOON_STAGE_VERMAGIC, kc_check_modinfo, false },
		{ KOCOON_STAGE_LIVEPATCH, kc_check_modinfo_livepatch, false },
		{ KOCOON_STAGE_RWX, kc_enforce_rwx_sections, false },
		{ KOCOON_STAGE_LAYOUT, kc_layout_sections, true },
		{ KOCOON_STAGE_SYMBOLS, kc_collect_imports, true },
	};

	load->image = image;
	load->whole = image;
	if (!load->arch) {
		refuse(load, KOCOON_STAGE_KERNEL,
		       kc_finding(load->report, KOCOON_STAGE_KERNEL, -ENOTSUP,
				  "kernels for %s are not supported",
				  kocoon_kernel_arch(load->kernel)),
		       true);
		return load->err;
	}
	refuse(load, KOCOON_STAGE_SIGNATURE,
	       kc_module_sig_check(load->kernel, load->policy, &load->image, &load->signature,
				   load->report),
	       false);
	return run_steps(load, steps, KC_ARRAY_SIZE(steps));
}

/* The module is in the list as UNFORMED: it taints the kernel from here on, even if it fails. */
static int augment_taints(struct kc_load *load)
{
	const struct kc_neighbours *neighbours = load->neighbours;

	kc_augment_taints(load);
	if (neighbours->tainted)
		neighbours->tainted(neighbours->context, load);
	return 0;
}

static int admit(struct kc_load *load)
{
	return load->live ? load->neighbours->admit(load->neighbours->context, load) : 0;
}

static int mark_relocated(struct kc_load *load)
{
	load->relocated = true;
	return 0;
}

static int fill_in_this_module(struct kc_load *load)
{
	if (!load->live)
		return 0;
	kc_find_members(load);
	kc_write_this_module(load);
	if (!load->neighbours->links_lists)
		kc_write_empty_lists(load);
	return 0;
}

int kc_load_link(struct kc_load *load, const struct kc_neighbours *neighbours)
{
	static const struct step steps[] = {
		{ KOCOON_STAGE_LAYOUT, kc_move_module, true },
		{ KOCOON_STAGE_DUPLICATE, admit, true },
		{ KOCOON_STAGE_LAYOUT, augment_taints, false },
		{ KOCOON_STAGE_PERCPU, kc_percpu_modalloc, false },
		{ KOCOON_STAGE_SECTIONS, kc_find_module_sections, true },
		{ KOCOON_STAGE_EXPORTS, kc_check_export_symbol_versions, false },
		/* Symbols that have no value would make nonsense of the relocations. */
		{ KOCOON_STAGE_SYMBOLS, kc_simplify_symbols, true },
		{ KOCOON_STAGE_RELOCATIONS, kc_apply_relocations, true },
		{ KOCOON_STAGE_RELOCATIONS, mark_relocated, true },
		{ KOCOON_STAGE_FINALIZE, kc_post_relocation, true },
		{ KOCOON_STAGE_FINALIZE, fill_in_this_module, true },
	};

	load->neighbours = neighbours;
	return run_steps(load, steps, KC_ARRAY_SIZE(steps));
}

int kc_load_finish(struct kc_load *load, const struct kc_neighbours *neighbours)
{
	static const struct step steps[] = {
		{ KOCOON_STAGE_FORMATION, kc_collect_exports, true },
		{ KOCOON_STAGE_FORMATION, kc_verify_exported_symbols, false },
		{ KOCOON_STAGE_BTF, kc_check_btf, false },
		{ KOCOON_STAGE_SYSFS, kc_mod_sysfs_init, false },
		{ KOCOON_STAGE_SYSFS, kc_check_sysfs_names, false },
	};

	check_duplicate(load, neighbours);
	kc_load_link(load, neighbours);
	return run_steps(load, steps, KC_ARRAY_SIZE(steps));
}

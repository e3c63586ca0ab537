/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layouts of structures around struct module, from BTF in one walk over its types: layouts.h. */
#include <bpf/btf.h>

#include "kernel/parts.h"

struct row {
	const char *type;
	const char *member; /* NULL: the structure's size */
	uint32_t *place;
	uint32_t otherwise;
};

static uint32_t member_offset(const struct btf *btf, const struct btf_type *type, const char *name)
{
	uint32_t offset;

	return kc_btf_member(btf, type, name, &offset, NULL) ? offset : KC_NO_MEMBER;
}

/* Rows of one structure stand side by side; of several structures of one name, the first counts. */
static void take_type(const struct btf *btf, const struct btf_type *type, struct row *rows,
		      size_t count)
{
	const char *name = btf__name_by_offset(btf, type->name_off);
	bool is_this = false;

	for (size_t i = 0; name && i < count; i++) {
		if (!i || rows[i].type != rows[i - 1].type)
			is_this = strcmp(name, rows[i].type) == 0;
		if (!is_this || !rows[i].place)
			continue;
		*rows[i].place =
			rows[i].member ? member_offset(btf, type, rows[i].member) : type->size;
		rows[i].place = NULL;
	}
}

static void take_all(const struct btf *btf, struct row *rows, size_t count)
{
	uint32_t types = btf ? btf__type_cnt(btf) : 0;

	for (size_t i = 0; i < count; i++)
		*rows[i].place = rows[i].otherwise;
	for (uint32_t id = 1; id < types; id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);

		if (btf_is_struct(type) && type->name_off)
			take_type(btf, type, rows, count);
	}
}

void kc_kernel_make_layouts(struct kocoon_kernel *kernel)
{
	static const char mod_kallsyms[] = "mod_kallsyms", module_memory[] = "module_memory",
			  module_layout[] = "module_layout", ddebug_info[] = "_ddebug_info",
			  mod_arch_specific[] = "mod_arch_specific";
	struct kc_layouts *l = &kernel->layouts;
	struct row rows[] = {
		{ mod_kallsyms, "symtab", &l->kallsyms_symtab, 0 },
		{ mod_kallsyms, "num_symtab", &l->kallsyms_num_symtab, 8 },
		{ mod_kallsyms, "strtab", &l->kallsyms_strtab, 16 },
		{ mod_kallsyms, "typetab", &l->kallsyms_typetab, 24 },
		{ module_memory, NULL, &l->memory_size, 72 },
		{ module_memory, "base", &l->memory_base, 0 },
		{ module_memory, "size", &l->memory_bytes, 8 },
		{ module_memory, "mtn", &l->memory_mtn, 16 },
		{ module_layout, "base", &l->layout_base, 0 },
		{ module_layout, "size", &l->layout_bytes, 8 },
		{ module_layout, "text_size", &l->layout_text, 12 },
		{ module_layout, "ro_size", &l->layout_ro, 16 },
		{ module_layout, "ro_after_init_size", &l->layout_ro_after_init, 20 },
		{ module_layout, "mtn", &l->layout_mtn, 24 },
		{ "mod_tree_node", "mod", &l->mtn_mod, 0 },
		{ "module_kobject", "mod", &l->mkobj_mod, 64 },
		{ "mutex", "wait_list", &l->mutex_wait_list, 16 },
		{ mod_arch_specific, "num_orcs", &l->arch_num_orcs, 0 },
		{ mod_arch_specific, "orc_unwind_ip", &l->arch_orc_unwind_ip, 8 },
		{ mod_arch_specific, "orc_unwind", &l->arch_orc_unwind, 16 },
		{ ddebug_info, "descs", &l->dyndbg_descs, 0 },
		{ ddebug_info, "classes", &l->dyndbg_classes, 8 },
		{ ddebug_info, "num_descs", &l->dyndbg_num_descs, 16 },
		{ ddebug_info, "num_classes", &l->dyndbg_num_classes, 20 },
		{ "bug_entry", NULL, &l->bug_entry, 12 },
		{ "jump_entry", NULL, &l->jump_entry, 16 },
		{ "static_call_site", NULL, &l->static_call_site, 8 },
		{ "bpf_raw_event_map", NULL, &l->bpf_raw_event_map, 32 },
		{ "error_injection_entry", NULL, &l->error_injection_entry, 16 },
		{ "_ddebug", NULL, &l->ddebug, 56 },
		{ "ddebug_class_map", NULL, &l->ddebug_class_map, 64 },
	};

	take_all(kc_kernel_btf(kernel), rows, KC_ARRAY_SIZE(rows));
}

const struct kc_layouts *kc_kernel_layouts(const struct kocoon_kernel *kernel)
{
	/* Made together with it. */
	(void)kc_kernel_abi(kernel);
	return &kernel->layouts;
}

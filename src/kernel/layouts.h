/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Layouts of structures that hang on struct module, beside those of kernel.h's struct kc_abi: what
 * a loader writes into, and sizes of what it counts. By BTF, each by its name; where a kernel has
 * no such structure or its BTF is not known, as in today's kernels for 64-bit machines.
 */
#ifndef KC_KERNEL_LAYOUTS_H
#define KC_KERNEL_LAYOUTS_H

#include "kernel/kernel.h"

/* Offsets and sizes in bytes. KC_NO_MEMBER: there is no such member. */
struct kc_layouts {
	/* struct mod_kallsyms */
	uint32_t kallsyms_symtab, kallsyms_num_symtab, kallsyms_strtab, kallsyms_typetab;
	/* struct module_memory */
	uint32_t memory_size, memory_base, memory_bytes, memory_mtn;
	/* struct module_layout, of kernels before that */
	uint32_t layout_base, layout_bytes, layout_text, layout_ro, layout_ro_after_init,
		layout_mtn;
	uint32_t mtn_mod; /* in struct mod_tree_node */
	uint32_t mkobj_mod; /* in struct module_kobject */
	uint32_t mutex_wait_list; /* in struct mutex */
	/* struct mod_arch_specific: of the ORC unwinder */
	uint32_t arch_num_orcs, arch_orc_unwind_ip, arch_orc_unwind;
	/* struct _ddebug_info */
	uint32_t dyndbg_descs, dyndbg_classes, dyndbg_num_descs, dyndbg_num_classes;
	/* Sizes of entries of tables. */
	uint32_t bug_entry, jump_entry, static_call_site, bpf_raw_event_map, error_injection_entry,
		ddebug, ddebug_class_map;
};

const struct kc_layouts *kc_kernel_layouts(const struct kocoon_kernel *kernel);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * offsets VMLINUZ
 *
 * Prints, as arguments for a compiler, where a kernel has what the helper module (witness.c) looks
 * at in struct module: -DINIT_OFFSET=... and so on, by the kernel's BTF. What it hasn't is left
 * out.
 */
#include <bpf/btf.h>
#include <stdio.h>
#include <string.h>

#include "kernel/kernel.h"

static const struct {
	const char *define, *structure, *member; /* no member: the size of the structure */
} wanted[] = {
	{ "MODULE_SIZE", "module", NULL },
	{ "INIT_OFFSET", "module", "init" },
	{ "EXIT_OFFSET", "module", "exit" },
	{ "CONSTRUCTORS_OFFSET", "module", "num_ctors" },
	{ "PERCPU_OFFSET", "module", "percpu" },
	{ "MEMORY_OFFSET", "module", "mem" },
	{ "MEMORY_SIZE", "module_memory", NULL },
	{ "MEMORY_BASE_OFFSET", "module_memory", "base" },
	{ "MEMORY_BYTES_OFFSET", "module_memory", "size" },
	{ "CORE_LAYOUT_OFFSET", "module", "core_layout" },
	{ "INIT_LAYOUT_OFFSET", "module", "init_layout" },
	{ "LAYOUT_BASE_OFFSET", "module_layout", "base" },
	{ "LAYOUT_BYTES_OFFSET", "module_layout", "size" },
};

static const struct btf_type *find_structure(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);

	return id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;
}

static void tell(const struct btf *btf, const char *define, const struct btf_type *type,
		 const char *member)
{
	if (!member)
		printf("-D%s=%u\n", define, type->size);
	for (uint32_t i = 0; member && i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off), member))
			printf("-D%s=%u\n", define, btf_member_bit_offset(type, i) / 8);
}

int main(int argc, char **argv)
{
	struct kocoon_kernel *kernel = NULL;
	const struct btf *btf;

	if (argc != 2 || kocoon_kernel_open(argv[1], NULL, NULL, &kernel)) {
		fprintf(stderr, "usage: offsets VMLINUZ\n");
		return 2;
	}
	btf = kc_kernel_btf(kernel);
	for (size_t i = 0; btf && i < KC_ARRAY_SIZE(wanted); i++) {
		const struct btf_type *type = find_structure(btf, wanted[i].structure);

		if (type)
			tell(btf, wanted[i].define, type, wanted[i].member);
	}
	kocoon_kernel_free(kernel);
	return btf ? 0 : 2;
}

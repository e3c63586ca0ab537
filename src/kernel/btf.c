/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Layouts of the kernel's structures, from its BTF through libbpf, by the names of types and
 * members.
 *
 * libbpf takes BTF from trusted places mostly: what its header claims is checked here first.
 */
#include <errno.h>
#include <bpf/btf.h>
#include <stdlib.h>

#include "kernel/parts.h"

/* The header is of this size in every BTF so far; libbpf trusts a larger one. */
static bool header_fits(struct kc_span bytes)
{
	struct btf_header header;
	uint64_t room;

	if (bytes.len < sizeof(header) || bytes.len > UINT32_MAX)
		return false;
	memcpy(&header, bytes.data, sizeof(header));
	room = bytes.len - sizeof(header);
	return header.magic == BTF_MAGIC && header.hdr_len == sizeof(header) &&
	       (uint64_t)header.type_off + header.type_len <= room &&
	       (uint64_t)header.str_off + header.str_len <= room && header.str_len;
}

static void make_btf(struct kocoon_kernel *kernel)
{
	uint64_t address;
	struct kc_span bytes;

	if (!kc_kernel_section(kernel, ".BTF", "__start_BTF", "__stop_BTF", &address, &bytes) ||
	    !header_fits(bytes))
		return;
	kernel->btf = btf__new(bytes.data, (uint32_t)bytes.len);
	if (kernel->btf)
		kernel->btf_bytes = bytes;
}

const struct btf *kc_kernel_btf(const struct kocoon_kernel *kernel)
{
	kc_once_run(&((struct kocoon_kernel *)(uintptr_t)kernel)->btf_once, kernel, make_btf);
	return kernel->btf;
}

struct kc_span kc_kernel_btf_bytes(const struct kocoon_kernel *kernel)
{
	return kc_kernel_btf(kernel) ? kernel->btf_bytes : kc_span(NULL, 0);
}

static const struct btf_type *find_struct(const struct btf *btf, const char *name)
{
	int id = btf ? btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT) : -ENOENT;

	return id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;
}

static const struct btf_member *find_member(const struct btf *btf, const struct btf_type *type,
					    const char *name)
{
	const struct btf_member *members = type ? btf_members(type) : NULL;

	for (int i = 0; type && i < btf_vlen(type); i++) {
		const char *found = btf__name_by_offset(btf, members[i].name_off);

		if (found && !strcmp(found, name))
			return &members[i];
	}
	return NULL;
}

/* Offset of a member in bytes, or `otherwise`. */
static uint32_t member_offset(const struct btf *btf, const struct btf_type *type, const char *name,
			      uint32_t otherwise)
{
	const struct btf_member *member = find_member(btf, type, name);
	uint32_t bits;

	if (!type || !member)
		return otherwise;
	bits = btf_kflag(type) ? BTF_MEMBER_BIT_OFFSET(member->offset) : member->offset;
	return bits / 8;
}

static uint32_t struct_size(const struct btf *btf, const char *name, uint32_t otherwise)
{
	const struct btf_type *type = find_struct(btf, name);

	return type ? type->size : otherwise;
}

static uint32_t member_size(const struct btf *btf, const struct btf_type *type, const char *name,
			    uint32_t otherwise)
{
	const struct btf_member *member = find_member(btf, type, name);
	int64_t size = member ? btf__resolve_size(btf, member->type) : -ENOENT;

	return size > 0 && size <= UINT32_MAX ? (uint32_t)size : otherwise;
}

bool kc_kernel_member(const struct kocoon_kernel *kernel, const char *type, const char *member,
		      uint32_t *offset_ret)
{
	const struct btf *btf = kc_kernel_btf(kernel);
	uint32_t offset = member_offset(btf, find_struct(btf, type), member, UINT32_MAX);

	if (offset == UINT32_MAX)
		return false;
	*offset_ret = offset;
	return true;
}

void kc_kernel_make_abi(struct kocoon_kernel *kernel)
{
	const struct btf *btf = kc_kernel_btf(kernel);
	const struct btf_type *module = find_struct(btf, "module");
	const struct btf_type *version = find_struct(btf, "modversion_info");
	struct kc_abi abi = { .known = module != NULL };

	/* Otherwise: as in today's kernels, all alike for 64-bit ones. */
	abi.module_size = module ? module->size : 0;
	abi.module_name = member_offset(btf, module, "name", 24);
	abi.module_name_len = member_size(btf, module, "name", 56);
	abi.kernel_symbol_size = kernel->exports.entry_size;
	abi.kernel_symbol_relative = kernel->exports.relative;
	if (!abi.kernel_symbol_size) {
		abi.kernel_symbol_size = struct_size(btf, "kernel_symbol", 12);
		abi.kernel_symbol_relative = abi.kernel_symbol_size <= 12;
	}
	abi.kernel_param_size = struct_size(btf, "kernel_param", 40);
	abi.modversion_size = version ? version->size : 64;
	abi.modversion_name = member_offset(btf, version, "name", 8);
	abi.extable_entry_size = struct_size(btf, "exception_table_entry", 12);
	abi.mod_kallsyms_size = struct_size(btf, "mod_kallsyms", 32);
	abi.mod_kallsyms_align = 8;
	abi.memory_regions = !module || find_member(btf, module, "mem");
	abi.data_layout = find_member(btf, module, "data_layout") != NULL;
	kernel->abi = abi;
}

const struct kc_abi *kc_kernel_abi(const struct kocoon_kernel *kernel)
{
	kc_once_run(&((struct kocoon_kernel *)(uintptr_t)kernel)->abi_once, kernel,
		    kc_kernel_make_abi);
	return &kernel->abi;
}

size_t kocoon_kernel_struct_size(const struct kocoon_kernel *kernel, const char *name)
{
	return struct_size(kc_kernel_btf(kernel), name, 0);
}

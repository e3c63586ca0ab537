/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Layouts of the kernel's structures, from its BTF through libbpf, by the names of types and
 * members.
 *
 * libbpf takes BTF from trusted places mostly: what its header claims is checked here first. And a
 * size that no kernel can have, by what is read of such a structure here, is not believed.
 */
#include <errno.h>
#include <bpf/btf.h>
#include <stdlib.h>

#include "kernel/parts.h"

/*
 * More than any kernel has: anonymous structures in one another, and modifiers of a type; members
 * that one lookup looks at.
 */
enum { DEPTH_MAX = 16, MEMBERS_MAX = 1 << 16 };

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

/* Of const, volatile and typedef; bounded, as their chain may be a ring. */
static const struct btf_type *skip_modifiers(const struct btf *btf, uint32_t id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	for (int i = 0; type && (btf_is_mod(type) || btf_is_typedef(type)); i++)
		type = i < DEPTH_MAX ? btf__type_by_id(btf, type->type) : NULL;
	return type;
}

/* Looking for a member. */
struct search {
	const struct btf *btf;
	const char *name;
	uint32_t left; /* members that may still be looked at: inside of each other they multiply */
	uint32_t bits; /* its offset, once it is found */
	uint32_t type;
};

static bool find_inside(struct search *search, const struct btf_type *type, int depth);

/* Whether a member is the one, or has it inside. */
static bool is_found(struct search *search, const struct btf_member *member, int depth)
{
	const char *name = btf__name_by_offset(search->btf, member->name_off);

	search->bits = 0;
	search->type = member->type;
	if (!name || *name)
		return name && !strcmp(name, search->name);
	return find_inside(search, skip_modifiers(search->btf, member->type), depth + 1);
}

/* Members of anonymous structures inside count as its own. */
static bool find_inside(struct search *search, const struct btf_type *type, int depth)
{
	if (!type || !btf_is_composite(type) || depth == DEPTH_MAX)
		return false;
	for (uint32_t i = 0; i < btf_vlen(type) && search->left; i++) {
		search->left--;
		if (!is_found(search, &btf_members(type)[i], depth))
			continue;
		search->bits += btf_member_bit_offset(type, i);
		return true;
	}
	return false;
}

bool kc_btf_member(const struct btf *btf, const struct btf_type *type, const char *name,
		   uint32_t *offset_ret, uint32_t *type_ret)
{
	struct search search = { .btf = btf, .name = name, .left = MEMBERS_MAX };

	if (!find_inside(&search, type, 0))
		return false;
	*offset_ret = search.bits / 8;
	if (type_ret)
		*type_ret = search.type;
	return true;
}

/* Offset of a member in bytes, or `otherwise`. */
static uint32_t member_offset(const struct btf *btf, const struct btf_type *type, const char *name,
			      uint32_t otherwise)
{
	uint32_t offset;

	return kc_btf_member(btf, type, name, &offset, NULL) ? offset : otherwise;
}

static bool has_member(const struct btf *btf, const struct btf_type *type, const char *name)
{
	uint32_t offset;

	return kc_btf_member(btf, type, name, &offset, NULL);
}

static uint32_t struct_size(const struct btf *btf, const char *name, uint32_t otherwise)
{
	const struct btf_type *type = find_struct(btf, name);

	return type ? type->size : otherwise;
}

/* Of an entry of a table that is walked; `least`: what is read of it. */
static uint32_t entry_size(const struct btf *btf, const char *name, uint32_t least,
			   uint32_t otherwise)
{
	enum { MOST = 4096 };
	uint32_t size = struct_size(btf, name, otherwise);

	return size >= least && size <= MOST ? size : otherwise;
}

static uint32_t member_size(const struct btf *btf, const struct btf_type *type, const char *name,
			    uint32_t otherwise)
{
	uint32_t offset, id;
	int64_t size =
		kc_btf_member(btf, type, name, &offset, &id) ? btf__resolve_size(btf, id) : -ENOENT;

	return size > 0 && size <= UINT32_MAX ? (uint32_t)size : otherwise;
}

bool kc_kernel_member(const struct kocoon_kernel *kernel, const char *type, const char *member,
		      uint32_t *offset_ret)
{
	const struct btf *btf = kc_kernel_btf(kernel);

	return kc_btf_member(btf, find_struct(btf, type), member, offset_ret, NULL);
}

static void find_module_members(const struct btf *btf, const struct btf_type *module,
				struct kc_module_members *members)
{
	static const char *const names[KC_MEMBER_COUNT] = {
		[KC_MEMBER_STATE] = "state",
		[KC_MEMBER_LIST] = "list",
		[KC_MEMBER_NAME] = "name",
		[KC_MEMBER_MKOBJ] = "mkobj",
		[KC_MEMBER_PARAM_LOCK] = "param_lock",
		[KC_MEMBER_VERSION] = "version",
		[KC_MEMBER_SRCVERSION] = "srcversion",
		[KC_MEMBER_BUILD_ID] = "build_id",
		[KC_MEMBER_SYMS] = "syms",
		[KC_MEMBER_CRCS] = "crcs",
		[KC_MEMBER_NUM_SYMS] = "num_syms",
		[KC_MEMBER_KP] = "kp",
		[KC_MEMBER_NUM_KP] = "num_kp",
		[KC_MEMBER_GPL_SYMS] = "gpl_syms",
		[KC_MEMBER_GPL_CRCS] = "gpl_crcs",
		[KC_MEMBER_NUM_GPL_SYMS] = "num_gpl_syms",
		[KC_MEMBER_USING_GPLONLY_SYMBOLS] = "using_gplonly_symbols",
		[KC_MEMBER_SIG_OK] = "sig_ok",
		[KC_MEMBER_ASYNC_PROBE_REQUESTED] = "async_probe_requested",
		[KC_MEMBER_EXTABLE] = "extable",
		[KC_MEMBER_NUM_EXENTRIES] = "num_exentries",
		[KC_MEMBER_INIT] = "init",
		[KC_MEMBER_MEM] = "mem",
		[KC_MEMBER_CORE_LAYOUT] = "core_layout",
		[KC_MEMBER_INIT_LAYOUT] = "init_layout",
		[KC_MEMBER_ARCH] = "arch",
		[KC_MEMBER_TAINTS] = "taints",
		[KC_MEMBER_NUM_BUGS] = "num_bugs",
		[KC_MEMBER_BUG_LIST] = "bug_list",
		[KC_MEMBER_BUG_TABLE] = "bug_table",
		[KC_MEMBER_KALLSYMS] = "kallsyms",
		[KC_MEMBER_CORE_KALLSYMS] = "core_kallsyms",
		[KC_MEMBER_ARGS] = "args",
		[KC_MEMBER_PERCPU] = "percpu",
		[KC_MEMBER_PERCPU_SIZE] = "percpu_size",
		[KC_MEMBER_TRACEPOINTS_PTRS] = "tracepoints_ptrs",
		[KC_MEMBER_NUM_TRACEPOINTS] = "num_tracepoints",
		[KC_MEMBER_SRCU_STRUCT_PTRS] = "srcu_struct_ptrs",
		[KC_MEMBER_NUM_SRCU_STRUCTS] = "num_srcu_structs",
		[KC_MEMBER_BPF_RAW_EVENTS] = "bpf_raw_events",
		[KC_MEMBER_NUM_BPF_RAW_EVENTS] = "num_bpf_raw_events",
		[KC_MEMBER_BTF_DATA] = "btf_data",
		[KC_MEMBER_BTF_DATA_SIZE] = "btf_data_size",
		[KC_MEMBER_JUMP_ENTRIES] = "jump_entries",
		[KC_MEMBER_NUM_JUMP_ENTRIES] = "num_jump_entries",
		[KC_MEMBER_TRACE_BPRINTK_FMT_START] = "trace_bprintk_fmt_start",
		[KC_MEMBER_NUM_TRACE_BPRINTK_FMT] = "num_trace_bprintk_fmt",
		[KC_MEMBER_TRACE_EVENTS] = "trace_events",
		[KC_MEMBER_NUM_TRACE_EVENTS] = "num_trace_events",
		[KC_MEMBER_TRACE_EVALS] = "trace_evals",
		[KC_MEMBER_NUM_TRACE_EVALS] = "num_trace_evals",
		[KC_MEMBER_FTRACE_CALLSITES] = "ftrace_callsites",
		[KC_MEMBER_NUM_FTRACE_CALLSITES] = "num_ftrace_callsites",
		[KC_MEMBER_NOINSTR_TEXT_START] = "noinstr_text_start",
		[KC_MEMBER_NOINSTR_TEXT_SIZE] = "noinstr_text_size",
		[KC_MEMBER_KPROBES_TEXT_START] = "kprobes_text_start",
		[KC_MEMBER_KPROBES_TEXT_SIZE] = "kprobes_text_size",
		[KC_MEMBER_KPROBE_BLACKLIST] = "kprobe_blacklist",
		[KC_MEMBER_NUM_KPROBE_BLACKLIST] = "num_kprobe_blacklist",
		[KC_MEMBER_STATIC_CALL_SITES] = "static_call_sites",
		[KC_MEMBER_NUM_STATIC_CALL_SITES] = "num_static_call_sites",
		[KC_MEMBER_PRINTK_INDEX_START] = "printk_index_start",
		[KC_MEMBER_PRINTK_INDEX_SIZE] = "printk_index_size",
		[KC_MEMBER_KLP] = "klp",
		[KC_MEMBER_KLP_ALIVE] = "klp_alive",
		[KC_MEMBER_KLP_INFO] = "klp_info",
		[KC_MEMBER_SOURCE_LIST] = "source_list",
		[KC_MEMBER_TARGET_LIST] = "target_list",
		[KC_MEMBER_EXIT] = "exit",
		[KC_MEMBER_REFCNT] = "refcnt",
		[KC_MEMBER_CTORS] = "ctors",
		[KC_MEMBER_NUM_CTORS] = "num_ctors",
		[KC_MEMBER_EI_FUNCS] = "ei_funcs",
		[KC_MEMBER_NUM_EI_FUNCS] = "num_ei_funcs",
		[KC_MEMBER_DYNDBG_INFO] = "dyndbg_info",
	};

	for (size_t i = 0; i < KC_MEMBER_COUNT; i++)
		members->offset[i] = member_offset(btf, module, names[i], KC_NO_MEMBER);
	if (module)
		return;
	members->offset[KC_MEMBER_STATE] = 0;
	members->offset[KC_MEMBER_NAME] = 24;
}

/* struct modversion_info: a CRC, and a name to the end. */
static void find_modversion(const struct btf *btf, struct kc_abi *abi)
{
	uint32_t size = entry_size(btf, "modversion_info", sizeof(uint64_t) + 1, 64);
	uint32_t name = member_offset(btf, find_struct(btf, "modversion_info"), "name", 8);
	bool believed = name >= sizeof(uint32_t) && name < size;

	abi->modversion_size = believed ? size : 64;
	abi->modversion_name = believed ? name : 8;
}

void kc_kernel_make_abi(struct kocoon_kernel *kernel)
{
	const struct btf *btf = kc_kernel_btf(kernel);
	const struct btf_type *module = find_struct(btf, "module");
	struct kc_abi abi = { .known = module != NULL };

	/* Otherwise: as in today's kernels, all alike for 64-bit ones. */
	abi.module_size = module ? module->size : 0;
	abi.module_name = member_offset(btf, module, "name", 24);
	abi.module_name_len = member_size(btf, module, "name", 56);
	abi.kernel_symbol_size = kernel->exports.entry_size;
	abi.kernel_symbol_relative = kernel->exports.relative;
	if (!abi.kernel_symbol_size) {
		abi.kernel_symbol_size = entry_size(btf, "kernel_symbol", 8, 12);
		abi.kernel_symbol_relative = abi.kernel_symbol_size <= 12;
	}
	abi.kernel_param_size = entry_size(btf, "kernel_param", 40, 40);
	find_modversion(btf, &abi);
	abi.extable_entry_size = entry_size(btf, "exception_table_entry", 12, 12);
	abi.mod_kallsyms_size = entry_size(btf, "mod_kallsyms", 24, 32);
	abi.mod_kallsyms_align = 8;
	abi.memory_regions = !module || has_member(btf, module, "mem");
	abi.data_layout = has_member(btf, module, "data_layout");
	find_module_members(btf, module, &abi.members);
	kernel->abi = abi;
	kc_kernel_make_layouts(kernel);
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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel that modules are loaded against: an image taken apart, read-only once opened, shared
 * by threads.
 *
 * Opening is lazy: kocoon_kernel_open() unpacks the image, finds sections and exports; BTF, the
 * symbol table, keys and behaviour are made when first asked for, once, under a lock of their own
 * (pthread_once or a mutex and an atomic flag). Functions below may be called from any thread.
 *
 * No version number is ever compared. Layouts come from BTF by member name; what a kernel checks,
 * and how, is probed for in the image: by symbol, by section, and by the messages that its own code
 * would print.
 */
#ifndef KC_KERNEL_KERNEL_H
#define KC_KERNEL_KERNEL_H

#include <openssl/x509.h>
#include <stdatomic.h>

#include "base/report.h"
#include "base/span.h"
#include "image/image.h"
#include "kocoon/kocoon.h"

struct btf;

/* Members of struct module that the loader writes, or others read. */
enum kc_module_member {
	KC_MEMBER_STATE,
	KC_MEMBER_LIST,
	KC_MEMBER_NAME,
	KC_MEMBER_MKOBJ, /* struct module_kobject */
	KC_MEMBER_PARAM_LOCK, /* struct mutex */
	KC_MEMBER_VERSION,
	KC_MEMBER_SRCVERSION,
	KC_MEMBER_BUILD_ID,
	KC_MEMBER_SYMS,
	KC_MEMBER_CRCS,
	KC_MEMBER_NUM_SYMS,
	KC_MEMBER_KP,
	KC_MEMBER_NUM_KP,
	KC_MEMBER_GPL_SYMS,
	KC_MEMBER_GPL_CRCS,
	KC_MEMBER_NUM_GPL_SYMS,
	KC_MEMBER_USING_GPLONLY_SYMBOLS,
	KC_MEMBER_SIG_OK,
	KC_MEMBER_ASYNC_PROBE_REQUESTED,
	KC_MEMBER_EXTABLE,
	KC_MEMBER_NUM_EXENTRIES,
	KC_MEMBER_INIT,
	KC_MEMBER_MEM, /* array of struct module_memory */
	KC_MEMBER_CORE_LAYOUT, /* struct module_layout, of kernels without `mem` */
	KC_MEMBER_INIT_LAYOUT,
	KC_MEMBER_ARCH, /* struct mod_arch_specific */
	KC_MEMBER_TAINTS,
	KC_MEMBER_NUM_BUGS,
	KC_MEMBER_BUG_LIST,
	KC_MEMBER_BUG_TABLE,
	KC_MEMBER_KALLSYMS,
	KC_MEMBER_CORE_KALLSYMS,
	KC_MEMBER_ARGS,
	KC_MEMBER_PERCPU,
	KC_MEMBER_PERCPU_SIZE,
	KC_MEMBER_TRACEPOINTS_PTRS,
	KC_MEMBER_NUM_TRACEPOINTS,
	KC_MEMBER_SRCU_STRUCT_PTRS,
	KC_MEMBER_NUM_SRCU_STRUCTS,
	KC_MEMBER_BPF_RAW_EVENTS,
	KC_MEMBER_NUM_BPF_RAW_EVENTS,
	KC_MEMBER_BTF_DATA,
	KC_MEMBER_BTF_DATA_SIZE,
	KC_MEMBER_JUMP_ENTRIES,
	KC_MEMBER_NUM_JUMP_ENTRIES,
	KC_MEMBER_TRACE_BPRINTK_FMT_START,
	KC_MEMBER_NUM_TRACE_BPRINTK_FMT,
	KC_MEMBER_TRACE_EVENTS,
	KC_MEMBER_NUM_TRACE_EVENTS,
	KC_MEMBER_TRACE_EVALS,
	KC_MEMBER_NUM_TRACE_EVALS,
	KC_MEMBER_FTRACE_CALLSITES,
	KC_MEMBER_NUM_FTRACE_CALLSITES,
	KC_MEMBER_NOINSTR_TEXT_START,
	KC_MEMBER_NOINSTR_TEXT_SIZE,
	KC_MEMBER_KPROBES_TEXT_START,
	KC_MEMBER_KPROBES_TEXT_SIZE,
	KC_MEMBER_KPROBE_BLACKLIST,
	KC_MEMBER_NUM_KPROBE_BLACKLIST,
	KC_MEMBER_STATIC_CALL_SITES,
	KC_MEMBER_NUM_STATIC_CALL_SITES,
	KC_MEMBER_PRINTK_INDEX_START,
	KC_MEMBER_PRINTK_INDEX_SIZE,
	KC_MEMBER_KLP,
	KC_MEMBER_KLP_ALIVE,
	KC_MEMBER_KLP_INFO,
	KC_MEMBER_SOURCE_LIST,
	KC_MEMBER_TARGET_LIST,
	KC_MEMBER_EXIT,
	KC_MEMBER_REFCNT,
	KC_MEMBER_CTORS,
	KC_MEMBER_NUM_CTORS,
	KC_MEMBER_EI_FUNCS,
	KC_MEMBER_NUM_EI_FUNCS,
	KC_MEMBER_DYNDBG_INFO,
	KC_MEMBER_COUNT,
};

#define KC_NO_MEMBER UINT32_MAX

/* Offsets in bytes; KC_NO_MEMBER: this kernel has none, or its BTF is not known. */
struct kc_module_members {
	uint32_t offset[KC_MEMBER_COUNT];
};

/*
 * Sizes and offsets in bytes of the structures that a module carries; from BTF, else the form of
 * the image's tables.
 */
struct kc_abi {
	bool known; /* from BTF; false: sizes below are of today's kernels, module_size is 0 */
	uint32_t module_size; /* struct module; 0: not known */
	uint32_t module_name; /* offset of its name */
	uint32_t module_name_len; /* size of that array */
	uint32_t kernel_symbol_size; /* 12 with relative offsets, 24 with pointers */
	bool kernel_symbol_relative;
	uint32_t kernel_param_size; /* struct kernel_param */
	uint32_t modversion_size; /* struct modversion_info: 64 */
	uint32_t modversion_name; /* offset of its name: 8 */
	uint32_t extable_entry_size; /* struct exception_table_entry: 12 */
	uint32_t mod_kallsyms_size; /* struct mod_kallsyms: 32 */
	uint32_t mod_kallsyms_align; /* 8 */
	bool memory_regions; /* struct module has `mem`: seven regions */
	bool data_layout; /* no `mem`, but `data_layout` beside core_layout and init_layout */
	/* Without BTF: state and name only, which stand where they always did. */
	struct kc_module_members members;
};

/* What this kernel checks, and how: each probed for; the comments name the evidence. */
struct kc_behaviour {
	/* CONFIG_MODULE_SIG: "module verification failed" or symbol module_sig_check */
	bool signatures;
	bool sig_enforce; /* value of `sig_enforce` in the image: CONFIG_MODULE_SIG_FORCE */
	bool lockdown; /* symbol security_locked_down and lockdown LSM (lockdown_is_locked_down) */
	bool modversions; /* section __kcrctab is there */
	bool force_load; /* CONFIG_MODULE_FORCE_LOAD: "%s: %s: kernel tainted." */
	bool strict_rwx; /* "has invalid WRITE|EXEC flags" */
	bool livepatch; /* symbol klp_module_coming */
	bool kallsyms_all; /* the kernel's own symbol table holds data symbols (type d, D, b, B) */
	bool constructors; /* "has both .ctors and .init_array" */
	bool smp; /* vermagic has " SMP " */
	bool btf_modules; /* "failed to validate module [%s] BTF" or symbol btf_module_notify */
	bool btf_mismatch_allowed; /* "Kernel module BTF mismatch detected" */
	/* "module uses symbol ... from namespace": printed as a warning (\0014) */
	bool missing_namespace_allowed;
	/* exports for named modules only: the "module:" prefix of namespaces is known */
	bool module_namespaces;
	bool extended_modversions; /* "__version_ext_crcs", "__version_ext_names" */
	/* the one-function-a-concern validity check ("Only one .modinfo section must exist") */
	bool validity_split;
	/*
	 * .gnu.linkonce.this_module's flags and size are checked ("must match the kernel's built
	 * struct module size")
	 */
	bool validity_this_module;
	bool validity_name_type; /* "Invalid ELF section name table type" */
	bool validity_symtab_type; /* "Invalid ELF symbol string table type" */
	bool symbol_index_checked; /* "has an invalid section index" */
	/* duplicate is looked for before layout too (symbol early_mod_check, or stats) */
	bool early_mod_check;
	/*
	 * a module whose files under sections/ can't be made is refused: mod_sysfs_setup() takes
	 * them away again, by sysfs_remove_group()
	 */
	bool sysfs_sections_needed;
	struct kc_decompressor
		decompressor; /* "not an xz compressed module", ...; xz_dec_bcj_run */
	bool platform_keyring; /* symbol platform_trusted_keys */
	/* digests that PKCS#7 takes; from the parser's names in the image where they can be had */
	bool signature_sha1;
	bool signature_sha3;
	bool signature_ecdsa;
};

/*
 * The parts of a kernel that other folders ask for. Names of kernel symbols are as in
 * /proc/kallsyms.
 */

/* NULL: no such export. `hash` is kc_hash(name). */
const struct kocoon_export *kc_kernel_find_export(const struct kocoon_kernel *kernel,
						  const char *name, uint32_t hash);
/*
 * Link address of a symbol (the first one of that name). False: there is none, or no symbol table.
 */
KC_MUST_CHECK bool kc_kernel_find_symbol(const struct kocoon_kernel *kernel, const char *name,
					 uint64_t *address_ret);
/* The so many-th of a name, by address; with 0, the only one of that name. */
KC_MUST_CHECK bool kc_kernel_find_nth_symbol(const struct kocoon_kernel *kernel, const char *name,
					     uint64_t position, uint64_t *address_ret);
/* Bytes at a link address, as they are in the image. False: not in the image (or in .bss). */
KC_MUST_CHECK bool kc_kernel_bytes(const struct kocoon_kernel *kernel, uint64_t address,
				   uint64_t len, struct kc_span *bytes_ret);
const struct kc_abi *kc_kernel_abi(const struct kocoon_kernel *kernel);
const struct kc_behaviour *kc_kernel_behaviour(const struct kocoon_kernel *kernel);
/*
 * The kernel's BTF, or NULL. Owned by the kernel; libbpf's read-only calls on it are safe from
 * several threads.
 */
const struct btf *kc_kernel_btf(const struct kocoon_kernel *kernel);
/* The raw bytes of .BTF; empty where there are none. */
struct kc_span kc_kernel_btf_bytes(const struct kocoon_kernel *kernel);
/* Trusted certificates; count of them. The array and the certificates are the kernel's. */
size_t kc_kernel_certificates(const struct kocoon_kernel *kernel, X509 *const **certificates_ret);
/*
 * What verifying with a trusted key leaves behind for its next use. The kernel only keeps it, for
 * the layer above: zero at first, changed by any thread.
 */
struct kc_key_cache {
	atomic_uint uses;
	_Atomic(void *) kept; /* owned; set once, by one thread, with memory_order_release */
	void (*free_kept)(void *kept); /* set before `kept` is */
};

/* NULL: not one of kc_kernel_certificates(). */
struct kc_key_cache *kc_kernel_key_cache(const struct kocoon_kernel *kernel,
					 const X509 *certificate);
/* Whether a part that is built in has a folder of this name under /sys/module. */
bool kc_kernel_has_builtin(const struct kocoon_kernel *kernel, const char *name);
/* A kernel of which nothing is known, for programs that are the kernel themselves. -ENOMEM. */
KC_MUST_CHECK int kc_kernel_bare(struct kocoon_kernel **kernel_ret);
/* Whether there is an image behind it, and so its keys, BTF and vermagic. */
bool kc_kernel_has_image(const struct kocoon_kernel *kernel);

#endif

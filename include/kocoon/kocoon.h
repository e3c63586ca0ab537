/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libkocoon: Linux's module loader, in your own process.
 *
 * Errors: functions return 0 or a negative errno. Where a module is judged, the errno is the one
 * that the target kernel would return from finit_module(2). Beside it, a report says in words what
 * was found.
 *
 * Threads: a kocoon_kernel is read-only once opened and may be shared by any number of threads.
 * Every other object belongs to one thread at a time, unless its functions say otherwise.
 *
 * Memory: what a function returns through a `_ret` parameter is the caller's, to be given to the
 * matching _free(); `const` pointers inside an object live as long as the object. _free(NULL) is
 * allowed. On failure `_ret` is untouched.
 *
 * Versions: structures with public members are only ever allocated by the library (option
 * structures excepted: start them from { 0 }, and set `size`), and new members are added at their
 * end.
 */
#ifndef KOCOON_H
#define KOCOON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KOCOON_API __attribute__((visibility("default")))

/* "0.1.0" */
KOCOON_API const char *kocoon_version(void);

/* ---- reports ---- */

/* Where in the kernel's pipeline something was found. In the order of the kernel's own work. */
enum kocoon_stage {
	KOCOON_STAGE_READ, /* the file itself */
	KOCOON_STAGE_DECOMPRESS, /* module_decompress() */
	KOCOON_STAGE_SIGNATURE, /* module_sig_check() */
	KOCOON_STAGE_ELF, /* elf_validity_cache_copy() */
	KOCOON_STAGE_BLACKLIST, /* blacklisted() */
	KOCOON_STAGE_MODVERSION, /* check_modstruct_version() */
	KOCOON_STAGE_VERMAGIC, /* check_modinfo() */
	KOCOON_STAGE_LIVEPATCH, /* check_modinfo_livepatch() */
	KOCOON_STAGE_DUPLICATE, /* module_patient_check_exists() */
	KOCOON_STAGE_RWX, /* module_enforce_rwx_sections() */
	KOCOON_STAGE_LAYOUT, /* layout_sections(), layout_symtab(), move_module() */
	KOCOON_STAGE_PERCPU, /* percpu_modalloc() */
	KOCOON_STAGE_SECTIONS, /* find_module_sections() */
	KOCOON_STAGE_EXPORTS, /* check_export_symbol_versions() */
	KOCOON_STAGE_SYMBOLS, /* simplify_symbols() */
	KOCOON_STAGE_RELOCATIONS, /* apply_relocations() */
	KOCOON_STAGE_FINALIZE, /* post_relocation() */
	KOCOON_STAGE_FORMATION, /* complete_formation() */
	KOCOON_STAGE_BTF, /* the kernel's BTF notifier, called by prepare_coming_module() */
	KOCOON_STAGE_PARAMETERS, /* parse_args() */
	KOCOON_STAGE_SYSFS, /* mod_sysfs_setup() */
	KOCOON_STAGE_INIT, /* do_init_module() */
	KOCOON_STAGE_KERNEL, /* opening the kernel; no stage of a module */
};

/* "elf", "symbols", ...: the name used in JSON. Never NULL. */
KOCOON_API const char *kocoon_stage_name(enum kocoon_stage stage);

struct kocoon_finding {
	enum kocoon_stage stage;
	/* negative errno; 0: a warning that the kernel prints or that a person should know */
	int err;
	const char *what; /* what is wrong, and where */
	const char *expected; /* or NULL */
	const char *found; /* or NULL */
	const char *hint; /* what a person can do, or NULL */
};

struct kocoon_report;

KOCOON_API struct kocoon_report *kocoon_report_new(void);
KOCOON_API void kocoon_report_free(struct kocoon_report *report);
KOCOON_API size_t kocoon_report_count(const struct kocoon_report *report);
/* NULL behind the last. */
KOCOON_API const struct kocoon_finding *kocoon_report_get(const struct kocoon_report *report,
							  size_t index);

/* ---- kernel ---- */

/* A kernel that modules are loaded against. Read-only and shared once it is open. */
struct kocoon_kernel;

struct kocoon_kernel_options {
	size_t size; /* sizeof(struct kocoon_kernel_options) */
	const char *const *key_files; /* further trusted certificates: X.509, DER or PEM */
	size_t key_count;
	const char
		*symvers; /* Module.symvers, or NULL: instead of an image, or checked beside one */
	const char *system_map; /* System.map, or NULL: symbol addresses where there is no image */
	/*
	 * Folder in which unpacked images are kept from run to run, made where it is missing; NULL:
	 * they aren't. What is found there is believed where this user has made it, for the same
	 * file in the same state; else it is made anew.
	 */
	const char *cache;
};

/*
 * Opens a bzImage, or a vmlinux (with or without symbols). `path` may be NULL when options->symvers
 * is given: a kernel without an image, for which kocoon_kernel_gaps() says what can't be checked.
 * `options` may be NULL. What goes wrong is written to `report`, which may be NULL.
 *
 * -ENOENT, -EACCES, ...: the file can't be read. -ENOEXEC: not a kernel, or a damaged one.
 * -ENOTSUP: a kernel of a kind that kocoon does not know (the report names it). -ENOMEM.
 */
KOCOON_API int kocoon_kernel_open(const char *path, const struct kocoon_kernel_options *options,
				  struct kocoon_report *report, struct kocoon_kernel **kernel_ret);
KOCOON_API void kocoon_kernel_free(struct kocoon_kernel *kernel);

/* "6.12.117+deb12-amd64"; "" where it is not known. */
KOCOON_API const char *kocoon_kernel_release(const struct kocoon_kernel *kernel);
/* The kernel's vermagic, as modules carry it; "" where it is not known. */
KOCOON_API const char *kocoon_kernel_vermagic(const struct kocoon_kernel *kernel);
/* "x86_64" */
KOCOON_API const char *kocoon_kernel_arch(const struct kocoon_kernel *kernel);
/* The path that it was opened from, or NULL. */
KOCOON_API const char *kocoon_kernel_path(const struct kocoon_kernel *kernel);
/* Lower-case hex of the image's build id, or "". */
KOCOON_API const char *kocoon_kernel_build_id(const struct kocoon_kernel *kernel);
/* What can't be checked with what is known of this kernel: one text each; NULL behind the last. */
KOCOON_API const char *kocoon_kernel_gap(const struct kocoon_kernel *kernel, size_t index);

struct kocoon_export {
	const char *name;
	const char *ns; /* namespace, or NULL */
	uint64_t address; /* link address; 0 where it is not known */
	uint32_t crc;
	bool has_crc;
	bool gpl_only;
};

/* All exports, plain ones first, each kind sorted by name as in the image. */
KOCOON_API size_t kocoon_kernel_exports(const struct kocoon_kernel *kernel,
					const struct kocoon_export **exports_ret);
/* NULL: no such export. Constant time. */
KOCOON_API const struct kocoon_export *kocoon_kernel_export(const struct kocoon_kernel *kernel,
							    const char *name);

/*
 * One name and address of the kernel's own symbol table (/proc/kallsyms without address-space
 * randomisation).
 */
struct kocoon_symbol {
	const char *name;
	uint64_t address;
	char type; /* as printed in /proc/kallsyms */
};

/*
 * All symbols, by ascending address. 0: the image has no such table. Decoded when first asked for.
 */
KOCOON_API size_t kocoon_kernel_symbols(const struct kocoon_kernel *kernel,
					const struct kocoon_symbol **symbols_ret);

struct kocoon_key {
	const char *subject; /* common name or the like */
	const char *issuer;
	const char *serial; /* hex */
	const char *key_id; /* subject key identifier, hex */
	const char *algorithm; /* "RSA-4096", "EC-P-384", ... */
	const char *source; /* "image", or the path of the file */
};

/* The keys that this kernel trusts for modules. */
KOCOON_API size_t kocoon_kernel_keys(const struct kocoon_kernel *kernel,
				     const struct kocoon_key **keys_ret);

/*
 * A fact about how this kernel treats modules, for people: "module signatures": "checked, not
 * enforced".
 */
struct kocoon_fact {
	const char *name;
	const char *value;
};

KOCOON_API size_t kocoon_kernel_facts(const struct kocoon_kernel *kernel,
				      const struct kocoon_fact **facts_ret);

/* Size of a structure by the kernel's BTF, or 0. */
KOCOON_API size_t kocoon_kernel_struct_size(const struct kocoon_kernel *kernel, const char *name);

/* ---- trees ---- */

/*
 * The modules that dependencies are looked for in: a tree as under /lib/modules/RELEASE, or any
 * folder of .ko files.
 */
struct kocoon_tree;

/*
 * Lists the folder; reads no module. `modules.dep` and `modules.symbols`, where present, are used
 * as hints only.
 */
KOCOON_API int kocoon_tree_open(const char *folder, struct kocoon_report *report,
				struct kocoon_tree **tree_ret);
KOCOON_API void kocoon_tree_free(struct kocoon_tree *tree);
KOCOON_API size_t kocoon_tree_count(const struct kocoon_tree *tree);
/* Path of the n-th module, in path order; NULL behind the last. */
KOCOON_API const char *kocoon_tree_path(const struct kocoon_tree *tree, size_t index);
/* Path of the module of this name ('-' and '_' equal), or NULL. */
KOCOON_API const char *kocoon_tree_find(const struct kocoon_tree *tree, const char *name);

/* ---- verdicts ---- */

/* The kernel's switches. */
struct kocoon_policy {
	size_t size; /* sizeof(struct kocoon_policy) */
	bool sig_enforce; /* module.sig_enforce=1 */
	bool lockdown; /* lockdown=integrity or stricter */
	bool force_vermagic; /* MODULE_INIT_IGNORE_VERMAGIC */
	bool force_modversions; /* MODULE_INIT_IGNORE_MODVERSIONS */
	const char *blacklist; /* module_blacklist=: names, separated by commas; or NULL */
	unsigned int threads; /* 0: one a processor */
	uint64_t base; /* where module memory starts; 0: the architecture's own place */
	/* MODULE_INIT_COMPRESSED_FILE: that kernel unpacks, user space does not */
	bool compressed_file;
};

enum kocoon_signature_state {
	KOCOON_SIGNATURE_NONE, /* no signature is appended */
	KOCOON_SIGNATURE_OK, /* verified with a trusted key */
	KOCOON_SIGNATURE_UNKNOWN_KEY, /* signed by a key that the kernel doesn't trust */
	KOCOON_SIGNATURE_BAD, /* damaged, or of other bytes than these */
	KOCOON_SIGNATURE_UNSUPPORTED, /* an algorithm or a form that this kernel can't check */
	/* the kernel's keys are not known, or it doesn't check signatures */
	KOCOON_SIGNATURE_UNCHECKED,
};

/* "none", "ok", "unknown-key", "bad", "unsupported", "unchecked" */
KOCOON_API const char *kocoon_signature_state_name(enum kocoon_signature_state state);

struct kocoon_signature {
	enum kocoon_signature_state state;
	const char *signer; /* issuer's or key's common name, or NULL */
	/* hex: serial number or subject key identifier, as the signature names it; or NULL */
	const char *key_id;
	const char *hash; /* "sha256", or NULL */
};

/* The regions of a module's memory, in the kernel's order (enum mod_mem_type). */
enum kocoon_region_kind {
	KOCOON_REGION_TEXT,
	KOCOON_REGION_DATA,
	KOCOON_REGION_RODATA,
	KOCOON_REGION_RO_AFTER_INIT,
	KOCOON_REGION_INIT_TEXT,
	KOCOON_REGION_INIT_DATA,
	KOCOON_REGION_INIT_RODATA,
	KOCOON_REGION_COUNT,
};

/* "text", "data", "rodata", "ro_after_init", "init_text", "init_data", "init_rodata" */
KOCOON_API const char *kocoon_region_name(enum kocoon_region_kind kind);

struct kocoon_verdict {
	/* name from the module's own struct; by its file name where there is none */
	const char *module;
	const char *path;
	int err; /* 0: accepted. Else what finit_module would return */
	enum kocoon_stage stage; /* of the refusal */
	const char *reason; /* the first refusing finding's text, or NULL */
	const struct kocoon_report *report; /* all that was found, warnings included */
	struct kocoon_signature signature;
	uint64_t taints; /* bits as in /proc/sys/kernel/tainted that this module sets */
	const char *const
		*depends; /* names of the modules that it uses symbols of, in order of first use */
	size_t depend_count;
	/* bytes, page-rounded as the kernel does; 0s before layout */
	uint64_t region_sizes[KOCOON_REGION_COUNT];
	uint64_t relocations; /* that were applied */
	uint64_t usec; /* spent on this module */
};

/*
 * "OE": one letter a taint, in the kernel's order, as /proc/modules and /sys/module/NAME/taint show
 * them.
 */
KOCOON_API void kocoon_taint_letters(uint64_t taints, char letters_ret[32]);

/* "ENOEXEC" for -ENOEXEC or ENOEXEC; NULL for 0. */
KOCOON_API const char *kocoon_errno_name(int err);

/*
 * Called for each verdict, from one thread at a time: in the order of the paths, or for a whole
 * tree dependencies first, as far as modules.dep tells them. The verdict lives until the call
 * returns. Not 0: no further module is started, and kocoon_check() returns that value.
 */
typedef int kocoon_verdict_fn(const struct kocoon_verdict *verdict, void *context);

/*
 * Judges modules, as if each were loaded after the modules that it depends on. Dependencies are
 * found by symbol, among the paths given and then in `tree` (NULL: only among the paths); a
 * dependency that is refused itself does not provide its symbols. With no paths, every module of
 * the tree is judged. Two modules of one name: the later one is a duplicate.
 *
 * Memory: at most about 128 MiB of module images are held back for modules whose dependencies are
 * not decided yet. Returns 0 when every module has a verdict, whatever the verdicts are.
 */
KOCOON_API int kocoon_check(const struct kocoon_kernel *kernel, const struct kocoon_tree *tree,
			    const struct kocoon_policy *policy, const char *const *paths,
			    size_t count, kocoon_verdict_fn *verdict_fn, void *context);

/* ---- one module ---- */

/*
 * One module, taken through the pipeline as far as it goes, with all that became known of it on the
 * way.
 */
struct kocoon_module;

struct kocoon_symbol_override {
	const char *name;
	uint64_t address;
};

struct kocoon_module_options {
	size_t size; /* sizeof(struct kocoon_module_options) */
	uint64_t base; /* address of the first region; 0: the architecture's own place */
	const struct kocoon_symbol_override *overrides; /* addresses that imports are to have */
	size_t override_count;
	/* KOCOON_REGION_COUNT addresses, page-aligned, instead of `base`; or NULL */
	const uint64_t *region_bases;
	/*
	 * The CPU that the module's code is patched for, as the kernel does it before the code
	 * runs; see kocoon_cpu_check(). NULL: code is left as it is in the file.
	 */
	const char *cpu;
	/* Address of its per-CPU data; 0: right behind the kernel's own. */
	uint64_t percpu;
};

/*
 * Whether a name is one of a CPU of the kernel's architecture: "host" (this machine, as user code
 * may use it), "qemu64", ...; behind it, each after a comma, +flag or -flag as in /proc/cpuinfo.
 * -EINVAL: it is none, and the report lists them.
 */
KOCOON_API int kocoon_cpu_check(const struct kocoon_kernel *kernel, const char *name,
				struct kocoon_report *report);

/*
 * Takes one module through the pipeline; its dependencies, found in `tree`, are taken through it
 * first. 0 when there is something to look at, even where the verdict is a refusal; else -ENOMEM,
 * or the errno of reading the file. `policy`, `tree` and `options` may be NULL.
 */
KOCOON_API int kocoon_module_load(const struct kocoon_kernel *kernel,
				  const struct kocoon_tree *tree,
				  const struct kocoon_policy *policy, const char *path,
				  const struct kocoon_module_options *options,
				  struct kocoon_module **module_ret);
KOCOON_API void kocoon_module_free(struct kocoon_module *module);
KOCOON_API const struct kocoon_verdict *kocoon_module_verdict(const struct kocoon_module *module);

/* `tag=value` pairs of .modinfo in file order; false behind the last. */
KOCOON_API bool kocoon_module_modinfo(const struct kocoon_module *module, size_t index,
				      const char **tag_ret, const char **value_ret);

struct kocoon_region {
	enum kocoon_region_kind kind;
	uint64_t address;
	uint64_t size; /* page-rounded */
	uint64_t used; /* before rounding */
	const char *permissions; /* once the module is LIVE: "r-x", "rw-", "r--" */
	bool freed_after_init;
	/* `size` bytes as they would stand in memory; NULL before layout succeeded */
	const uint8_t *bytes;
};

/* The regions that have a size, in the kernel's order; NULL behind the last. */
KOCOON_API const struct kocoon_region *kocoon_module_region(const struct kocoon_module *module,
							    size_t index);

struct kocoon_section {
	const char *name;
	uint32_t index; /* in the file */
	uint32_t type; /* SHT_* */
	uint64_t flags; /* SHF_*, as in the file */
	enum kocoon_region_kind region;
	uint64_t address;
	uint64_t offset; /* in the region */
	uint64_t size;
	uint64_t align;
	uint64_t padding; /* unused bytes before it */
};

/*
 * The sections that are in memory, by region and then by offset, the tables that the kernel adds
 * (kallsyms) included.
 */
KOCOON_API const struct kocoon_section *kocoon_module_section(const struct kocoon_module *module,
							      size_t index);

enum kocoon_import_state {
	KOCOON_IMPORT_OK,
	KOCOON_IMPORT_UNKNOWN, /* nobody exports it */
	KOCOON_IMPORT_WEAK, /* nobody exports it, and that is allowed */
	KOCOON_IMPORT_CRC, /* another version of it */
	KOCOON_IMPORT_NO_VERSION, /* the module has no version of it */
	KOCOON_IMPORT_GPL_ONLY, /* exported to GPL-compatible modules only */
	KOCOON_IMPORT_NAMESPACE, /* of a namespace that the module doesn't import */
	/* of a proprietary module, wanted by one that uses GPL-only symbols */
	KOCOON_IMPORT_PROPRIETARY,
	/* its provider did not come up in time, or goes away (in a living subsystem only) */
	KOCOON_IMPORT_UNUSABLE,
};

struct kocoon_import {
	const char *name;
	const char *provider; /* module's name; "" is the kernel; NULL: none */
	const char *ns; /* namespace that it is exported in, or NULL */
	uint64_t address;
	uint32_t crc_wanted; /* as the module has it; has_wanted tells whether it has one */
	uint32_t crc_found;
	bool has_wanted;
	bool has_found;
	bool gpl_only;
	enum kocoon_import_state state;
};

/* Undefined symbols in symbol table order; NULL behind the last. */
KOCOON_API const struct kocoon_import *kocoon_module_import(const struct kocoon_module *module,
							    size_t index);

/* Exports of the module, addresses as loaded; NULL behind the last. */
KOCOON_API const struct kocoon_export *kocoon_module_export(const struct kocoon_module *module,
							    size_t index);

struct kocoon_relocation_count {
	const char *type; /* "R_X86_64_PC32" */
	uint64_t count;
};

KOCOON_API const struct kocoon_relocation_count *
kocoon_module_relocations(const struct kocoon_module *module, size_t index);

struct kocoon_abi {
	uint64_t module_size_wanted; /* sizeof(struct module) of this kernel; 0: not known */
	uint64_t module_size_found; /* of the module's own .gnu.linkonce.this_module */
	uint64_t image_size; /* bytes after decompression, signature included */
	uint64_t file_size;
	const char *compression; /* "none", "gzip", "xz", "zstd" */
};

KOCOON_API void kocoon_module_abi(const struct kocoon_module *module, struct kocoon_abi *abi_ret);

/*
 * Writes the relocated module as an ELF file whose sections stand at their final addresses, its
 * symbol table included. -EINVAL: the module was refused before it was relocated. -ENOTSUP: it
 * uses symbols whose addresses aren't known, because the kernel was opened without an image and
 * without a System.map that has them; give a System.map, or the addresses by
 * kocoon_module_options.
 */
KOCOON_API int kocoon_module_write_elf(const struct kocoon_module *module, int fd);

#ifdef __cplusplus
}
#endif

#endif

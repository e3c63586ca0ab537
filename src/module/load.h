/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One module on its way through the pipeline: what the kernel keeps in struct load_info and in the
 * module's own struct.
 *
 * load.c is the pipeline and the only caller of the stages; one file a stage or a concern, named as
 * in the kernel's source file map. A stage returns 0 or the kernel's errno and has then written a
 * finding. Strings and spans borrow from the image, which has to live as long as the load.
 *
 * The work is in two halves, because a module's imports may be exports of modules that are still
 * being loaded: kc_load_prepare() does everything up to layout, kc_load_finish() everything from
 * move_module() on. A load belongs to one thread at a time.
 */
#ifndef KC_MODULE_LOAD_H
#define KC_MODULE_LOAD_H

#include "arch/arch.h"
#include "base/hash.h"
#include "base/report.h"
#include "elf/elf.h"
#include "kernel/kernel.h"
#include "memory/memory.h"
#include "module/signing.h"

/*
 * Section flags that mean something to module loaders only (include/linux/module.h,
 * linux/livepatch.h).
 */
enum {
	KC_SHF_RELA_LIVEPATCH = 0x00100000,
	KC_SHF_RO_AFTER_INIT = 0x00200000,
	KC_SHN_LIVEPATCH = 0xff20,
};

/* Taint bits that a module can set (include/linux/panic.h). */
enum kc_taint {
	KC_TAINT_PROPRIETARY_MODULE = 0,
	KC_TAINT_FORCED_MODULE = 1,
	KC_TAINT_CRAP = 10,
	KC_TAINT_OOT_MODULE = 12,
	KC_TAINT_UNSIGNED_MODULE = 13,
	KC_TAINT_LIVEPATCH = 15,
	KC_TAINT_TEST = 18,
};

/*
 * Some times as much as any module has: what a hostile one may make of overlapping strings and
 * tables. Differs from Linux: more is refused (-ENOMEM), by kc_too_much().
 */
enum {
	KC_NAMES_MAX = 64 << 20, /* bytes of all names of one kind: strings can overlap */
	KC_SYMBOLS_MAX = 1 << 17, /* imports, and exports */
	KC_VERSIONS_MAX = 1 << 20,
	KC_NAMESPACES_MAX = 1 << 16,
};

static inline bool kc_has_taint(uint64_t taints, enum kc_taint taint)
{
	return taints & (UINT64_C(1) << taint);
}

struct kc_section {
	Elf64_Shdr shdr; /* flags change on the way, as in the kernel */
	uint64_t file_flags; /* and these do not */
	const char *name; /* "" where the name is out of bounds */
	/* bytes in the image; empty for SHT_NOBITS, SHT_NULL and what is out of bounds */
	struct kc_span file;
	bool placed;
	enum kocoon_region_kind region;
	uint64_t offset; /* in its region */
};

enum kc_provider {
	KC_PROVIDER_NONE = -1,
	KC_PROVIDER_KERNEL = -2,
	/* Others: index of a module in the session. */
};

/* An undefined symbol, and who answers for it. */
struct kc_import {
	const char *name;
	uint32_t hash;
	bool weak;
	int provider; /* enum kc_provider or an index */
	const struct kocoon_export *export; /* of the provider; borrowed; NULL: none */
	uint64_t provider_taints;
	const char *provider_name; /* "" the kernel; NULL: none. Borrowed from the session */
	const char *candidate; /* a module that would export it, but is refused itself; or NULL */
	/* The judgement, made by simplify_symbols. */
	enum kocoon_import_state state;
	int err; /* of a provider that is there, but can't be used; 0: the state's own */
	bool has_wanted;
	uint64_t wanted; /* as wide as the module has it: what is no CRC is none's */
};

/* Kept for what is said of an import whose provider may be gone by then; see live/uses.c. */
struct kc_kept {
	struct kc_kept *next;
	struct kocoon_export export;
	char provider[64];
	char ns[];
};

/* A table of structures in a section that the loader looks for. */
struct kc_table {
	uint32_t section; /* 0: there is none */
	uint64_t count; /* of entries */
};

/* Tables that the kernel appends for kallsyms, offsets in their regions. */
struct kc_kallsyms_layout {
	uint64_t symtab; /* DATA: core symbols */
	uint64_t strtab; /* DATA */
	uint64_t typetab; /* DATA */
	uint32_t core_count;
	uint64_t init_header; /* INIT_DATA: struct mod_kallsyms */
	uint64_t init_typetab; /* INIT_DATA */
};

struct kc_load {
	/* Given. */
	const struct kocoon_kernel *kernel;
	const struct kc_arch *arch;
	const struct kocoon_policy *policy;
	const struct kc_abi *abi;
	const struct kc_behaviour *behaviour;
	struct kocoon_report *report;
	/*
	 * It is loaded for real: the first refusal ends it, and imports are resolved on the way by
	 * `neighbours`.
	 */
	bool live;
	const struct kc_neighbours *neighbours; /* while the second half runs */

	/* The image. */
	struct kc_span
		image; /* info->hdr, info->len: without the signature once that was looked at */
	struct kc_span whole; /* with it */
	struct kc_ehdr ehdr;
	struct kc_section *sections; /* owned; ehdr.shnum of them */
	struct {
		uint32_t sym, str, mod, vers, info, pcpu, vers_ext_crc, vers_ext_name;
	} index;
	const char *name; /* info->name: for messages and the blacklist */
	char struct_name[64]; /* mod->name, cut to what fits; what the module is known by */
	struct kc_signature signature;
	bool livepatch;

	/* State. */
	int err; /* of the first refusal */
	enum kocoon_stage stage;
	bool stopped; /* a refusal after which nothing further can be looked at safely */
	uint64_t taints;
	bool uses_gpl_only;
	struct kc_memory memory;
	struct kc_module_members members;
	const struct kc_cpu *cpu; /* that code is patched for; NULL: code is left as it is */
	struct kc_kallsyms_layout kallsyms;
	uint64_t percpu_address; /* not 0 at first: where it is to be */
	bool relocated;

	struct kc_import *imports; /* owned */
	size_t import_count;
	size_t imports_decided; /* of the first ones it is known who provides them, if anybody */
	bool rivals_decided; /* no earlier module of a session is in its way any more */
	struct kc_kept *kept; /* owned */
	struct kc_index imports_by_name; /* those with an export; made when it is first asked for */
	struct kc_index versions; /* the version tables by name, the first one of each */
	uint32_t *extended; /* owned; where the names of __version_ext_names start */
	struct kc_index namespaces; /* places in `whole` of what import_ns= tells */
	bool namespaces_known;

	struct kc_table syms, gpl_syms, crcs, gpl_crcs;
	struct kocoon_export *exports; /* owned; names borrow from the module's memory */
	size_t export_count;

	uint64_t relocation_bytes; /* of the tables that were applied */
	uint64_t relocations;
	uint64_t relocation_counts[KC_RELOCATION_TYPES];
};

/* ---- the pipeline: load.c ---- */

void kc_load_init(struct kc_load *load, const struct kocoon_kernel *kernel,
		  const struct kocoon_policy *policy, struct kocoon_report *report);
void kc_load_deinit(struct kc_load *load);
/* Writes a finding: there are too many, or too many bytes, of these. Returns -ENOMEM. */
int kc_too_much(struct kc_load *load, enum kocoon_stage stage, const char *what);

/*
 * From the decompressed bytes to layout. Returns load->err; goes on after a refusal where it safely
 * can. load->stopped tells that nothing behind it can be looked at.
 */
int kc_load_prepare(struct kc_load *load, struct kc_span image);

/*
 * The other modules, as far as a load has to know them, and where its memory is. In link space
 * modules are judged, their imports are bound beforehand; in live space (load->live) they join the
 * others while they are loaded.
 */
struct kc_neighbours {
	void *context;
	/* The name of who exports a symbol already, "" the kernel; NULL: nobody. */
	const char *(*exported)(void *context, const char *name, uint32_t hash);

	/* Link space: whether a module of this name is there already. */
	bool (*exists)(void *context, const char *name);
	/*
	 * Link space: memory outside of the module, as it is in the target. NULL, or false: what
	 * the kernel's image has there counts.
	 */
	bool (*memory)(void *context, uint64_t address, uint64_t size, struct kc_span *bytes_ret);

	/* Live space; the errnos of all are final, and findings are written. */
	/* Addresses and bytes for regions that have a size: move_module(). */
	int (*place)(void *context, struct kc_load *load);
	/* The module joins the list: add_unformed_module(). */
	int (*admit)(void *context, struct kc_load *load);
	/* From admit() on its lists are linked where they are, and no more to be written. */
	bool links_lists;
	/* Its own taints are known, and are the kernel's from here on. NULL: nobody asks yet. */
	void (*tainted)(void *context, const struct kc_load *load);
	int (*percpu)(void *context, uint64_t size, uint64_t align, uint64_t *address_ret);
	/*
	 * resolve_symbol_wait(): finds who exports the import, has it judged by
	 * kc_resolve_symbol(), and makes the module a user of that one.
	 */
	enum kocoon_import_state (*resolve)(void *context, struct kc_load *load,
					    struct kc_import *import);
	/* The kernel side's symbol that a livepatch asks for, as it is exported; 0: none. */
	uint64_t (*kernel_symbol)(void *context, const char *name);
};

/*
 * From move_module() to post_relocation(): memory, symbols, relocations. The imports are bound, and
 * the regions have addresses, unless load->live. Returns load->err.
 */
int kc_load_link(struct kc_load *load, const struct kc_neighbours *neighbours);
/* kc_load_link(), and what complete_formation() and those behind it ask of a module. */
int kc_load_finish(struct kc_load *load, const struct kc_neighbours *neighbours);

/* ---- stages, in the kernel's order ---- */

int kc_elf_validity_cache_copy(struct kc_load *load); /* validity.c */
/* First section with SHF_ALLOC of this name / first one of this name; 0: none. */
uint32_t kc_find_sec(const struct kc_load *load, const char *name);
uint32_t kc_find_any_sec(const struct kc_load *load, const char *name);

bool kc_blacklisted(const char *list, const char *name); /* modinfo.c */
/*
 * Value of the first, or of the next after `*cursor`, entry of this tag; NULL: none. A cursor
 * starts at 0.
 */
const char *kc_get_modinfo(const struct kc_load *load, const char *tag);
const char *kc_get_next_modinfo(const struct kc_load *load, const char *tag, uint64_t *cursor);
int kc_check_modinfo(struct kc_load *load);
int kc_check_modinfo_livepatch(struct kc_load *load);
void kc_add_taint(struct kc_load *load, enum kc_taint taint);
void kc_augment_taints(struct kc_load *load);

int kc_check_modstruct_version(struct kc_load *load); /* version.c */
/* Whether the module has a version for this name. */
bool kc_version_wanted(const struct kc_load *load, const char *name, uint32_t hash,
		       uint64_t *crc_ret);
/* As check_version(): without versions, tries to force. */
enum kocoon_import_state kc_check_version(struct kc_load *load, struct kc_import *import);
int kc_try_to_force_load(struct kc_load *load);

int kc_enforce_rwx_sections(struct kc_load *load); /* layout.c */
int kc_layout_sections(struct kc_load *load);
/*
 * Gives the regions addresses, one behind the other from `base`, as groups that this kernel
 * allocates together.
 */
uint64_t kc_layout_place(struct kc_load *load, uint64_t base);
int kc_move_module(struct kc_load *load);
uint64_t kc_section_address(const struct kc_load *load, uint32_t index);
uint8_t *kc_section_memory(const struct kc_load *load, uint32_t index);

int kc_percpu_modalloc(struct kc_load *load); /* sections.c */
int kc_find_module_sections(struct kc_load *load);
int kc_check_export_symbol_versions(struct kc_load *load);
int kc_collect_exports(struct kc_load *load);
int kc_verify_exported_symbols(struct kc_load *load);
/* Calls `claim` with the names that the module will export, read before relocation. */
typedef int kc_claim_fn(void *context, const char *name);
int kc_claimed_exports(const struct kc_load *load, kc_claim_fn *claim, void *context);

int kc_collect_imports(struct kc_load *load); /* symbols.c */
int kc_simplify_symbols(struct kc_load *load);
/* What resolve_symbol() says of an import whose export, provider and taints are known. */
enum kocoon_import_state kc_resolve_symbol(struct kc_load *load, struct kc_import *import);
/*
 * Copies what an import that failed knows of the module that provides it, which may go before it is
 * explained. Without memory there is no more to say than that it is unknown.
 */
void kc_keep_provider(struct kc_load *load, struct kc_import *import);
/* The name of a symbol, or NULL where the image does not hold it. */
const char *kc_symbol_name(const struct kc_load *load, uint32_t st_name);

int kc_apply_relocations(struct kc_load *load); /* relocate.c */

/*
 * What follows relocation: the exception table is sorted, symbol tables for kallsyms are written,
 * code is patched for the CPU: post_relocation() of kernel/module/main.c.
 */
int kc_post_relocation(struct kc_load *load); /* post_relocation.c */

/* Writes the two tables that layout left room for, struct mod_kallsyms and both type tables. */
int kc_add_kallsyms(struct kc_load *load); /* kallsyms.c */
/*
 * Fills in struct module in the module's memory as the kernel has done by the time that a module is
 * COMING: state, tables, regions, per-CPU data, taints, texts. Pointers to what a kernel would have
 * allocated elsewhere stay 0.
 */
void kc_write_this_module(struct kc_load *load); /* this_module.c */
/* Its lists, as empty ones. */
void kc_write_empty_lists(struct kc_load *load);
/* Into its own kobject, whose module it is: mod_sysfs_init(). */
void kc_write_owner(struct kc_load *load);
/*
 * Offsets in struct module: the kernel's, and where those are not known, init and exit by the
 * relocations that fill them in.
 */
void kc_find_members(struct kc_load *load);

int kc_mod_sysfs_init(struct kc_load *load); /* sections.c */
int kc_check_sysfs_names(struct kc_load *load); /* sysfs_names.c */

int kc_check_btf(struct kc_load *load); /* btf.c */

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts that a struct kocoon_kernel is put together from; for the files of this folder only.
 *
 * Spans point into the image, which the kernel owns and never changes. A part that is made when
 * first asked for has a kc_once; the maker runs under its lock, so it may ask for other parts, but
 * only for those that stand above it in struct kocoon_kernel.
 */
#ifndef KC_KERNEL_PARTS_H
#define KC_KERNEL_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "elf/elf.h"
#include "kernel/kallsyms.h"
#include "kernel/kernel.h"
#include "kernel/layouts.h"

enum {
	KC_SEGMENTS_MAX = 64, /* more load segments than any kernel has */
	KC_KEY_FILE_MAX = 16 << 20,
	/* Some times as many as any kernel has: the bound on what a hostile table may cost. */
	KC_EXPORTS_MAX = 1 << 17,
	KC_KERNEL_SYMBOLS_MAX = 1 << 22,
	KC_KERNEL_NAMES_MAX = 256 << 20, /* bytes of their names */
};

/* The largest kernel that is unpacked. */
#define KC_KERNEL_IMAGE_MAX (UINT64_C(1) << 30)

/* ---- the file ---- */

/* What tells a file, and each state of it, from every other. */
struct kc_file_identity {
	uint64_t device, inode, size;
	int64_t modified_sec, modified_nsec;
	int64_t changed_sec, changed_nsec; /* nobody can set these */
};

/* False: there is no file to be had at that path. */
KC_MUST_CHECK bool kc_kernel_file_identify(const char *path, struct kc_file_identity *identity_ret);
/*
 * A private copy of a kernel's file, of which debug information and what is no kernel is left out
 * (zeroes). -EINVAL: no regular file; -ENOEXEC: empty; -EFBIG; -EIO: it changed while it was read;
 * else open's or read's errno.
 */
KC_MUST_CHECK int kc_kernel_file_open(const char *path, struct kocoon_report *report,
				      struct kc_file_identity *identity_ret,
				      struct kc_span *file_ret);
void kc_kernel_file_close(struct kc_span file);

/* ---- bzImage ---- */

struct kc_bzimage {
	const char *release; /* first word of the setup header's version string; not terminated */
	size_t release_len;
	enum kc_format format;
	struct kc_span payload; /* compressed, the size word behind it included */
	uint64_t unpacked_size; /* by the size word */
};

/* Whether a file starts as a bzImage does. */
bool kc_bzimage_detect(struct kc_span file);
/* Takes the headers apart. -ENOEXEC: damaged, or a boot protocol that names no payload. */
KC_MUST_CHECK int kc_bzimage_open(struct kc_span file, struct kocoon_report *report,
				  struct kc_bzimage *image_ret);
/* Unpacks the payload: an ELF file, perhaps with relocation lists behind it. */
KC_MUST_CHECK int kc_bzimage_unpack(const struct kc_bzimage *image, struct kc_buffer *buffer,
				    struct kocoon_report *report);

/* ---- an unpacked image that was kept ---- */

struct kocoon_kernel;

/*
 * Takes what is kept of the bzImage at `path` in `folder` (NULL: nothing is) into a new kernel:
 * image, release, layouts, behaviour. -ENOENT: nothing is kept of it; -ENOMEM.
 */
KC_MUST_CHECK int kc_kept_image_open(struct kocoon_kernel *kernel, const char *path,
				     const char *folder);
void kc_kept_image_close(struct kc_span image);
/* Keeps what was unpacked of a file. Layouts and behaviour are made for it. */
void kc_kept_image_write(const struct kocoon_kernel *kernel, const struct kc_file_identity *source,
			 const char *folder);

/* ---- vmlinux ---- */

struct kc_segment {
	uint64_t address;
	struct kc_span bytes; /* those in the file: .bss is left out */
};

struct kc_vmlinux {
	struct kc_elf elf; /* without sections: its tables are empty */
	struct kc_span
		relocations; /* what stands behind the ELF file: the lists for randomisation */
	struct kc_segment segments[KC_SEGMENTS_MAX]; /* by ascending address */
	size_t segment_count;
};

KC_MUST_CHECK int kc_vmlinux_open(struct kc_span file, struct kocoon_report *report,
				  struct kc_vmlinux *vmlinux_ret);
KC_MUST_CHECK bool kc_vmlinux_bytes(const struct kc_vmlinux *vmlinux, uint64_t address,
				    uint64_t len, struct kc_span *bytes_ret);
/* From an address to the end of its segment. */
KC_MUST_CHECK bool kc_vmlinux_rest(const struct kc_vmlinux *vmlinux, uint64_t address,
				   struct kc_span *bytes_ret);
/* The string at an address, shorter than `max`; NULL: none. */
const char *kc_vmlinux_string(const struct kc_vmlinux *vmlinux, uint64_t address, size_t max);
/* The n-th run of bytes that read-only data may be in: .rodata, or every segment where it has no
 * name. False behind the last. */
KC_MUST_CHECK bool kc_vmlinux_rodata(const struct kc_vmlinux *vmlinux, size_t index,
				     uint64_t *address_ret, struct kc_span *bytes_ret);

/* ---- symbols ---- */

struct kc_symbols {
	struct kocoon_symbol *array; /* owned */
	size_t count;
	char *names; /* owned; NULL where names are elsewhere */
	/* Owned: indices in order of names; NULL where the names can be looked up in place. */
	uint32_t *by_name;
};

KC_MUST_CHECK int kc_symbols_from_kallsyms(const struct kc_kallsyms *kallsyms,
					   struct kc_symbols *symbols_ret);
/* .symtab of a vmlinux with symbols. -ENOENT: it has none. */
KC_MUST_CHECK int kc_symbols_from_elf(const struct kc_elf *elf, struct kc_symbols *symbols_ret);
/* System.map; names are copied. */
KC_MUST_CHECK int kc_symbols_from_map(const char *path, struct kocoon_report *report,
				      struct kc_symbols *symbols_ret);
void kc_symbols_deinit(struct kc_symbols *symbols);
const struct kocoon_symbol *kc_symbols_find(const struct kc_symbols *symbols, const char *name,
					    bool clones);
/* The so many-th of a name, by address; with 0, the only one. */
const struct kocoon_symbol *kc_symbols_find_nth(const struct kc_symbols *symbols, const char *name,
						uint64_t position);
/* The global one where there are static ones of the same name, as for an export. */
const struct kocoon_symbol *kc_symbols_find_global(const struct kc_symbols *symbols,
						   const char *name);

/* ---- exports ---- */

struct kc_exports {
	struct kocoon_export *array; /* owned */
	size_t count;
	struct kc_index index; /* by name */
	char *names; /* owned; NULL where names are in the image */
	uint32_t entry_size; /* of the image's tables; 0: there are none */
	bool relative;
};

/* One kind of export tables, as found by section or by symbol; empty spans where there is none. */
struct kc_export_table {
	uint64_t address;
	struct kc_span entries;
	struct kc_span crcs;
	bool gpl_only;
};

KC_MUST_CHECK int kc_exports_from_image(const struct kc_vmlinux *vmlinux,
					const struct kc_export_table tables[2],
					struct kocoon_report *report,
					struct kc_exports *exports_ret);
/* Module.symvers: what vmlinux exports. `symbols` (may be NULL) gives addresses. */
KC_MUST_CHECK int kc_exports_from_symvers(const char *path, const struct kc_symbols *symbols,
					  struct kocoon_report *report,
					  struct kc_exports *exports_ret);
KC_MUST_CHECK int kc_exports_index(struct kc_exports *exports);
const struct kocoon_export *kc_exports_find(const struct kc_exports *exports, const char *name,
					    uint32_t hash);
void kc_exports_deinit(struct kc_exports *exports);
/* Says in the report where the two differ: findings with err 0. */
void kc_exports_compare(const struct kc_exports *image, const struct kc_exports *symvers,
			const char *path, struct kocoon_report *report);

/* ---- keys ---- */

struct kc_keyring {
	X509 **certificates; /* owned, each of them too */
	struct kocoon_key *keys; /* owned, and their texts */
	struct kc_key_cache *caches; /* owned */
	size_t count;
};

/* Certificates in DER, one after another. What can't be parsed ends the list, with a finding of err
 * 0. */
KC_MUST_CHECK int kc_keyring_add_list(struct kc_keyring *keyring, struct kc_span list,
				      struct kocoon_report *report);
/* The image's list of certificates by its shape, where no symbol tells: DER, then its size. */
KC_MUST_CHECK bool kc_keyring_search(const struct kc_vmlinux *vmlinux, struct kc_span *list_ret);
/* A file: DER, or PEM with any number of certificates. */
KC_MUST_CHECK int kc_keyring_add_file(struct kc_keyring *keyring, const char *path,
				      struct kocoon_report *report);
void kc_keyring_deinit(struct kc_keyring *keyring);

/* ---- the kernel ---- */

struct kc_once {
	pthread_mutex_t lock;
	atomic_bool done;
};

enum {
	KC_FACTS_MAX = 40,
	KC_GAPS_MAX = 8,
	KC_BUILTINS_MAX = 4096,
};

/* Names under /sys/module that no module has. */
struct kc_builtins {
	char *names[KC_BUILTINS_MAX]; /* owned */
	size_t count;
	struct kc_index index;
};

void kc_builtins_deinit(struct kc_builtins *builtins);

struct kocoon_kernel {
	/* made by kocoon_kernel_open() */
	char *path; /* owned; NULL: there is no image */
	struct kc_span file; /* owned; the file, where it is a vmlinux */
	struct kc_buffer image; /* owned; the unpacked payload of a bzImage */
	struct kc_span kept; /* owned; the same in a file that was kept, in place of it */
	struct kc_vmlinux vmlinux;
	struct kc_kallsyms kallsyms;
	struct kc_exports exports;
	struct kc_keyring keyring;
	bool keys_missing; /* it must have a list of keys, but none was found */
	enum kc_format format; /* that the payload was compressed in */
	char *release; /* owned */
	char *vermagic; /* owned */
	char build_id[129];
	const char *gaps[KC_GAPS_MAX + 1];

	/* made when first asked for, in this order of dependence */
	struct kc_once symbols_once;
	struct kc_symbols symbols;
	struct kc_once btf_once;
	struct btf *btf; /* owned */
	struct kc_span btf_bytes;
	struct kc_once abi_once;
	struct kc_abi abi;
	struct kc_layouts layouts;
	struct kc_once builtins_once;
	struct kc_builtins builtins;
	struct kc_once behaviour_once;
	struct kc_behaviour behaviour;
	struct kc_once facts_once;
	struct kocoon_fact facts[KC_FACTS_MAX];
	size_t fact_count;
	char *fact_texts[KC_FACTS_MAX]; /* owned */
	size_t fact_text_count;
};

struct btf_type;

/*
 * Offset in bytes of a member of a structure, and the id of its type (may be NULL); members of
 * anonymous structures inside included. `type` may be NULL. False: there is none, or no
 * end to what would have to be looked at.
 */
KC_MUST_CHECK bool kc_btf_member(const struct btf *btf, const struct btf_type *type,
				 const char *name, uint32_t *offset_ret, uint32_t *type_ret);
/* The same by the structure's name, in the kernel's BTF. */
KC_MUST_CHECK bool kc_kernel_member(const struct kocoon_kernel *kernel, const char *type,
				    const char *member, uint32_t *offset_ret);
/* Runs `make` for the first caller; the others wait for it. */
void kc_once_run(struct kc_once *once, const struct kocoon_kernel *kernel,
		 void (*make)(struct kocoon_kernel *kernel));

/* Whether there is a symbol of this name, with or without a compiler's suffix. */
bool kc_kernel_has_symbol(const struct kocoon_kernel *kernel, const char *name);
/* All symbols, decoded. */
const struct kc_symbols *kc_kernel_symbol_table(const struct kocoon_kernel *kernel);
/* Bytes of a section, or between two symbols where sections have no names. */
bool kc_kernel_section(const struct kocoon_kernel *kernel, const char *section, const char *start,
		       const char *stop, uint64_t *address_ret, struct kc_span *bytes_ret);
void kc_kernel_make_facts(struct kocoon_kernel *kernel);
/* Whether the code behind the kernel's complaint about a module's BTF goes on all the same. */
bool kc_kernel_btf_mismatch_passes(const struct kocoon_kernel *kernel);
/* Whether the code of a function has a call of another one, or a jump to it. */
bool kc_kernel_calls(const struct kocoon_kernel *kernel, const char *function, const char *callee);
void kc_kernel_probe_behaviour(struct kocoon_kernel *kernel);
void kc_kernel_make_abi(struct kocoon_kernel *kernel); /* and layouts */
void kc_kernel_make_layouts(struct kocoon_kernel *kernel);

#endif

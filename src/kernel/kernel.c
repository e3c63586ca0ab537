/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening a kernel, and what is asked of one.
 *
 * kocoon_kernel_open() makes what costs little and what may fail: the unpacked image, its segments
 * and sections, the place of its symbol table, exports, strings, keys. After it nothing of a
 * struct kocoon_kernel changes but for the parts with a kc_once and
 * what is kept beside a key, so threads share it freely.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <bpf/btf.h>

#include "kernel/parts.h"

enum {
	BUILD_ID_MAX = 64,
	NOTE_BUILD_ID = 3,
};

/* ---- parts made once ---- */

static struct kocoon_kernel *writable(const struct kocoon_kernel *kernel)
{
	return (struct kocoon_kernel *)(uintptr_t)kernel;
}

/* The acquire pairs with the release: who sees `done` sees all that `make` wrote. */
void kc_once_run(struct kc_once *once, const struct kocoon_kernel *kernel,
		 void (*make)(struct kocoon_kernel *kernel))
{
	if (atomic_load_explicit(&once->done, memory_order_acquire))
		return;
	pthread_mutex_lock(&once->lock);
	if (!atomic_load_explicit(&once->done, memory_order_relaxed)) {
		make(writable(kernel));
		atomic_store_explicit(&once->done, true, memory_order_release);
	}
	pthread_mutex_unlock(&once->lock);
}

static int read_symbols(struct kocoon_kernel *kernel)
{
	int err;

	if (kernel->kallsyms.count)
		return kc_symbols_from_kallsyms(&kernel->kallsyms, &kernel->symbols);
	err = kc_symbols_from_elf(&kernel->vmlinux.elf, &kernel->symbols);
	return err == -ENOENT ? 0 : err;
}

/* Only for who asks for all of them, and without memory gets none: single names are looked up in
 * place. */
static void make_symbols(struct kocoon_kernel *kernel)
{
	(void)!read_symbols(kernel);
}

const struct kc_symbols *kc_kernel_symbol_table(const struct kocoon_kernel *kernel)
{
	kc_once_run(&writable(kernel)->symbols_once, kernel, make_symbols);
	return &kernel->symbols;
}

/* ---- lookups ---- */

static bool find_symbol(const struct kocoon_kernel *kernel, const char *name, bool clones,
			uint64_t *address_ret)
{
	const struct kocoon_symbol *symbol;

	if (kernel->kallsyms.by_name.len) {
		uint32_t index = kc_kallsyms_lookup(&kernel->kallsyms, name, clones);

		if (index == KC_INDEX_NONE)
			return false;
		*address_ret = kc_kallsyms_address(&kernel->kallsyms, index);
		return true;
	}
	symbol = kc_symbols_find(kc_kernel_symbol_table(kernel), name, clones);
	if (!symbol)
		return false;
	*address_ret = symbol->address;
	return true;
}

bool kc_kernel_find_symbol(const struct kocoon_kernel *kernel, const char *name,
			   uint64_t *address_ret)
{
	return find_symbol(kernel, name, false, address_ret);
}

bool kc_kernel_find_nth_symbol(const struct kocoon_kernel *kernel, const char *name,
			       uint64_t position, uint64_t *address_ret)
{
	const struct kocoon_symbol *symbol;

	if (kernel->kallsyms.by_name.len) {
		uint32_t index = kc_kallsyms_lookup_nth(&kernel->kallsyms, name, position);

		if (index == KC_INDEX_NONE)
			return false;
		*address_ret = kc_kallsyms_address(&kernel->kallsyms, index);
		return true;
	}
	symbol = kc_symbols_find_nth(kc_kernel_symbol_table(kernel), name, position);
	if (symbol)
		*address_ret = symbol->address;
	return symbol;
}

bool kc_kernel_has_symbol(const struct kocoon_kernel *kernel, const char *name)
{
	uint64_t address;

	return find_symbol(kernel, name, true, &address);
}

bool kc_kernel_bytes(const struct kocoon_kernel *kernel, uint64_t address, uint64_t len,
		     struct kc_span *bytes_ret)
{
	return kc_vmlinux_bytes(&kernel->vmlinux, address, len, bytes_ret);
}

bool kc_kernel_section(const struct kocoon_kernel *kernel, const char *section, const char *start,
		       const char *stop, uint64_t *address_ret, struct kc_span *bytes_ret)
{
	struct kc_span bytes;
	uint64_t from, to;
	Elf64_Shdr shdr;

	if (kc_elf_find_section(&kernel->vmlinux.elf, section, &shdr, &bytes) && bytes.len) {
		*address_ret = shdr.sh_addr;
		*bytes_ret = bytes;
		return true;
	}
	if (!kc_kernel_find_symbol(kernel, start, &from) ||
	    !kc_kernel_find_symbol(kernel, stop, &to) || to <= from ||
	    !kc_vmlinux_bytes(&kernel->vmlinux, from, to - from, &bytes))
		return false;
	*address_ret = from;
	*bytes_ret = bytes;
	return true;
}

const struct kocoon_export *kc_kernel_find_export(const struct kocoon_kernel *kernel,
						  const char *name, uint32_t hash)
{
	return kc_exports_find(&kernel->exports, name, hash);
}

bool kc_kernel_has_image(const struct kocoon_kernel *kernel)
{
	return kernel->vmlinux.segment_count != 0;
}

size_t kc_kernel_certificates(const struct kocoon_kernel *kernel, X509 *const **certificates_ret)
{
	*certificates_ret = kernel->keyring.certificates;
	return kernel->keyring.count;
}

struct kc_key_cache *kc_kernel_key_cache(const struct kocoon_kernel *kernel,
					 const X509 *certificate)
{
	const struct kc_keyring *keyring = &kernel->keyring;

	for (size_t i = 0; i < keyring->count; i++)
		if (keyring->certificates[i] == certificate)
			return &keyring->caches[i];
	return NULL;
}

/* ---- opening an image ---- */

static int open_bzimage(struct kocoon_kernel *kernel, struct kc_span file,
			struct kocoon_report *report)
{
	struct kc_bzimage image;
	int err = kc_bzimage_open(file, report, &image);

	if (err)
		return err;
	kernel->release = strndup(image.release, image.release_len);
	kernel->format = image.format;
	if (!kernel->release)
		return -ENOMEM;
	err = kc_bzimage_unpack(&image, &kernel->image, report);
	return err ?: kc_vmlinux_open(kc_buffer_span(&kernel->image), report, &kernel->vmlinux);
}

/* A bzImage is unpacked and let go; a vmlinux is used as it was read. */
static int open_file(struct kocoon_kernel *kernel, const char *path, struct kocoon_report *report,
		     struct kc_file_identity *identity_ret)
{
	struct kc_span file = kc_span(NULL, 0);
	int err = kc_kernel_file_open(path, report, identity_ret, &file);

	if (err)
		return err;
	if (kc_bzimage_detect(file)) {
		err = open_bzimage(kernel, file, report);
		kc_kernel_file_close(file);
		return err;
	}
	kernel->file = file;
	if (file.len < SELFMAG || memcmp(file.data, ELFMAG, SELFMAG) != 0) {
		kc_finding(report, KOCOON_STAGE_KERNEL, -ENOEXEC, "%s: not a kernel", path);
		kc_expected(report, "a bzImage (vmlinuz) or an ELF file (vmlinux)");
		return -ENOEXEC;
	}
	return kc_vmlinux_open(file, report, &kernel->vmlinux);
}

static void find_kallsyms(struct kocoon_kernel *kernel)
{
	struct kc_span bytes;
	uint64_t address;

	for (size_t i = 0; kc_vmlinux_rodata(&kernel->vmlinux, i, &address, &bytes); i++)
		if (address % 8 == 0 && kc_kallsyms_find(bytes, &kernel->kallsyms))
			return;
}

static int read_exports(struct kocoon_kernel *kernel, struct kocoon_report *report)
{
	struct kc_export_table tables[2] = { { .gpl_only = false }, { .gpl_only = true } };
	uint64_t ignored;

	(void)!kc_kernel_section(kernel, "__ksymtab", "__start___ksymtab", "__stop___ksymtab",
				 &tables[0].address, &tables[0].entries);
	(void)!kc_kernel_section(kernel, "__ksymtab_gpl", "__start___ksymtab_gpl",
				 "__stop___ksymtab_gpl", &tables[1].address, &tables[1].entries);
	(void)!kc_kernel_section(kernel, "__kcrctab", "__start___kcrctab", "__stop___kcrctab",
				 &ignored, &tables[0].crcs);
	(void)!kc_kernel_section(kernel, "__kcrctab_gpl", "__start___kcrctab_gpl",
				 "__stop___kcrctab_gpl", &ignored, &tables[1].crcs);
	return kc_exports_from_image(&kernel->vmlinux, tables, report, &kernel->exports);
}

static const char *string_of(const struct kocoon_kernel *kernel, const char *symbol)
{
	uint64_t address;

	return kc_kernel_find_symbol(kernel, symbol, &address)
		       ? kc_vmlinux_string(&kernel->vmlinux, address, KC_NAME_MAX)
		       : NULL;
}

/* Without a symbol: the string in read-only data that reads like one, of the release if that is
 * known. */
static const char *search_vermagic(const struct kocoon_kernel *kernel)
{
	static const char mark[] = " mod_unload ";
	size_t release_len = kernel->release ? strlen(kernel->release) : 0;
	struct kc_span bytes;
	uint64_t address;

	for (size_t i = 0; kc_vmlinux_rodata(&kernel->vmlinux, i, &address, &bytes); i++) {
		const uint8_t *found = memmem(bytes.data, bytes.len, mark, sizeof(mark) - 1);
		const uint8_t *start = found;

		while (found && start > bytes.data && found - start < KC_NAME_MAX && start[-1])
			start--;
		if (found && (!release_len || (found - start >= (ptrdiff_t)release_len &&
					       !memcmp(start, kernel->release, release_len))))
			return kc_span_string(bytes, (uint64_t)(start - bytes.data));
	}
	return NULL;
}

static int read_strings(struct kocoon_kernel *kernel)
{
	static const char banner_start[] = "Linux version ";
	const char *vermagic = string_of(kernel, "vermagic") ?: search_vermagic(kernel);
	const char *banner = string_of(kernel, "linux_banner");

	kernel->vermagic = strdup(vermagic ?: "");
	if (!kernel->release && banner &&
	    !strncmp(banner, banner_start, sizeof(banner_start) - 1)) {
		banner += sizeof(banner_start) - 1;
		kernel->release = strndup(banner, strcspn(banner, " "));
	} else if (!kernel->release) {
		kernel->release = strndup(vermagic ?: "", strcspn(vermagic ?: "", " "));
	}
	return kernel->vermagic && kernel->release ? 0 : -ENOMEM;
}

static void set_build_id(struct kocoon_kernel *kernel, struct kc_span id)
{
	for (size_t i = 0; i < id.len && i < BUILD_ID_MAX; i++)
		snprintf(kernel->build_id + 2 * i, 3, "%02x", id.data[i]);
}

static void read_build_id(struct kocoon_kernel *kernel)
{
	struct kc_span notes, name, description;
	uint64_t address, place = 0;
	Elf64_Nhdr note;

	if (!kc_kernel_section(kernel, ".notes", "__start_notes", "__stop_notes", &address, &notes))
		return;
	while (kc_span_contains(notes, place, sizeof(note))) {
		memcpy(&note, notes.data + place, sizeof(note));
		place += sizeof(note);
		if (!kc_span_sub(notes, place, note.n_namesz, &name))
			return;
		place = kc_align(place + note.n_namesz, 4);
		if (!kc_span_sub(notes, place, note.n_descsz, &description))
			return;
		place = kc_align(place + note.n_descsz, 4);
		if (note.n_type == NOTE_BUILD_ID && name.len == 4 && !memcmp(name.data, "GNU", 4)) {
			set_build_id(kernel, description);
			return;
		}
	}
}

/* Where the list is, by its symbols. The size that the image tells may be anything. */
static bool find_certificates(struct kocoon_kernel *kernel, struct kc_span *list_ret)
{
	struct kc_span size;
	uint64_t address;

	return kc_kernel_find_symbol(kernel, "system_certificate_list_size", &address) &&
	       kc_vmlinux_bytes(&kernel->vmlinux, address, sizeof(uint64_t), &size) &&
	       kc_kernel_find_symbol(kernel, "system_certificate_list", &address) &&
	       kc_vmlinux_bytes(&kernel->vmlinux, address, kc_load64(size.data), list_ret);
}

/* A kernel that has the function but no list to be found has a gap; one without has no keys. */
static int read_certificates(struct kocoon_kernel *kernel, struct kocoon_report *report)
{
	struct kc_span list;

	if (find_certificates(kernel, &list) || kc_keyring_search(&kernel->vmlinux, &list))
		return kc_keyring_add_list(&kernel->keyring, list, report);
	kernel->keys_missing = kc_kernel_has_symbol(kernel, "load_system_certificate_list");
	return 0;
}

/* All that an unpacked image tells. */
static int read_image(struct kocoon_kernel *kernel, struct kocoon_report *report)
{
	int err = 0;

	find_kallsyms(kernel);
	/* Where they can't be looked up in place, all that follows needs them. */
	if (!kernel->kallsyms.by_name.len) {
		err = read_symbols(kernel);
		atomic_store(&kernel->symbols_once.done, true);
	}
	if (!err)
		err = read_exports(kernel, report);
	if (!err)
		err = read_strings(kernel);
	if (!err)
		err = read_certificates(kernel, report);
	read_build_id(kernel);
	return err;
}

static int open_image(struct kocoon_kernel *kernel, const char *path, const char *cache,
		      struct kocoon_report *report)
{
	struct kc_file_identity identity;
	int err;

	kernel->path = strdup(path);
	if (!kernel->path)
		return -ENOMEM;
	if (!kc_kept_image_open(kernel, path, cache))
		return read_image(kernel, report);
	err = open_file(kernel, path, report, &identity);
	if (!err)
		err = read_image(kernel, report);
	if (!err && cache)
		kc_kept_image_write(kernel, &identity, cache);
	return err;
}

/* ---- opening ---- */

/* What only an image tells. */
static int set_unknown(struct kocoon_kernel *kernel)
{
	kernel->release = strdup("");
	kernel->vermagic = strdup("");
	if (!kernel->release || !kernel->vermagic)
		return -ENOMEM;
	atomic_store(&kernel->symbols_once.done, true);
	return 0;
}

static int open_symvers(struct kocoon_kernel *kernel, const struct kocoon_kernel_options *options,
			struct kocoon_report *report)
{
	int err = set_unknown(kernel);

	if (!err && options->system_map)
		err = kc_symbols_from_map(options->system_map, report, &kernel->symbols);
	return err
		       ?: kc_exports_from_symvers(options->symvers, &kernel->symbols, report,
						  &kernel->exports);
}

static int compare_symvers(struct kocoon_kernel *kernel, const char *path,
			   struct kocoon_report *report)
{
	struct kc_exports symvers;
	int err = kc_exports_from_symvers(path, NULL, report, &symvers);

	if (err)
		return err;
	kc_exports_compare(&kernel->exports, &symvers, path, report);
	kc_exports_deinit(&symvers);
	return 0;
}

static void add_gap(struct kocoon_kernel *kernel, const char *text)
{
	size_t count = 0;

	while (kernel->gaps[count])
		count++;
	if (count < KC_GAPS_MAX)
		kernel->gaps[count] = text;
}

static void find_gaps(struct kocoon_kernel *kernel)
{
	struct kc_span bytes;
	uint64_t address;

	if (!kc_kernel_has_image(kernel)) {
		add_gap(kernel, "signatures: the kernel's keys are in its image");
		add_gap(kernel, "vermagic: the kernel's own is in its image");
		add_gap(kernel, "struct module's size and BTF: the kernel's BTF is in its image");
		add_gap(kernel,
			"the kernel's settings: they are taken to be those of today's stock "
			"kernels");
		if (!kernel->symbols.count)
			add_gap(kernel,
				"addresses of symbols: they are in System.map or the image");
		return;
	}
	if (!kernel->exports.count)
		add_gap(kernel, "symbols: the image has no export tables");
	if (!kernel->kallsyms.count)
		add_gap(kernel,
			"what the kernel's symbol table tells (keys, some settings): none was "
			"found in the image");
	if (kernel->keys_missing)
		add_gap(kernel, "signatures: the list of keys was not found in the image");
	if (!*kernel->vermagic)
		add_gap(kernel, "vermagic: none was found in the image");
	if (!kc_kernel_section(kernel, ".BTF", "__start_BTF", "__stop_BTF", &address, &bytes))
		add_gap(kernel, "struct module's size and BTF: the image has no BTF");
}

static int open_parts(struct kocoon_kernel *kernel, const char *path,
		      const struct kocoon_kernel_options *options, struct kocoon_report *report)
{
	int err;

	if (path)
		err = open_image(kernel, path, options->cache, report);
	else if (options->symvers)
		err = open_symvers(kernel, options, report);
	else
		err = kc_finding(report, KOCOON_STAGE_KERNEL, -EINVAL,
				 "neither an image nor a Module.symvers is given");
	if (!err && path && options->symvers)
		err = compare_symvers(kernel, options->symvers, report);
	for (size_t i = 0; !err && i < options->key_count; i++)
		err = kc_keyring_add_file(&kernel->keyring, options->key_files[i], report);
	if (!err)
		find_gaps(kernel);
	return err;
}

static void list_onces(struct kocoon_kernel *kernel, struct kc_once *onces[6])
{
	onces[0] = &kernel->symbols_once;
	onces[1] = &kernel->btf_once;
	onces[2] = &kernel->abi_once;
	onces[3] = &kernel->behaviour_once;
	onces[4] = &kernel->facts_once;
	onces[5] = &kernel->builtins_once;
}

static struct kocoon_kernel *kernel_new(void)
{
	struct kocoon_kernel *kernel = calloc(1, sizeof(*kernel));
	struct kc_once *onces[6];

	if (!kernel)
		return NULL;
	list_onces(kernel, onces);
	for (size_t i = 0; i < KC_ARRAY_SIZE(onces); i++)
		pthread_mutex_init(&onces[i]->lock, NULL);
	return kernel;
}

void kocoon_kernel_free(struct kocoon_kernel *kernel)
{
	struct kc_once *onces[6];

	if (!kernel)
		return;
	list_onces(kernel, onces);
	for (size_t i = 0; i < KC_ARRAY_SIZE(onces); i++)
		pthread_mutex_destroy(&onces[i]->lock);
	for (size_t i = 0; i < kernel->fact_text_count; i++)
		free(kernel->fact_texts[i]);
	btf__free(kernel->btf);
	kc_symbols_deinit(&kernel->symbols);
	kc_exports_deinit(&kernel->exports);
	kc_builtins_deinit(&kernel->builtins);
	kc_keyring_deinit(&kernel->keyring);
	kc_buffer_deinit(&kernel->image);
	kc_kept_image_close(kernel->kept);
	kc_kernel_file_close(kernel->file);
	free(kernel->vermagic);
	free(kernel->release);
	free(kernel->path);
	free(kernel);
}

int kocoon_kernel_open(const char *path, const struct kocoon_kernel_options *options,
		       struct kocoon_report *report, struct kocoon_kernel **kernel_ret)
{
	struct kocoon_kernel_options known = { 0 };
	struct kocoon_kernel *kernel = kernel_new();
	int err;

	if (!kernel)
		return kc_finding(report, KOCOON_STAGE_KERNEL, -ENOMEM, "out of memory");
	/* An older program's options are shorter, a newer one's longer. */
	if (options)
		memcpy(&known, options,
		       options->size < sizeof(known) ? options->size : sizeof(known));
	err = open_parts(kernel, path, &known, report);
	if (err) {
		kocoon_kernel_free(kernel);
		return err;
	}
	*kernel_ret = kernel;
	return 0;
}

int kc_kernel_bare(struct kocoon_kernel **kernel_ret)
{
	struct kocoon_kernel *kernel = kernel_new();
	int err = kernel ? kc_exports_index(&kernel->exports) : -ENOMEM;

	if (!err)
		err = set_unknown(kernel);
	if (err) {
		kocoon_kernel_free(kernel);
		return err;
	}
	find_gaps(kernel);
	*kernel_ret = kernel;
	return 0;
}

/* ---- what the public header gives ---- */

const char *kocoon_kernel_release(const struct kocoon_kernel *kernel)
{
	return kernel->release;
}

const char *kocoon_kernel_vermagic(const struct kocoon_kernel *kernel)
{
	return kernel->vermagic;
}

const char *kocoon_kernel_arch(const struct kocoon_kernel *kernel)
{
	(void)kernel; /* every other one is refused when it is opened */
	return "x86_64";
}

const char *kocoon_kernel_path(const struct kocoon_kernel *kernel)
{
	return kernel->path;
}

const char *kocoon_kernel_build_id(const struct kocoon_kernel *kernel)
{
	return kernel->build_id;
}

const char *kocoon_kernel_gap(const struct kocoon_kernel *kernel, size_t index)
{
	return index < KC_GAPS_MAX ? kernel->gaps[index] : NULL;
}

size_t kocoon_kernel_exports(const struct kocoon_kernel *kernel,
			     const struct kocoon_export **exports_ret)
{
	*exports_ret = kernel->exports.array;
	return kernel->exports.count;
}

const struct kocoon_export *kocoon_kernel_export(const struct kocoon_kernel *kernel,
						 const char *name)
{
	return kc_exports_find(&kernel->exports, name, kc_hash(name));
}

size_t kocoon_kernel_symbols(const struct kocoon_kernel *kernel,
			     const struct kocoon_symbol **symbols_ret)
{
	const struct kc_symbols *symbols = kc_kernel_symbol_table(kernel);

	*symbols_ret = symbols->array;
	return symbols->count;
}

size_t kocoon_kernel_keys(const struct kocoon_kernel *kernel, const struct kocoon_key **keys_ret)
{
	*keys_ret = kernel->keyring.keys;
	return kernel->keyring.count;
}

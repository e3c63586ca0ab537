/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Symbol versions: the CRCs that the module was built against, compared with those of the exports
 * that it gets (kernel/module/version.c). They stand in __versions, one fixed-size entry a symbol,
 * and in newer modules also in __version_ext_crcs and __version_ext_names, which take names of any
 * length and go first.
 *
 * The kernel searches them one after another; here they are indexed by name once, at the first
 * question. A CRC of __versions is as wide as a long, and compared as such.
 */
#include "module/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static uint64_t basic_count(const struct kc_load *load)
{
	if (!load->index.vers || !load->abi->modversion_size)
		return 0;
	return load->sections[load->index.vers].file.len / load->abi->modversion_size;
}

/* A name fills its array or ends before; the kernel would read on, and never find such a name. */
static const char *basic_name(const struct kc_load *load, uint64_t entry, size_t *len_ret)
{
	size_t room = load->abi->modversion_size - load->abi->modversion_name;
	const char *name = (const char *)load->sections[load->index.vers].file.data +
			   entry * load->abi->modversion_size + load->abi->modversion_name;

	*len_ret = strnlen(name, room);
	return name;
}

static bool has_extended(const struct kc_load *load)
{
	return load->index.vers_ext_crc && load->index.vers_ext_name;
}

/* The name of an entry of the tables that count; the extended ones go first. */
static const char *entry_name(const struct kc_load *load, uint64_t entry, size_t *len_ret)
{
	const char *name;

	if (!has_extended(load))
		return basic_name(load, entry, len_ret);
	name = (const char *)load->sections[load->index.vers_ext_name].file.data +
	       load->extended[entry];
	*len_ret = strlen(name);
	return name;
}

static uint32_t find_entry(const struct kc_load *load, const char *name, size_t len, uint32_t hash)
{
	uint32_t cursor = 0;
	uint32_t entry;

	while ((entry = kc_index_next(&load->versions, hash, &cursor)) != KC_INDEX_NONE) {
		size_t found_len;
		const char *found = entry_name(load, entry, &found_len);

		if (found_len == len && memcmp(found, name, len) == 0)
			return entry;
	}
	return KC_INDEX_NONE;
}

/* Of entries of one name the first counts. */
static int add_entry(struct kc_load *load, uint64_t entry)
{
	size_t len;
	const char *name = entry_name(load, entry, &len);
	uint32_t hash = kc_hash_bytes(name, len);

	if (find_entry(load, name, len, hash) != KC_INDEX_NONE)
		return 0;
	if (load->versions.count == KC_VERSIONS_MAX)
		return -E2BIG;
	return kc_index_add(&load->versions, hash, (uint32_t)entry);
}

/* The extended tables are walked side by side: one CRC, one name. */
static int index_extended(struct kc_load *load)
{
	struct kc_span crcs = load->sections[load->index.vers_ext_crc].file;
	struct kc_span names = load->sections[load->index.vers_ext_name].file;
	uint64_t count = crcs.len / sizeof(uint32_t);
	uint64_t at = 0;
	int err = 0;

	if (count > names.len)
		count = names.len;
	load->extended = calloc(count ? count : 1, sizeof(*load->extended));
	if (!load->extended)
		return -ENOMEM;
	for (uint64_t i = 0; i < count && !err; i++) {
		const char *name = kc_span_string(names, at);

		if (!name)
			break;
		load->extended[i] = (uint32_t)at;
		at += strlen(name) + 1;
		err = add_entry(load, i);
	}
	return err;
}

static int build_index(struct kc_load *load)
{
	uint64_t count = basic_count(load);
	int err =
		kc_index_init(&load->versions,
			      count < KC_VERSIONS_MAX / 16 ? (size_t)count : KC_VERSIONS_MAX / 16);

	if (!err && has_extended(load))
		return index_extended(load);
	for (uint64_t i = 0; i < count && !err; i++)
		err = add_entry(load, i);
	return err;
}

bool kc_version_wanted(const struct kc_load *load, const char *name, uint32_t hash,
		       uint64_t *crc_ret)
{
	uint32_t entry = find_entry(load, name, strlen(name), hash);

	if (entry == KC_INDEX_NONE)
		return false;
	if (has_extended(load))
		*crc_ret = kc_load32(load->sections[load->index.vers_ext_crc].file.data +
				     (uint64_t)entry * sizeof(uint32_t));
	else
		*crc_ret = kc_load64(load->sections[load->index.vers].file.data +
				     (uint64_t)entry * load->abi->modversion_size);
	return true;
}

int kc_try_to_force_load(struct kc_load *load)
{
	if (!load->behaviour->force_load)
		return -ENOEXEC;
	kc_add_taint(load, KC_TAINT_FORCED_MODULE);
	return 0;
}

enum kocoon_import_state kc_check_version(struct kc_load *load, struct kc_import *import)
{
	import->has_wanted = kc_version_wanted(load, import->name, import->hash, &import->wanted);
	/* An exporter without CRCs has tainted the kernel already. */
	if (!import->export->has_crc)
		return KOCOON_IMPORT_OK;
	if (!load->index.vers && !has_extended(load))
		return kc_try_to_force_load(load) ? KOCOON_IMPORT_NO_VERSION : KOCOON_IMPORT_OK;
	if (!import->has_wanted)
		return KOCOON_IMPORT_NO_VERSION;
	return import->wanted == import->export->crc ? KOCOON_IMPORT_OK : KOCOON_IMPORT_CRC;
}

/*
 * The CRC of struct module and its neighbours: if that differs, nothing of the module can be read.
 */
int kc_check_modstruct_version(struct kc_load *load)
{
	struct kc_import layout = { .name = "module_layout", .hash = kc_hash("module_layout") };
	enum kocoon_import_state state;
	int err = build_index(load);

	if (err == -E2BIG)
		return kc_too_much(load, KOCOON_STAGE_MODVERSION, "symbol versions");
	if (err)
		return kc_finding(load->report, KOCOON_STAGE_MODVERSION, err, "out of memory");
	layout.export = kc_kernel_find_export(load->kernel, layout.name, layout.hash);
	if (!layout.export)
		return 0;
	state = kc_check_version(load, &layout);
	if (state == KOCOON_IMPORT_OK)
		return 0;
	if (state == KOCOON_IMPORT_NO_VERSION) {
		kc_finding(load->report, KOCOON_STAGE_MODVERSION, -ENOEXEC,
			   "the module has no symbol version for module_layout");
		kc_hint(load->report,
			"its __versions section is damaged or was taken out: rebuild it");
		return -ENOEXEC;
	}
	kc_finding(load->report, KOCOON_STAGE_MODVERSION, -ENOEXEC,
		   "disagrees about version of symbol module_layout");
	kc_expected(load->report, "CRC %#010x", layout.export->crc);
	kc_found(load->report, "%#010" PRIx64, layout.wanted);
	kc_hint(load->report,
		"struct module differs: the module was built for a kernel with another "
		"configuration; "
		"build it against the headers of %s",
		kocoon_kernel_release(load->kernel));
	return -ENOEXEC;
}

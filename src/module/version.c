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

static int build_index(struct kc_load *load)
{
	uint64_t count = basic_count(load);
	int err = kc_index_init(&load->versions, (size_t)count);

	for (uint64_t i = 0; i < count && !err; i++) {
		size_t len;
		const char *name = basic_name(load, i, &len);

		err = kc_index_add(&load->versions, kc_hash_bytes(name, len), (uint32_t)i);
	}
	return err;
}

/* The extended tables are walked side by side: one CRC, one name. */
static bool extended_wanted(const struct kc_load *load, const char *name, uint64_t *crc_ret)
{
	struct kc_span crcs = load->sections[load->index.vers_ext_crc].file;
	struct kc_span names = load->sections[load->index.vers_ext_name].file;
	uint64_t at = 0;

	for (uint64_t i = 0; i < crcs.len / sizeof(uint32_t); i++) {
		const char *found = kc_span_string(names, at);

		if (!found)
			return false;
		if (strcmp(found, name) == 0) {
			*crc_ret = kc_load32(crcs.data + i * sizeof(uint32_t));
			return true;
		}
		at += strlen(found) + 1;
	}
	return false;
}

bool kc_version_wanted(const struct kc_load *load, const char *name, uint32_t hash,
		       uint64_t *crc_ret)
{
	size_t name_len = strlen(name);
	uint32_t cursor = 0;
	uint32_t entry;

	if (load->index.vers_ext_crc && load->index.vers_ext_name)
		return extended_wanted(load, name, crc_ret);
	while ((entry = kc_index_next(&load->versions, hash, &cursor)) != KC_INDEX_NONE) {
		size_t len;
		const char *found = basic_name(load, entry, &len);

		if (len != name_len || memcmp(found, name, len) != 0)
			continue;
		*crc_ret = kc_load64(load->sections[load->index.vers].file.data +
				     (uint64_t)entry * load->abi->modversion_size);
		return true;
	}
	return false;
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
	if (!load->index.vers && !(load->index.vers_ext_crc && load->index.vers_ext_name))
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

	if (build_index(load))
		return kc_finding(load->report, KOCOON_STAGE_MODVERSION, -ENOMEM, "out of memory");
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

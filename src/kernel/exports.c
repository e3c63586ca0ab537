/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Exports: the tables __ksymtab and __ksymtab_gpl with the CRCs beside them, as one array with an
 * index by name.
 *
 * The form of the entries is not told anywhere in the image. It is the one in which every entry of
 * a table leads to a name: offsets relative to themselves or pointers, with or without a namespace.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "kernel/parts.h"

struct form {
	bool relative;
	bool namespaces;
};

/* Today's form first. */
static const struct form forms[] = {
	{ .relative = true, .namespaces = true },
	{ .relative = false, .namespaces = true },
	{ .relative = true, .namespaces = false },
	{ .relative = false, .namespaces = false },
};

static uint32_t field_size(const struct form *form)
{
	return form->relative ? sizeof(uint32_t) : sizeof(uint64_t);
}

static uint32_t entry_size(const struct form *form)
{
	return field_size(form) * (form->namespaces ? 3 : 2);
}

/* What the n-th field of an entry points to. */
static uint64_t follow(const struct form *form, uint64_t address, const uint8_t *entry,
		       uint32_t field)
{
	uint32_t place = field * field_size(form);

	if (!form->relative)
		return kc_load64(entry + place);
	return address + place + (uint64_t)(int64_t)(int32_t)kc_load32(entry + place);
}

static bool is_name(const char *text)
{
	if (!text)
		return false;
	for (; *text; text++)
		if (!isgraph((unsigned char)*text))
			return false;
	return true;
}

static bool read_entry(const struct kc_vmlinux *vmlinux, const struct form *form, uint64_t address,
		       const uint8_t *entry, struct kocoon_export *export_ret)
{
	uint64_t value = follow(form, address, entry, 0);
	const char *name = kc_vmlinux_string(vmlinux, follow(form, address, entry, 1), KC_NAME_MAX);
	const char *ns = NULL;

	if (!is_name(name) || !*name)
		return false;
	if (form->namespaces) {
		uint64_t place = follow(form, address, entry, 2);

		/* Pointers, unlike offsets, may be NULL for none. */
		ns = place || form->relative ? kc_vmlinux_string(vmlinux, place, KC_NAME_MAX) : "";
		if (!is_name(ns))
			return false;
	}
	*export_ret = (struct kocoon_export){ .name = name,
					      .ns = ns && *ns ? ns : NULL,
					      .address = value };
	return true;
}

/* CRCs are 32 bits wide; kernels of old had them 64 bits wide. */
static bool read_crc(const struct kc_export_table *table, size_t index, size_t count,
		     uint32_t *crc_ret)
{
	size_t size = table->crcs.len / count;

	if ((size != sizeof(uint32_t) && size != sizeof(uint64_t)) ||
	    table->crcs.len != size * count)
		return false;
	*crc_ret = kc_load32(table->crcs.data + index * size);
	return true;
}

static bool read_table(const struct kc_vmlinux *vmlinux, const struct form *form,
		       const struct kc_export_table *table, struct kocoon_export *array)
{
	uint32_t size = entry_size(form);
	size_t count = table->entries.len / size;

	if (table->entries.len % size)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct kocoon_export *export = &array[i];

		if (!read_entry(vmlinux, form, table->address + i * size,
				table->entries.data + i * size, export))
			return false;
		export->gpl_only = table->gpl_only;
		export->has_crc = read_crc(table, i, count, &export->crc);
	}
	return true;
}

/* 1: both tables are of this form. 0: they aren't. */
static int try_form(const struct kc_vmlinux *vmlinux, const struct form *form,
		    const struct kc_export_table tables[2], struct kc_exports *exports)
{
	size_t first = tables[0].entries.len / entry_size(form);
	size_t count = first + tables[1].entries.len / entry_size(form);
	struct kocoon_export *array;

	if (!count || count > KC_EXPORTS_MAX)
		return 0;
	array = calloc(count, sizeof(*array));
	if (!array)
		return -ENOMEM;
	if (!read_table(vmlinux, form, &tables[0], array) ||
	    !read_table(vmlinux, form, &tables[1], array + first)) {
		free(array);
		return 0;
	}
	*exports = (struct kc_exports){
		.array = array,
		.count = count,
		.entry_size = entry_size(form),
		.relative = form->relative,
	};
	return 1;
}

/* Of several exports of one name the first is found; the others would only make lookups slow. */
int kc_exports_index(struct kc_exports *exports)
{
	int err = kc_index_init(&exports->index, exports->count);

	for (size_t i = 0; !err && i < exports->count; i++) {
		const char *name = exports->array[i].name;
		uint32_t hash = kc_hash(name);

		if (!kc_exports_find(exports, name, hash))
			err = kc_index_add(&exports->index, hash, (uint32_t)i);
	}
	return err;
}

int kc_exports_from_image(const struct kc_vmlinux *vmlinux, const struct kc_export_table tables[2],
			  struct kocoon_report *report, struct kc_exports *exports_ret)
{
	struct kc_exports exports = { 0 };
	int got = 0;

	if (!tables[0].entries.len && !tables[1].entries.len) {
		*exports_ret = exports;
		return 0;
	}
	for (size_t i = 0; i < KC_ARRAY_SIZE(forms) && !got; i++)
		got = try_form(vmlinux, &forms[i], tables, &exports);
	if (!got)
		return kc_finding(report, KOCOON_STAGE_KERNEL, -ENOEXEC,
				  "vmlinux: its export tables are of no form that is known");
	if (got > 0)
		got = kc_exports_index(&exports);
	if (got < 0) {
		kc_exports_deinit(&exports);
		return kc_finding(report, KOCOON_STAGE_KERNEL, got, "out of memory");
	}
	*exports_ret = exports;
	return 0;
}

const struct kocoon_export *kc_exports_find(const struct kc_exports *exports, const char *name,
					    uint32_t hash)
{
	uint32_t cursor = 0, index;

	while ((index = kc_index_next(&exports->index, hash, &cursor)) != KC_INDEX_NONE)
		if (!strcmp(exports->array[index].name, name))
			return &exports->array[index];
	return NULL;
}

void kc_exports_deinit(struct kc_exports *exports)
{
	free(exports->array);
	free(exports->names);
	kc_index_deinit(&exports->index);
	*exports = (struct kc_exports){ 0 };
}

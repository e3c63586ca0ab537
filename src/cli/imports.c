// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Imports and exports of a module. See imports.h.
 */
#include "cli/imports.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/info.h"
#include "cli/table.h"

/* Imports of one provider. */
struct provider {
	const char *name; /* as in struct kocoon_import */
	size_t count;
};

struct providers {
	struct provider *entries; /* owned, in order of first use */
	size_t count;
	size_t total;
};

static const char *provider_words(const char *name)
{
	if (!name)
		return "nobody";
	return *name ? name : "the kernel";
}

static bool same_provider(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* A module uses few others: a search of the list is enough. */
static void count_provider(struct providers *providers, const char *name)
{
	providers->total++;
	for (size_t i = 0; i < providers->count; i++) {
		if (same_provider(providers->entries[i].name, name)) {
			providers->entries[i].count++;
			return;
		}
	}
	providers->entries =
		cli_grow(providers->entries, providers->count + 1, sizeof(*providers->entries));
	providers->entries[providers->count++] = (struct provider){ name, 1 };
}

static const char *state_name(enum kocoon_import_state state)
{
	static const char *const names[] = {
		[KOCOON_IMPORT_OK] = "ok",
		[KOCOON_IMPORT_UNKNOWN] = "unknown",
		[KOCOON_IMPORT_WEAK] = "weak",
		[KOCOON_IMPORT_CRC] = "crc",
		[KOCOON_IMPORT_NO_VERSION] = "no-version",
		[KOCOON_IMPORT_GPL_ONLY] = "gpl-only",
		[KOCOON_IMPORT_NAMESPACE] = "namespace",
		[KOCOON_IMPORT_PROPRIETARY] = "proprietary",
		[KOCOON_IMPORT_UNUSABLE] = "unusable",
	};

	return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state] : "other";
}

static void crc_cell(struct table *table, bool known, uint32_t crc)
{
	if (known)
		table_cell(table, "0x%08" PRIx32, crc);
	else
		table_cell(table, "-");
}

static void list_imports(struct text *out, const struct kocoon_module *module)
{
	struct table table = { .align = "llllll" };
	const struct kocoon_import *import;

	for (size_t i = 0; (import = kocoon_module_import(module, i)); i++) {
		table_cell(&table, "%s", state_name(import->state));
		crc_cell(&table, import->has_wanted, import->crc_wanted);
		crc_cell(&table, import->has_found, import->crc_found);
		table_cell(&table, "%s", import->gpl_only ? "GPL" : "plain");
		table_cell(&table, "%s", import->name);
		table_cell(&table, "%s%s%s", provider_words(import->provider),
			   import->ns ? ", " : "", import->ns ? import->ns : "");
	}
	table_print(&table, out, INFO_COLUMN);
}

void imports_print(struct text *out, const struct kocoon_module *module, bool verbose)
{
	struct providers providers = { 0 };
	const struct kocoon_import *import;

	for (size_t i = 0; (import = kocoon_module_import(module, i)); i++)
		count_provider(&providers, import->provider);
	info_label(out, "imports");
	text_put(out, "%zu", providers.total);
	for (size_t i = 0; i < providers.count; i++)
		text_put(out, "%s%zu from %s", i ? ", " : ": ", providers.entries[i].count,
			 provider_words(providers.entries[i].name));
	text_end_line(out);
	free(providers.entries);
	if (verbose)
		list_imports(out, module);
}

static void crc_json(struct json_object *object, const char *key, bool known, uint32_t crc)
{
	char digits[16];

	snprintf(digits, sizeof(digits), "0x%08" PRIx32, crc);
	json_text(object, key, known ? digits : NULL);
}

void imports_json(struct json_object *object, const struct kocoon_module *module)
{
	struct json_object *array = json_new_array(object, "imports");
	const struct kocoon_import *import;

	for (size_t i = 0; (import = kocoon_module_import(module, i)); i++) {
		struct json_object *entry = json_make_object();

		json_text(entry, "name", import->name);
		json_text(entry, "provider", import->provider);
		json_text(entry, "namespace", import->ns);
		json_text(entry, "state", state_name(import->state));
		crc_json(entry, "crc_wanted", import->has_wanted, import->crc_wanted);
		crc_json(entry, "crc_found", import->has_found, import->crc_found);
		json_flag(entry, "gpl_only", import->gpl_only);
		json_known_address(entry, "address", import->address);
		json_append(array, entry);
	}
}

static void list_exports(struct text *out, const struct kocoon_module *module)
{
	struct table table = { .align = "llll" };
	const struct kocoon_export *export;

	for (size_t i = 0; (export = kocoon_module_export(module, i)); i++) {
		crc_cell(&table, export->has_crc, export->crc);
		table_cell(&table, "%s", export->gpl_only ? "GPL" : "plain");
		table_cell(&table, "%s", export->name);
		table_cell(&table, "%s", export->ns ? export->ns : "");
	}
	table_print(&table, out, INFO_COLUMN);
}

void exports_print(struct text *out, const struct kocoon_module *module, bool verbose)
{
	const struct kocoon_export *export;
	size_t count = 0;
	size_t gpl = 0;

	for (; (export = kocoon_module_export(module, count)); count++)
		gpl += export->gpl_only;
	if (!count)
		return;
	info_label(out, "exports");
	text_line(out, "%zu: %zu plain, %zu GPL-only", count, count - gpl, gpl);
	if (verbose)
		list_exports(out, module);
}

void exports_json(struct json_object *object, const struct kocoon_module *module)
{
	struct json_object *array = json_new_array(object, "exports");
	const struct kocoon_export *export;

	for (size_t i = 0; (export = kocoon_module_export(module, i)); i++) {
		struct json_object *entry = json_make_object();

		json_text(entry, "name", export->name);
		crc_json(entry, "crc", export->has_crc, export->crc);
		json_flag(entry, "gpl_only", export->gpl_only);
		json_text(entry, "namespace", export->ns);
		json_append(array, entry);
	}
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * kocoon kernel: what is known of a kernel, and the list of its exports.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/json.h"
#include "cli/table.h"

/* Exports of one namespace. */
struct namespace
{
	const char *name;
	size_t count;
};

struct namespaces {
	struct namespace *entries; /* owned, sorted by name */
	size_t count;
	size_t plain; /* exports that are not GPL-only, of any namespace or none */
	size_t gpl;
};

/* What modules and the loader share: their sizes decide whether a module fits. */
static const char *const structures[] = {
	"module",	    "module_layout",   "module_memory", "kernel_symbol",
	"kernel_param",	    "modversion_info", "alt_instr",	"exception_table_entry",
	"static_call_site", "tracepoint",      "jump_entry",
};

enum { STRUCTURE_COUNT = sizeof(structures) / sizeof(structures[0]) };

static int compare_names(const void *a, const void *b)
{
	const char *const *left = a;
	const char *const *right = b;

	return strcmp(*left, *right);
}

static void count_exports(const struct kocoon_kernel *kernel, struct namespaces *spaces)
{
	const struct kocoon_export *exports;
	size_t count = kocoon_kernel_exports(kernel, &exports);
	const char **names = cli_grow(NULL, count + 1, sizeof(*names));
	size_t named = 0;

	*spaces = (struct namespaces){ 0 };
	for (size_t i = 0; i < count; i++) {
		if (exports[i].gpl_only)
			spaces->gpl++;
		else
			spaces->plain++;
		if (exports[i].ns && *exports[i].ns)
			names[named++] = exports[i].ns;
	}
	qsort(names, named, sizeof(*names), compare_names);
	spaces->entries = cli_grow(NULL, named + 1, sizeof(*spaces->entries));
	for (size_t i = 0; i < named; i++) {
		if (!i || strcmp(names[i], names[i - 1]) != 0)
			spaces->entries[spaces->count++] = (struct namespace){ names[i], 0 };
		spaces->entries[spaces->count - 1].count++;
	}
	free(names);
}

static void add_row(struct table *table, const char *name, const char *value)
{
	table_cell(table, "%s", name);
	table_cell(table, "%s", *value ? value : "not known");
}

static void print_identity(struct cli *cli)
{
	struct table table = { .align = "ll" };
	const char *path = kocoon_kernel_path(cli->kernel);

	add_row(&table, "release", kocoon_kernel_release(cli->kernel));
	add_row(&table, "image", path ? path : "none: symbols from --symvers");
	add_row(&table, "architecture", kocoon_kernel_arch(cli->kernel));
	add_row(&table, "vermagic", kocoon_kernel_vermagic(cli->kernel));
	add_row(&table, "build id", kocoon_kernel_build_id(cli->kernel));
	table_print(&table, &cli->out, 0);
}

static void print_heading(struct text *out, const char *format, ...) CLI_PRINTF(2, 3);

static void print_heading(struct text *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *heading = cli_format_args(format, args);
	va_end(args);
	text_end_line(out);
	text_put_color(out, TEXT_BOLD, "%s", heading);
	text_end_line(out);
	free(heading);
}

static void print_exports_summary(struct cli *cli)
{
	struct table table = { .align = "rl" };
	struct namespaces spaces;

	count_exports(cli->kernel, &spaces);
	print_heading(&cli->out, "exports: %zu (%zu plain, %zu GPL-only), %zu namespaces",
		      spaces.plain + spaces.gpl, spaces.plain, spaces.gpl, spaces.count);
	for (size_t i = 0; i < spaces.count; i++) {
		table_cell(&table, "%zu", spaces.entries[i].count);
		table_cell(&table, "%s", spaces.entries[i].name);
	}
	table_print(&table, &cli->out, 2);
	free(spaces.entries);
}

static void print_keys(struct cli *cli)
{
	const struct kocoon_key *keys;
	size_t count = kocoon_kernel_keys(cli->kernel, &keys);

	print_heading(&cli->out, "trusted keys: %zu", count);
	for (size_t i = 0; i < count; i++) {
		struct table table = { .align = "ll" };

		text_line(&cli->out, "  %s", keys[i].subject ? keys[i].subject : "(no name)");
		add_row(&table, "issuer", keys[i].issuer ? keys[i].issuer : "");
		add_row(&table, "serial", keys[i].serial ? keys[i].serial : "");
		add_row(&table, "key id", keys[i].key_id ? keys[i].key_id : "");
		add_row(&table, "algorithm", keys[i].algorithm ? keys[i].algorithm : "");
		add_row(&table, "from", keys[i].source ? keys[i].source : "");
		table_print(&table, &cli->out, 4);
	}
}

static void print_structures(struct cli *cli)
{
	struct table table = { .align = "rl" };

	for (int i = 0; i < STRUCTURE_COUNT; i++) {
		size_t size = kocoon_kernel_struct_size(cli->kernel, structures[i]);

		if (!size)
			continue;
		table_cell(&table, "%zu", size);
		table_cell(&table, "struct %s", structures[i]);
	}
	print_heading(&cli->out, "structures (BTF, bytes)%s", table.count ? "" : ": not known");
	table_print(&table, &cli->out, 2);
}

static void print_facts(struct cli *cli)
{
	struct table table = { .align = "ll" };
	const struct kocoon_fact *facts;
	size_t count = kocoon_kernel_facts(cli->kernel, &facts);
	const char *gap;

	if (count)
		print_heading(&cli->out, "facts");
	for (size_t i = 0; i < count; i++)
		add_row(&table, facts[i].name, facts[i].value);
	table_print(&table, &cli->out, 2);
	for (size_t i = 0; (gap = kocoon_kernel_gap(cli->kernel, i)); i++) {
		if (!i)
			print_heading(&cli->out, "what can't be checked");
		text_line(&cli->out, "  %s", gap);
	}
}

static void print_text(struct cli *cli)
{
	const struct kocoon_symbol *symbols;

	print_identity(cli);
	text_line(&cli->out, "%-12s  %zu", "symbols", kocoon_kernel_symbols(cli->kernel, &symbols));
	print_exports_summary(cli);
	print_keys(cli);
	print_structures(cli);
	print_facts(cli);
}

static void exports_json(struct cli *cli, struct json_object *line)
{
	struct json_object *object = json_new_object(line, "exports");
	struct namespaces spaces;

	count_exports(cli->kernel, &spaces);
	json_number(object, "total", spaces.plain + spaces.gpl);
	json_number(object, "plain", spaces.plain);
	json_number(object, "gpl", spaces.gpl);
	struct json_object *names = json_new_object(object, "namespaces");
	for (size_t i = 0; i < spaces.count; i++)
		json_number(names, spaces.entries[i].name, spaces.entries[i].count);
	free(spaces.entries);
}

static void keys_json(struct cli *cli, struct json_object *line)
{
	struct json_object *array = json_new_array(line, "keys");
	const struct kocoon_key *keys;
	size_t count = kocoon_kernel_keys(cli->kernel, &keys);

	for (size_t i = 0; i < count; i++) {
		struct json_object *key = json_make_object();

		json_text(key, "subject", keys[i].subject);
		json_text(key, "issuer", keys[i].issuer);
		json_text(key, "serial", keys[i].serial);
		json_text(key, "key_id", keys[i].key_id);
		json_text(key, "algorithm", keys[i].algorithm);
		json_text(key, "source", keys[i].source);
		json_append(array, key);
	}
}

static void facts_json(struct cli *cli, struct json_object *line)
{
	struct json_object *structs = json_new_object(line, "structs");
	struct json_object *object = json_new_object(line, "facts");
	struct json_object *gaps = json_new_array(line, "gaps");
	const struct kocoon_fact *facts;
	size_t count = kocoon_kernel_facts(cli->kernel, &facts);
	const char *gap;

	for (int i = 0; i < STRUCTURE_COUNT; i++) {
		size_t size = kocoon_kernel_struct_size(cli->kernel, structures[i]);

		if (size)
			json_number(structs, structures[i], size);
	}
	for (size_t i = 0; i < count; i++)
		json_text(object, facts[i].name, facts[i].value);
	for (size_t i = 0; (gap = kocoon_kernel_gap(cli->kernel, i)); i++)
		json_append(gaps, json_make_text(gap));
}

static void print_json(struct cli *cli)
{
	struct json_object *line = json_make_object();
	const struct kocoon_symbol *symbols;

	json_text(line, "release", kocoon_kernel_release(cli->kernel));
	json_text(line, "path", kocoon_kernel_path(cli->kernel));
	json_text(line, "arch", kocoon_kernel_arch(cli->kernel));
	json_text(line, "vermagic", kocoon_kernel_vermagic(cli->kernel));
	json_text(line, "build_id", kocoon_kernel_build_id(cli->kernel));
	json_number(line, "symbols", kocoon_kernel_symbols(cli->kernel, &symbols));
	exports_json(cli, line);
	keys_json(cli, line);
	facts_json(cli, line);
	json_print(&cli->out, line);
}

static void print_export_json(struct text *out, const struct kocoon_export *export)
{
	struct json_object *line = json_make_object();
	char *crc = export->has_crc ? cli_format("0x%08" PRIx32, export->crc) : NULL;

	json_text(line, "name", export->name);
	json_text(line, "crc", crc);
	json_flag(line, "gpl_only", export->gpl_only);
	json_text(line, "namespace", export->ns);
	json_known_address(line, "address", export->address);
	json_print(out, line);
	free(crc);
}

static void print_export_text(struct text *out, const struct kocoon_export *export)
{
	if (export->has_crc)
		fprintf(out->file, "0x%08" PRIx32, export->crc);
	else
		fprintf(out->file, "%-10s", "-");
	if (export->address)
		fprintf(out->file, "  %016" PRIx64, export->address);
	else
		fprintf(out->file, "  %-16s", "-");
	fprintf(out->file, "  %-5s  ", export->gpl_only ? "GPL" : "plain");
	text_line(out, "%s%s%s", export->name, export->ns && *export->ns ? "  " : "",
		  export->ns && *export->ns ? export->ns : "");
}

static void list_exports(struct cli *cli)
{
	const struct kocoon_export *exports;
	size_t count = kocoon_kernel_exports(cli->kernel, &exports);

	if (!cli->options.json && count)
		fprintf(cli->out.file, "%-10s  %-16s  %-5s  name  namespace\n", "crc", "address",
			"for");
	for (size_t i = 0; i < count && text_healthy(&cli->out); i++) {
		if (cli->options.json)
			print_export_json(&cli->out, &exports[i]);
		else
			print_export_text(&cli->out, &exports[i]);
	}
}

int cmd_kernel(struct cli *cli)
{
	int status = cli_open_kernel(cli);

	if (status)
		return status;
	if (cli->options.exports)
		list_exports(cli);
	else if (cli->options.json)
		print_json(cli);
	else
		print_text(cli);
	return CLI_OK;
}

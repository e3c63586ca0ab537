// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * kocoon map: regions and sections of a module in memory, as text or JSON; map_svg.c draws them.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/json.h"
#include "cli/map.h"
#include "cli/table.h"

enum { PAGE = 4096, KIB = 1024 };

static void gather(const struct cli *cli, const struct kocoon_module *module, struct map *map)
{
	const struct kocoon_region *region;

	*map = (struct map){ .module = module,
			     .verdict = kocoon_module_verdict(module),
			     .kernel = cli_kernel_name(cli) };
	for (size_t i = 0; (region = kocoon_module_region(module, i)); i++) {
		if (map->region_count == KOCOON_REGION_COUNT)
			break;
		map->regions[map->region_count++] = region;
		map->size += region->size;
		if (region->freed_after_init)
			map->freed_size += region->size;
	}
}

static void table_heading(struct table *table, const char *const *names)
{
	for (; *names; names++)
		table_cell(table, "%s", *names);
}

static void print_regions(const struct map *map, struct text *out)
{
	static const char *const names[] = { "region", "address",    "size", "used",
					     "perm",   "after init", NULL };
	struct table table = { .align = "llrrll" };

	table_heading(&table, names);
	for (size_t i = 0; i < map->region_count; i++) {
		const struct kocoon_region *region = map->regions[i];

		table_cell(&table, "%s", kocoon_region_name(region->kind));
		table_cell(&table, "%016" PRIx64, region->address);
		table_cell(&table, "%" PRIu64, region->size);
		table_cell(&table, "%" PRIu64, region->used);
		table_cell(&table, "%s", region->permissions);
		table_cell(&table, "%s", region->freed_after_init ? "freed" : "stays");
	}
	table_print(&table, out, 0);
}

static void print_sections(const struct map *map, const struct kocoon_region *region,
			   struct text *out)
{
	static const char *const names[] = { "address", "offset",  "size", "align",
					     "padding", "section", NULL };
	struct table table = { .align = "lrrrrl" };
	const struct kocoon_section *section;

	text_end_line(out);
	text_put_color(out, TEXT_BOLD, "%s", kocoon_region_name(region->kind));
	text_line(out, "  %s%s", region->permissions,
		  region->freed_after_init ? ", freed after init" : "");
	table_heading(&table, names);
	for (size_t i = 0; (section = kocoon_module_section(map->module, i)); i++) {
		if (section->region != region->kind)
			continue;
		table_cell(&table, "%016" PRIx64, section->address);
		table_cell(&table, "0x%" PRIx64, section->offset);
		table_cell(&table, "%" PRIu64, section->size);
		table_cell(&table, "%" PRIu64, section->align);
		table_cell(&table, "%" PRIu64, section->padding);
		table_cell(&table, "%s", section->name);
	}
	table_print(&table, out, 2);
}

static void print_text(const struct map *map, struct text *out)
{
	text_put_color(out, TEXT_BOLD, "%s", map->verdict->module);
	text_line(out,
		  "  %" PRIu64 " KiB in %zu regions, %" PRIu64 " KiB of it freed after init; "
		  "kernel %s",
		  map->size / KIB, map->region_count, map->freed_size / KIB, map->kernel);
	text_end_line(out);
	print_regions(map, out);
	for (size_t i = 0; i < map->region_count; i++)
		print_sections(map, map->regions[i], out);
}

static struct json_object *section_json(const struct kocoon_section *section)
{
	struct json_object *object = json_make_object();

	json_text(object, "name", section->name);
	json_number(object, "index", section->index);
	json_number(object, "type", section->type);
	json_number(object, "flags", section->flags);
	json_address(object, "address", section->address);
	json_number(object, "offset", section->offset);
	json_number(object, "size", section->size);
	json_number(object, "align", section->align);
	json_number(object, "padding", section->padding);
	return object;
}

static struct json_object *region_json(const struct map *map, const struct kocoon_region *region)
{
	struct json_object *object = json_make_object();
	const struct kocoon_section *section;

	json_text(object, "region", kocoon_region_name(region->kind));
	json_address(object, "address", region->address);
	json_number(object, "size", region->size);
	json_number(object, "used", region->used);
	json_text(object, "permissions", region->permissions);
	json_flag(object, "freed_after_init", region->freed_after_init);
	struct json_object *sections = json_new_array(object, "sections");
	for (size_t i = 0; (section = kocoon_module_section(map->module, i)); i++) {
		if (section->region == region->kind)
			json_append(sections, section_json(section));
	}
	return object;
}

static void print_json(const struct map *map, struct text *out)
{
	struct json_object *line = json_make_object();

	json_text(line, "module", map->verdict->module);
	json_text(line, "path", map->verdict->path);
	json_text(line, "kernel", map->kernel);
	json_number(line, "size", map->size);
	json_number(line, "freed_after_init", map->freed_size);
	struct json_object *regions = json_new_array(line, "regions");
	for (size_t i = 0; i < map->region_count; i++)
		json_append(regions, region_json(map, map->regions[i]));
	json_print(out, line);
}

static void print_map(struct cli *cli, const struct kocoon_module *module)
{
	struct map map;

	gather(cli, module, &map);
	/* Refused before layout: there is nothing to show. */
	if (!map.region_count)
		return;
	if (cli->options.svg)
		map_svg(&map, &cli->out);
	else if (cli->options.json)
		print_json(&map, &cli->out);
	else
		print_text(&map, &cli->out);
}

int cmd_map(struct cli *cli)
{
	const struct kocoon_module_options options = {
		.size = sizeof(options),
		.base = cli->options.at,
	};
	struct kocoon_module *module = NULL;

	if (cli->options.svg && cli->options.json)
		return options_usage_error(cli->verb, "either --svg or --json, not both");
	if (cli->options.at % PAGE)
		return options_usage_error(cli->verb, "--at: the address is no multiple of 0x1000");
	int status = cli_open_kernel(cli);
	if (!status)
		status = cli_open_tree(cli, false);
	if (!status)
		status = cli_load_module(cli, cli->options.arguments[0], &options, &module);
	if (status)
		return status;
	print_map(cli, module);
	status = cli_report_refusal(module);
	kocoon_module_free(module);
	return status;
}

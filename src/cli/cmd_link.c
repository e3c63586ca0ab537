// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * kocoon link: the relocated module as a file. The file appears whole or not at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/json.h"

enum { PAGE = 4096 };

/* NAME=ADDR of the --symbol options, taken apart. */
struct overrides {
	struct kocoon_symbol_override *entries; /* owned, as are the names */
	size_t count;
};

static void overrides_deinit(struct overrides *overrides)
{
	for (size_t i = 0; i < overrides->count; i++)
		free((char *)(uintptr_t)overrides->entries[i].name);
	free(overrides->entries);
}

static int parse_overrides(const struct cli *cli, struct overrides *overrides)
{
	const struct cli_list *list = &cli->options.symbols;

	overrides->entries = cli_grow(NULL, list->count + 1, sizeof(*overrides->entries));
	for (size_t i = 0; i < list->count; i++) {
		const char *equals = strrchr(list->texts[i], '=');
		struct kocoon_symbol_override *entry = &overrides->entries[overrides->count];

		if (!equals || equals == list->texts[i] ||
		    !options_parse_address(equals + 1, &entry->address))
			return options_usage_error(cli->verb,
						   "--symbol=%s is not NAME=ADDR (ADDR: 0x...)",
						   list->texts[i]);
		entry->name = cli_format("%.*s", (int)(equals - list->texts[i]), list->texts[i]);
		overrides->count++;
	}
	return CLI_OK;
}

static int say_cannot_write(const char *path, int err)
{
	cli_error("cannot write %s: %s", path, strerror(err));
	return CLI_FAILED;
}

/* A device, a pipe, or a link that is to stay one. */
static int write_directly(const struct kocoon_module *module, const char *path)
{
	int fd = cli_open_output(path, 0);

	if (fd < 0)
		return CLI_FAILED;
	int err = kocoon_module_write_elf(module, fd);
	if (close(fd) != 0 && !err)
		err = -errno;
	return err ? say_cannot_write(path, -err) : CLI_OK;
}

/* The mode that open() would have given: mkstemp() makes files that only their owner reads. */
static int set_usual_mode(int fd)
{
	mode_t mask = umask(0);

	umask(mask);
	return fchmod(fd, 0666 & ~mask) == 0 ? 0 : -errno;
}

static int write_and_rename(const struct kocoon_module *module, const char *path)
{
	char *work = cli_format("%s.XXXXXX", path);
	int fd = mkostemp(work, O_CLOEXEC);
	int err = fd < 0 ? -errno : 0;

	if (fd >= 0) {
		err = kocoon_module_write_elf(module, fd);
		if (!err)
			err = set_usual_mode(fd);
		if (close(fd) != 0 && !err)
			err = -errno;
		if (!err && rename(work, path) != 0)
			err = -errno;
		if (err)
			unlink(work);
	}
	free(work);
	return err ? say_cannot_write(path, -err) : CLI_OK;
}

static int write_file(const struct kocoon_module *module, const char *path)
{
	struct stat status;

	if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode))
		return write_directly(module, path);
	return write_and_rename(module, path);
}

static void print_json(struct cli *cli, const struct kocoon_module *module)
{
	const struct kocoon_verdict *verdict = kocoon_module_verdict(module);
	struct json_object *line = json_make_object();
	const struct kocoon_region *region;

	json_text(line, "module", verdict->module);
	json_text(line, "path", verdict->path);
	json_text(line, "output", cli->options.output);
	json_number(line, "relocations", verdict->relocations);
	struct json_object *regions = json_new_object(line, "regions");
	for (size_t i = 0; (region = kocoon_module_region(module, i)); i++)
		json_address(regions, kocoon_region_name(region->kind), region->address);
	json_print(&cli->out, line);
}

static void print_text(struct cli *cli, const struct kocoon_module *module)
{
	const struct kocoon_region *region;

	for (size_t i = 0; (region = kocoon_module_region(module, i)); i++)
		text_line(&cli->out, "%016" PRIx64 "  %s", region->address,
			  kocoon_region_name(region->kind));
}

/* Without an image, addresses are in System.map only: nothing is linked to guessed ones. */
static int check_addresses(const struct cli *cli, const struct kocoon_module *module)
{
	const struct kocoon_import *import;

	if (kocoon_kernel_path(cli->kernel))
		return CLI_OK;
	for (size_t i = 0; (import = kocoon_module_import(module, i)); i++) {
		if (import->address || import->state == KOCOON_IMPORT_WEAK)
			continue;
		cli_error("the address of the symbol %s is not known: there is no kernel image",
			  import->name);
		cli_error_more("give --system-map=FILE, or --symbol=%s=ADDR", import->name);
		return CLI_FAILED;
	}
	return CLI_OK;
}

static int link_module(struct cli *cli, const struct overrides *overrides)
{
	const struct kocoon_module_options options = {
		.size = sizeof(options),
		.base = cli->options.at,
		.overrides = overrides->entries,
		.override_count = overrides->count,
		.cpu = cli->options.cpu,
	};
	struct kocoon_module *module = NULL;
	int status = cli_load_module(cli, cli->options.arguments[0], &options, &module);

	if (!status)
		status = cli_report_refusal(module);
	if (!status)
		status = check_addresses(cli, module);
	if (!status)
		status = write_file(module, cli->options.output);
	if (!status && cli->options.json)
		print_json(cli, module);
	else if (!status && cli->options.verbose)
		print_text(cli, module);
	kocoon_module_free(module);
	return status;
}

static int check_cpu(struct cli *cli)
{
	struct kocoon_report *report = kocoon_report_new();
	int status = CLI_OK;

	if (cli->options.cpu && kocoon_cpu_check(cli->kernel, cli->options.cpu, report)) {
		const struct kocoon_finding *finding = kocoon_report_get(report, 0);

		cli_error("--cpu=%s: %s", cli->options.cpu,
			  finding ? finding->what : "out of memory");
		if (finding && finding->expected)
			cli_error_more("%s", finding->expected);
		status = CLI_FAILED;
	}
	kocoon_report_free(report);
	return status;
}

int cmd_link(struct cli *cli)
{
	struct overrides overrides = { 0 };

	if (!cli->options.has_at || !cli->options.at || cli->options.at % PAGE)
		return options_usage_error(cli->verb,
					   "--at=ADDR is needed: a multiple of 0x1000, such as "
					   "0xffffffffc0000000");
	if (!cli->options.output)
		return options_usage_error(cli->verb, "-o FILE is needed: the file to write");
	int status = parse_overrides(cli, &overrides);
	if (!status)
		status = cli_open_kernel(cli);
	if (!status)
		status = check_cpu(cli);
	if (!status)
		status = cli_open_tree(cli, false);
	if (!status)
		status = link_module(cli, &overrides);
	overrides_deinit(&overrides);
	return status;
}

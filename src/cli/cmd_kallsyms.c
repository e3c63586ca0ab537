// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * kocoon kallsyms: the kernel's own symbol table, whole or by name or address.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/json.h"

/* The table, as the library has it: by ascending address. */
struct symbols {
	const struct kocoon_symbol *entries;
	size_t count;
};

/* A symbol; `inside` when it is shown for an address in it, with its size (0: not known). */
static void print_symbol(struct cli *cli, const struct kocoon_symbol *symbol, bool inside,
			 uint64_t address, uint64_t size)
{
	if (cli->options.json) {
		struct json_object *line = json_make_object();
		const char type[] = { symbol->type, '\0' };

		json_address(line, "address", address);
		json_text(line, "type", type);
		json_text(line, "name", symbol->name);
		if (inside)
			json_number(line, "offset", address - symbol->address);
		json_print(&cli->out, line);
		return;
	}
	text_put(&cli->out, "%016" PRIx64 " %c %s", address, symbol->type, symbol->name);
	if (inside)
		text_put(&cli->out, "+0x%" PRIx64, address - symbol->address);
	if (inside && size)
		text_put(&cli->out, "/0x%" PRIx64, size);
	text_end_line(&cli->out);
}

/* Index of the first symbol whose address is above this one. */
static size_t first_above(const struct symbols *symbols, uint64_t address)
{
	size_t low = 0;
	size_t high = symbols->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbols->entries[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool print_address(struct cli *cli, const struct symbols *symbols, uint64_t address)
{
	size_t above = first_above(symbols, address);

	if (!above)
		return false;
	/* Of several names of one address the first is the kernel's own choice. */
	size_t index = above - 1;
	while (index && symbols->entries[index - 1].address == symbols->entries[index].address)
		index--;
	uint64_t start = symbols->entries[index].address;
	uint64_t size = above < symbols->count ? symbols->entries[above].address - start : 0;
	print_symbol(cli, &symbols->entries[index], true, address, size);
	return true;
}

static bool print_name(struct cli *cli, const struct symbols *symbols, const char *name)
{
	bool found = false;

	for (size_t i = 0; i < symbols->count; i++) {
		if (strcmp(symbols->entries[i].name, name) != 0)
			continue;
		print_symbol(cli, &symbols->entries[i], false, symbols->entries[i].address, 0);
		found = true;
	}
	return found;
}

static int look_up(struct cli *cli, const struct symbols *symbols, const char *argument)
{
	const char *kernel = cli_kernel_name(cli);
	uint64_t address;

	if (options_parse_address(argument, &address)) {
		if (print_address(cli, symbols, address))
			return CLI_OK;
		cli_error("no symbol at or before %s in the kernel %s", argument, kernel);
		return CLI_REFUSED;
	}
	if (print_name(cli, symbols, argument))
		return CLI_OK;
	cli_error("no symbol '%s' in the kernel %s", argument, kernel);
	return CLI_REFUSED;
}

static void print_all(struct cli *cli, const struct symbols *symbols)
{
	for (size_t i = 0; i < symbols->count && text_healthy(&cli->out); i++)
		print_symbol(cli, &symbols->entries[i], false, symbols->entries[i].address, 0);
}

int cmd_kallsyms(struct cli *cli)
{
	struct symbols symbols;
	int status = cli_open_kernel(cli);

	if (status)
		return status;
	symbols.count = kocoon_kernel_symbols(cli->kernel, &symbols.entries);
	if (!symbols.count) {
		cli_error("the kernel %s has no symbol table that kocoon can read",
			  cli_kernel_name(cli));
		return CLI_FAILED;
	}
	if (!cli->options.argument_count)
		print_all(cli, &symbols);
	for (size_t i = 0; i < cli->options.argument_count; i++) {
		int found = look_up(cli, &symbols, cli->options.arguments[i]);

		status = found ? found : status;
	}
	return status;
}

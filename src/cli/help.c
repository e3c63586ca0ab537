// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Help texts, made of the tables of verbs and options.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { OPTION_COLUMN = 29 };

static void print_option(FILE *file, const struct option_help *option)
{
	char *spelling = cli_format(
		"  %c%c%s --%s%s%s", option->letter ? '-' : ' ',
		option->letter ? option->letter : ' ', option->letter ? "," : " ", option->name,
		option->argument ? "=" : "", option->argument ? option->argument : "");

	fprintf(file, "%-*s %s\n", OPTION_COLUMN, spelling, option->text);
	free(spelling);
}

static void print_options(FILE *file, unsigned int verb_bit, bool common)
{
	struct option_help option;
	bool any = false;

	for (size_t i = 0; options_help(verb_bit, i, &option); i++) {
		if (option.common != common)
			continue;
		if (!any)
			fputs(common ? "\nCommon options:\n" : "\nOptions:\n", file);
		any = true;
		print_option(file, &option);
	}
}

static void print_verb_help(FILE *file, const struct cli_verb *verb)
{
	fprintf(file, "usage: kocoon %s [OPTION]...%s%s\n\n", verb->name,
		*verb->arguments ? " " : "", verb->arguments);
	fputs(verb->description, file);
	if (verb->minimum || strstr(verb->arguments, "MODULE"))
		fputs("\nMODULE is a file (a path, or a name ending in .ko, .ko.gz, .ko.xz, "
		      ".ko.zst), or\n"
		      "the name of a module of the tree.\n",
		      file);
	print_options(file, verb->bit, false);
	print_options(file, verb->bit, true);
	fputs("\nExit status: 0 accepted or done; 1 a module was refused, or what was asked for "
	      "is\n"
	      "not there; 2 usage or environment.\n",
	      file);
}

static void print_command_help(FILE *file)
{
	fputs("usage: kocoon VERB [OPTION]... [ARGUMENT]...\n"
	      "\n"
	      "Linux's module loader, in user space: tells whether a stock kernel takes a module,\n"
	      "why not, what the module looks like in memory, and what it does when it runs.\n"
	      "\n"
	      "Verbs:\n",
	      file);
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
		fprintf(file, "  %-9s %s\n", verb->name, verb->summary);
	print_options(file, VERB_HELP, true);
	fputs("\n'kocoon help VERB' tells about a verb.\n", file);
}

void cli_print_help(FILE *file, const struct cli_verb *verb)
{
	if (verb && verb->bit != VERB_HELP)
		print_verb_help(file, verb);
	else
		print_command_help(file);
}

int cmd_help(struct cli *cli)
{
	const char *name = cli->options.argument_count ? cli->options.arguments[0] : NULL;
	const struct cli_verb *verb = name ? cli_find_verb(name) : NULL;

	if (name && !verb)
		return options_usage_error(NULL, "no verb '%s' to help with", name);
	cli_print_help(cli->out.file, verb);
	return CLI_OK;
}

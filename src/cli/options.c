// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Command line options. A new option is one row of the table, and one member of struct cli_options.
 */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum kind {
	KIND_FLAG,
	KIND_TEXT,
	KIND_LIST,
	KIND_ADDRESS, /* a uint64_t, and the bool has_... right before it */
	KIND_COUNT,
	KIND_COLOR,
	KIND_OOPS,
};

struct row {
	const char *name;
	char letter;
	enum kind kind;
	size_t offset; /* of the member of struct cli_options */
	unsigned int verbs;
	const char *argument;
	const char *text;
};

enum {
	POLICY_VERBS = VERB_INFO | VERB_CHECK | VERB_MAP | VERB_LINK,
	FIRST_LONG = 256, /* getopt_long's values: above all letters */
	MAX_ROWS = 48,
	MAX_COUNT = 1024,
};

#define MEMBER(member) offsetof(struct cli_options, member)

static const struct row rows[] = {
	{ "all", 'a', KIND_FLAG, MEMBER(all), VERB_CHECK | VERB_RUN, NULL,
	  "every module of the tree" },
	{ "timeout", 0, KIND_COUNT, MEMBER(timeout), VERB_RUN, "SECONDS",
	  "what an init or an exit may take (default: 60)" },
	{ "keep", 0, KIND_FLAG, MEMBER(keep), VERB_RUN, NULL,
	  "keep the machine: a prompt, or commands of standard input" },
	{ "command", 'c', KIND_LIST, MEMBER(commands), VERB_RUN, "COMMAND",
	  "give it this command (see --keep); repeatable" },
	{ "oops", 0, KIND_OOPS, MEMBER(oops_continue), VERB_RUN, "WHAT",
	  "stop after an oops, or continue (default: stop)" },
	{ "append", 0, KIND_TEXT, MEMBER(append), VERB_RUN, "TEXT",
	  "more of the kernel's command line" },
	{ "debug", 0, KIND_TEXT, MEMBER(debug), VERB_RUN, "DIR",
	  "debug information (default: the kernel's, or /usr/lib/debug)" },
	{ "exports", 0, KIND_FLAG, MEMBER(exports), VERB_KERNEL, NULL,
	  "list the exported symbols" },
	{ "svg", 0, KIND_FLAG, MEMBER(svg), VERB_MAP, NULL, "draw a picture instead (SVG)" },
	{ "at", 0, KIND_ADDRESS, MEMBER(at), VERB_MAP | VERB_LINK, "ADDR",
	  "address of the module's memory (0x...)" },
	{ "cpu", 0, KIND_TEXT, MEMBER(cpu), VERB_LINK, "NAME",
	  "patch code for a CPU: qemu64, or qemu64,+flag,-flag" },
	{ "symbol", 0, KIND_LIST, MEMBER(symbols), VERB_LINK, "NAME=ADDR",
	  "address that an import is to have; repeatable" },
	{ "sig-enforce", 0, KIND_FLAG, MEMBER(policy.sig_enforce), POLICY_VERBS, NULL,
	  "as module.sig_enforce=1: refuse what is not signed" },
	{ "lockdown", 0, KIND_FLAG, MEMBER(policy.lockdown), POLICY_VERBS, NULL,
	  "as lockdown=integrity" },
	{ "force-vermagic", 0, KIND_FLAG, MEMBER(policy.force_vermagic), POLICY_VERBS, NULL,
	  "as modprobe's: ignore vermagic" },
	{ "force-modversions", 0, KIND_FLAG, MEMBER(policy.force_modversions), POLICY_VERBS, NULL,
	  "as modprobe's: ignore symbol versions" },
	{ "blacklist", 0, KIND_TEXT, MEMBER(policy.blacklist), POLICY_VERBS, "NAME,...",
	  "as module_blacklist=: refuse these modules" },
	{ "key", 0, KIND_LIST, MEMBER(keys), POLICY_VERBS | VERB_KERNEL, "CERT",
	  "trust this X.509 certificate too; repeatable" },
	{ "kernel", 'k', KIND_TEXT, MEMBER(kernel), VERB_ALL, "FILE|RELEASE",
	  "the kernel: an image, or a release to look up" },
	{ "modules", 'b', KIND_TEXT, MEMBER(modules), VERB_ALL, "DIR",
	  "the module tree (default: the kernel's own)" },
	{ "symvers", 0, KIND_TEXT, MEMBER(symvers), VERB_ALL, "FILE",
	  "Module.symvers, beside or instead of an image" },
	{ "system-map", 0, KIND_TEXT, MEMBER(system_map), VERB_ALL, "FILE",
	  "System.map, where there is no image" },
	{ "output", 'o', KIND_TEXT, MEMBER(output), VERB_ALL, "FILE",
	  "write to FILE instead of standard output" },
	{ "json", 0, KIND_FLAG, MEMBER(json), VERB_ALL, NULL, "JSON, one object a line" },
	{ "jobs", 'j', KIND_COUNT, MEMBER(policy.threads), VERB_ALL, "N",
	  "threads (default: one a processor)" },
	{ "quiet", 'q', KIND_FLAG, MEMBER(quiet), VERB_ALL, NULL, "only what went wrong" },
	{ "verbose", 'v', KIND_FLAG, MEMBER(verbose), VERB_ALL, NULL, "more" },
	{ "color", 0, KIND_COLOR, MEMBER(color), VERB_ALL, "WHEN",
	  "auto (on a terminal), always or never" },
	{ "version", 0, KIND_FLAG, MEMBER(version), VERB_ALL, NULL, "print the version" },
	{ "help", 'h', KIND_FLAG, MEMBER(help), VERB_ALL, NULL, "print this help" },
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };
_Static_assert(sizeof(rows) / sizeof(rows[0]) <= MAX_ROWS, "MAX_ROWS is too small");

/* What is being parsed, and which rows were seen: verbs are known only after the first options. */
struct parser {
	struct cli_options *options;
	const struct cli_verb *verb; /* NULL so far */
	bool seen[ROW_COUNT];
};

int options_usage_error(const struct cli_verb *verb, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *message = cli_format_args(format, args);
	va_end(args);
	if (verb)
		cli_error("%s: %s", verb->name, message);
	else
		cli_error("%s", message);
	free(message);
	cli_error_more("see 'kocoon help%s%s'", verb ? " " : "", verb ? verb->name : "");
	return CLI_FAILED;
}

bool options_parse_address(const char *text, uint64_t *address_ret)
{
	bool prefixed = !strncmp(text, "0x", 2) || !strncmp(text, "0X", 2);
	const char *digits = prefixed ? text + 2 : text;
	size_t length = strlen(digits);

	if (strspn(digits, "0123456789abcdefABCDEF") != length)
		return false;
	if (prefixed ? length < 1 || length > 16 : length != 16)
		return false;
	*address_ret = strtoull(digits, NULL, 16);
	return true;
}

static bool parse_count(const char *text, unsigned int *count_ret)
{
	size_t length = strlen(text);

	if (!length || length > 4 || strspn(text, "0123456789") != length)
		return false;
	unsigned long count = strtoul(text, NULL, 10);
	if (!count || count > MAX_COUNT)
		return false;
	*count_ret = (unsigned int)count;
	return true;
}

static bool parse_color(const char *text, enum color_mode *mode_ret)
{
	static const char *const names[] = { "auto", "always", "never" };

	for (unsigned int i = 0; i < 3; i++) {
		if (!strcmp(text, names[i])) {
			*mode_ret = (enum color_mode)i;
			return true;
		}
	}
	return false;
}

static bool parse_oops(const char *text, bool *continue_ret)
{
	if (strcmp(text, "stop") != 0 && strcmp(text, "continue") != 0)
		return false;
	*continue_ret = *text == 'c';
	return true;
}

static void append(struct cli_list *list, const char *text)
{
	list->texts = cli_grow(list->texts, list->count + 1, sizeof(*list->texts));
	list->texts[list->count++] = text;
}

static int store(struct parser *parser, const struct row *row, const char *value)
{
	void *member = (char *)parser->options + row->offset;

	parser->seen[row - rows] = true;
	switch (row->kind) {
	case KIND_FLAG:
		*(bool *)member = true;
		return CLI_OK;
	case KIND_TEXT:
		*(const char **)member = value;
		if (*value)
			return CLI_OK;
		return options_usage_error(parser->verb, "--%s needs a value that is not empty",
					   row->name);
	case KIND_LIST:
		append(member, value);
		return CLI_OK;
	case KIND_ADDRESS:
		parser->options->has_at = true;
		if (options_parse_address(value, member))
			return CLI_OK;
		return options_usage_error(parser->verb,
					   "--%s=%s is not an address: write it as 0x and up to 16 "
					   "hexadecimal digits",
					   row->name, value);
	case KIND_COUNT:
		if (parse_count(value, member))
			return CLI_OK;
		return options_usage_error(parser->verb, "--%s=%s is not a number from 1 to %d",
					   row->name, value, MAX_COUNT);
	case KIND_COLOR:
		if (parse_color(value, member))
			return CLI_OK;
		return options_usage_error(parser->verb,
					   "--%s=%s: it is one of auto, always, never", row->name,
					   value);
	case KIND_OOPS:
		if (parse_oops(value, member))
			return CLI_OK;
		return options_usage_error(parser->verb, "--%s=%s: it is stop or continue",
					   row->name, value);
	}
	return CLI_FAILED;
}

/* All options, whatever the verb: so one that exists elsewhere can be told from a mistyped one. */
static void make_getopt_tables(struct option *longs, char *shorts)
{
	*shorts++ = '+';
	*shorts++ = ':';
	for (int i = 0; i < ROW_COUNT; i++) {
		const struct row *row = &rows[i];
		int has_argument = row->argument ? required_argument : no_argument;

		longs[i] = (struct option){ row->name, has_argument, NULL, FIRST_LONG + i };
		if (!row->letter)
			continue;
		*shorts++ = row->letter;
		if (row->argument)
			*shorts++ = ':';
	}
	longs[ROW_COUNT] = (struct option){ 0 };
	*shorts = '\0';
}

static const struct row *find_row(int value)
{
	if (value >= FIRST_LONG && value < FIRST_LONG + ROW_COUNT)
		return &rows[value - FIRST_LONG];
	for (int i = 0; i < ROW_COUNT; i++) {
		if (value && rows[i].letter == value)
			return &rows[i];
	}
	return NULL;
}

static int explain_error(const struct parser *parser, int result, const char *word)
{
	const struct row *row = find_row(optopt);

	if (result == ':')
		return options_usage_error(parser->verb, "option '%s' needs a value: %s", word,
					   row ? row->argument : "");
	if (row)
		return options_usage_error(parser->verb, "option '--%s' takes no value", row->name);
	if (optopt)
		return options_usage_error(parser->verb, "unknown option '-%c'", optopt);
	return options_usage_error(parser->verb, "unknown option '%s'", word);
}

static int check_seen(const struct parser *parser)
{
	for (int i = 0; i < ROW_COUNT; i++) {
		if (parser->seen[i] && !(rows[i].verbs & parser->verb->bit))
			return options_usage_error(parser->verb, "does not take --%s",
						   rows[i].name);
	}
	return CLI_OK;
}

/* Options up to the next word that is none; `index` is moved behind them. */
static int parse_options(struct parser *parser, int argc, char **argv, int *index)
{
	struct option longs[MAX_ROWS + 1];
	char shorts[2 * MAX_ROWS + 3];

	make_getopt_tables(longs, shorts);
	opterr = 0;
	optind = *index;
	for (;;) {
		const char *word = optind < argc ? argv[optind] : NULL;
		int result = getopt_long(argc, argv, shorts, longs, NULL);

		if (result == -1)
			break;
		if (result == '?' || result == ':')
			return explain_error(parser, result, word ? word : "");
		int status = store(parser, find_row(result), optarg);
		if (status)
			return status;
	}
	*index = optind;
	return CLI_OK;
}

static int unknown_verb(const char *word)
{
	cli_error("unknown verb '%s'", word);
	fputs("        there are:", stderr);
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
		fprintf(stderr, " %s", verb->name);
	fputs("\n        see 'kocoon help'\n", stderr);
	return CLI_FAILED;
}

/* Options and arguments may be mixed, up to "--". */
static int parse_rest(struct parser *parser, int argc, char **argv, int index)
{
	struct cli_options *options = parser->options;

	while (index < argc) {
		int status = parse_options(parser, argc, argv, &index);

		if (status)
			return status;
		bool ended = index > 0 && !strcmp(argv[index - 1], "--");
		while (index < argc) {
			options->arguments[options->argument_count++] = argv[index++];
			if (!ended)
				break;
		}
	}
	return CLI_OK;
}

int options_parse(int argc, char **argv, struct cli_options *options,
		  const struct cli_verb **verb_ret)
{
	struct parser parser = { .options = options };
	int index = 1;

	*options = (struct cli_options){ .policy.size = sizeof(options->policy) };
	options->arguments = cli_grow(NULL, (size_t)argc + 1, sizeof(*options->arguments));
	*verb_ret = NULL;
	int status = parse_options(&parser, argc, argv, &index);
	if (status)
		return status;
	if (index == argc)
		return CLI_OK;
	parser.verb = cli_find_verb(argv[index]);
	if (!parser.verb)
		return unknown_verb(argv[index]);
	status = parse_rest(&parser, argc, argv, index + 1);
	if (status)
		return status;
	*verb_ret = parser.verb;
	return check_seen(&parser);
}

void options_deinit(struct cli_options *options)
{
	free(options->keys.texts);
	free(options->symbols.texts);
	free(options->commands.texts);
	free(options->arguments);
}

bool options_help(unsigned int verb_bit, size_t index, struct option_help *help_ret)
{
	for (int common = 0; common < 2; common++) {
		for (int i = 0; i < ROW_COUNT; i++) {
			const struct row *row = &rows[i];

			if (!(row->verbs & verb_bit) || (row->verbs == VERB_ALL) != common)
				continue;
			if (index--)
				continue;
			*help_ret = (struct option_help){ row->letter, row->name, row->argument,
							  row->text, common };
			return true;
		}
	}
	return false;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Command line options: one table makes the parser and the help texts.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kocoon/kocoon.h"

struct cli_verb;

/* Which verbs take an option. */
enum {
	VERB_KERNEL = 1 << 0,
	VERB_INFO = 1 << 1,
	VERB_CHECK = 1 << 2,
	VERB_MAP = 1 << 3,
	VERB_LINK = 1 << 4,
	VERB_KALLSYMS = 1 << 5,
	VERB_HELP = 1 << 6,
	VERB_RUN = 1 << 7,
	VERB_ALL = (1 << 8) - 1,
};

enum color_mode { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

/* Texts are the command line's own; only the arrays are owned. */
struct cli_list {
	const char **texts;
	size_t count;
};

struct cli_options {
	bool help;
	bool version;
	const char *kernel;
	const char *modules;
	const char *symvers;
	const char *system_map;
	const char *output;
	const char *cpu;
	bool json;
	bool quiet;
	bool verbose;
	enum color_mode color;
	bool all;
	bool exports;
	bool svg;
	bool keep;
	bool oops_continue;
	const char *append;
	const char *debug;
	struct cli_list commands; /* of --command */
	unsigned int timeout; /* seconds; 0: the library's own */
	bool has_at;
	uint64_t at;
	struct cli_list keys;
	struct cli_list symbols; /* NAME=ADDR, not taken apart */
	struct kocoon_policy policy;
	char **arguments; /* behind the verb */
	size_t argument_count;
};

/*
 * Reads the command line; the verb is the first argument that is no option, and `verb_ret` is NULL
 * where there is none. CLI_OK, or CLI_FAILED after a message.
 */
int options_parse(int argc, char **argv, struct cli_options *options,
		  const struct cli_verb **verb_ret);
void options_deinit(struct cli_options *options);

/* "0xffffffffc0000000", or 16 hexadecimal digits as in /proc/kallsyms. Nothing else is an address.
 */
bool options_parse_address(const char *text, uint64_t *address_ret);

/* CLI_FAILED, after the message and a pointer to the help of the verb, which may be NULL. */
int options_usage_error(const struct cli_verb *verb, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * One option as the help shows it. `index` counts those that the verb takes, its own first and the
 * common ones behind them; false behind the last.
 */
struct option_help {
	char letter; /* or 0 */
	const char *name;
	const char *argument; /* or NULL */
	const char *text;
	bool common;
};

bool options_help(unsigned int verb_bit, size_t index, struct option_help *help_ret);

#endif

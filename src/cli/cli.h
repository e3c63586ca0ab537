/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The `kocoon` command: what its files share.
 *
 * One run is one struct cli: parsed options, where output goes, and the kernel and tree once they
 * are open. A verb's function returns a status for the shell; what it prints goes through text.h,
 * which lets no byte of a module reach a terminal as a control character. Only
 * the headers of include/kocoon/ are used of the library.
 *
 * Out of memory ends the command with CLI_FAILED and a message wherever it happens.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "kocoon/kocoon.h"

#include "cli/options.h"
#include "cli/text.h"

/* Exit codes: part of the interface. */
enum cli_status {
	CLI_OK = 0,
	CLI_REFUSED = 1, /* a module was refused, or what was asked for is not there */
	CLI_FAILED = 2, /* usage or environment */
	CLI_DIED = 3, /* a machine died */
};

struct cli {
	struct cli_options options;
	const struct cli_verb *verb;
	struct text out; /* standard output, or the file of --output */
	struct kocoon_kernel *kernel; /* owned; NULL until cli_open_kernel() */
	struct kocoon_tree *tree; /* owned; NULL until cli_open_tree(), or where there is none */
	char *tree_folder; /* owned */
};

struct cli_verb {
	const char *name;
	const char *arguments; /* as in a synopsis: "MODULE..." */
	const char *summary; /* one line, no full stop */
	const char *description; /* some lines */
	unsigned int bit; /* of the verbs in options.c's table */
	unsigned int minimum; /* number of arguments */
	unsigned int maximum;
	int (*run)(struct cli *cli);
};

/* Ends with a row without a name. */
extern const struct cli_verb cli_verbs[];

/* NULL: no such verb. */
const struct cli_verb *cli_find_verb(const char *name);

int cmd_kernel(struct cli *cli);
int cmd_info(struct cli *cli);
int cmd_check(struct cli *cli);
int cmd_map(struct cli *cli);
int cmd_link(struct cli *cli);
int cmd_run(struct cli *cli);
int cmd_kallsyms(struct cli *cli);
int cmd_help(struct cli *cli);

/* The help of a verb, or of the command where it is NULL. */
void cli_print_help(FILE *file, const struct cli_verb *verb);

/*
 * Opens what the options name, or the defaults. CLI_OK, or CLI_FAILED after a message. A tree is
 * optional: where none is found cli->tree stays NULL, unless `required`.
 */
int cli_open_kernel(struct cli *cli);

/* What the open kernel is called in texts: its release, or what it was opened from. */
const char *cli_kernel_name(const struct cli *cli);

int cli_open_tree(struct cli *cli, bool required);

/*
 * Opens what -o names for writing; a pipe only while somebody reads from it, instead of waiting for
 * ever. A descriptor, or -1 after a message.
 */
int cli_open_output(const char *path, int flags);

/*
 * Path of the file that a MODULE argument means: a path, or a name that the tree has. The caller
 * frees it. CLI_OK, or CLI_FAILED after a message.
 */
int cli_find_module(struct cli *cli, const char *argument, char **path_ret);

/* Kernel, tree and module in one: for the verbs that look at one module. */
int cli_load_module(struct cli *cli, const char *argument,
		    const struct kocoon_module_options *options, struct kocoon_module **module_ret);

/* CLI_OK, or CLI_REFUSED after a message that says what the verdict is. */
int cli_report_refusal(const struct kocoon_module *module);

#endif

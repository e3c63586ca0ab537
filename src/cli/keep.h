/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be asked of a machine that is kept: a prompt, or commands of an option or a pipe. */
#ifndef CLI_KEEP_H
#define CLI_KEEP_H

#include "kocoon/machine.h"

#include "cli/cli.h"
#include "cli/json.h"

struct keep {
	struct cli *cli;
	struct kocoon_machine *machine;
	const char *module; /* that `param` means where none is named */
	struct json_object *commands; /* array, for --json; NULL: they are answered as text */
	char *gdb_folder; /* owned; NULL: there is none */
	struct json_object *lines; /* of the command that is being answered */
};

/*
 * The commands of --command, or else of standard input up to its end or "exit". Ends before that
 * where the machine does.
 */
void keep_run(struct keep *keep);

#endif

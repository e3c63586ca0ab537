// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The `kocoon` command: finds the verb, sets up its output, and makes sure that what was written
 * has arrived before it reports success.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

enum { ANY_NUMBER = 1 << 30 };

const struct cli_verb cli_verbs[] = {
	{ "kernel", "", "what is known of the kernel",
	  "Release, vermagic, exports, trusted keys, structure sizes, and how this kernel treats\n"
	  "modules. What can't be checked with what is known of it is said at the end.\n",
	  VERB_KERNEL, 0, 0, cmd_kernel },
	{ "info", "MODULE...", "what a module is: modinfo and more",
	  "Fields as modinfo prints them; then the signature, checked, and by which key; the size "
	  "of\n"
	  "struct module; imports by provider (--verbose lists them); relocations by type.\n",
	  VERB_INFO, 1, ANY_NUMBER, cmd_info },
	{ "check", "MODULE... | --all", "will this kernel take these modules?",
	  "Takes each module through the kernel's own checks, in their order, without executing "
	  "it.\n"
	  "One line a module; below a refused one what was found, with what to do about it.\n"
	  "Dependencies are found by symbol, among the modules given and then in the tree.\n",
	  VERB_CHECK, 0, ANY_NUMBER, cmd_check },
	{ "map", "MODULE", "what a module looks like in memory",
	  "Regions with their addresses and permissions, the sections in them, the padding "
	  "between,\n"
	  "and what is freed after init. As text, JSON or a picture.\n",
	  VERB_MAP, 1, 1, cmd_map },
	{ "link", "MODULE --at=ADDR -o FILE", "write a module as it would stand in memory",
	  "Writes the relocated module as an ELF file whose sections stand at their final "
	  "addresses.\n",
	  VERB_LINK, 1, 1, cmd_link },
	{ "run", "MODULE [PARAM=VALUE...] | --all", "run modules in the kernel's own code",
	  "Boots the kernel in a process (once; what has booted is kept in the cache), loads the\n"
	  "module after those that it depends on, and takes them away again. Prints the kernel's\n"
	  "log, the lines of /proc/modules, and how it ended. Each module has a machine of its\n"
	  "own. With --keep the machine stays, and is asked: \"help\" there lists how.\n",
	  VERB_RUN, 0, ANY_NUMBER, cmd_run },
	{ "kallsyms", "[NAME|ADDR]...", "the kernel's own symbol table",
	  "Prints address, type and name of all symbols, at the addresses that the kernel is "
	  "linked\n"
	  "for; or those of the names given; or the symbol that an address (0x...) lies in.\n",
	  VERB_KALLSYMS, 0, ANY_NUMBER, cmd_kallsyms },
	{ "help", "[VERB]", "help on a verb", "", VERB_HELP, 0, 1, cmd_help },
	{ 0 },
};

const struct cli_verb *cli_find_verb(const char *name)
{
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++) {
		if (!strcmp(verb->name, name))
			return verb;
	}
	return NULL;
}

/*
 * A closed standard descriptor would be taken by the next file opened, and messages written into
 * that file. /dev/null opened for reading makes writes fail, as they should.
 */
static int occupy_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDONLY);
		if (fd < 0)
			return CLI_FAILED;
	} while (fd <= STDERR_FILENO);
	close(fd);
	return CLI_OK;
}

static bool wants_color(const struct cli_options *options)
{
	const char *no_color = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	if (options->color != COLOR_AUTO)
		return options->color == COLOR_ALWAYS;
	if (options->output || (no_color && *no_color))
		return false;
	return isatty(STDOUT_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
}

/* `link` writes its file itself: what it prints is not that file. */
static const char *output_path(const struct cli *cli)
{
	return cli->verb && cli->verb->bit == VERB_LINK ? NULL : cli->options.output;
}

static int open_output(struct cli *cli)
{
	const char *path = output_path(cli);
	int fd = path ? cli_open_output(path, O_CREAT) : STDOUT_FILENO;

	if (fd < 0)
		return CLI_FAILED;
	cli->out.color = wants_color(&cli->options);
	text_open(&cli->out, fd);
	return CLI_OK;
}

/* Success only counts once everything is written. */
static int close_output(struct cli *cli, int status)
{
	const char *path = output_path(cli);
	int err = text_close(&cli->out);

	if (!err)
		return status;
	cli_error("cannot write %s: %s", path ? path : "standard output", strerror(err));
	return CLI_FAILED;
}

static int check_argument_count(const struct cli *cli)
{
	size_t count = cli->options.argument_count;

	if (count < cli->verb->minimum)
		return options_usage_error(cli->verb, "%s is missing", cli->verb->arguments);
	if (count > cli->verb->maximum)
		return options_usage_error(cli->verb, "'%s' is one argument too many",
					   cli->options.arguments[cli->verb->maximum]);
	return CLI_OK;
}

static int run_verb(struct cli *cli)
{
	int status = cli->verb->run(cli);

	kocoon_tree_free(cli->tree);
	kocoon_kernel_free(cli->kernel);
	free(cli->tree_folder);
	return status;
}

static int answer(struct cli *cli)
{
	if (cli->options.version) {
		text_line(&cli->out, "kocoon %s", kocoon_version());
		return CLI_OK;
	}
	if (cli->options.help) {
		cli_print_help(cli->out.file, cli->verb);
		return CLI_OK;
	}
	return run_verb(cli);
}

static int run(struct cli *cli, int argc, char **argv)
{
	int status = options_parse(argc, argv, &cli->options, &cli->verb);
	bool asks = cli->options.version || cli->options.help;

	if (status)
		return status;
	if (!cli->verb && !asks) {
		cli_print_help(stderr, NULL);
		return CLI_FAILED;
	}
	if (!asks)
		status = check_argument_count(cli);
	if (!status)
		status = open_output(cli);
	return status ? status : close_output(cli, answer(cli));
}

int main(int argc, char **argv)
{
	struct cli cli = { 0 };

	if (occupy_standard_descriptors())
		return CLI_FAILED;
	/* A reader that goes away is a write error like any other: a message and a status. */
	(void)signal(SIGPIPE, SIG_IGN);
	int status = run(&cli, argc, argv);
	options_deinit(&cli.options);
	return status;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/keep.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/oops.h"

enum { WORDS_MAX = 64, COMMAND_COLUMN = 34 };

/* A command taken apart; words are parts of a line that is changed. */
struct words {
	char *words[WORDS_MAX];
	size_t count;
};

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *where)
{
	(void)status;
	(void)flag;
	(void)where;
	return remove(path);
}

/* What was made for a debugger goes with the machine. */
static void forget_gdb(struct keep *keep)
{
	if (keep->gdb_folder)
		(void)nftw(keep->gdb_folder, remove_one, 4, FTW_DEPTH | FTW_PHYS);
	free(keep->gdb_folder);
	keep->gdb_folder = NULL;
}

/* ---- answers ---- */

static void say(struct keep *keep, const char *format, ...) CLI_PRINTF(2, 3);

static void say(struct keep *keep, const char *format, ...)
{
	va_list args;
	char *line;

	va_start(args, format);
	line = cli_format_args(format, args);
	va_end(args);
	for (char *at = line; (at = strchr(at, '\t'));)
		*at = ' ';
	if (keep->lines)
		json_append(keep->lines, json_make_text(line));
	else
		text_line(&keep->cli->out, "%s", line);
	free(line);
}

/* Line by line; what is no text stands as it is, but a NUL, which ends texts. */
static void say_text(struct keep *keep, char *text, size_t len)
{
	char *end;

	for (size_t i = 0; i < len; i++)
		if (!text[i])
			text[i] = ' ';
	for (char *at = text; *at; at = end) {
		end = at + strcspn(at, "\n");
		if (*end)
			*end++ = 0;
		say(keep, "%s", at);
	}
}

/* What was answered, unless `err` says that nothing was; it is freed. */
static int say_answer(struct keep *keep, int err, char *text, size_t len)
{
	if (err)
		return err;
	say_text(keep, text, len);
	free(text);
	return 0;
}

static int show_file(struct keep *keep, const char *path)
{
	char *text = NULL;
	size_t len = 0;
	int err = kocoon_machine_read(keep->machine, path, &text, &len);

	return say_answer(keep, err, text, len);
}

/* ---- files ---- */

static int do_cat(struct keep *keep, const struct words *words)
{
	int err = 0;

	for (size_t i = 1; i < words->count && !err; i++)
		err = show_file(keep, words->words[i]);
	return err;
}

/* Of a shell's echo: a line feed follows, unless -n. */
static int do_echo(struct keep *keep, const struct words *words)
{
	bool bare = words->count > 1 && !strcmp(words->words[1], "-n");
	size_t first = bare ? 2 : 1, end = words->count;
	const char *path = NULL;
	char *text, *line;
	int err = 0;

	if (end >= 2 + first && !strcmp(words->words[end - 2], ">")) {
		path = words->words[end - 1];
		end -= 2;
	}
	text = cli_join(words->words + first, end > first ? end - first : 0);
	line = cli_format("%s%s", text, bare ? "" : "\n");
	if (path)
		err = kocoon_machine_write(keep->machine, path, line, strlen(line));
	else
		say(keep, "%s", text);
	free(line);
	free(text);
	return err;
}

static int say_entry(void *context, char type, const char *name)
{
	say(context, "%s%s", name, type == 'd' ? "/" : type == 'l' ? "@" : "");
	return 0;
}

static int do_ls(struct keep *keep, const struct words *words)
{
	return kocoon_machine_list(keep->machine, words->count > 1 ? words->words[1] : "/",
				   say_entry, keep);
}

static int do_stat(struct keep *keep, const struct words *words)
{
	struct kocoon_machine_status status;
	int err = kocoon_machine_status(keep->machine, words->words[1], &status);

	if (!err)
		say(keep, "mode %06o uid %u gid %u links %" PRIu64 " size %" PRIu64, status.mode,
		    status.uid, status.gid, status.links, status.size);
	return err;
}

static int do_readlink(struct keep *keep, const struct words *words)
{
	char *target;
	int err = kocoon_machine_link(keep->machine, words->words[1], &target);

	if (err)
		return err;
	say(keep, "%s", target);
	free(target);
	return 0;
}

/* ---- the kernel ---- */

static int do_log(struct keep *keep, const struct words *words)
{
	char *text = NULL;
	size_t len = 0;
	int err = kocoon_machine_log(keep->machine, &text, &len);

	(void)words;
	return say_answer(keep, err, text, len);
}

static int do_oops(struct keep *keep, const struct words *words)
{
	const struct kocoon_oops *oops;

	(void)words;
	for (size_t i = 0; (oops = kocoon_machine_oops(keep->machine, i)); i++) {
		char *text = oops_make_text(keep->machine, oops);

		say(keep, "%s", text);
		free(text);
	}
	return 0;
}

/* "ffffffff81000000 T name" or "... name\t[module]"; a name is a whole one. */
static bool has_name(const char *line, const char *name)
{
	const char *at = strchr(line, ' ');
	size_t len = strlen(name);

	at = at ? strchr(at + 1, ' ') : NULL;
	return at && !strncmp(at + 1, name, len) && strchr("\t\n", at[1 + len]);
}

static int find_name(struct keep *keep, const char *text, const char *name)
{
	bool found = false;

	for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		if (!has_name(at, name))
			continue;
		say(keep, "%.*s", (int)strcspn(at, "\n"), at);
		found = true;
	}
	return found ? 0 : -ENOENT;
}

/* The symbol at or before it. Those of modules are not in the order of their addresses. */
static int find_address(struct keep *keep, const char *text, uint64_t address)
{
	const char *best = NULL;
	uint64_t best_address = 0;

	for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		uint64_t here = strtoull(at, NULL, 16);

		if (here <= address && (!best || here > best_address)) {
			best = at;
			best_address = here;
		}
	}
	if (!best)
		return -ENOENT;
	say(keep, "%.*s +0x%" PRIx64, (int)strcspn(best, "\n"), best, address - best_address);
	return 0;
}

static int do_kallsyms(struct keep *keep, const struct words *words)
{
	uint64_t address;
	size_t len;
	char *text;
	int err = kocoon_machine_read(keep->machine, "/proc/kallsyms", &text, &len);

	if (err)
		return err;
	if (options_parse_address(words->words[1], &address))
		err = find_address(keep, text, address);
	else
		err = find_name(keep, text, words->words[1]);
	free(text);
	return err;
}

/* ---- modules ---- */

static int do_lsmod(struct keep *keep, const struct words *words)
{
	(void)words;
	return show_file(keep, "/proc/modules");
}

static int finish(const struct kocoon_machine_result *result)
{
	return result->err ? result->err : result->oops ? -EFAULT : 0;
}

static int do_insmod(struct keep *keep, const struct words *words)
{
	struct kocoon_machine_result result;
	char *path, *args;
	int err;

	if (cli_find_module(keep->cli, words->words[1], &path))
		return -ENOENT;
	args = cli_join(words->words + 2, words->count - 2);
	err = kocoon_machine_insert(keep->machine, path, args, &result);
	free(args);
	free(path);
	return err ? err : finish(&result);
}

static int do_rmmod(struct keep *keep, const struct words *words)
{
	struct kocoon_machine_result result;
	int err = kocoon_machine_remove(keep->machine, words->words[1], &result);

	return err ? err : finish(&result);
}

/* What `param` prints of each parameter that can be read. */
struct parameters {
	struct keep *keep;
	const char *folder;
	char **names;
	size_t count;
};

static int take_name(void *context, char type, const char *name)
{
	struct parameters *all = context;

	(void)type;
	all->names = cli_grow(all->names, all->count + 1, sizeof(*all->names));
	all->names[all->count++] = cli_copy(name);
	return 0;
}

static int show_parameter(struct keep *keep, const char *folder, const char *name)
{
	char *path = cli_format("%s/%s", folder, name), *text;
	size_t len;
	int err = kocoon_machine_read(keep->machine, path, &text, &len);

	free(path);
	if (err)
		return err;
	text[strcspn(text, "\n")] = 0;
	say(keep, "%s=%s", name, text);
	free(text);
	return 0;
}

static int show_parameters(struct keep *keep, const char *folder)
{
	struct parameters all = { .keep = keep, .folder = folder };
	int err = kocoon_machine_list(keep->machine, folder, take_name, &all);

	for (size_t i = 0; i < all.count; i++) {
		/* One that is there for writing only is no fault. */
		if (!err)
			(void)show_parameter(keep, folder, all.names[i]);
		free(all.names[i]);
	}
	free(all.names);
	return err == -ENOENT ? 0 : err;
}

static int set_parameter(struct keep *keep, const char *folder, const char *name, const char *value)
{
	char *path = cli_format("%s/%s", folder, name), *line = cli_format("%s\n", value);
	int err = kocoon_machine_write(keep->machine, path, line, strlen(line));

	free(line);
	free(path);
	return err;
}

/* MODULE.NAME=VALUE, where MODULE may be left out, and then the value, and then the name. */
static int do_param(struct keep *keep, const struct words *words)
{
	char *name = words->count > 1 ? words->words[1] : NULL;
	char *value = name ? strchr(name, '=') : NULL, *dot, *folder;
	const char *module = keep->module;
	int err;

	if (value)
		*value++ = 0;
	dot = name ? strchr(name, '.') : NULL;
	if (dot) {
		*dot = 0;
		module = name;
		name = dot[1] ? dot + 1 : NULL;
	}
	folder = cli_format("/sys/module/%s/parameters", module);
	if (!name)
		err = show_parameters(keep, folder);
	else if (value)
		err = set_parameter(keep, folder, name, value);
	else
		err = show_parameter(keep, folder, name);
	free(folder);
	return err;
}

/* ---- a debugger ---- */

static int do_gdb(struct keep *keep, const struct words *words)
{
	const char *work = getenv("TMPDIR");
	int err;

	(void)words;
	forget_gdb(keep);
	keep->gdb_folder = cli_format("%s/kocoon-gdb-XXXXXX", work && *work ? work : "/tmp");
	if (!mkdtemp(keep->gdb_folder)) {
		err = -errno;
		free(keep->gdb_folder);
		keep->gdb_folder = NULL;
		return err;
	}
	err = kocoon_machine_debug(keep->machine, keep->gdb_folder);
	if (!err)
		say(keep, "gdb -x %s/attach", keep->gdb_folder);
	return err;
}

/* ---- commands ---- */

static int do_help(struct keep *keep, const struct words *words);

static const struct command {
	const char *name, *arguments;
	size_t minimum, maximum; /* words behind the name */
	int (*run)(struct keep *keep, const struct words *words);
	const char *text;
} commands[] = {
	{ "cat", "PATH...", 1, WORDS_MAX, do_cat, "a file of the machine's: /proc, /sys, ..." },
	{ "echo", "[-n] TEXT > PATH", 0, WORDS_MAX, do_echo, "write to one" },
	{ "ls", "[PATH]", 0, 1, do_ls, "a folder" },
	{ "stat", "PATH", 1, 1, do_stat, "mode (octal), owner, links and size of a file" },
	{ "readlink", "PATH", 1, 1, do_readlink, "where a link leads" },
	{ "log", "", 0, 0, do_log, "the kernel's log since it began to boot" },
	{ "oops", "", 0, 0, do_oops, "what it has reported, a line each" },
	{ "param", "[[MODULE.]NAME[=VALUE]]", 0, 1, do_param,
	  "parameters of a module (\"MODULE.\": all of that one)" },
	{ "lsmod", "", 0, 0, do_lsmod, "the loaded modules" },
	{ "insmod", "FILE|NAME [PARAM=VALUE...]", 1, WORDS_MAX, do_insmod,
	  "load a module, and those that it depends on" },
	{ "modprobe", "FILE|NAME [PARAM=VALUE...]", 1, WORDS_MAX, do_insmod, "the same" },
	{ "rmmod", "NAME", 1, 1, do_rmmod, "unload a module" },
	{ "kallsyms", "NAME|ADDR", 1, 1, do_kallsyms, "where a symbol is; which one is there" },
	{ "gdb", "", 0, 0, do_gdb, "how to attach a debugger" },
	{ "help", "", 0, 0, do_help, "this list" },
	{ "exit", "", 0, 0, NULL, "unload what is loaded, and end the machine" },
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static int do_help(struct keep *keep, const struct words *words)
{
	(void)words;
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		char *usage = cli_format("%s %s", commands[i].name, commands[i].arguments);

		say(keep, "%-*s  %s", COMMAND_COLUMN, usage, commands[i].text);
		free(usage);
	}
	return 0;
}

static const struct command *find_command(const struct words *words)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(commands[i].name, words->words[0]))
			return &commands[i];
	return NULL;
}

static struct words take_apart(char *line)
{
	struct words words = { .count = 0 };
	char *rest = NULL;

	for (char *word = strtok_r(line, " \t\n", &rest); word && words.count < WORDS_MAX;
	     word = strtok_r(NULL, " \t\n", &rest))
		words.words[words.count++] = word;
	return words;
}

/* 0; -errno, after a message. */
static int do_command(struct keep *keep, const struct words *words)
{
	const struct command *command = find_command(words);
	size_t count = words->count - 1;
	int err;

	if (!command) {
		say(keep, "no such command: %s (\"help\" lists them)", words->words[0]);
		return -EINVAL;
	}
	if (count < command->minimum || count > command->maximum) {
		say(keep, "usage: %s %s", command->name, command->arguments);
		return -EINVAL;
	}
	err = command->run(keep, words);
	if (err && !keep->lines)
		say(keep, "%s: %s", command->name, kocoon_errno_name(err));
	return err;
}

/* False: it is the last one. */
static bool answer(struct keep *keep, const char *line)
{
	char *copy = cli_copy(line);
	struct words words = take_apart(copy);
	struct json_object *object = NULL;
	bool ends = words.count && !strcmp(words.words[0], "exit");
	int err;

	if (words.count && !ends) {
		if (keep->commands) {
			object = json_make_object();
			json_text(object, "command", line);
			keep->lines = json_new_array(object, "lines");
		}
		err = do_command(keep, &words);
		keep->lines = NULL;
		if (object) {
			json_text(object, "errno", kocoon_errno_name(err));
			json_append(keep->commands, object);
		}
	}
	free(copy);
	text_flush(&keep->cli->out);
	return !ends && !kocoon_machine_end(keep->machine);
}

static void read_commands(struct keep *keep)
{
	bool prompts = isatty(STDIN_FILENO) && !keep->commands;
	char *line = NULL;
	size_t size = 0;

	do {
		if (prompts) {
			text_put(&keep->cli->out, "kocoon> ");
			text_flush(&keep->cli->out);
		}
		if (getline(&line, &size, stdin) < 0)
			break;
		line[strcspn(line, "\n")] = 0;
	} while (answer(keep, line));
	free(line);
}

void keep_run(struct keep *keep)
{
	const struct cli_list *list = &keep->cli->options.commands;

	if (!list->count)
		read_commands(keep);
	for (size_t i = 0; i < list->count; i++)
		if (!answer(keep, list->texts[i]))
			break;
	forget_gdb(keep);
}

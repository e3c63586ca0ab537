// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From options and arguments to open kernels, trees and modules, with messages that name what was
 * wrong and the next step.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/locate.h"

static void print_details(const struct kocoon_finding *finding)
{
	if (finding->expected)
		cli_error_more("expected  %s", finding->expected);
	if (finding->found)
		cli_error_more("found     %s", finding->found);
	if (finding->hint)
		cli_error_more("hint      %s", finding->hint);
}

/* The text of a finding without the path that the message before it has named already. */
static const char *without_path(const char *what, const char *path)
{
	size_t length = strlen(path);

	if (!strncmp(what, path, length) && !strncmp(what + length, ": ", 2))
		return what + length + 2;
	return what;
}

/*
 * "cannot open the kernel 'x': why", and the rest of the report below it. An errno alone says why
 * only where nobody wrote down more.
 */
static void print_failure(const char *what, const char *path, int err,
			  const struct kocoon_report *report)
{
	const struct kocoon_finding *finding = kocoon_report_get(report, 0);

	cli_error("cannot open %s '%s': %s", what, path,
		  finding ? without_path(finding->what, path) : strerror(-err));
	for (size_t i = 0; (finding = kocoon_report_get(report, i)); i++) {
		if (i)
			cli_error_more("%s", finding->what);
		print_details(finding);
	}
}

/* What was found though it opened. */
static void print_warnings(const struct kocoon_report *report)
{
	const struct kocoon_finding *finding;

	for (size_t i = 0; (finding = kocoon_report_get(report, i)); i++) {
		cli_error_more("%s", finding->what);
		print_details(finding);
	}
}

static int no_release(const char *word)
{
	char *cache = locate_cache();

	cli_error("no kernel '%s': no such file, and no such release in /boot, /lib/modules or %s",
		  word, cache);
	cli_error_more("give --kernel=FILE, or fetch one: scripts/fetch-kernel 6.12-amd64");
	free(cache);
	return CLI_FAILED;
}

/* A file, or a release or kind to look up. */
static int find_named_kernel(const char *word, char **path_ret)
{
	if (locate_is_folder(word)) {
		cli_error("'%s' is a folder: name the kernel image in it (vmlinuz or vmlinux)",
			  word);
		return CLI_FAILED;
	}
	if (strchr(word, '/') || locate_is_file(word)) {
		if (access(word, R_OK) != 0) {
			cli_error("cannot read the kernel '%s': %s", word, strerror(errno));
			return CLI_FAILED;
		}
		*path_ret = cli_copy(word);
		return CLI_OK;
	}
	char *path = locate_release(word);
	if (!path)
		return no_release(word);
	*path_ret = path;
	return CLI_OK;
}

static int no_default(void)
{
	char *cache = locate_cache();

	cli_error("no kernel to judge by: the running kernel's image is not readable, and %s is "
		  "empty",
		  cache);
	cli_error_more("give --kernel=FILE or --kernel=RELEASE, or set KOCOON_KERNEL");
	cli_error_more("or fetch one: scripts/fetch-kernel 6.12-amd64");
	free(cache);
	return CLI_FAILED;
}

/* NULL with CLI_OK: none is wanted, --symvers stands for it. */
static int find_kernel(const struct cli_options *options, char **path_ret)
{
	const char *variable = getenv("KOCOON_KERNEL");

	if (options->kernel)
		return find_named_kernel(options->kernel, path_ret);
	if (options->symvers) {
		*path_ret = NULL;
		return CLI_OK;
	}
	if (variable && *variable)
		return find_named_kernel(variable, path_ret);
	char *path = locate_default();
	if (!path)
		return no_default();
	*path_ret = path;
	return CLI_OK;
}

int cli_open_kernel(struct cli *cli)
{
	const struct cli_options *options = &cli->options;
	char *cache = locate_images();
	const struct kocoon_kernel_options wanted = {
		.size = sizeof(wanted),
		.key_files = options->keys.texts,
		.key_count = options->keys.count,
		.symvers = options->symvers,
		.system_map = options->system_map,
		.cache = cache,
	};
	char *path = NULL;
	int status = find_kernel(options, &path);

	if (status) {
		free(cache);
		return status;
	}
	struct kocoon_report *report = kocoon_report_new();
	if (!report)
		cli_out_of_memory();
	int err = kocoon_kernel_open(path, &wanted, report, &cli->kernel);
	if (err) {
		print_failure("the kernel", path ? path : options->symvers, err, report);
		status = CLI_FAILED;
	} else if (options->verbose) {
		cli_error("kernel %s (%s)", cli_kernel_name(cli), path ? path : options->symvers);
		print_warnings(report);
	}
	kocoon_report_free(report);
	free(cache);
	free(path);
	return status;
}

const char *cli_kernel_name(const struct cli *cli)
{
	const char *release = kocoon_kernel_release(cli->kernel);
	const char *path = kocoon_kernel_path(cli->kernel);

	if (*release)
		return release;
	return path ? path : cli->options.symvers;
}

static int no_tree(const struct cli *cli)
{
	cli_error("no module tree of the kernel %s: neither beside its image nor in /lib/modules",
		  cli_kernel_name(cli));
	cli_error_more("give --modules=DIR");
	return CLI_FAILED;
}

static char *tree_folder(const struct cli *cli)
{
	if (cli->options.modules)
		return cli_copy(cli->options.modules);
	return locate_tree(kocoon_kernel_path(cli->kernel), kocoon_kernel_release(cli->kernel));
}

int cli_open_tree(struct cli *cli, bool required)
{
	char *folder = tree_folder(cli);

	if (!folder)
		return required ? no_tree(cli) : CLI_OK;
	struct kocoon_report *report = kocoon_report_new();
	if (!report)
		cli_out_of_memory();
	int err = kocoon_tree_open(folder, report, &cli->tree);
	if (err) {
		print_failure("the module tree", folder, err, report);
	} else if (cli->options.verbose) {
		cli_error("%zu modules in %s", kocoon_tree_count(cli->tree), folder);
	}
	kocoon_report_free(report);
	cli->tree_folder = folder;
	return err ? CLI_FAILED : CLI_OK;
}

static bool looks_like_file(const char *argument)
{
	static const char *const suffixes[] = { ".ko", ".ko.gz", ".ko.xz", ".ko.zst" };
	size_t length = strlen(argument);

	if (strchr(argument, '/'))
		return true;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t suffix = strlen(suffixes[i]);

		if (length > suffix && !strcmp(argument + length - suffix, suffixes[i]))
			return true;
	}
	return locate_is_file(argument);
}

static int find_file(const char *path, char **path_ret)
{
	if (locate_is_folder(path)) {
		cli_error("'%s' is a folder, not a module", path);
		cli_error_more("for all modules in it: kocoon check --modules=%s --all", path);
		return CLI_FAILED;
	}
	if (access(path, R_OK) != 0) {
		cli_error("cannot read the module '%s': %s", path, strerror(errno));
		return CLI_FAILED;
	}
	*path_ret = cli_copy(path);
	return CLI_OK;
}

int cli_find_module(struct cli *cli, const char *argument, char **path_ret)
{
	if (looks_like_file(argument))
		return find_file(argument, path_ret);
	if (!cli->tree) {
		cli_error("no module '%s': no such file, and there is no tree to look for it in",
			  argument);
		cli_error_more("give --modules=DIR");
		return CLI_FAILED;
	}
	const char *path = kocoon_tree_find(cli->tree, argument);
	if (!path) {
		cli_error("no module '%s': no such file, and no module of that name in %s",
			  argument, cli->tree_folder);
		cli_error_more("another tree is named with --modules=DIR");
		return CLI_FAILED;
	}
	*path_ret = cli_copy(path);
	return CLI_OK;
}

int cli_open_output(const char *path, int flags)
{
	const int wanted = O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY;
	int fd = open(path, wanted | O_NONBLOCK | flags, 0666);
	struct stat status;

	if (fd >= 0 && fcntl(fd, F_SETFL, 0) == 0)
		return fd;
	if (fd < 0 && errno == ENXIO && stat(path, &status) == 0 && S_ISFIFO(status.st_mode))
		cli_error("cannot write %s: nobody reads from this pipe", path);
	else
		cli_error("cannot write %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

int cli_load_module(struct cli *cli, const char *argument,
		    const struct kocoon_module_options *options, struct kocoon_module **module_ret)
{
	char *path = NULL;
	int status = cli_find_module(cli, argument, &path);

	if (status)
		return status;
	int err = kocoon_module_load(cli->kernel, cli->tree, &cli->options.policy, path, options,
				     module_ret);
	if (err)
		cli_error("cannot load the module '%s': %s", path, strerror(-err));
	free(path);
	return err ? CLI_FAILED : CLI_OK;
}

int cli_report_refusal(const struct kocoon_module *module)
{
	const struct kocoon_verdict *verdict = kocoon_module_verdict(module);

	if (!verdict->err)
		return CLI_OK;
	cli_error("the kernel refuses %s: %s (%s: %s)", verdict->module,
		  kocoon_errno_name(verdict->err), kocoon_stage_name(verdict->stage),
		  verdict->reason ? verdict->reason : "no reason was noted");
	cli_error_more("all that was found: kocoon check %s", verdict->path);
	return CLI_REFUSED;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * kocoon check: verdicts, one line a module, printed as they come.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/findings.h"
#include "cli/progress.h"

enum { NAME_COLUMN = 24, MAX_ERRNOS = 16 };

/* How often an errno was the answer. */
struct tally {
	int err;
	size_t count;
};

struct check {
	struct cli *cli;
	struct progress progress;
	size_t accepted;
	size_t rejected;
	struct tally tallies[MAX_ERRNOS]; /* ends with a count of 0, or is full */
};

static void count_verdict(struct check *check, const struct kocoon_verdict *verdict)
{
	if (!verdict->err) {
		check->accepted++;
		return;
	}
	check->rejected++;
	for (size_t i = 0; i < MAX_ERRNOS; i++) {
		struct tally *tally = &check->tallies[i];

		if (tally->count && tally->err != verdict->err)
			continue;
		tally->err = verdict->err;
		tally->count++;
		return;
	}
}

static void print_verbose(struct text *out, const struct kocoon_verdict *verdict)
{
	char taints[32];
	const struct kocoon_signature *signature = &verdict->signature;

	kocoon_taint_letters(verdict->taints, taints);
	text_line(out, "        file %s", verdict->path);
	text_put(out, "        signature %s", signature_words(signature));
	if (signature->signer)
		text_put(out, "; signer %s", signature->signer);
	text_end_line(out);
	if (*taints)
		text_line(out, "        taints %s", taints);
	if (!verdict->depend_count)
		return;
	text_put(out, "        uses");
	for (size_t i = 0; i < verdict->depend_count; i++)
		text_put(out, " %s", verdict->depends[i]);
	text_end_line(out);
}

static void print_text(struct check *check, const struct kocoon_verdict *verdict)
{
	struct text *out = &check->cli->out;

	if (!verdict->err) {
		text_put_color(out, TEXT_GREEN, "accept");
		text_line(out, "  %s", verdict->module);
	} else {
		text_put_color(out, TEXT_RED, "REJECT");
		text_line(out, "  %-*s  %-12s  %s: %s", NAME_COLUMN, verdict->module,
			  kocoon_errno_name(verdict->err), kocoon_stage_name(verdict->stage),
			  verdict->reason ? verdict->reason : "");
	}
	if (check->cli->options.verbose)
		print_verbose(out, verdict);
	findings_print(out, verdict, check->cli->options.verbose);
}

static void regions_json(struct json_object *line, const struct kocoon_verdict *verdict)
{
	struct json_object *regions = json_new_object(line, "regions");

	for (int kind = 0; kind < KOCOON_REGION_COUNT; kind++) {
		if (verdict->region_sizes[kind])
			json_number(regions, kocoon_region_name((enum kocoon_region_kind)kind),
				    verdict->region_sizes[kind]);
	}
}

static void print_json(struct check *check, const struct kocoon_verdict *verdict)
{
	struct json_object *line = json_make_object();
	char taints[32];

	kocoon_taint_letters(verdict->taints, taints);
	json_text(line, "module", verdict->module);
	json_text(line, "path", verdict->path);
	json_text(line, "verdict", verdict->err ? "reject" : "accept");
	json_text(line, "errno", kocoon_errno_name(verdict->err));
	json_text(line, "stage", verdict->err ? kocoon_stage_name(verdict->stage) : NULL);
	json_text(line, "reason", verdict->reason);
	findings_json(line, "findings", verdict->report);
	signature_json(line, "signature", &verdict->signature);
	json_text(line, "taints", taints);
	struct json_object *depends = json_new_array(line, "depends");
	for (size_t i = 0; i < verdict->depend_count; i++)
		json_append(depends, json_make_text(verdict->depends[i]));
	regions_json(line, verdict);
	json_number(line, "relocations", verdict->relocations);
	json_number(line, "usec", verdict->usec);
	json_print(&check->cli->out, line);
}

static int take_verdict(const struct kocoon_verdict *verdict, void *context)
{
	struct check *check = context;
	const struct cli_options *options = &check->cli->options;

	count_verdict(check, verdict);
	if (verdict->err || !options->quiet) {
		progress_clear(&check->progress);
		if (options->json)
			print_json(check, verdict);
		else
			print_text(check, verdict);
		/* A script that reads along sees each verdict when it is there. */
		text_flush(&check->cli->out);
	}
	progress_show(&check->progress, check->accepted + check->rejected, verdict->module);
	return text_healthy(&check->cli->out) ? 0 : -EIO;
}

static void print_summary_text(const struct check *check, double seconds)
{
	struct text *out = &check->cli->out;
	const char *separator = ": ";

	text_put(out, "%zu modules, %zu accepted, ", check->accepted + check->rejected,
		 check->accepted);
	text_put_color(out, check->rejected ? TEXT_RED : TEXT_PLAIN, "%zu rejected",
		       check->rejected);
	for (size_t i = 0; i < MAX_ERRNOS && check->tallies[i].count; i++) {
		text_put(out, "%s%zu %s", separator, check->tallies[i].count,
			 kocoon_errno_name(check->tallies[i].err));
		separator = ", ";
	}
	text_line(out, "; %.2f s; kernel %s", seconds, cli_kernel_name(check->cli));
}

static void print_summary_json(const struct check *check, double seconds)
{
	struct json_object *line = json_make_object();
	struct json_object *summary = json_new_object(line, "summary");

	json_number(summary, "modules", check->accepted + check->rejected);
	json_number(summary, "accepted", check->accepted);
	json_number(summary, "rejected", check->rejected);
	json_seconds(summary, "seconds", seconds);
	json_text(summary, "kernel", kocoon_kernel_release(check->cli->kernel));
	json_print(&check->cli->out, line);
}

static void print_summary(const struct check *check, double seconds)
{
	if (check->cli->options.json)
		print_summary_json(check, seconds);
	else if (!check->cli->options.quiet)
		print_summary_text(check, seconds);
}

static int judge(struct check *check, char **paths, size_t count)
{
	struct cli *cli = check->cli;
	bool all = cli->options.all;
	uint64_t start = progress_clock();

	progress_start(&check->progress, all ? kocoon_tree_count(cli->tree) : count,
		       !cli->options.quiet);
	int err = kocoon_check(cli->kernel, cli->tree, &cli->options.policy,
			       (const char *const *)paths, count, take_verdict, check);
	progress_clear(&check->progress);
	/* What was wrong with the output is said when it is closed. */
	if (!text_healthy(&cli->out))
		return CLI_FAILED;
	if (err) {
		cli_error("check ended early: %s", strerror(-err));
		return CLI_FAILED;
	}
	if (all)
		print_summary(check, (double)(progress_clock() - start) / 1000);
	return check->rejected ? CLI_REFUSED : CLI_OK;
}

/* All arguments are looked up before the first is judged: a mistyped name costs no time. */
static int find_modules(struct cli *cli, char **paths)
{
	int status = CLI_OK;

	for (size_t i = 0; i < cli->options.argument_count; i++) {
		int found = cli_find_module(cli, cli->options.arguments[i], &paths[i]);

		status = found ? found : status;
	}
	return status;
}

int cmd_check(struct cli *cli)
{
	struct check check = { .cli = cli };
	size_t count = cli->options.argument_count;

	if (cli->options.all && count)
		return options_usage_error(cli->verb, "either --all or modules, not both");
	if (!cli->options.all && !count)
		return options_usage_error(cli->verb, "which modules? Name some, or give --all");
	int status = cli_open_kernel(cli);
	if (!status)
		status = cli_open_tree(cli, cli->options.all);
	if (status)
		return status;
	if (cli->options.all && !kocoon_tree_count(cli->tree)) {
		cli_error("there is no module in %s", cli->tree_folder);
		return CLI_FAILED;
	}
	char **paths = calloc(count + 1, sizeof(*paths));
	if (!paths)
		cli_out_of_memory();
	status = find_modules(cli, paths);
	if (!status)
		status = judge(&check, paths, count);
	for (size_t i = 0; i < count; i++)
		free(paths[i]);
	free(paths);
	return status;
}

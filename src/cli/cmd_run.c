// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * kocoon run: modules in a machine, each in a fresh one: dependencies, init, then exit in reverse.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kocoon/machine.h"

#include "cli/cli.h"
#include "cli/findings.h"
#include "cli/json.h"
#include "cli/keep.h"
#include "cli/locate.h"
#include "cli/oops.h"
#include "cli/progress.h"

enum { NAME_COLUMN = 24, THREADS_MAX = 64 };

enum outcome {
	RUN_OK,
	RUN_INIT_ERROR,
	RUN_EXIT_ERROR,
	RUN_OOPS,
	RUN_REFUSED,
	RUN_TIMEOUT,
	RUN_DIED
};

static const char *const outcome_names[] = {
	[RUN_OK] = "ok",     [RUN_INIT_ERROR] = "init-error", [RUN_EXIT_ERROR] = "exit-error",
	[RUN_OOPS] = "oops", [RUN_REFUSED] = "refused",	      [RUN_TIMEOUT] = "timeout",
	[RUN_DIED] = "died",
};

struct line {
	int level;
	uint64_t usec;
	char *text;
};

/* One module, and what came of it. All texts are owned. */
struct trial {
	const char *path;
	char *name;
	enum outcome outcome;
	int err;
	uint64_t init_nsec;
	char *end; /* why the machine is gone, or NULL */
	char *modules; /* /proc/modules after init, or NULL */
	char **stays; /* names of those that could not be removed */
	size_t stay_count;
	struct line *log;
	size_t log_count;
	struct text *live; /* where lines of the log go when they come; NULL: nowhere */
	struct json_object *oops; /* the report that matters most, and the others; or NULL */
	struct json_object *reports;
	char *oops_text;
	struct json_object *commands; /* and what they were answered, or NULL */
	struct kocoon_machine *machine; /* owned; whose findings are still to be told; or NULL */
};

struct run {
	struct cli *cli;
	struct kocoon_booted *booted;
	struct progress progress;
	pthread_mutex_t mutex; /* what follows, and the output */
	size_t next, done, failed;
	bool died; /* a machine, or a task in it */
	bool told_boot; /* its log was printed when it came */
	char *const *paths;
	size_t count;
};

static void print_line(struct text *out, uint64_t usec, const char *text)
{
	text_put_color(out, TEXT_DIM, "[%5" PRIu64 ".%06" PRIu64 "]", usec / 1000000,
		       usec % 1000000);
	text_line(out, " %s", text);
}

static void take_line(void *context, int level, uint64_t usec, const char *text, size_t len)
{
	struct trial *trial = context;

	trial->log = cli_grow(trial->log, trial->log_count + 1, sizeof(*trial->log));
	trial->log[trial->log_count++] = (struct line){
		.level = level,
		.usec = usec,
		.text = cli_format("%.*s", (int)(len < 4096 ? len : 4096), text),
	};
	if (trial->live)
		print_line(trial->live, usec, trial->log[trial->log_count - 1].text);
}

static void trial_deinit(struct trial *trial)
{
	for (size_t i = 0; i < trial->log_count; i++)
		free(trial->log[i].text);
	free(trial->log);
	for (size_t i = 0; i < trial->stay_count; i++)
		free(trial->stays[i]);
	free(trial->stays);
	free(trial->name);
	free(trial->end);
	free(trial->modules);
	free(trial->oops_text);
	json_object_put(trial->oops);
	json_object_put(trial->reports);
	json_object_put(trial->commands);
	kocoon_machine_free(trial->machine);
}

/* "/x/snd-pcm.ko.xz": "snd_pcm" */
static char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = cli_copy(slash ? slash + 1 : path);

	name[strcspn(name, ".")] = 0;
	for (char *at = name; *at; at++)
		if (*at == '-')
			*at = '_';
	return name;
}

/* ---- a trial ---- */

static void note_gone(struct trial *trial, const struct kocoon_machine *machine, int err)
{
	const char *end = kocoon_machine_end(machine);

	trial->outcome = err == -ETIMEDOUT ? RUN_TIMEOUT : RUN_DIED;
	trial->err = err;
	trial->end = cli_copy(end ? end : strerror(-err));
}

/* Whether the loader refused it, or one that it needs, before any init failed. */
static bool is_refused(const struct kocoon_machine *machine, int err)
{
	const struct kocoon_report *report = kocoon_machine_report(machine);
	const struct kocoon_finding *finding;

	for (size_t i = 0; (finding = kocoon_report_get(report, i)); i++)
		if (finding->err == err)
			return true;
	return false;
}

/*
 * One of the loaded ones goes, the newest that can; or none, and the result is that of the newest
 * that nothing uses. Not 0: the machine is gone.
 */
static int remove_one(struct kocoon_machine *machine, struct kocoon_machine_result *result_ret)
{
	struct kocoon_machine_result refused = { .err = -EWOULDBLOCK };
	size_t index = 0;

	while (kocoon_machine_loaded(machine, index))
		index++;
	while (index) {
		int err = kocoon_machine_remove(machine, kocoon_machine_loaded(machine, --index),
						result_ret);

		if (err || !result_ret->err)
			return err;
		if (refused.err == -EWOULDBLOCK)
			refused = *result_ret;
	}
	*result_ret = refused;
	return 0;
}

/* All, dependencies too, as long as one of them goes. */
static void remove_all(struct trial *trial, struct kocoon_machine *machine)
{
	struct kocoon_machine_result result = { 0 };

	while (kocoon_machine_loaded(machine, 0) && !result.err && !result.oops) {
		int err = remove_one(machine, &result);

		/* The machine takes no more. */
		if (err == -EIO)
			return;
		if (err) {
			note_gone(trial, machine, err);
			return;
		}
	}
	for (size_t i = 0; kocoon_machine_loaded(machine, i); i++) {
		trial->stays = cli_grow(trial->stays, i + 1, sizeof(*trial->stays));
		trial->stays[i] = cli_copy(kocoon_machine_loaded(machine, i));
		trial->stay_count++;
	}
	if (trial->outcome == RUN_OOPS || (!result.err && !result.oops))
		return;
	trial->err = result.err;
	trial->outcome = result.oops ? RUN_OOPS : RUN_EXIT_ERROR;
}

/* ---- what the kernel reported ---- */

static void note_reports(const struct run *run, struct trial *trial,
			 const struct kocoon_machine *machine)
{
	const struct kocoon_oops *oops;
	size_t worst = SIZE_MAX;

	(void)oops_find_worst(machine, &worst);
	oops = kocoon_machine_oops(machine, worst);
	if (oops)
		trial->oops_text = oops_make_text(machine, oops);
	/* Of a task that was not asked for anything; or of a machine that ended with it. */
	if (oops && oops->number && (trial->outcome == RUN_OK || trial->outcome == RUN_DIED))
		trial->outcome = RUN_OOPS;
	if (!run->cli->options.json)
		return;
	trial->reports = json_make_array();
	for (size_t i = 0; (oops = kocoon_machine_oops(machine, i)); i++) {
		if (i == worst)
			trial->oops = oops_make_json(machine, oops);
		else
			json_append(trial->reports, oops_make_json(machine, oops));
	}
}

/* ---- a machine that is kept ---- */

/* The lines of the modules that it loaded. */
static void print_modules(struct text *out, const struct trial *trial)
{
	const char *at = trial->modules;

	while (at && *at) {
		size_t len = strcspn(at, "\n");

		text_line(out, "%.*s", (int)len, at);
		at += len + (at[len] == '\n');
	}
}

static bool is_kept(const struct run *run)
{
	return run->cli->options.keep || run->cli->options.commands.count;
}

static void keep_machine(const struct run *run, struct trial *trial, struct kocoon_machine *machine)
{
	struct keep keep = { .cli = run->cli, .machine = machine, .module = trial->name };

	if (run->cli->options.json)
		keep.commands = trial->commands = json_make_array();
	else
		print_modules(&run->cli->out, trial);
	text_flush(&run->cli->out);
	keep_run(&keep);
	if (kocoon_machine_end(machine))
		note_gone(trial, machine, kocoon_machine_error(machine));
}

static void try_module(const struct run *run, struct trial *trial, const char *args)
{
	struct kocoon_machine *machine = trial->machine;
	struct kocoon_machine_result result;
	int err = kocoon_machine_insert(machine, trial->path, args, &result);
	size_t len;

	if (err) {
		note_gone(trial, machine, err);
		return;
	}
	trial->init_nsec = result.nsec;
	trial->err = result.err;
	if (result.oops)
		trial->outcome = RUN_OOPS;
	else if (result.err)
		trial->outcome = is_refused(machine, result.err) ? RUN_REFUSED : RUN_INIT_ERROR;
	if (!is_kept(run) && trial->outcome != RUN_OK && !run->cli->options.oops_continue)
		return;
	err = kocoon_machine_read(machine, "/proc/modules", &trial->modules, &len);
	if (err == -ETIMEDOUT || err == -EHOSTDOWN)
		note_gone(trial, machine, err);
	else if (is_kept(run))
		keep_machine(run, trial, machine);
	if (!kocoon_machine_end(machine))
		remove_all(trial, machine);
}

/* The log up to here: the boot's, whether it was now or long ago. */
static void print_boot_log(const struct run *run, struct kocoon_machine *machine)
{
	char *text, *line, *rest = NULL;
	size_t len;

	if (kocoon_machine_log(machine, &text, &len))
		return;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *level = *line == '<' ? strchr(line, '>') : NULL;

		text_line(&run->cli->out, "%s", level ? level + 1 : line);
	}
	free(text);
}

static void do_trial(const struct run *run, struct trial *trial, const char *args)
{
	int err = kocoon_machine_start(run->booted, take_line, trial, &trial->machine);

	if (err) {
		trial->outcome = RUN_DIED;
		trial->err = err;
		trial->end = cli_format("no process for a machine: %s", strerror(-err));
		return;
	}
	if (run->cli->options.verbose && !run->cli->options.json && !run->cli->options.all &&
	    !run->told_boot)
		print_boot_log(run, trial->machine);
	if (is_kept(run) && !run->cli->options.json)
		trial->live = &run->cli->out;
	try_module(run, trial, args);
	note_reports(run, trial, trial->machine);
}

/* ---- output ---- */

static void print_log(struct text *out, const struct trial *trial)
{
	for (size_t i = 0; i < trial->log_count && !trial->live; i++)
		print_line(out, trial->log[i].usec, trial->log[i].text);
}

static void print_text(struct run *run, const struct trial *trial)
{
	struct text *out = &run->cli->out;
	bool ok = trial->outcome == RUN_OK;

	if (!run->cli->options.all || run->cli->options.verbose) {
		print_log(out, trial);
		if (!trial->live)
			print_modules(out, trial);
	}
	text_put_color(out, ok ? TEXT_GREEN : TEXT_RED, "%-10s", outcome_names[trial->outcome]);
	text_put(out, "  %-*s", ok ? 0 : NAME_COLUMN, trial->name);
	if (trial->err)
		text_put(out, "  %s", kocoon_errno_name(trial->err));
	if (trial->end)
		text_put(out, "  %s", trial->end);
	if (trial->oops_text)
		text_put(out, "  %s", trial->oops_text);
	text_end_line(out);
	if (trial->machine)
		findings_print(out,
			       &(struct kocoon_verdict){
				       .err = trial->err,
				       .stage = KOCOON_STAGE_KERNEL,
				       .report = kocoon_machine_report(trial->machine),
			       },
			       run->cli->options.verbose);
}

static void print_json(struct run *run, const struct trial *trial)
{
	struct json_object *line = json_make_object();
	struct json_object *log, *stays;

	json_text(line, "module", trial->name);
	json_text(line, "path", trial->path);
	json_text(line, "result", outcome_names[trial->outcome]);
	json_text(line, "errno", kocoon_errno_name(trial->err));
	json_number(line, "init_usec", trial->init_nsec / 1000);
	json_text(line, "end", trial->end);
	stays = json_new_array(line, "stays");
	for (size_t i = 0; i < trial->stay_count; i++)
		json_append(stays, json_make_text(trial->stays[i]));
	if (trial->machine)
		findings_json(line, "findings", kocoon_machine_report(trial->machine));
	log = json_new_array(line, "log");
	for (size_t i = 0; i < trial->log_count; i++) {
		struct json_object *entry = json_make_object();

		json_number(entry, "level", (uint64_t)trial->log[i].level);
		json_number(entry, "usec", trial->log[i].usec);
		json_text(entry, "text", trial->log[i].text);
		json_append(log, entry);
	}
	json_object_object_add(line, "oops", json_object_get(trial->oops));
	json_object_object_add(line, "reports", json_object_get(trial->reports));
	if (trial->commands)
		json_object_object_add(line, "commands", json_object_get(trial->commands));
	json_print(&run->cli->out, line);
}

static void report(struct run *run, const struct trial *trial)
{
	bool ok = trial->outcome == RUN_OK;

	pthread_mutex_lock(&run->mutex);
	run->done++;
	run->failed += !ok;
	run->died |= trial->outcome == RUN_OOPS || trial->outcome == RUN_TIMEOUT ||
		     trial->outcome == RUN_DIED;
	progress_clear(&run->progress);
	if (run->cli->options.json)
		print_json(run, trial);
	else if (!ok || !run->cli->options.quiet)
		print_text(run, trial);
	text_flush(&run->cli->out);
	progress_show(&run->progress, run->done, trial->name);
	pthread_mutex_unlock(&run->mutex);
}

static void *work(void *context)
{
	struct run *run = context;

	for (;;) {
		struct trial trial = { 0 };
		size_t index;

		pthread_mutex_lock(&run->mutex);
		index = run->next++;
		pthread_mutex_unlock(&run->mutex);
		trial.path = kocoon_tree_path(run->cli->tree, index);
		if (!trial.path || !text_healthy(&run->cli->out))
			return NULL;
		trial.name = name_of(trial.path);
		do_trial(run, &trial, NULL);
		report(run, &trial);
		trial_deinit(&trial);
	}
}

static void print_summary(struct run *run, double seconds)
{
	struct json_object *line, *summary;

	if (!run->cli->options.json) {
		text_line(&run->cli->out, "%zu modules, %zu ok, %zu not; %.2f s; kernel %s",
			  run->done, run->done - run->failed, run->failed, seconds,
			  cli_kernel_name(run->cli));
		return;
	}
	line = json_make_object();
	summary = json_new_object(line, "summary");
	json_number(summary, "modules", run->done);
	json_number(summary, "ok", run->done - run->failed);
	json_seconds(summary, "seconds", seconds);
	json_text(summary, "kernel", kocoon_kernel_release(run->cli->kernel));
	json_print(&run->cli->out, line);
}

static void run_all(struct run *run)
{
	unsigned int threads = run->cli->options.policy.threads;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t start = progress_clock();
	pthread_t others[THREADS_MAX];
	unsigned int started = 0;

	if (!threads)
		threads = processors > 0 ? (unsigned int)processors : 1;
	progress_start(&run->progress, kocoon_tree_count(run->cli->tree), !run->cli->options.quiet);
	while (started + 1 < threads && started < THREADS_MAX &&
	       !pthread_create(&others[started], NULL, work, run))
		started++;
	work(run);
	while (started)
		pthread_join(others[--started], NULL);
	progress_clear(&run->progress);
	print_summary(run, (double)(progress_clock() - start) / 1000);
}

static int run_one(struct run *run)
{
	struct cli *cli = run->cli;
	struct trial trial = { 0 };
	char *path = NULL, *args;
	int status = cli_find_module(cli, cli->options.arguments[0], &path);

	if (status)
		return status;
	args = cli_join(cli->options.arguments + 1, cli->options.argument_count - 1);
	trial.path = path;
	trial.name = name_of(path);
	do_trial(run, &trial, args);
	report(run, &trial);
	trial_deinit(&trial);
	free(args);
	free(path);
	return CLI_OK;
}

static void print_boot_line(void *context, int level, uint64_t usec, const char *text, size_t len)
{
	struct run *run = context;
	char *line;

	(void)level;
	if (!run->cli->options.verbose || run->cli->options.json)
		return;
	run->told_boot = true;
	line = cli_format("%.*s", (int)(len < 4096 ? len : 4096), text);
	print_line(&run->cli->out, usec, line);
	free(line);
}

static int boot(struct run *run)
{
	struct cli *cli = run->cli;
	struct kocoon_report *found = kocoon_report_new();
	char *cache = locate_machines(), *debug = locate_debug(cli->tree_folder);
	const struct kocoon_machine_options options = {
		.size = sizeof(options),
		.cache = cache,
		.timeout = cli->options.timeout,
		.tree = cli->tree,
		.log = print_boot_line,
		.log_context = run,
		.command_line = cli->options.append,
		.oops_continue = cli->options.oops_continue,
		.debug = cli->options.debug ? cli->options.debug : debug,
	};
	int err = found ? kocoon_machine_boot(cli->kernel, &options, found, &run->booted) : -ENOMEM;

	if (err)
		cli_error("%s", found && kocoon_report_count(found)
					? kocoon_report_get(found, 0)->what
					: strerror(-err));
	free(cache);
	free(debug);
	kocoon_report_free(found);
	if (err == -EHOSTDOWN || err == -ETIMEDOUT)
		return CLI_DIED;
	return err ? CLI_FAILED : CLI_OK;
}

int cmd_run(struct cli *cli)
{
	struct run run = { .cli = cli, .mutex = PTHREAD_MUTEX_INITIALIZER };
	const bool all = cli->options.all;
	int status;

	if (all == (cli->options.argument_count > 0))
		return options_usage_error(cli->verb, "a module, or --all");
	if (all && is_kept(&run))
		return options_usage_error(cli->verb,
					   "a machine is kept for one module, not for --all");
	status = cli_open_kernel(cli);
	if (!status)
		status = cli_open_tree(cli, all);
	if (!status)
		status = boot(&run);
	if (status)
		return status;
	if (all)
		run_all(&run);
	else
		status = run_one(&run);
	kocoon_booted_free(run.booted);
	/* Of a whole tree, the lines say which. */
	if (!status && run.failed)
		status = run.died && !all ? CLI_DIED : CLI_REFUSED;
	return status;
}

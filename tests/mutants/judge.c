/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library's answers; see judge.h. */
#include "judge.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kocoon/kocoon.h"

enum { THREADS = 2 };

/* Read by the signal handler: the number that each thread is at, plus 1. */
static _Atomic(uint64_t) current[THREADS];

struct worker {
	pthread_t thread;
	unsigned int index;
	struct batch *batch;
	const struct kocoon_kernel *kernel;
	atomic_size_t *next;
};

static void put(const char *text)
{
	ssize_t written = write(STDERR_FILENO, text, strlen(text));

	(void)written;
}

/* The library crashed: which mutants it was at. */
static void crashed(int signal_number)
{
	for (int i = 0; i < THREADS; i++) {
		char digits[24] = { 0 }, *text = digits + sizeof(digits) - 1;
		uint64_t number = atomic_load(&current[i]);

		if (!number--)
			continue;
		do {
			*--text = (char)('0' + number % 10);
			number /= 10;
		} while (number);
		put("mutants: the library crashed at mutant ");
		put(text);
		put(" or one beside it\n");
	}
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static int take(const struct kocoon_verdict *verdict, void *context)
{
	struct judged *judged = context;

	if (strcmp(verdict->path, judged->path) != 0)
		return 0;
	judged->err = verdict->err;
	judged->stage = verdict->err ? (int)verdict->stage : -1;
	snprintf(judged->reason, sizeof(judged->reason), "%s",
		 verdict->reason ? verdict->reason : "accepted");
	return 0;
}

static void judge(const struct kocoon_kernel *kernel, struct judged *judged)
{
	struct kocoon_policy policy = {
		.size = sizeof(policy),
		.threads = 1,
		.compressed_file = judged->packed,
	};
	const struct base *base = judged->base;
	const char *paths[NEEDS_MAX + 1];
	int err;

	for (unsigned int i = 0; i < base->need_count; i++)
		paths[i] = base->needs[i];
	paths[base->need_count] = judged->path;
	judged->err = 1;
	judged->stage = -1;
	err = kocoon_check(kernel, NULL, &policy, paths, base->need_count + 1, take, judged);
	if (err || judged->err > 0) {
		judged->err = err ? err : -EIO;
		snprintf(judged->reason, sizeof(judged->reason), "kocoon_check gave %d", err);
	}
}

static void *work(void *argument)
{
	const struct worker *worker = argument;
	size_t i;

	while ((i = atomic_fetch_add(worker->next, 1)) < worker->batch->count) {
		struct judged *judged = &worker->batch->all[i];

		atomic_store(&current[worker->index], judged->number + 1);
		judge(worker->kernel, judged);
		atomic_store(&current[worker->index], 0);
	}
	return NULL;
}

void judge_all(struct batch *batch, const struct place *place)
{
	struct worker workers[THREADS];
	struct kocoon_kernel *kernel;
	atomic_size_t next = 0;

	if (kocoon_kernel_open(place->vmlinuz, NULL, NULL, &kernel)) {
		fprintf(stderr, "mutants: can't open %s\n", place->vmlinuz);
		exit(2);
	}
	signal(SIGSEGV, crashed);
	signal(SIGBUS, crashed);
	signal(SIGABRT, crashed);
	signal(SIGFPE, crashed);
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.index = i, .batch = batch, .kernel = kernel, .next = &next
		};
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			exit(2);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	kocoon_kernel_free(kernel);
}

void judge_list(const struct judged *judged, bool live, FILE *list)
{
	enum { INIT_COMPRESSED = 4 };
	char argument[128] = "";

	if (live)
		live_argument(judged->base, argument, sizeof(argument));
	fprintf(list, "%s\t%d\t%s\n", judged->path, judged->packed ? INIT_COMPRESSED : 0, argument);
}

/* The mutant of this path, wherever its folder was; NULL: it is no mutant's. */
static struct judged *find(struct batch *batch, const char *path)
{
	const char *name = strrchr(path, '/');
	char *end;
	uint64_t number = strtoull(name ? name + 1 : path, &end, 10), first;

	if (!batch->count || strcmp(end, ".ko") != 0)
		return NULL;
	first = batch->all[0].number;
	return number - first < batch->count ? &batch->all[number - first] : NULL;
}

/* "ERRNO<tab>PATH", and behind it, with a tab in front, what else was said of it. */
void judge_read_answers(struct batch *batch, const char *file)
{
	FILE *answers = fopen(file, "re");
	char *line = NULL;
	size_t size = 0;
	struct judged *last = NULL;

	if (!answers) {
		perror(file);
		exit(2);
	}
	while (getline(&line, &size, answers) > 0) {
		char *path = line, *answer;

		line[strcspn(line, "\n")] = 0;
		if (line[0] == '\t') {
			if (last && !strncmp(line, "\tunload\t", 8))
				snprintf(last->unload, sizeof(last->unload), "%s", line + 8);
			else if (last && strstr(line, "after that answer"))
				snprintf(last->answer, sizeof(last->answer), "%.*s",
					 (int)strcspn(line + 1, " "), line + 1);
			else if (last && !*last->log)
				snprintf(last->log, sizeof(last->log), "%s", line + 1);
			continue;
		}
		answer = strsep(&path, "\t");
		last = path ? find(batch, path) : NULL;
		if (last)
			snprintf(last->answer, sizeof(last->answer), "%s", answer);
		if (last)
			last->unload[0] = 0;
	}
	free(line);
	fclose(answers);
}

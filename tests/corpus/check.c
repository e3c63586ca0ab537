/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * corpus-check KIND FOLDER ANSWERS...
 *
 * Puts the damaged modules that `corpus` built into FOLDER before the library, with the kernel
 * KIND, and compares its errno with each file of answers. A test point (TAP) a case.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "corpus.h"
#include "damage.h"
#include "kocoon/kocoon.h"

enum { NEEDS_MAX = 8, PATH_SIZE = 4096 };

static const struct place *place;
static struct kocoon_kernel *kernel;
static const char *folder;

/* The module in question and what is loaded before it, in that order. */
struct request {
	char paths[NEEDS_MAX][PATH_SIZE];
	size_t count;
	const char *answer; /* "0", "ENOEXEC"; NULL: there was no verdict */
	const char *stage;
	char reason[512];
};

_Noreturn static void fail(const char *what, const char *which)
{
	fprintf(stderr, "corpus: %s %s\n", what, which);
	exit(2);
}

static void add_path(struct request *request, const struct corpus_case *test);

static void add_needs(struct request *request, const char *needs)
{
	char words[256], *rest = NULL;

	snprintf(words, sizeof(words), "%s", needs);
	for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		const struct corpus_case *test = NULL;

		if (word[0] != '@') {
			if (request->count == NEEDS_MAX ||
			    !place_module(place, word, request->paths[request->count++]))
				fail("no stock module", word);
			continue;
		}
		for (size_t i = 0; (test = corpus_case(i)) && strcmp(test->name, word + 1) != 0;)
			i++;
		if (!test)
			fail("no case", word);
		add_path(request, test);
	}
}

static void add_path(struct request *request, const struct corpus_case *test)
{
	add_needs(request, test->needs ? test->needs : "");
	if (request->count == NEEDS_MAX)
		fail("too many modules for", test->name);
	snprintf(request->paths[request->count++], PATH_SIZE, "%s/%s.ko", folder, test->name);
}

static int take(const struct kocoon_verdict *verdict, void *context)
{
	struct request *request = context;

	if (strcmp(verdict->path, request->paths[request->count - 1]) != 0)
		return 0;
	request->answer = verdict->err ? kocoon_errno_name(verdict->err) : "0";
	request->stage = kocoon_stage_name(verdict->stage);
	snprintf(request->reason, sizeof(request->reason), "%s",
		 verdict->reason ? verdict->reason : "accepted");
	return 0;
}

static void judge(struct request *request, const struct corpus_case *test)
{
	struct kocoon_policy policy = {
		.size = sizeof(policy),
		.sig_enforce = test->flags & SIG_ENFORCED,
		.lockdown = test->flags & LOCKED_DOWN,
		.force_vermagic = test->flags & FORCE_VERMAGIC,
		.force_modversions = test->flags & FORCE_MODVERSIONS,
		.blacklist = CORPUS_BLACKLIST,
		.compressed_file = test->pack == pack_xz,
		.threads = 1,
	};
	const char *paths[NEEDS_MAX];
	int err;

	add_path(request, test);
	for (size_t i = 0; i < request->count; i++)
		paths[i] = request->paths[i];
	err = kocoon_check(kernel, NULL, &policy, paths, request->count, take, request);
	if (err)
		snprintf(request->reason, sizeof(request->reason), "kocoon_check gave %d", err);
}

/* Prints where the library's answer is not the one of a file; whether all agree. */
static bool agree(const struct corpus_case *test, const struct request *request,
		  const struct answers *answers, char **files, int count)
{
	bool good = true;

	for (int i = 0; i < count; i++) {
		const struct answer *wanted = answers_find(&answers[i], test->name);

		if (wanted && request->answer && !strcmp(wanted->text, request->answer) &&
		    (!wanted->stage || !strcmp(wanted->stage, request->stage)))
			continue;
		printf("# %s (%s): kernel %s (%s), kocoon %s (%s): %s; by %s\n", test->name,
		       test->what, wanted ? wanted->text : "not asked",
		       wanted && wanted->stage ? wanted->stage : "-",
		       request->answer ? request->answer : "nothing",
		       request->answer ? request->stage : "-", request->reason, files[i]);
		good = false;
	}
	return good;
}

int corpus_check(const struct place *where, const char *kind, const char *built, char **files,
		 int count)
{
	struct answers answers[CORPUS_ANSWERS_MAX];
	const struct corpus_case *test;
	int n = 0, failed = 0;

	place = where;
	folder = built;
	if (kocoon_kernel_open(place->vmlinuz, NULL, NULL, &kernel))
		fail("can't open", place->vmlinuz);
	for (int i = 0; i < count; i++)
		answers[i] = answers_read(files[i], kind);
	for (size_t i = 0; (test = corpus_case(i)) != NULL; i++) {
		struct request request = { 0 };
		bool good;

		if (!place_takes(place, test))
			continue;
		judge(&request, test);
		good = agree(test, &request, answers, files, count);
		printf("%sok %d - %s\n", good ? "" : "not ", ++n, test->name);
		failed += !good;
	}
	printf("1..%d\n", n);
	for (int i = 0; i < count; i++)
		answers_deinit(&answers[i]);
	kocoon_kernel_free(kernel);
	return failed != 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mutants bases KIND
 * mutants make KIND SEED NUMBER FILE
 * mutants explain KIND SEED NUMBER
 * mutants batch KIND SEED FIRST COUNT FOLDER [live]
 * mutants check KIND SEED FIRST COUNT FOLDER ODDITIES [ANSWERS...]
 * mutants live KIND SEED FIRST COUNT FOLDER ODDITIES [ANSWERS...]
 *
 * Damaged modules, made from stock ones of the kernel KIND in the cache by seed and number. `batch`
 * writes NUMBER.ko into FOLDER, and `list` for tests/oracle/ask. `check` asks the library about
 * them and compares with what the kernel answered; without answers, that it survives is all. It
 * writes FOLDER/again, a list as well: what the kernel is to be asked about again, by itself.
 * `live` is the same in live space, of a batch that was made for it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "judge.h"

static struct bases bases;
static struct place place;

_Noreturn static void fail(const char *what)
{
	fprintf(stderr, "mutants: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void write_file(const char *path, const struct edit *edit)
{
	FILE *file = fopen(path, "wbe");

	if (!file || fwrite(edit->data, 1, edit->len, file) != edit->len || fclose(file))
		fail(path);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (!*text || *end) {
		fprintf(stderr, "mutants: %s is no number\n", text);
		exit(2);
	}
	return value;
}

static void show_bases(void)
{
	for (unsigned int i = 0; i < bases.count; i++) {
		printf("%s\t%zu", bases.all[i].path, bases.all[i].stock.len);
		for (unsigned int j = 0; j < bases.all[i].need_count; j++)
			printf("\t%s", bases.all[i].needs[j]);
		putchar('\n');
	}
}

static void make(uint64_t seed, uint64_t index, const char *path)
{
	struct mutant mutant;

	mutant_make(&mutant, &bases, seed, index);
	if (path)
		write_file(path, &mutant.edit);
	else
		printf("%s%s: %s\n", mutant.base->path, mutant.packed ? ", packed" : "",
		       mutant.notes);
	mutant_deinit(&mutant);
}

/* What mutants need is loaded once, before all of them. */
static void list_needs(FILE *list)
{
	for (unsigned int i = 0; i < bases.count; i++)
		for (unsigned int j = 0; j < bases.all[i].need_count; j++) {
			const char *path = bases.all[i].needs[j];
			bool listed = false;

			for (unsigned int k = 0; k < i && !listed; k++)
				for (unsigned int l = 0; l < bases.all[k].need_count; l++)
					listed |= !strcmp(bases.all[k].needs[l], path);
			if (!listed)
				fprintf(list, "%s\t-\t\tkeep\n", path);
		}
}

/* Makes the mutants again; with `list`, writes them to their files. */
static struct batch make_batch(uint64_t seed, uint64_t first, size_t count, const char *folder,
			       bool live, FILE *list)
{
	struct batch batch = { calloc(count ? count : 1, sizeof(struct judged)), count, live };

	if (!batch.all)
		fail("no memory");
	for (size_t i = 0; i < count; i++) {
		struct judged *judged = &batch.all[i];
		struct mutant mutant;

		mutant_make(&mutant, &bases, seed, first + i);
		judged->number = first + i;
		judged->base = mutant.base;
		judged->packed = mutant.packed;
		judged->notes = strdup(mutant.notes);
		snprintf(judged->path, sizeof(judged->path), "%s/%llu.ko", folder,
			 (unsigned long long)judged->number);
		if (list) {
			write_file(judged->path, &mutant.edit);
			judge_list(judged, live, list);
		}
		mutant_deinit(&mutant);
	}
	return batch;
}

static void free_batch(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		free(batch->all[i].notes);
	free(batch->all);
}

static void write_batch(uint64_t seed, uint64_t first, size_t count, const char *folder, bool live)
{
	char path[4096];
	struct batch batch;
	FILE *list;

	if (mkdir(folder, 0777) && errno != EEXIST)
		fail(folder);
	snprintf(path, sizeof(path), "%s/list", folder);
	list = fopen(path, "we");
	if (!list)
		fail(path);
	list_needs(list);
	batch = make_batch(seed, first, count, folder, live, list);
	if (fclose(list))
		fail(path);
	free_batch(&batch);
}

static int check(char **arguments, int count, bool live)
{
	uint64_t seed = number(arguments[1]);
	struct batch batch = make_batch(seed, number(arguments[2]), number(arguments[3]),
					arguments[4], live, NULL);
	char path[4096];
	FILE *again;
	bool good;

	for (int i = 6; i < count; i++)
		judge_read_answers(&batch, arguments[i]);
	snprintf(path, sizeof(path), "%s/again", arguments[4]);
	again = fopen(path, "we");
	if (!again)
		fail(path);
	list_needs(again);
	if (live)
		live_judge_all(&batch, &place, &bases);
	else
		judge_all(&batch, &place);
	good = judge_report(&batch, arguments[5], arguments[0], seed, again);
	if (fclose(again))
		fail(path);
	free_batch(&batch);
	return !good;
}

static int run(int argc, char **argv)
{
	const char *verb = argv[1];
	int code = 0;

	if (!strcmp(verb, "bases") && argc == 3)
		show_bases();
	else if (!strcmp(verb, "make") && argc == 6)
		make(number(argv[3]), number(argv[4]), argv[5]);
	else if (!strcmp(verb, "explain") && argc == 5)
		make(number(argv[3]), number(argv[4]), NULL);
	else if (!strcmp(verb, "batch") && argc == 7)
		write_batch(number(argv[3]), number(argv[4]), number(argv[5]), argv[6], false);
	else if (!strcmp(verb, "batch") && argc == 8 && !strcmp(argv[7], "live"))
		write_batch(number(argv[3]), number(argv[4]), number(argv[5]), argv[6], true);
	else if (!strcmp(verb, "check") && argc >= 8)
		code = check(argv + 2, argc - 2, false);
	else if (!strcmp(verb, "live") && argc >= 8)
		code = check(argv + 2, argc - 2, true);
	else
		code = -1;
	return code;
}

int main(int argc, char **argv)
{
	int code = -1;

	if (argc > 2) {
		if (!place_find(&place, argv[2]))
			return 2;
		bases_choose(&bases, &place);
		code = run(argc, argv);
		bases_deinit(&bases);
		place_deinit(&place);
	}
	if (code >= 0)
		return code;
	fputs("usage: mutants bases KIND\n"
	      "       mutants make KIND SEED NUMBER FILE\n"
	      "       mutants explain KIND SEED NUMBER\n"
	      "       mutants batch KIND SEED FIRST COUNT FOLDER [live]\n"
	      "       mutants check KIND SEED FIRST COUNT FOLDER ODDITIES [ANSWERS...]\n"
	      "       mutants live KIND SEED FIRST COUNT FOLDER ODDITIES [ANSWERS...]\n",
	      stderr);
	return 2;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_NAME [-m COUNT] PATH...
 *
 * A target without libFuzzer: runs each file named, and those of each folder named, by the target,
 * and then COUNT inputs made from them by the target's mutator, always the same ones. TAP, a test
 * point a file; an input that is wrong ends the program.
 */
#include "fuzz.h"

#include <dirent.h>
#include <string.h>

enum { ROOM = 64 << 10, INPUTS_MAX = 4096 };

static struct {
	uint8_t *data; /* owned */
	size_t len;
} inputs[INPUTS_MAX];
static size_t input_count;
static struct fuzz_random randomness = { 1 };

/* Those of a target; a plain target has neither. */
#pragma weak LLVMFuzzerInitialize
#pragma weak LLVMFuzzerCustomMutator

size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t max)
{
	size_t at = (size_t)fuzz_below(&randomness, len);

	switch (fuzz_below(&randomness, 3)) {
	case 0:
		return len ? len - 1 : 0;
	case 1:
		if (len == max)
			return len;
		data[len] = (uint8_t)fuzz_below(&randomness, 256);
		return len + 1;
	default:
		if (len)
			data[at] ^= (uint8_t)(1 + fuzz_below(&randomness, 255));
		return len;
	}
}

/* In memory of its exact size, so that a byte too far is seen. */
static void run(const uint8_t *data, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);

	FUZZ_CHECK(exact);
	if (len)
		memcpy(exact, data, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
}

static void run_file(FILE *file, const char *path)
{
	uint8_t *data = NULL;
	size_t len = 0, got;

	do {
		uint8_t *more = realloc(data, len + ROOM);

		FUZZ_CHECK(more);
		data = more;
		got = fread(data + len, 1, ROOM, file);
		len += got;
	} while (got);
	run(data, len);
	printf("ok %zu - %s\n", input_count + 1, path);
	FUZZ_CHECK(input_count < INPUTS_MAX);
	inputs[input_count].data = data;
	inputs[input_count++].len = len;
}

static void run_path(const char *path)
{
	struct dirent **names;
	FILE *file;
	int count = scandir(path, &names, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		char below[4096];

		if (names[i]->d_name[0] != '.') {
			snprintf(below, sizeof(below), "%s/%s", path, names[i]->d_name);
			run_path(below);
		}
		free(names[i]);
	}
	if (count >= 0) {
		free(names);
		return;
	}
	file = fopen(path, "rbe");
	if (!file) {
		perror(path);
		exit(2);
	}
	run_file(file, path);
	fclose(file);
}

static void run_mutated(unsigned int seed)
{
	size_t at = (size_t)fuzz_below(&randomness, input_count), len = inputs[at].len;
	size_t max = len + 256;
	uint8_t *data = malloc(max);

	FUZZ_CHECK(data);
	if (len)
		memcpy(data, inputs[at].data, len);
	for (uint64_t left = 1 + fuzz_below(&randomness, 4); left; left--)
		len = LLVMFuzzerCustomMutator ? LLVMFuzzerCustomMutator(data, len, max, seed++)
					      : LLVMFuzzerMutate(data, len, max);
	FUZZ_CHECK(len <= max);
	run(data, len);
	free(data);
}

int main(int argc, char **argv)
{
	int first = 1;
	unsigned long mutations = 0;

	if (setvbuf(stdout, NULL, _IOLBF, 0))
		return 2;
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	if (argc > 2 && !strcmp(argv[1], "-m")) {
		mutations = strtoul(argv[2], NULL, 0);
		first = 3;
	}
	for (int i = first; i < argc; i++)
		run_path(argv[i]);
	if (!input_count) {
		fputs("usage: fuzz_NAME [-m COUNT] PATH...\n", stderr);
		return 2;
	}
	for (unsigned int i = 0; i < mutations; i++)
		run_mutated(i * 8);
	if (mutations)
		printf("ok %zu - %lu made from these\n", input_count + 1, mutations);
	printf("1..%zu\n", input_count + (mutations != 0));
	for (size_t i = 0; i < input_count; i++)
		free(inputs[i].data);
	return 0;
}

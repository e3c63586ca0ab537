/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * robust KIND [SEED]
 *
 * Damaged files before the library: every truncation length, and random bytes flipped, of small
 * stock modules, signed as they are and with the signature cut off (so that damage reaches the
 * stages behind it). Any answer is right; a crash, a leak or a sanitizer's report is not. TAP, a
 * test point a module and kind of damage.
 *
 * Each file is kept in memory (memfd) and opened by its path in /proc/self/fd.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../corpus/edit.h"
#include "../corpus/place.h"
#include "kocoon/kocoon.h"

enum {
	FLIPS = 10000, /* in all, over all modules and both forms */
	FLIPS_AT_ONCE = 16, /* bytes of one file, at most */
};

/* Small ones: with exports; with parameters, init and many relocations; with per-CPU data. */
static const char *const modules[] = { "crc7", "dummy", "nf_dup_netdev" };
enum { MODULES = sizeof(modules) / sizeof(modules[0]), FORMS = 2 };

static struct kocoon_kernel *kernel;
static uint64_t state; /* of the random numbers */
static int points, failed;
static unsigned long accepted, refused;

/* xorshift64*: the same everywhere. */
static uint64_t random_below(uint64_t limit)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (state * UINT64_C(2685821657736338717) >> 16) % limit;
}

/* Whether there was an answer. */
static bool ask(const uint8_t *data, size_t len)
{
	struct kocoon_module *module = NULL;
	const struct kocoon_verdict *verdict;
	char path[64];
	int fd = memfd_create("module", MFD_CLOEXEC), err;

	if (fd < 0 || write(fd, data, len) != (ssize_t)len) {
		perror("memfd");
		exit(2);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = kocoon_module_load(kernel, NULL, NULL, path, NULL, &module);
	if (!err) {
		verdict = kocoon_module_verdict(module);
		if (verdict->err)
			refused++;
		else
			accepted++;
		/* A refusal always says why. */
		err = verdict->err && !verdict->reason ? -EPROTO : 0;
	} else if (len == 0) {
		err = 0;
	}
	kocoon_module_free(module);
	close(fd);
	return !err;
}

static void report(bool good, const char *what, const struct edit *edit)
{
	printf("# %lu accepted, %lu refused\n", accepted, refused);
	printf("%sok %d - %s: %s, %zu bytes\n", good ? "" : "not ", ++points, edit->what, what,
	       edit->len);
	failed += !good;
	accepted = refused = 0;
}

static void truncations(const struct edit *edit)
{
	bool good = true;

	for (size_t len = 0; len < edit->len; len++)
		good = ask(edit->data, len) && good;
	report(good, "truncations", edit);
}

static void flips(const struct edit *edit, unsigned int count)
{
	uint8_t *copy = malloc(edit->len);
	bool good = true;

	if (!copy)
		exit(2);
	while (count--) {
		memcpy(copy, edit->data, edit->len);
		for (uint64_t n = 1 + random_below(FLIPS_AT_ONCE); n; n--)
			copy[random_below(edit->len)] ^= (uint8_t)(1 + random_below(255));
		good = ask(copy, edit->len) && good;
	}
	free(copy);
	report(good, "random flips", edit);
}

int main(int argc, char **argv)
{
	struct place place;

	if (setvbuf(stdout, NULL, _IOLBF, 0) || (argc != 2 && argc != 3)) {
		fputs("usage: robust KIND [SEED]\n", stderr);
		return 2;
	}
	state = argc == 3 ? strtoull(argv[2], NULL, 0) : 0;
	state = state ? state : 1;
	if (!place_find(&place, argv[1]))
		return 2;
	if (kocoon_kernel_open(place.vmlinuz, NULL, NULL, &kernel)) {
		fprintf(stderr, "can't open %s\n", place.vmlinuz);
		return 2;
	}
	for (int i = 0; i < MODULES * FORMS; i++) {
		char path[4096];
		struct edit edit;

		if (!place_module(&place, modules[i / FORMS], path)) {
			fprintf(stderr, "no module %s\n", modules[i / FORMS]);
			return 2;
		}
		edit = edit_open(path, modules[i / FORMS]);
		if (i % FORMS)
			edit_strip_signature(&edit);
		truncations(&edit);
		flips(&edit, FLIPS / (MODULES * FORMS) + 1);
		edit_close(&edit);
	}
	printf("1..%d\n", points);
	kocoon_kernel_free(kernel);
	place_deinit(&place);
	return failed != 0;
}

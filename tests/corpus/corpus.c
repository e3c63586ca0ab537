/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * corpus build KIND FOLDER
 * corpus check KIND FOLDER ANSWERS...
 *
 * Damaged modules, built from the stock modules of the kernel KIND in the cache, and the library's
 * verdicts on them beside those of the real kernel.
 */
#include <stdio.h>
#include <string.h>

#include "corpus.h"

int main(int argc, char **argv)
{
	struct place place;
	int files = argc - 4, code = 0;
	bool build = argc == 4 && !strcmp(argv[1], "build");

	if (!build && (files < 1 || files > CORPUS_ANSWERS_MAX || strcmp(argv[1], "check") != 0)) {
		fputs("usage: corpus build KIND FOLDER\n"
		      "       corpus check KIND FOLDER ANSWERS...\n",
		      stderr);
		return 2;
	}
	if (!place_find(&place, argv[2]))
		return 2;
	if (build)
		corpus_build(&place, argv[3]);
	else
		code = corpus_check(&place, argv[2], argv[3], argv + 4, files);
	place_deinit(&place);
	return code;
}

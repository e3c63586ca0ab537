/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls a function of a module by its name: symbols no_init.ko. */
#include <fcntl.h>
#include <stdio.h>

#include <kocoon/live.h>

static int load(struct kocoon *kocoon, const char *path, const char *arguments)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return kocoon_finit_module(kocoon, fd, arguments, 0, NULL);
}

typedef int answer_function(void);

int main(int argc, char **argv)
{
	struct kocoon *kocoon;
	struct kocoon_address found;
	answer_function *answer;

	if (argc < 2 || kocoon_new(NULL, NULL, NULL, &kocoon) || load(kocoon, argv[1], ""))
		return 1;
	/* With a reference: the module can't go while its function is in use. */
	answer = (answer_function *)kocoon_symbol_get(kocoon, "no_init_answer");
	if (!answer || !kocoon_lookup_address(kocoon, (uintptr_t)answer, &found))
		return 1;
	kocoon_enter(kocoon);
	printf("%s of %s says %d\n", found.symbol, found.module, answer());
	kocoon_leave(kocoon);
	kocoon_symbol_put(kocoon, "no_init_answer");
	kocoon_free(kocoon);
	return 0;
}

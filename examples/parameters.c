/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sets parameters at load and later: parameters chain_a.ko. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <kocoon/live.h>

static int load(struct kocoon *kocoon, const char *path, const char *arguments)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return kocoon_finit_module(kocoon, fd, arguments, 0, NULL);
}

/* The module waits with it where a parameter says so; here none does. */
KOCOON_CALLED_BY_MODULE static void msleep(unsigned int milliseconds)
{
	printf("sleeps for %u ms\n", milliseconds);
}

int main(int argc, char **argv)
{
	const struct kocoon_supply supplies[] = {
		{ .name = "msleep", .address = (const void *)msleep },
	};
	const struct kocoon_options options = { .size = sizeof(options),
						.supplies = supplies,
						.supply_count = 1 };
	struct kocoon *kocoon;
	char *text;

	if (argc < 2 || kocoon_new(NULL, &options, NULL, &kocoon) ||
	    load(kocoon, argv[1], "fail=0 wait=n") ||
	    kocoon_set_parameter(kocoon, "chain_a", "wait", "yes") ||
	    kocoon_get_parameter(kocoon, "chain_a", "wait", &text))
		return 1;
	printf("wait is %s", text);
	free(text);
	kocoon_free(kocoon);
	return 0;
}

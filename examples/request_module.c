/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Has a module loaded when something asks for it: request_module no_init.ko. */
#include <fcntl.h>
#include <stdio.h>

#include <kocoon/live.h>

struct program {
	struct kocoon *kocoon;
	const char *path;
};

/* In modprobe's place: `name` may be an alias, and here always means the one module. */
static int modprobe(void *context, const char *name, bool wait)
{
	const struct program *program = context;
	int fd = open(program->path, O_RDONLY | O_CLOEXEC);

	printf("%s is asked for%s\n", name, wait ? "" : ", without waiting");
	return kocoon_finit_module(program->kocoon, fd, "", 0, NULL);
}

int main(int argc, char **argv)
{
	struct program program = { .path = argc > 1 ? argv[1] : "" };
	const struct kocoon_options options = {
		.size = sizeof(options),
		.hooks = { .context = &program, .modprobe = modprobe },
	};

	if (kocoon_new(NULL, &options, NULL, &program.kocoon) ||
	    kocoon_request_module(program.kocoon, "answers", true))
		return 1;
	printf("no_init_answer is at %#llx\n",
	       (unsigned long long)kocoon_symbol_address(program.kocoon, "no_init_answer"));
	kocoon_free(program.kocoon);
	return 0;
}

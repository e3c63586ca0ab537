/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sees modules come and go, and refuses one: notifiers no_init.ko. */
#include <fcntl.h>
#include <stdio.h>

#include <kocoon/live.h>

static int load(struct kocoon *kocoon, const char *path, const char *arguments)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return kocoon_finit_module(kocoon, fd, arguments, 0, NULL);
}

static const char *const names[] = { "is live", "comes", "goes" };

static int tell(void *context, enum kocoon_module_state event, struct kocoon_loaded *module)
{
	const int *refusal = context;

	printf("%s %s\n", kocoon_loaded_name(module), names[event]);
	return event == KOCOON_STATE_COMING ? *refusal : 0;
}

int main(int argc, char **argv)
{
	struct kocoon *kocoon;
	int refusal = -1, err;

	if (argc < 2 || kocoon_new(NULL, NULL, NULL, &kocoon) ||
	    kocoon_register_notifier(kocoon, tell, &refusal, 0))
		return 1;
	err = load(kocoon, argv[1], "");
	printf("refused: %s\n", kocoon_errno_name(err));
	refusal = 0;
	if (err != -1 || load(kocoon, argv[1], "") || kocoon_delete_module(kocoon, "no_init", 0) ||
	    kocoon_unregister_notifier(kocoon, tell, &refusal))
		return 1;
	kocoon_free(kocoon);
	return 0;
}

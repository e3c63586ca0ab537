/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What /sys/module and /proc/modules would show: views no_init.ko. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <kocoon/live.h>

static int load(struct kocoon *kocoon, const char *path, const char *arguments)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return kocoon_finit_module(kocoon, fd, arguments, 0, NULL);
}

static int list(void *context, const char *name, const struct kocoon_view *view)
{
	(void)context;
	printf("%04o %s%s\n", view->mode, name, view->kind == KOCOON_VIEW_FOLDER ? "/" : "");
	return 0;
}

int main(int argc, char **argv)
{
	const struct kocoon_reader reader = { .show_addresses = true };
	struct kocoon *kocoon;
	char *text;
	size_t len;

	if (argc < 2 || kocoon_new(NULL, NULL, NULL, &kocoon) || load(kocoon, argv[1], "") ||
	    kocoon_view_list(kocoon, "/sys/module/no_init", list, NULL) ||
	    kocoon_view_read(kocoon, "/proc/modules", &reader, &text, &len))
		return 1;
	printf("%s", text);
	free(text);
	kocoon_free(kocoon);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loads a kernel module into this process, runs and unloads it: load_module FILE.ko NAME
 * [ARGUMENTS]. Beside what every module needs and libkocoon has, it can import _printk().
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include <kocoon/live.h>

/* A line of the kernel's log begins with two bytes that tell its level. */
__attribute__((format(printf, 1, 2))) KOCOON_CALLED_BY_MODULE static int print(const char *format,
									       ...)
{
	va_list arguments;
	int len;

	if (format[0] == '\001')
		format += 2;
	va_start(arguments, format);
	len = vprintf(format, arguments);
	va_end(arguments);
	return len;
}

int main(int argc, char **argv)
{
	const struct kocoon_supply supplies[] = {
		{ .name = "_printk", .address = (const void *)print },
	};
	const struct kocoon_options options = { .size = sizeof(options),
						.supplies = supplies,
						.supply_count = 1 };
	struct kocoon *kocoon;
	int fd = argc < 3 ? -1 : open(argv[1], O_RDONLY | O_CLOEXEC);
	int err = kocoon_new(NULL, &options, NULL, &kocoon);

	if (!err) {
		err = kocoon_finit_module(kocoon, fd, argc > 3 ? argv[3] : "", 0, NULL);
		if (!err)
			err = kocoon_delete_module(kocoon, argv[2], 0);
		kocoon_free(kocoon);
	}
	printf("%s\n", err ? kocoon_errno_name(err) : "loaded and unloaded");
	return err ? 1 : 0;
}

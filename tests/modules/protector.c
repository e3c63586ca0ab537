/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* An array on the stack, under the stack protector's eyes, and calls through pointers. */
#include "modules.h"
#include <linux/string.h>

static int protector_first(const char *text)
{
	return text[0];
}

static int protector_last(const char *text)
{
	return text[strlen(text) - 1];
}

static int (*protector_choice[])(const char *text) = { protector_first, protector_last };

int protector_sum(const char *text)
{
	volatile char copy[64];
	size_t i;

	for (i = 0; i < sizeof(copy) - 1 && text[i]; i++)
		copy[i] = text[i];
	copy[i] = 0;
	return protector_choice[copy[0] & 1]((const char *)copy) + (int)i;
}

static int __init protector_init(void)
{
	pr_info("protector: %d\n", protector_sum("abc"));
	return 0;
}

static void __exit protector_exit(void)
{
}

module_init(protector_init);
module_exit(protector_exit);
MODULE_DESCRIPTION("The stack protector");
MODULE_LICENSE("GPL");

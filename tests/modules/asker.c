/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Asks for other modules, in init where a parameter names one. */
#include "modules.h"
#include <linux/kmod.h>

static char *name = "";
module_param(name, charp, 0444);

int asker_ask(const char *wanted)
{
	return request_module("%s", wanted);
}

int asker_ask_nowait(const char *wanted)
{
	return request_module_nowait("%s", wanted);
}

static int __init asker_init(void)
{
	if (*name)
		pr_info("asker: %s %d\n", name, asker_ask(name));
	return 0;
}

static void __exit asker_exit(void)
{
}

module_init(asker_init);
module_exit(asker_exit);
MODULE_DESCRIPTION("request_module");
MODULE_LICENSE("GPL");

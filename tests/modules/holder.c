/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Takes references of itself. */
#include "modules.h"

int holder_take(void)
{
	return try_module_get(THIS_MODULE) ? 0 : -ENODEV;
}

void holder_drop(void)
{
	module_put(THIS_MODULE);
}

/* As drivers do that can't be unloaded before something else has happened. */
static bool hold;
module_param(hold, bool, 0444);

static int __init holder_init(void)
{
	if (hold)
		__module_get(THIS_MODULE);
	return 0;
}

static void __exit holder_exit(void)
{
}

module_init(holder_init);
module_exit(holder_exit);
MODULE_DESCRIPTION("Holds itself");
MODULE_LICENSE("GPL");

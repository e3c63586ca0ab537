/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Has an init and no exit: it can be unloaded by force only. */
#include "modules.h"

static int __init permanent_init(void)
{
	return 0;
}

module_init(permanent_init);
MODULE_DESCRIPTION("Init without exit");
MODULE_LICENSE("GPL");

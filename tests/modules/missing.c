/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Imports what nobody exports. */
#include "modules.h"

int kc_nobody_has_this(void);

static int __init missing_init(void)
{
	return kc_nobody_has_this();
}

static void __exit missing_exit(void)
{
}

module_init(missing_init);
module_exit(missing_exit);
MODULE_DESCRIPTION("Imports what is not there");
MODULE_LICENSE("GPL");

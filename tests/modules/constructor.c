/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/*
 * A constructor. Kernels with CONFIG_CONSTRUCTORS call it before init, others never do: init
 * returns how often it was called, plus one.
 */
#include "modules.h"

static int constructed;

static void __attribute__((constructor, used)) constructor_run(void)
{
	constructed++;
}

static int __init constructor_init(void)
{
	pr_info("constructor: ran %d times\n", constructed);
	return 0;
}

static void __exit constructor_exit(void)
{
}

module_init(constructor_init);
module_exit(constructor_exit);
MODULE_DESCRIPTION("A constructor");
MODULE_LICENSE("GPL");

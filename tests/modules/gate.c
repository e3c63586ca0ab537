/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Its init sleeps until told through a parameter; then it returns what another one says. */
#include "modules.h"
#include <linux/delay.h>

static bool open;
module_param(open, bool, 0644);
static int value;
module_param(value, int, 0644);

static int __init gate_init(void)
{
	while (!READ_ONCE(open))
		msleep(1);
	return READ_ONCE(value);
}

static void __exit gate_exit(void)
{
}

module_init(gate_init);
module_exit(gate_exit);
MODULE_DESCRIPTION("Init sleeps until told");
MODULE_LICENSE("GPL");

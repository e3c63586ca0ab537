/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Exports of all three kinds, that chain_b and chain_c import. */
#include "modules.h"

int chain_a_count = 1;
EXPORT_SYMBOL(chain_a_count);

int chain_a_plain(int value)
{
	chain_a_count++;
	return value + 1;
}
EXPORT_SYMBOL(chain_a_plain);

int chain_a_gpl(int value)
{
	return value + 10;
}
EXPORT_SYMBOL_GPL(chain_a_gpl);

int chain_a_spaced(int value)
{
	return value + 100;
}
EXPORT_SYMBOL_NS_GPL(chain_a_spaced, KC_CHAIN);

/* Fails the load where asked to, slowly where asked to: both while others want to import. */
static int fail;
module_param(fail, int, 0444);
static bool wait;
module_param(wait, bool, 0644);

void msleep(unsigned int milliseconds);

static int __init chain_a_init(void)
{
	while (READ_ONCE(wait))
		msleep(1);
	return fail;
}

static void __exit chain_a_exit(void)
{
}

module_init(chain_a_init);
module_exit(chain_a_exit);
MODULE_DESCRIPTION("First of a chain");
MODULE_LICENSE("GPL");

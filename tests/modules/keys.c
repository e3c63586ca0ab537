/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Static keys of both directions, and static calls. */
#include "modules.h"
#include <linux/jump_label.h>
#include <linux/static_call.h>

static DEFINE_STATIC_KEY_TRUE(key_true);
static DEFINE_STATIC_KEY_FALSE(key_false);

/* Binary digits: key_true asked both ways. */
int keys_likely(void)
{
	int result = 0;

	if (static_branch_likely(&key_true))
		result |= 1;
	if (static_branch_unlikely(&key_true))
		result |= 2;
	return result;
}

int keys_unlikely(void)
{
	int result = 0;

	if (static_branch_likely(&key_false))
		result |= 1;
	if (static_branch_unlikely(&key_false))
		result |= 2;
	return result;
}

static int keys_double(int value)
{
	return 2 * value;
}

DEFINE_STATIC_CALL(keys_target, keys_double);
DEFINE_STATIC_CALL_RET0(keys_none, keys_double);

int keys_call(int value)
{
	return static_call(keys_target)(value) + 1;
}

int keys_call_null(int value)
{
	return static_call(keys_none)(value) + 1;
}

static int __init keys_init(void)
{
	pr_info("keys: %d %d %d %d\n", keys_likely(), keys_unlikely(), keys_call(21),
		keys_call_null(21));
	return 0;
}

static void __exit keys_exit(void)
{
}

module_init(keys_init);
module_exit(keys_exit);
MODULE_DESCRIPTION("Static keys and calls");
MODULE_LICENSE("GPL");

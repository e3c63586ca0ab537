/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Parameters of every type that the kernel has, and some of the module's own. */
#include "modules.h"
#include <linux/slab.h>

#define SIMPLE(name, type, variable, start)                 \
	static variable name##_value = start;               \
	module_param_named(name, name##_value, type, 0644); \
	MODULE_PARM_DESC(name, "of type " #type)

SIMPLE(byte, byte, unsigned char, 1);
SIMPLE(short, short, short, -2);
SIMPLE(ushort, ushort, unsigned short, 3);
SIMPLE(int, int, int, -4);
SIMPLE(uint, uint, unsigned int, 5);
SIMPLE(long, long, long, -6);
SIMPLE(ulong, ulong, unsigned long, 7);
SIMPLE(ullong, ullong, unsigned long long, 8);
SIMPLE(hexint, hexint, unsigned int, 0x9);
SIMPLE(charp, charp, char *, "ten");
SIMPLE(bool, bool, bool, false);
SIMPLE(invbool, invbool, bool, true);
SIMPLE(bint, bint, int, 0);

static char string_value[8] = "str";
module_param_string(string, string_value, sizeof(string_value), 0644);

static int fixed[3] = { 1, 2, 3 };
module_param_array(fixed, int, NULL, 0644);
static short counted[4] = { 1, 2, 3, 4 };
static unsigned int counted_count = 2;
module_param_array(counted, short, &counted_count, 0444);
static char *words[3];
static unsigned int words_count;
module_param_array(words, charp, &words_count, 0444);
static bool flags[2];
module_param_array(flags, bool, NULL, 0444);

/* A range, kept by functions of the module's own. */
static int percent = 50;

static int percent_set(const char *text, const struct kernel_param *param)
{
	return param_set_uint_minmax(text, param, 0, 100);
}

static int percent_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%d%%\n", *(int *)param->arg);
}

static void percent_free(void *argument)
{
	pr_info("parameters: percent freed at %d\n", *(int *)argument);
}

static const struct kernel_param_ops percent_ops = {
	.set = percent_set,
	.get = percent_get,
	.free = percent_free,
};
module_param_cb(percent, &percent_ops, &percent, 0644);

/* True without a value. */
static int level;

static int level_set(const char *text, const struct kernel_param *param)
{
	if (!text) {
		*(int *)param->arg = 1;
		return 0;
	}
	return param_set_int(text, param);
}

static const struct kernel_param_ops level_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = level_set,
	.get = param_get_int,
};
module_param_cb(level, &level_ops, &level, 0644);

static int unsafe_value;
module_param_named_unsafe(unsafe, unsafe_value, int, 0644);
static int hidden;
module_param(hidden, int, 0);
static int write_only;
module_param(write_only, int, 0200);
static int read_only = 11;
module_param(read_only, int, 0444);
static int a_dashed_one;
module_param(a_dashed_one, int, 0444);

static int __init parameters_init(void)
{
	pr_info("parameters: int=%d charp=%s string=%s counted=%u hidden=%d dashed=%d\n", int_value,
		charp_value, string_value, counted_count, hidden, a_dashed_one);
	return 0;
}

static void __exit parameters_exit(void)
{
}

module_init(parameters_init);
module_exit(parameters_exit);
MODULE_DESCRIPTION("Parameters of every type");
MODULE_LICENSE("GPL");

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The standard types of parameters, as kernel/params.c exports them to modules: param_ops_int and
 * its like, and the functions in them.
 *
 * Consumes a text and the record of a parameter, produces the value of the module's variable; or
 * the other way round, into a page. Called by module code, and by params.c through the record's
 * ops: in a thread that is between kocoon_enter() and kocoon_leave(), with the param_lock held.
 */
#include "live/param.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#define SET_UNSIGNED(name, type, max)                                                      \
	KOCOON_CALLED_BY_MODULE static int set_##name(const char *value,                   \
						      const struct kc_kernel_param *param) \
	{                                                                                  \
		unsigned long long number;                                                 \
		int err = kc_kstrtoull(value, max, &number);                               \
                                                                                           \
		if (!err)                                                                  \
			*(type *)param->arg = (type)number;                                \
		return err;                                                                \
	}

#define SET_SIGNED(name, type, min, max)                                                   \
	KOCOON_CALLED_BY_MODULE static int set_##name(const char *value,                   \
						      const struct kc_kernel_param *param) \
	{                                                                                  \
		long long number;                                                          \
		int err = kc_kstrtoll(value, min, max, &number);                           \
                                                                                           \
		if (!err)                                                                  \
			*(type *)param->arg = (type)number;                                \
		return err;                                                                \
	}

#define GET_NUMBER(name, type, format)                                                     \
	KOCOON_CALLED_BY_MODULE static int get_##name(char *buffer,                        \
						      const struct kc_kernel_param *param) \
	{                                                                                  \
		return snprintf(buffer, KC_PAGE_SIZE, format "\n", *(type *)param->arg);   \
	}

SET_UNSIGNED(byte, unsigned char, UCHAR_MAX)
GET_NUMBER(byte, unsigned char, "%hhu")
SET_SIGNED(short, short, SHRT_MIN, SHRT_MAX)
GET_NUMBER(short, short, "%hi")
SET_UNSIGNED(ushort, unsigned short, USHRT_MAX)
GET_NUMBER(ushort, unsigned short, "%hu")
SET_SIGNED(int, int, INT_MIN, INT_MAX)
GET_NUMBER(int, int, "%i")
SET_UNSIGNED(uint, unsigned int, UINT_MAX)
GET_NUMBER(uint, unsigned int, "%u")
SET_SIGNED(long, long, LONG_MIN, LONG_MAX)
GET_NUMBER(long, long, "%li")
SET_UNSIGNED(ulong, unsigned long, ULONG_MAX)
GET_NUMBER(ulong, unsigned long, "%lu")
SET_UNSIGNED(ullong, unsigned long long, ULLONG_MAX)
GET_NUMBER(ullong, unsigned long long, "%llu")
SET_UNSIGNED(hexint, unsigned int, UINT_MAX)
/* Not "%#08x": the C library has no prefix for 0, the kernel has. */
GET_NUMBER(hexint, unsigned int, "0x%06x")

KOCOON_CALLED_BY_MODULE static int set_uint_minmax(const char *value,
						   const struct kc_kernel_param *param,
						   unsigned int min, unsigned int max)
{
	unsigned long long number;
	int err = kc_kstrtoull(value, UINT_MAX, &number);

	if (err)
		return err;
	if (number < min || number > max)
		return -EINVAL;
	*(unsigned int *)param->arg = (unsigned int)number;
	return 0;
}

/* No value is "1". */
static int parse_bool(const char *value, bool *set_ret)
{
	return kc_kstrtobool(value ? value : "1", set_ret);
}

KOCOON_CALLED_BY_MODULE static int set_bool(const char *value, const struct kc_kernel_param *param)
{
	return parse_bool(value, param->arg);
}

KOCOON_CALLED_BY_MODULE static int get_bool(char *buffer, const struct kc_kernel_param *param)
{
	return snprintf(buffer, KC_PAGE_SIZE, "%c\n", *(bool *)param->arg ? 'Y' : 'N');
}

/* Once it is on, it stays on. */
KOCOON_CALLED_BY_MODULE static int set_bool_enable_only(const char *value,
							const struct kc_kernel_param *param)
{
	bool *variable = param->arg, wanted;
	int err = parse_bool(value, &wanted);

	if (err)
		return err;
	if (*variable && !wanted)
		return -EROFS;
	*variable = wanted;
	return 0;
}

KOCOON_CALLED_BY_MODULE static int set_invbool(const char *value,
					       const struct kc_kernel_param *param)
{
	bool wanted;
	int err = parse_bool(value, &wanted);

	if (!err)
		*(bool *)param->arg = !wanted;
	return err;
}

KOCOON_CALLED_BY_MODULE static int get_invbool(char *buffer, const struct kc_kernel_param *param)
{
	return snprintf(buffer, KC_PAGE_SIZE, "%c\n", *(bool *)param->arg ? 'N' : 'Y');
}

/* An int that is set as a bool, and read as a number. */
KOCOON_CALLED_BY_MODULE static int set_bint(const char *value, const struct kc_kernel_param *param)
{
	bool wanted;
	int err = parse_bool(value, &wanted);

	if (!err)
		*(int *)param->arg = wanted;
	return err;
}

#define OPS(name)                                                                 \
	static const struct kc_kernel_param_ops ops_##name = { .set = set_##name, \
							       .get = get_##name };

OPS(byte)
OPS(short)
OPS(ushort)
OPS(int)
OPS(uint)
OPS(long)
OPS(ulong)
OPS(ullong)
OPS(hexint)
OPS(invbool)

static const struct kc_kernel_param_ops ops_bool = {
	.flags = KC_PARAM_OPS_FL_NOARG,
	.set = set_bool,
	.get = get_bool,
};

static const struct kc_kernel_param_ops ops_bool_enable_only = {
	.flags = KC_PARAM_OPS_FL_NOARG,
	.set = set_bool_enable_only,
	.get = get_bool,
};

static const struct kc_kernel_param_ops ops_bint = {
	.flags = KC_PARAM_OPS_FL_NOARG,
	.set = set_bint,
	.get = get_int,
};

static const struct kc_kernel_param_ops ops_charp = {
	.set = kc_param_set_charp,
	.get = kc_param_get_charp,
	.free = kc_param_free_charp,
};

static const struct kc_kernel_param_ops ops_string = {
	.set = kc_param_set_copystring,
	.get = kc_param_get_string,
};

static const struct kc_kernel_param_ops ops_array = {
	.set = kc_param_array_set,
	.get = kc_param_array_get,
	.free = kc_param_array_free,
};

/* clang-format off */
#define FUNCTION(stem, function) { .name = #stem, .address = (const void *)(function) }
#define DATA(stem, structure) \
	{ .name = #stem, .address = &(structure), .size = sizeof(structure) }
#define NUMBER(type) \
	DATA(param_ops_##type, ops_##type), \
	FUNCTION(param_set_##type, set_##type), \
	FUNCTION(param_get_##type, get_##type)
/* clang-format on */

static const struct kocoon_supply supplies[] = {
	NUMBER(byte),
	NUMBER(short),
	NUMBER(ushort),
	NUMBER(int),
	NUMBER(uint),
	NUMBER(long),
	NUMBER(ulong),
	NUMBER(ullong),
	NUMBER(hexint),
	NUMBER(bool),
	NUMBER(invbool),
	DATA(param_ops_bint, ops_bint),
	FUNCTION(param_set_bint, set_bint),
	DATA(param_ops_charp, ops_charp),
	FUNCTION(param_set_charp, kc_param_set_charp),
	FUNCTION(param_get_charp, kc_param_get_charp),
	FUNCTION(param_free_charp, kc_param_free_charp),
	DATA(param_ops_string, ops_string),
	FUNCTION(param_set_copystring, kc_param_set_copystring),
	FUNCTION(param_get_string, kc_param_get_string),
	DATA(param_array_ops, ops_array),
	FUNCTION(kernel_param_lock, kc_kernel_param_lock),
	FUNCTION(kernel_param_unlock, kc_kernel_param_unlock),
	/* The kernel has these three for GPL-compatible modules only. */
	{ .name = "param_ops_bool_enable_only",
	  .address = &ops_bool_enable_only,
	  .size = sizeof(ops_bool_enable_only),
	  .gpl_only = true },
	{ .name = "param_set_bool_enable_only",
	  .address = (const void *)set_bool_enable_only,
	  .gpl_only = true },
	{ .name = "param_set_uint_minmax",
	  .address = (const void *)set_uint_minmax,
	  .gpl_only = true },
};

struct kc_own_exports kc_own_param_functions(void)
{
	return (struct kc_own_exports){ supplies, sizeof(supplies) / sizeof(supplies[0]) };
}

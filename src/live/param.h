/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parameters: what params.c (who sets which parameter), args.c (how a line of arguments is split),
 * numbers.c (how texts become numbers) and param_ops.c, param_text.c (what sets variables) share.
 *
 * The structures are the kernel's own (include/linux/moduleparam.h), as modules carry them and
 * their code reads them: sizes and offsets are binary interface.
 */
#ifndef KC_LIVE_PARAM_H
#define KC_LIVE_PARAM_H

#include "live/live.h"

enum {
	KC_PARAM_OPS_FL_NOARG = 1, /* `set` may be called with NULL: no value given */
	KC_PARAM_FL_UNSAFE = 1,
	KC_PARAM_FL_HWPARAM = 2,
	KC_PARAM_RECORD = 40, /* sizeof(struct kernel_param) */
	KC_PARAM_CHARP_MAX = 1024, /* characters of a charp parameter */
};

struct kc_kernel_param;

/* struct kernel_param_ops: the functions are native code, of a module or of this library. */
struct kc_kernel_param_ops {
	unsigned int flags;
	int (*set)(const char *value, const struct kc_kernel_param *param);
	int (*get)(char *buffer, const struct kc_kernel_param *param);
	void (*free)(void *arg);
};

struct kc_kparam_string {
	unsigned int maxlen; /* with the NUL */
	char *string;
};

struct kc_kparam_array {
	unsigned int max;
	unsigned int elemsize;
	unsigned int *num; /* or NULL */
	const struct kc_kernel_param_ops *ops; /* of one element */
	void *elem;
};

struct kc_kernel_param {
	const char *name;
	void *mod;
	const struct kc_kernel_param_ops *ops;
	uint16_t perm;
	int8_t level;
	uint8_t flags;
	union {
		void *arg;
		const struct kc_kparam_string *str;
		const struct kc_kparam_array *arr;
	};
};

_Static_assert(sizeof(struct kc_kernel_param) == KC_PARAM_RECORD, "struct kernel_param");
_Static_assert(offsetof(struct kc_kernel_param, perm) == 24, "struct kernel_param");
_Static_assert(offsetof(struct kc_kernel_param, level) == 26, "struct kernel_param");
_Static_assert(offsetof(struct kc_kernel_param, flags) == 27, "struct kernel_param");
_Static_assert(offsetof(struct kc_kernel_param, arg) == 32, "struct kernel_param");
_Static_assert(sizeof(struct kc_kernel_param_ops) == 32, "struct kernel_param_ops");
_Static_assert(sizeof(struct kc_kparam_string) == 16, "struct kparam_string");
_Static_assert(sizeof(struct kc_kparam_array) == 32, "struct kparam_array");

/* ---- args.c: lib/cmdline.c, lib/ctype.c */
/* Behind the blanks that the text begins with. */
char *kc_skip_spaces(char *text);
/*
 * The first argument of a line, which is changed: NAME, NAME=VALUE, either in double quotes, or
 * the value in double quotes. Without a '=' the value is NULL. Returns the rest of the line.
 */
char *kc_next_arg(char *args, char **name_ret, char **value_ret);
/* Whether two names are equal, '-' and '_' being the same. */
bool kc_parameq(const char *a, const char *b);

/* ---- numbers.c: lib/kstrtox.c, with base 0 */
/* -EINVAL: not a number; -ERANGE: over `max`, or under `min`. A NULL text is -EINVAL. */
KC_MUST_CHECK int kc_kstrtoull(const char *text, unsigned long long max,
			       unsigned long long *value_ret);
KC_MUST_CHECK int kc_kstrtoll(const char *text, long long min, long long max, long long *value_ret);
KC_MUST_CHECK int kc_kstrtobool(const char *text, bool *value_ret);

/* ---- param_text.c: parameters that are texts */
/* What the kernel says when a set function is given more than there is room for. */
void kc_param_too_much(const struct kc_kernel_param *param, unsigned int max, const char *of_what);
int kc_param_set_charp(const char *value, const struct kc_kernel_param *param);
int kc_param_get_charp(char *buffer, const struct kc_kernel_param *param);
void kc_param_free_charp(void *arg);
int kc_param_set_copystring(const char *value, const struct kc_kernel_param *param);
int kc_param_get_string(char *buffer, const struct kc_kernel_param *param);

/* ---- param_array.c: parameters that are several */
int kc_param_array_set(const char *value, const struct kc_kernel_param *param);
int kc_param_array_get(char *buffer, const struct kc_kernel_param *param);
void kc_param_array_free(void *arg);

/* ---- params.c */
/* kernel_param_lock(), kernel_param_unlock(), by the address of a struct module. */
void kc_kernel_param_lock(void *this_module);
void kc_kernel_param_unlock(void *this_module);

#endif

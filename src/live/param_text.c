/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parameters that are texts: charp, a pointer to a copy, and string, a buffer of the module's; both
 * of kernel/params.c.
 *
 * A charp variable may point to what the module had there first, or to a copy that belongs to the
 * subsystem. Which it is, tells a table of all copies.
 */
#include "live/param.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void kc_param_too_much(const struct kc_kernel_param *param, unsigned int max, const char *of_what)
{
	const struct kocoon *kocoon = kc_current();

	if (kocoon)
		kc_log(kocoon, KOCOON_LOG_ERROR, "parameter %s: takes %u %s at most", param->name,
		       max, of_what);
}

/* One copy. */
struct kc_param_text {
	struct kc_param_text *next; /* in its bucket */
	char text[];
};

void kc_param_texts_init(struct kc_param_texts *texts)
{
	memset(texts->buckets, 0, sizeof(texts->buckets));
	pthread_mutex_init(&texts->lock, NULL);
}

void kc_param_texts_deinit(struct kc_param_texts *texts)
{
	for (size_t i = 0; i < KC_PARAM_TEXT_BUCKETS; i++) {
		while (texts->buckets[i]) {
			struct kc_param_text *copy = texts->buckets[i];

			texts->buckets[i] = copy->next;
			free(copy);
		}
	}
	pthread_mutex_destroy(&texts->lock);
}

static struct kc_param_text **bucket_of(struct kc_param_texts *texts, const char *text)
{
	uint64_t mixed = (uint64_t)(uintptr_t)text * UINT64_C(0x9e3779b97f4a7c15);

	return &texts->buckets[mixed >> 32 & (KC_PARAM_TEXT_BUCKETS - 1)];
}

/* kmalloc_parameter(). NULL: no memory. */
static char *new_copy(struct kc_param_texts *texts, const char *text, size_t len)
{
	struct kc_param_text *copy = malloc(sizeof(*copy) + len + 1);
	struct kc_param_text **bucket;

	if (!copy)
		return NULL;
	memcpy(copy->text, text, len);
	copy->text[len] = 0;
	bucket = bucket_of(texts, copy->text);
	pthread_mutex_lock(&texts->lock);
	copy->next = *bucket;
	*bucket = copy;
	pthread_mutex_unlock(&texts->lock);
	return copy->text;
}

/* maybe_kfree_parameter(): nothing, if it is not one of the copies. */
static void free_copy(struct kc_param_texts *texts, const char *text)
{
	struct kc_param_text **at = bucket_of(texts, text);
	struct kc_param_text *copy;

	pthread_mutex_lock(&texts->lock);
	while (*at && (*at)->text != text)
		at = &(*at)->next;
	copy = *at;
	if (copy)
		*at = copy->next;
	pthread_mutex_unlock(&texts->lock);
	free(copy);
}

KOCOON_CALLED_BY_MODULE int kc_param_set_charp(const char *value,
					       const struct kc_kernel_param *param)
{
	struct kocoon *kocoon = kc_current();
	char **variable = param->arg;
	size_t len;

	if (!value || !kocoon)
		return -EINVAL;
	len = strnlen(value, KC_PARAM_CHARP_MAX + 1);
	if (len > KC_PARAM_CHARP_MAX) {
		kc_param_too_much(param, KC_PARAM_CHARP_MAX, "characters");
		return -ENOSPC;
	}
	free_copy(&kocoon->param_texts, *variable);
	*variable = new_copy(&kocoon->param_texts, value, len);
	return *variable ? 0 : -ENOMEM;
}

/* snprintf() says what it would have written, the kernel's scnprintf() what it wrote. */
static int print_text(char *buffer, const char *text)
{
	int len = snprintf(buffer, KC_PAGE_SIZE, "%s\n", text ? text : "(null)");

	return len < (int)KC_PAGE_SIZE ? len : (int)KC_PAGE_SIZE - 1;
}

KOCOON_CALLED_BY_MODULE int kc_param_get_charp(char *buffer, const struct kc_kernel_param *param)
{
	return print_text(buffer, *(char **)param->arg);
}

KOCOON_CALLED_BY_MODULE void kc_param_free_charp(void *arg)
{
	struct kocoon *kocoon = kc_current();

	if (kocoon)
		free_copy(&kocoon->param_texts, *(char **)arg);
}

KOCOON_CALLED_BY_MODULE int kc_param_set_copystring(const char *value,
						    const struct kc_kernel_param *param)
{
	const struct kc_kparam_string *string = param->str;
	size_t len;

	if (!value)
		return -EINVAL;
	len = strnlen(value, string->maxlen);
	if (len == string->maxlen) {
		kc_param_too_much(param, string->maxlen - 1, "characters");
		return -ENOSPC;
	}
	memcpy(string->string, value, len + 1);
	return 0;
}

KOCOON_CALLED_BY_MODULE int kc_param_get_string(char *buffer, const struct kc_kernel_param *param)
{
	return print_text(buffer, param->str->string);
}

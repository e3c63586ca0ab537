/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parameters that are several of one type, separated by commas: param_array_ops of kernel/params.c.
 *
 * Consumes a text, which is cut at its commas, and a struct kparam_array; the elements are set,
 * read and freed by the functions of their own type.
 */
#include "live/param.h"

#include <errno.h>

/* How many elements there are. Differs from Linux: a module that says "more than fit" is not
 * believed. */
static unsigned int count_of(const struct kc_kparam_array *array)
{
	return array->num && *array->num < array->max ? *array->num : array->max;
}

/*
 * Each element in turn, until one fails. The text is cut at the commas, and stays so: an element's
 * set function may have kept a pointer into it.
 */
static int set_elements(char *value, const struct kc_kernel_param *param, unsigned int *count)
{
	const struct kc_kparam_array *array = param->arr;
	struct kc_kernel_param element = *param;
	bool more;
	int err = 0;

	element.arg = array->elem;
	do {
		size_t len = strcspn(value, ",");

		if (*count == array->max) {
			kc_param_too_much(param, array->max, "values");
			return -EINVAL;
		}
		more = value[len];
		value[len] = 0;
		err = array->ops->set(value, &element);
		if (err)
			return err;
		element.arg = (char *)element.arg + array->elemsize;
		value += len + 1;
		(*count)++;
	} while (more);
	return 0;
}

KOCOON_CALLED_BY_MODULE int kc_param_array_set(const char *value,
					       const struct kc_kernel_param *param)
{
	unsigned int unwanted;
	unsigned int *count = param->arr->num ? param->arr->num : &unwanted;
	char *text = (char *)(uintptr_t)value; /* the kernel writes there too */
	size_t len = strlen(value);
	int err;

	*count = 0;
	err = set_elements(text, param, count);
	/* Differs from Linux: what is refused is whole again, for the message about it. */
	for (size_t i = 0; err && i < len; i++) {
		if (!text[i])
			text[i] = ',';
	}
	return err;
}

/*
 * The newline that each element's text ends in becomes a comma, but the last one. Differs from
 * Linux: what goes beyond a page is cut, where 6.12 writes on behind the page.
 */
KOCOON_CALLED_BY_MODULE int kc_param_array_get(char *buffer, const struct kc_kernel_param *param)
{
	const struct kc_kparam_array *array = param->arr;
	struct kc_kernel_param element = *param;
	unsigned int count = count_of(array);
	char text[KC_PAGE_SIZE];
	int end = 0;

	for (unsigned int i = 0; i < count && end < (int)KC_PAGE_SIZE - 1; i++) {
		int room = (int)KC_PAGE_SIZE - 1 - end, len;

		element.arg = (char *)array->elem + (size_t)array->elemsize * i;
		len = array->ops->get(text, &element);
		if (len < 0)
			return len;
		if (end)
			buffer[end - 1] = ',';
		if (len > room)
			len = room;
		memcpy(buffer + end, text, (size_t)len);
		end += len;
	}
	buffer[end] = 0;
	return end;
}

KOCOON_CALLED_BY_MODULE void kc_param_array_free(void *arg)
{
	const struct kc_kparam_array *array = arg;
	unsigned int count = count_of(array);

	for (unsigned int i = 0; array->ops->free && i < count; i++)
		array->ops->free((char *)array->elem + (size_t)array->elemsize * i);
}

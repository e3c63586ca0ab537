/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A growing run of bytes: see buffer.h. */
#include "base/buffer.h"

#include <errno.h>
#include <stdlib.h>

int kc_buffer_reserve(struct kc_buffer *buffer, size_t capacity)
{
	uint8_t *data;

	if (capacity <= buffer->capacity)
		return 0;
	data = realloc(buffer->data, capacity);
	if (!data)
		return -ENOMEM;
	buffer->data = data;
	buffer->capacity = capacity;
	return 0;
}

int kc_buffer_append(struct kc_buffer *buffer, const void *data, size_t len)
{
	int err;

	if (len > SIZE_MAX / 4 - buffer->len)
		return -ENOMEM;
	if (buffer->len + len > buffer->capacity) {
		err = kc_buffer_reserve(buffer, (buffer->len + len) * 2);
		if (err)
			return err;
	}
	if (len)
		memcpy(buffer->data + buffer->len, data, len);
	buffer->len += len;
	return 0;
}

void kc_buffer_deinit(struct kc_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct kc_buffer){ 0 };
}

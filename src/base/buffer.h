/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A growing run of bytes that is kept and used again, so that a tree of modules costs one
 * allocation a thread.
 */
#ifndef KC_BASE_BUFFER_H
#define KC_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct kc_buffer {
	uint8_t *data; /* owned; NULL while capacity is 0 */
	size_t len;
	size_t capacity;
};

/*
 * Makes room for `capacity` bytes in all, keeping the first `len`. 0 or -ENOMEM; on failure nothing
 * changes.
 */
KC_MUST_CHECK int kc_buffer_reserve(struct kc_buffer *buffer, size_t capacity);
/* Adds bytes at the end. 0 or -ENOMEM. */
KC_MUST_CHECK int kc_buffer_append(struct kc_buffer *buffer, const void *data, size_t len);
void kc_buffer_deinit(struct kc_buffer *buffer);

static inline struct kc_span kc_buffer_span(const struct kc_buffer *buffer)
{
	return kc_span(buffer->data, buffer->len);
}

#endif

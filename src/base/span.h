/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Spans: a run of untrusted bytes, and the only ways to look into it. Comments that begin with an
 * at sign are contracts, in ACSL, here and elsewhere: `make prove` proves them (tests/prove/).
 *
 * A span borrows; whoever made the bytes owns them. Offsets and lengths that come out of a file are
 * uint64_t and pass through kc_span_sub() or kc_span_string() before a byte is touched. Loads go
 * through memcpy, so no alignment is asked for. All targets so far are little-endian; a big-endian
 * one adds its own loads beside these.
 */
#ifndef KC_BASE_SPAN_H
#define KC_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KC_MUST_CHECK __attribute__((warn_unused_result))
#define KC_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define KC_ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

struct kc_span {
	const uint8_t *data;
	size_t len;
};

/*@ predicate readable(struct kc_span span) = \valid_read(span.data + (0 .. span.len - 1)); */

/*@ assigns \nothing;
    ensures \result.data == (const uint8_t *)data && \result.len == len; */
static inline struct kc_span kc_span(const void *data, size_t len)
{
	return (struct kc_span){ .data = data, .len = len };
}

/* Whether [offset, offset + len) lies inside; no overflow for any argument. */
/*@ assigns \nothing;
    ensures \result <==> offset + len <= span.len; */
static inline bool kc_span_contains(struct kc_span span, uint64_t offset, uint64_t len)
{
	return offset <= span.len && len <= span.len - offset;
}

/*@ requires readable(span) && \valid(ret);
    assigns *ret;
    ensures \result <==> offset + len <= span.len;
    ensures \result ==> readable(*ret) && ret->data == span.data + offset && ret->len == len;
    ensures !\result ==> *ret == \old(*ret); */
KC_MUST_CHECK static inline bool kc_span_sub(struct kc_span span, uint64_t offset, uint64_t len,
					     struct kc_span *ret)
{
	if (!kc_span_contains(span, offset, len))
		return false;
	*ret = kc_span(span.data + offset, (size_t)len);
	return true;
}

/*
 * The NUL-terminated string at `offset`, or NULL where it starts outside or isn't terminated
 * inside.
 */
/*@ requires readable(span);
    assigns \result \from span.data, indirect: span.data[0 .. span.len - 1], indirect: offset;
    ensures \result == \null ||
            (\exists integer i; offset <= i < span.len && span.data[i] == 0 &&
             \result == (const char *)span.data + offset); */
static inline const char *kc_span_string(struct kc_span span, uint64_t offset)
{
	if (offset >= span.len || !memchr(span.data + offset, 0, span.len - (size_t)offset))
		return NULL;
	return (const char *)span.data + offset;
}

/*@ requires \valid_read((const uint8_t *)place + (0 .. 1));
    assigns \result \from ((const uint8_t *)place)[0 .. 1]; */
static inline uint16_t kc_load16(const void *place)
{
	uint16_t value;

	memcpy(&value, place, sizeof(value));
	return value;
}

/*@ requires \valid_read((const uint8_t *)place + (0 .. 3));
    assigns \result \from ((const uint8_t *)place)[0 .. 3]; */
static inline uint32_t kc_load32(const void *place)
{
	uint32_t value;

	memcpy(&value, place, sizeof(value));
	return value;
}

/*@ requires \valid_read((const uint8_t *)place + (0 .. 7));
    assigns \result \from ((const uint8_t *)place)[0 .. 7]; */
static inline uint64_t kc_load64(const void *place)
{
	uint64_t value;

	memcpy(&value, place, sizeof(value));
	return value;
}

/*@ requires \valid((uint8_t *)place + (0 .. 3));
    assigns ((uint8_t *)place)[0 .. 3] \from value; */
static inline void kc_store32(void *place, uint32_t value)
{
	memcpy(place, &value, sizeof(value));
}

/*@ requires \valid((uint8_t *)place + (0 .. 7));
    assigns ((uint8_t *)place)[0 .. 7] \from value; */
static inline void kc_store64(void *place, uint64_t value)
{
	memcpy(place, &value, sizeof(value));
}

/*
 * Rounds up to a power of two; wraps to a small number on overflow, which the caller's bound check
 * then refuses.
 */
/*@ assigns \nothing; */
static inline uint64_t kc_align(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

#endif

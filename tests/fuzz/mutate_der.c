/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mutator for the signature target: one edit of one element of the DER message, with the lengths of
 * all that it is inside of set right, so that the parser gets to what is behind. Half of the time
 * libFuzzer's own mutations, which spoil lengths.
 *
 * The first byte is the target's settings; where the input is a whole file, the message's length in
 * the trailer is set right too.
 */
#include "fuzz.h"

#include <string.h>

enum {
	CONSTRUCTED = 0x20,
	DEPTH_MAX = 24,
	TRAILER = 40, /* struct module_signature and the marker */
	ELEMENT_MAX = 0xffff,
};

static const char marker[] = "~Module signature appended~\n";

static const uint8_t tags[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x13, 0x17,
				0x18, 0x30, 0x31, 0x80, 0xa0, 0xa1, 0xa3, 0x82 };

struct element {
	size_t start, header, len; /* of the contents */
};

struct message {
	uint8_t *data;
	size_t len, max;
	struct element way[DEPTH_MAX]; /* from the outermost one to the one to be edited */
	size_t depth;
	struct fuzz_random random;
};

/* False: no element with its contents inside [at, end). */
static bool read_element(const struct message *m, size_t at, size_t end, struct element *element)
{
	size_t bytes;

	if (end - at < 2)
		return false;
	element->start = at;
	element->header = 2;
	element->len = m->data[at + 1];
	if (element->len & 0x80) {
		bytes = element->len & 0x7f;
		if (!bytes || bytes > 2 || end - at < 2 + bytes)
			return false;
		element->header = 2 + bytes;
		element->len = m->data[at + 2];
		if (bytes == 2)
			element->len = element->len << 8 | m->data[at + 3];
	}
	return element->len <= end - at - element->header;
}

/* One of the elements side by side in [at, end). */
static bool pick(struct message *m, size_t at, size_t end, struct element *element)
{
	struct element next;
	uint64_t seen = 0;

	while (at < end && read_element(m, at, end, &next)) {
		if (!fuzz_below(&m->random, ++seen))
			*element = next;
		at = next.start + next.header + next.len;
	}
	return seen != 0;
}

static bool find_element(struct message *m)
{
	struct element element;
	size_t at = 0, end = m->len;

	while (m->depth < DEPTH_MAX && pick(m, at, end, &element)) {
		m->way[m->depth++] = element;
		at = element.start + element.header;
		end = at + element.len;
		if (!(m->data[element.start] & CONSTRUCTED) || !fuzz_below(&m->random, 6))
			break;
	}
	return m->depth != 0;
}

/*
 * Puts `len` bytes in the place of `old` ones at `at`; those are to be filled in. False: no room.
 */
static bool resize(struct message *m, size_t at, size_t old, size_t len)
{
	if (len > old && len - old > m->max - m->len)
		return false;
	memmove(m->data + at + len, m->data + at + old, m->len - at - old);
	m->len += len;
	m->len -= old;
	return true;
}

/* Lengths of the first `depth` elements of the way, whose contents are `more` longer (mod 2^64). */
static void set_lengths(struct message *m, size_t depth, size_t more)
{
	while (depth--) {
		struct element *element = &m->way[depth];
		size_t len = element->len + more, header;

		if (len > ELEMENT_MAX)
			return;
		header = len < 128 ? 2 : len < 256 ? 3 : 4;
		if (!resize(m, element->start, element->header, header))
			return;
		/* What stood there begins with the tag, wherever it was moved to. */
		if (header == 2) {
			m->data[element->start + 1] = (uint8_t)len;
		} else {
			m->data[element->start + 1] = (uint8_t)(0x80 | (header - 2));
			m->data[element->start + 2] = (uint8_t)(header == 3 ? len : len >> 8);
			if (header == 4)
				m->data[element->start + 3] = (uint8_t)len;
		}
		more += header - element->header;
	}
}

static void change_contents(struct message *m, const struct element *element)
{
	size_t room = element->len + 64, len;
	uint8_t *copy = malloc(room);

	FUZZ_CHECK(copy);
	memcpy(copy, m->data + element->start + element->header, element->len);
	len = LLVMFuzzerMutate(copy, element->len, room);
	if (resize(m, element->start + element->header, element->len, len)) {
		memcpy(m->data + element->start + element->header, copy, len);
		set_lengths(m, m->depth, len - element->len);
	}
	free(copy);
}

/* Drops the element, or puts a copy of any other one in its place or before it. */
static void replace(struct message *m, const struct element *element, bool drop, bool keep)
{
	size_t old = element->header + element->len, len = 0;
	struct element other = { 0 };
	uint8_t *copy = NULL;

	if (!drop) {
		struct message from = { .data = m->data, .len = m->len, .random = m->random };

		fuzz_below(&from.random, 2);
		if (!find_element(&from))
			return;
		other = from.way[from.depth - 1];
		len = other.header + other.len;
		copy = malloc(len);
		FUZZ_CHECK(copy);
		memcpy(copy, m->data + other.start, len);
	}
	if (resize(m, element->start, keep ? 0 : old, len)) {
		if (len)
			memcpy(m->data + element->start, copy, len);
		set_lengths(m, m->depth - 1, len - (keep ? 0 : old));
	}
	free(copy);
}

static void edit(struct message *m)
{
	const struct element element = m->way[m->depth - 1];

	switch (fuzz_below(&m->random, 10)) {
	case 0:
		m->data[element.start] = tags[fuzz_below(&m->random, sizeof(tags))];
		break;
	case 1:
		m->data[element.start] ^= CONSTRUCTED;
		break;
	case 2:
		replace(m, &element, true, false);
		break;
	case 3:
	case 4:
		replace(m, &element, false, false);
		break;
	case 5:
		replace(m, &element, false, true);
		break;
	default:
		change_contents(m, &element);
		break;
	}
}

/* Where the message of a whole file begins, by its trailer; 0: there is none. */
static size_t find_message(const uint8_t *data, size_t len, size_t *len_ret)
{
	const uint8_t *trailer = data + len - TRAILER;
	size_t message;

	if (len <= TRAILER || memcmp(data + len - (sizeof(marker) - 1), marker, sizeof(marker) - 1))
		return 0;
	message = (size_t)trailer[8] << 24 | (size_t)trailer[9] << 16 | (size_t)trailer[10] << 8 |
		  trailer[11];
	if (message > len - TRAILER - 1)
		return 0;
	*len_ret = message;
	return len - TRAILER - message;
}

static size_t mutate_file(uint8_t *data, size_t len, size_t max, struct message *m)
{
	uint8_t trailer[TRAILER];
	size_t start = find_message(data, len, &m->len);

	if (!start)
		return LLVMFuzzerMutate(data, len, max);
	memcpy(trailer, data + len - TRAILER, TRAILER);
	m->data = data + start;
	m->max = max - start - TRAILER;
	if (!find_element(m))
		return LLVMFuzzerMutate(data, len, max);
	edit(m);
	for (int i = 0; i < 4; i++)
		trailer[8 + i] = (uint8_t)(m->len >> (24 - 8 * i));
	memcpy(m->data + m->len, trailer, TRAILER);
	return start + m->len + TRAILER;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned int seed)
{
	struct message m = { .random = fuzz_random(seed) };

	if (len < 2 || max <= TRAILER || !fuzz_below(&m.random, 2))
		return LLVMFuzzerMutate(data, len, max);
	if (!(data[0] & 1))
		return mutate_file(data, len, max, &m);
	m.data = data + 1;
	m.len = len - 1;
	m.max = max - 1;
	if (!find_element(&m))
		return LLVMFuzzerMutate(data, len, max);
	edit(&m);
	return m.len + 1;
}

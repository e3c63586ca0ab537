/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Edits of what is wrapped around a module: its signature's trailer, the nodes of the PKCS#7
 * message, the compressed stream.
 */
#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "damage.h"
#include "mutant.h"

enum {
	MARKER_LEN = sizeof("~Module signature appended~\n") - 1,
	TRAILER_LEN = 12,
	NODES_MAX = 128,
	DEPTH_MAX = 12
};

/* ---- signature */

/* Where the message begins, and its length; false: the base is not signed. */
static bool message(const struct mutant *mutant, size_t *start_ret, size_t *len_ret)
{
	const struct edit *stock = &mutant->base->stock;

	if (stock->signature + TRAILER_LEN + MARKER_LEN >= stock->len)
		return false;
	*start_ret = stock->signature;
	*len_ret = stock->len - stock->signature - TRAILER_LEN - MARKER_LEN;
	return true;
}

/* Another message in the place of the one that is there; the trailer has its length. */
static void set_message(struct mutant *mutant, const uint8_t *bytes, size_t len)
{
	uint8_t trailer[TRAILER_LEN + MARKER_LEN];
	struct edit *edit = &mutant->edit;

	memcpy(trailer, edit->data + edit->len - sizeof(trailer), sizeof(trailer));
	for (int i = 0; i < 4; i++)
		trailer[8 + i] = (uint8_t)(len >> (24 - 8 * i));
	edit_truncate(edit, mutant->base->stock.signature);
	edit_append_exactly(edit, bytes, len);
	edit_append_exactly(edit, trailer, sizeof(trailer));
}

bool signature_trailer(struct mutant *mutant)
{
	size_t start, len, at;
	uint8_t *byte;

	if (!message(mutant, &start, &len))
		return false;
	at = below(mutant, TRAILER_LEN + (one_in(mutant, 4) ? MARKER_LEN : 0));
	byte = mutant->edit.data + mutant->edit.len - TRAILER_LEN - MARKER_LEN + at;
	*byte = (uint8_t)odd_number(mutant, *byte);
	note(mutant, "byte %zu of the signature's trailer: %#x", at, *byte);
	return true;
}

bool signature_size(struct mutant *mutant)
{
	size_t start, len, change;
	uint8_t *bytes;

	if (!message(mutant, &start, &len))
		return false;
	bytes = calloc(1, len + 64);
	if (!bytes)
		edit_fail(&mutant->edit, "out of memory");
	memcpy(bytes, mutant->base->stock.data + start, len);
	change = 1 + below(mutant, 63);
	len = one_in(mutant, 2) ? len + change : len - change;
	set_message(mutant, bytes, len);
	free(bytes);
	note(mutant, "%zu bytes of a signature", len);
	return true;
}

/* A node of the message: tag, length, contents. */
struct node {
	size_t at, header, len;
	int parent;
	unsigned int depth;
};

struct nodes {
	struct node all[NODES_MAX];
	int count;
};

static bool read_node(const uint8_t *bytes, size_t at, size_t end, struct node *node)
{
	size_t len = end - at > 1 ? bytes[at + 1] : 0, octets = 0;

	if (end - at < 2)
		return false;
	if (len & 0x80) {
		octets = len & 0x7f;
		if (octets > 3 || end - at < 2 + octets)
			return false;
		len = 0;
		for (size_t i = 0; i < octets; i++)
			len = len << 8 | bytes[at + 2 + i];
	}
	*node = (struct node){ .at = at, .header = 2 + octets, .len = len };
	return len <= end - at - node->header;
}

static void read_nodes(struct nodes *nodes, const uint8_t *bytes, size_t at, size_t end, int parent,
		       unsigned int depth)
{
	while (at < end && nodes->count < NODES_MAX && depth < DEPTH_MAX) {
		int self = nodes->count;
		struct node *node = &nodes->all[self];

		if (!read_node(bytes, at, end, node))
			return;
		nodes->count++;
		node->parent = parent;
		node->depth = depth;
		if (bytes[at] & 0x20)
			read_nodes(nodes, bytes, at + node->header, at + node->header + node->len,
				   self, depth + 1);
		at += node->header + node->len;
	}
}

/* The lengths of all nodes around one grow by so much, as far as their octets can tell. */
static void widen(uint8_t *bytes, const struct nodes *nodes, int parent, int64_t change)
{
	for (; parent >= 0; parent = nodes->all[parent].parent) {
		const struct node *node = &nodes->all[parent];
		uint64_t len = (uint64_t)((int64_t)node->len + change);

		if (node->header == 2) {
			bytes[node->at + 1] = (uint8_t)len;
			continue;
		}
		for (size_t i = node->header - 1; i > 1; i--, len >>= 8)
			bytes[node->at + i] = (uint8_t)len;
	}
}

/* Takes a node away, or puts it there a second time. */
static size_t resize(struct mutant *mutant, uint8_t *bytes, size_t len, const struct nodes *nodes,
		     const struct node *node)
{
	size_t size = node->header + node->len, end = node->at + size;

	if (one_in(mutant, 2)) {
		memmove(bytes + node->at, bytes + end, len - end);
		widen(bytes, nodes, node->parent, -(int64_t)size);
		return len - size;
	}
	memmove(bytes + end + size, bytes + end, len - end);
	memcpy(bytes + end, bytes + node->at, size);
	widen(bytes, nodes, node->parent, (int64_t)size);
	return len + size;
}

bool signature_der(struct mutant *mutant)
{
	static const uint8_t tags[] = { 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x13, 0x30,
					0x31, 0x80, 0xa0, 0xa1, 0x00, 0x1f, 0x24, 0x3f };
	struct nodes nodes = { .count = 0 };
	const struct node *node;
	size_t start, len;
	uint8_t *bytes;

	if (!message(mutant, &start, &len))
		return false;
	bytes = calloc(2, len);
	if (!bytes)
		edit_fail(&mutant->edit, "out of memory");
	memcpy(bytes, mutant->base->stock.data + start, len);
	read_nodes(&nodes, bytes, 0, len, -1, 0);
	node = &nodes.all[below(mutant, (uint64_t)nodes.count)];
	note(mutant, "node at %zu of the signature (tag %#x, depth %u)", node->at, bytes[node->at],
	     node->depth);
	switch (below(mutant, node->len ? 4 : 3)) {
	case 0:
		bytes[node->at] = PICK(mutant, tags);
		break;
	case 1:
		bytes[node->at + node->header - 1] ^= (uint8_t)(1 << below(mutant, 8));
		break;
	case 2:
		len = resize(mutant, bytes, len, &nodes, node);
		break;
	default:
		bytes[node->at + node->header + below(mutant, node->len)] ^=
			(uint8_t)(1 << below(mutant, 8));
	}
	set_message(mutant, bytes, len);
	free(bytes);
	return true;
}

/* ---- compression */

static bool pack(struct mutant *mutant)
{
	static const uint64_t ways[] = { 0, 0, 0, XZ_NO_CHECK, XZ_X86, XZ_BLOCKS, XZ_TWICE };
	const struct corpus_case how = { .value = PICK(mutant, ways) };

	if (!mutant->decompresses || mutant->packed)
		return mutant->packed;
	pack_xz(&mutant->edit, &how);
	mutant->packed = true;
	note(mutant, "packed in way %llu of seal.c", (unsigned long long)how.value);
	return true;
}

bool xz_pack(struct mutant *mutant)
{
	static const uint64_t ways[] = {
		XZ_CRC64, XZ_SHA256, XZ_DELTA, XZ_ARM, XZ_NO_CHECK | XZ_X86, XZ_BLOCKS | XZ_TWICE
	};
	const struct corpus_case how = { .value = PICK(mutant, ways) };

	if (!mutant->decompresses || mutant->packed)
		return false;
	pack_xz(&mutant->edit, &how);
	mutant->packed = true;
	note(mutant, "packed in way %llu of seal.c", (unsigned long long)how.value);
	return true;
}

static void set_crc(uint8_t *place, const uint8_t *bytes, size_t len)
{
	uint32_t crc = lzma_crc32(bytes, len, 0);

	memcpy(place, &crc, sizeof(crc));
}

enum { STREAM_HEADER = 12 };

/* The stream's header or that of the first block; mostly with a checksum that is right. */
bool xz_header(struct mutant *mutant)
{
	uint8_t *bytes, *block;
	size_t at, block_len;

	if (!pack(mutant) || mutant->edit.len < 64)
		return false;
	bytes = mutant->edit.data;
	block = bytes + STREAM_HEADER;
	block_len = (block[0] + 1U) * 4;
	if (one_in(mutant, 3)) {
		at = below(mutant, STREAM_HEADER);
		bytes[at] ^= (uint8_t)(1 << below(mutant, 8));
		if (at == 6 || at == 7)
			set_crc(bytes + 8, bytes + 6, 2);
		note(mutant, "byte %zu of the stream's header", at);
		return true;
	}
	at = below(mutant, block_len - 4);
	block[at] ^= (uint8_t)(1 << below(mutant, 8));
	if (!one_in(mutant, 4) && at)
		set_crc(block + block_len - 4, block, block_len - 4);
	note(mutant, "byte %zu of the block's header", at);
	return true;
}

/* Control bytes and codes; the last bytes are the check, the index and the footer. */
bool xz_payload(struct mutant *mutant)
{
	size_t at;

	if (!pack(mutant) || mutant->edit.len < 128)
		return false;
	at = one_in(mutant, 2) ? 24 + below(mutant, 16) : 24 + below(mutant, mutant->edit.len - 24);
	mutant->edit.data[at] ^= (uint8_t)(1 << below(mutant, 8));
	note(mutant, "byte %zu of the compressed stream", at);
	return true;
}

bool xz_end(struct mutant *mutant)
{
	struct edit *edit = &mutant->edit;
	size_t at;

	if (!pack(mutant) || edit->len < 128)
		return false;
	switch (below(mutant, 4)) {
	case 0:
		at = 1 + below(mutant, one_in(mutant, 2) ? 40 : edit->len - 1);
		edit_truncate(edit, edit->len - at);
		note(mutant, "the stream lacks its last %zu bytes", at);
		break;
	case 1:
		at = 1 + below(mutant, 16);
		edit_append_exactly(edit, NULL, at);
		note(mutant, "%zu zeros behind the stream", at);
		break;
	case 2:
		edit_append_exactly(edit, "abcdefgh", 1 + below(mutant, 8));
		note(mutant, "other bytes behind the stream");
		break;
	default:
		at = 1 + below(mutant, 32);
		edit->data[edit->len - at] ^= (uint8_t)(1 << below(mutant, 8));
		note(mutant, "byte %zu before the stream's end", at);
	}
	return true;
}

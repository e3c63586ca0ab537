/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table behind /proc/kallsyms: found by its shape (kallsyms_find.c), read in place
 * (kallsyms.c).
 *
 * Pure: bytes in, structures out. That whatever is found is whole, and that nothing is read outside
 * of a whole table, is proved (tests/prove/).
 */
#ifndef KC_KERNEL_KALLSYMS_H
#define KC_KERNEL_KALLSYMS_H

#include "base/hash.h"
#include "base/span.h"

enum {
	KC_NAME_MAX = 512, /* longest name of a kernel symbol, its NUL included */
	KC_KALLSYMS_BLOCK = 256, /* symbols a marker */
	KC_KALLSYMS_TOKENS = 256,
};

/* How an entry of the address table becomes an address. */
enum kc_kallsyms_form {
	KC_KALLSYMS_SIGNED, /* 0 and up: itself; below 0: base - 1 - entry */
	KC_KALLSYMS_UNSIGNED, /* base + entry */
	KC_KALLSYMS_ABSOLUTE, /* 8 bytes: itself */
};

struct kc_kallsyms {
	uint32_t count; /* 0: there is no table */
	enum kc_kallsyms_form form;
	uint64_t base;
	struct kc_span names; /* compressed */
	struct kc_span markers;
	struct kc_span tokens;
	struct kc_span addresses;
	struct kc_span by_name; /* three bytes an entry, big-endian: indices in order of names; or
				   empty */
	uint16_t token_place[KC_KALLSYMS_TOKENS];
	uint16_t token_len[KC_KALLSYMS_TOKENS];
};

/*
 * What a table that was found promises: each array is readable, and has an element for each symbol,
 * block or token. What stands in them may be anything.
 */
/*@ predicate addresses_whole(struct kc_kallsyms *k) =
	readable(k->addresses) &&
	k->count * (k->form == KC_KALLSYMS_ABSOLUTE ? 8 : 4) <= k->addresses.len;
    predicate names_whole(struct kc_kallsyms *k) =
	readable(k->names) && readable(k->markers) &&
	k->count <= k->markers.len / 4 * KC_KALLSYMS_BLOCK;
    predicate tokens_whole(struct kc_kallsyms *k) =
	readable(k->tokens) &&
	(\forall integer i; 0 <= i < KC_KALLSYMS_TOKENS ==>
	 k->token_place[i] + k->token_len[i] <= k->tokens.len);
    predicate order_whole(struct kc_kallsyms *k) =
	readable(k->by_name) && k->count * 3 <= k->by_name.len;
    predicate whole(struct kc_kallsyms *k) =
	addresses_whole(k) && names_whole(k) && tokens_whole(k) &&
	(k->by_name.len == 0 || order_whole(k)); */

/* Finds the table by its shape in a run of bytes whose first one is aligned to 8. */
/*@ requires readable(area) && \valid(kallsyms_ret);
    assigns *kallsyms_ret;
    ensures \result ==> whole(kallsyms_ret); */
bool kc_kallsyms_find(struct kc_span area, struct kc_kallsyms *kallsyms_ret);
/*
 * The compressed text of the entry of names at `place`, which becomes the next one's. False: it
 * doesn't lie inside.
 */
/*@ requires readable(names) && \valid(place) && \valid(text_ret) && \separated(place, text_ret);
    assigns *place, *text_ret;
    ensures \result ==> readable(*text_ret) && text_ret->len < 1 << 15;
    ensures \result ==> \old(*place) < *place <= names.len; */
KC_MUST_CHECK bool kc_kallsyms_entry(struct kc_span names, uint64_t *place,
				     struct kc_span *text_ret);
/*@ requires \valid_read(kallsyms) && addresses_whole(kallsyms) && index < kallsyms->count;
    assigns \nothing; */
uint64_t kc_kallsyms_address(const struct kc_kallsyms *kallsyms, uint32_t index);
/*
 * Name of the symbol whose entry starts at `place`, with its type as first byte. Returns its length
 * (cut at KC_NAME_MAX) and the place of the next entry.
 */
/*@ requires \valid_read(kallsyms) && whole(kallsyms);
    requires \valid(text_ret + (0 .. KC_NAME_MAX)) && \valid(next_ret);
    requires \separated(text_ret + (0 .. KC_NAME_MAX),
			kallsyms->tokens.data + (0 .. kallsyms->tokens.len - 1));
    assigns text_ret[0 .. KC_NAME_MAX], *next_ret;
    ensures 1 <= \result <= KC_NAME_MAX && text_ret[\result] == 0; */
size_t kc_kallsyms_expand(const struct kc_kallsyms *kallsyms, uint64_t place,
			  char text_ret[KC_NAME_MAX + 1], uint64_t *next_ret);
/* The length that kc_kallsyms_expand() would return at most, without expanding. */
/*@ requires \valid_read(kallsyms) && whole(kallsyms) && \valid(next_ret);
    assigns *next_ret;
    ensures 1 <= \result <= KC_NAME_MAX; */
size_t kc_kallsyms_measure(const struct kc_kallsyms *kallsyms, uint64_t place, uint64_t *next_ret);
/*
 * The n-th symbol by name, expanded, and the length of that: its index. KC_INDEX_NONE: the order is
 * damaged there.
 */
/*@ requires \valid_read(kallsyms) && whole(kallsyms) && order_whole(kallsyms);
    requires position < kallsyms->count;
    requires \valid(text_ret + (0 .. KC_NAME_MAX)) && \valid(len_ret);
    requires \separated(text_ret + (0 .. KC_NAME_MAX),
			kallsyms->tokens.data + (0 .. kallsyms->tokens.len - 1));
    assigns text_ret[0 .. KC_NAME_MAX], *len_ret;
    ensures \result != KC_INDEX_NONE ==>
	\result < kallsyms->count && 1 <= *len_ret <= KC_NAME_MAX; */
KC_MUST_CHECK uint32_t kc_kallsyms_expand_sorted(const struct kc_kallsyms *kallsyms,
						 uint32_t position, char text_ret[KC_NAME_MAX + 1],
						 size_t *len_ret);
/* The order of names: strcmp()'s, of strings whose lengths are known. */
/*@ requires len < SIZE_MAX && \valid_read(name + (0 .. len));
    requires other_len < SIZE_MAX && \valid_read(other + (0 .. other_len));
    assigns \nothing; */
int kc_kallsyms_compare(const char *name, size_t len, const char *other, size_t other_len);
/*
 * By name, through the by-name order: the lowest index of this name, or where `clones`, of this
 * name with or without a compiler's suffix (".isra.0"). KC_INDEX_NONE: none.
 */
/*@ requires \valid_read(kallsyms) && whole(kallsyms) && valid_read_string(name);
    assigns \nothing;
    ensures \result == KC_INDEX_NONE || \result < kallsyms->count; */
uint32_t kc_kallsyms_lookup(const struct kc_kallsyms *kallsyms, const char *name, bool clones);
/* The so many-th of a name, by address; with 0, the only one. */
/*@ requires \valid_read(kallsyms) && whole(kallsyms) && valid_read_string(name);
    assigns \nothing;
    ensures \result == KC_INDEX_NONE || \result < kallsyms->count; */
uint32_t kc_kallsyms_lookup_nth(const struct kc_kallsyms *kallsyms, const char *name,
				uint64_t position);

#endif

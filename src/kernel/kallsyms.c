/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table behind /proc/kallsyms, read in place: addresses by index, names expanded token by
 * token, names looked up through the kernel's own order of names.
 *
 * Every array has an element for each symbol, which kallsyms_find.c saw to; that an entry of names
 * lies inside, and what the by-name order holds, is checked at each use.
 */
#include "kernel/kallsyms.h"

uint64_t kc_kallsyms_address(const struct kc_kallsyms *kallsyms, uint32_t index)
{
	uint32_t entry;

	if (kallsyms->form == KC_KALLSYMS_ABSOLUTE)
		return kc_load64(kallsyms->addresses.data + (size_t)index * 8);
	entry = kc_load32(kallsyms->addresses.data + (size_t)index * 4);
	if (kallsyms->form == KC_KALLSYMS_UNSIGNED)
		return kallsyms->base + entry;
	if (!(entry & UINT32_C(1) << 31))
		return entry;
	return kallsyms->base - 1 - (uint64_t)(int64_t)(int32_t)entry;
}

bool kc_kallsyms_entry(struct kc_span names, uint64_t *place, struct kc_span *text_ret)
{
	uint64_t at = *place, len;

	if (at >= names.len)
		return false;
	len = names.data[at++];
	if (len >= 0x80) {
		if (at >= names.len)
			return false;
		len = len - 0x80 + (uint64_t)names.data[at++] * 0x80;
	}
	if (!kc_span_sub(names, at, len, text_ret))
		return false;
	*place = at + len;
	return true;
}

/* The same; an entry that doesn't lie inside reads as an empty one. */
/*@ requires \valid_read(kallsyms) && names_whole(kallsyms) && \valid(place);
    requires \separated(place, kallsyms);
    assigns *place;
    ensures readable(\result) && \result.len < 1 << 15; */
static struct kc_span read_entry(const struct kc_kallsyms *kallsyms, uint64_t *place)
{
	struct kc_span text;

	return kc_kallsyms_entry(kallsyms->names, place, &text) ? text : kc_span(NULL, 0);
}

size_t kc_kallsyms_expand(const struct kc_kallsyms *kallsyms, uint64_t place,
			  char text_ret[KC_NAME_MAX + 1], uint64_t *next_ret)
{
	struct kc_span packed = read_entry(kallsyms, &place);
	size_t len = 0;

	/*@ loop invariant 0 <= i <= packed.len && 0 <= len <= KC_NAME_MAX;
	    loop assigns i, len, text_ret[0 .. KC_NAME_MAX - 1];
	    loop variant packed.len - i; */
	for (size_t i = 0; i < packed.len && len < KC_NAME_MAX; i++) {
		uint8_t token = packed.data[i];
		size_t part = kallsyms->token_len[token];

		if (part > KC_NAME_MAX - len)
			part = KC_NAME_MAX - len;
		memcpy(text_ret + len, kallsyms->tokens.data + kallsyms->token_place[token], part);
		len += part;
	}
	/* A text is a type and a name: one that is cut or empty still reads as such. */
	if (!len)
		text_ret[len++] = '?';
	text_ret[len] = 0;
	*next_ret = place;
	return len;
}

size_t kc_kallsyms_measure(const struct kc_kallsyms *kallsyms, uint64_t place, uint64_t *next_ret)
{
	struct kc_span packed = read_entry(kallsyms, &place);
	size_t len = 0;

	/*@ loop invariant 0 <= i <= packed.len && len <= i * UINT16_MAX;
	    loop assigns i, len;
	    loop variant packed.len - i; */
	for (size_t i = 0; i < packed.len; i++)
		len += kallsyms->token_len[packed.data[i]];
	*next_ret = place;
	return len && len < KC_NAME_MAX ? len : KC_NAME_MAX;
}

/*@ requires \valid_read(kallsyms) && names_whole(kallsyms) && index < kallsyms->count;
    assigns \nothing; */
static uint64_t find_entry(const struct kc_kallsyms *kallsyms, uint32_t index)
{
	uint64_t place =
		kc_load32(kallsyms->markers.data + (size_t)(index / KC_KALLSYMS_BLOCK) * 4);

	/*@ loop invariant 0 <= i <= index % KC_KALLSYMS_BLOCK;
	    loop assigns i, place;
	    loop variant index % KC_KALLSYMS_BLOCK - i; */
	for (uint32_t i = 0; i < index % KC_KALLSYMS_BLOCK; i++)
		read_entry(kallsyms, &place);
	return place;
}

uint32_t kc_kallsyms_expand_sorted(const struct kc_kallsyms *kallsyms, uint32_t position,
				   char text_ret[KC_NAME_MAX + 1], size_t *len_ret)
{
	const uint8_t *entry = kallsyms->by_name.data + (size_t)position * 3;
	uint32_t index = entry[0] * 0x10000u + entry[1] * 0x100u + entry[2];
	uint64_t next;

	if (index >= kallsyms->count)
		return KC_INDEX_NONE;
	*len_ret = kc_kallsyms_expand(kallsyms, find_entry(kallsyms, index), text_ret, &next);
	return index;
}

int kc_kallsyms_compare(const char *name, size_t len, const char *other, size_t other_len)
{
	return memcmp(name, other, (len < other_len ? len : other_len) + 1);
}

/* Position in the order of names of the first that is not lower; KC_INDEX_NONE: none is. */
/*@ requires \valid_read(kallsyms) && whole(kallsyms);
    requires len < SIZE_MAX && \valid_read(name + (0 .. len));
    assigns \nothing;
    ensures \result == KC_INDEX_NONE || (\result < kallsyms->count && order_whole(kallsyms)); */
static uint32_t lower_bound(const struct kc_kallsyms *kallsyms, const char *name, size_t len)
{
	uint32_t low = 0, high = kallsyms->by_name.len ? kallsyms->count : 0;
	char text[KC_NAME_MAX + 1];
	size_t text_len;

	/*@ loop invariant low <= high <= kallsyms->count;
	    loop invariant kallsyms->by_name.len == 0 ==> high == 0;
	    loop assigns low, high, text_len, text[0 .. KC_NAME_MAX];
	    loop variant high - low; */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (kc_kallsyms_expand_sorted(kallsyms, middle, text, &text_len) == KC_INDEX_NONE)
			return KC_INDEX_NONE;
		if (kc_kallsyms_compare(text + 1, text_len - 1, name, len) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return !kallsyms->by_name.len || low == kallsyms->count ? KC_INDEX_NONE : low;
}

/*
 * The index of the entry at a position in the order of names, if it is of this name, or where
 * `clones`, of this name and a suffix.
 */
/*@ requires \valid_read(kallsyms) && whole(kallsyms) && order_whole(kallsyms);
    requires len < SIZE_MAX && \valid_read(name + (0 .. len));
    assigns \nothing;
    ensures \result == KC_INDEX_NONE || \result < kallsyms->count; */
static uint32_t entry_named(const struct kc_kallsyms *kallsyms, uint64_t position, const char *name,
			    size_t len, bool clones)
{
	char text[KC_NAME_MAX + 1];
	uint32_t index;
	size_t text_len;

	if (position >= kallsyms->count)
		return KC_INDEX_NONE;
	index = kc_kallsyms_expand_sorted(kallsyms, (uint32_t)position, text, &text_len);
	if (index == KC_INDEX_NONE || text_len - 1 < len || memcmp(text + 1, name, len) != 0)
		return KC_INDEX_NONE;
	return text_len - 1 == len || (clones && text[1 + len] == '.') ? index : KC_INDEX_NONE;
}

uint32_t kc_kallsyms_lookup_nth(const struct kc_kallsyms *kallsyms, const char *name,
				uint64_t position)
{
	size_t len = strlen(name);
	uint64_t first = lower_bound(kallsyms, name, len);

	if (first == KC_INDEX_NONE || position > kallsyms->count ||
	    (!position && entry_named(kallsyms, first + 1, name, len, false) != KC_INDEX_NONE))
		return KC_INDEX_NONE;
	return entry_named(kallsyms, first + (position ? position - 1 : 0), name, len, false);
}

uint32_t kc_kallsyms_lookup(const struct kc_kallsyms *kallsyms, const char *name, bool clones)
{
	size_t len = strlen(name);
	uint32_t first = lower_bound(kallsyms, name, len);

	if (first == KC_INDEX_NONE)
		return KC_INDEX_NONE;
	/*
	 * Nothing that a compiler puts into names is lower than '.': clones follow the name itself.
	 */
	return entry_named(kallsyms, first, name, len, clones);
}

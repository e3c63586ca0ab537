/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table behind /proc/kallsyms, read in place: addresses by index, names expanded token by
 * token, names looked up through the kernel's own order of names.
 *
 * The table was walked over when it was found (kallsyms_find.c), so every entry reached from a
 * marker lies inside it; the by-name order may hold anything, and is checked at each use.
 */
#include "kernel/parts.h"

enum {
	BLOCK = 256, /* symbols a marker */
};

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

/* The compressed text of the entry at `place`; `place` becomes the next entry's. */
static struct kc_span read_entry(const struct kc_kallsyms *kallsyms, uint64_t *place)
{
	const uint8_t *data = kallsyms->names.data;
	size_t len = data[(*place)++];
	struct kc_span text;

	if (len & 0x80)
		len = (len & 0x7f) | (size_t)data[(*place)++] << 7;
	text = kc_span(data + *place, len);
	*place += len;
	return text;
}

size_t kc_kallsyms_expand(const struct kc_kallsyms *kallsyms, uint64_t place,
			  char text_ret[KC_NAME_MAX + 1], uint64_t *next_ret)
{
	struct kc_span packed = read_entry(kallsyms, &place);
	size_t len = 0;

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

	for (size_t i = 0; i < packed.len; i++)
		len += kallsyms->token_len[packed.data[i]];
	*next_ret = place;
	return len && len < KC_NAME_MAX ? len : KC_NAME_MAX;
}

static uint64_t find_entry(const struct kc_kallsyms *kallsyms, uint32_t index)
{
	uint64_t place = kc_load32(kallsyms->markers.data + (size_t)(index / BLOCK) * 4);

	for (uint32_t i = 0; i < index % BLOCK; i++)
		read_entry(kallsyms, &place);
	return place;
}

uint32_t kc_kallsyms_expand_sorted(const struct kc_kallsyms *kallsyms, uint32_t position,
				   char text_ret[KC_NAME_MAX + 1])
{
	const uint8_t *entry = kallsyms->by_name.data + (size_t)position * 3;
	uint32_t index = (uint32_t)entry[0] << 16 | (uint32_t)entry[1] << 8 | entry[2];
	uint64_t next;

	if (index >= kallsyms->count)
		return KC_INDEX_NONE;
	kc_kallsyms_expand(kallsyms, find_entry(kallsyms, index), text_ret, &next);
	return index;
}

/* Position in the order of names of the first that is not lower; KC_INDEX_NONE: none is. */
static uint32_t lower_bound(const struct kc_kallsyms *kallsyms, const char *name)
{
	uint32_t low = 0, high = kallsyms->by_name.len ? kallsyms->count : 0;
	char text[KC_NAME_MAX + 1];

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (kc_kallsyms_expand_sorted(kallsyms, middle, text) == KC_INDEX_NONE)
			return KC_INDEX_NONE;
		if (strcmp(text + 1, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return !kallsyms->by_name.len || low == kallsyms->count ? KC_INDEX_NONE : low;
}

/* The index of the entry at a position in the order of names, if it is of this name. */
static uint32_t entry_named(const struct kc_kallsyms *kallsyms, uint64_t position, const char *name)
{
	char text[KC_NAME_MAX + 1];
	uint32_t index;

	if (position >= kallsyms->count)
		return KC_INDEX_NONE;
	index = kc_kallsyms_expand_sorted(kallsyms, (uint32_t)position, text);
	return index != KC_INDEX_NONE && strcmp(text + 1, name) == 0 ? index : KC_INDEX_NONE;
}

uint32_t kc_kallsyms_lookup_nth(const struct kc_kallsyms *kallsyms, const char *name,
				uint64_t position)
{
	uint64_t first = lower_bound(kallsyms, name);

	if (first == KC_INDEX_NONE || position > kallsyms->count ||
	    (!position && entry_named(kallsyms, first + 1, name) != KC_INDEX_NONE))
		return KC_INDEX_NONE;
	return entry_named(kallsyms, first + (position ? position - 1 : 0), name);
}

uint32_t kc_kallsyms_lookup(const struct kc_kallsyms *kallsyms, const char *name, bool clones)
{
	uint32_t low = lower_bound(kallsyms, name), index;
	char text[KC_NAME_MAX + 1];
	size_t len = strlen(name);

	if (low == KC_INDEX_NONE)
		return KC_INDEX_NONE;
	index = kc_kallsyms_expand_sorted(kallsyms, low, text);
	/*
	 * Nothing that a compiler puts into names is lower than '.': clones follow the name itself.
	 */
	if (index == KC_INDEX_NONE || strncmp(text + 1, name, len) != 0 ||
	    (text[1 + len] && !(clones && text[1 + len] == '.')))
		return KC_INDEX_NONE;
	return index;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding the table behind /proc/kallsyms, by its shape alone.
 *
 * It is eight arrays in read-only data, each aligned to 8, in an order that has changed:
 *
 * 	addresses, base, count, names, markers, [by_name,] tokens, token index
 * 	count, names, markers, tokens, token index, addresses, base, by_name
 *
 * The token index is found first: 256 ascending 16-bit numbers that fit the 256 strings before
 * them. Before these stand the markers (where in the names each 256th entry starts), before the
 * markers the names, before the names their count. All names are walked over and every marker
 * compared, so what passes is the table, and everything read later lies inside it. Addresses
 * ascend: that tells where they are and which of their three forms they have.
 *
 * Hostile input can at most make the search give up: the steps that it may cost are counted.
 */
#include <stdlib.h>

#include "kernel/parts.h"

enum {
	ALIGNMENT = 8,
	TOKENS = 256,
	TOKEN_INDEX_SIZE = TOKENS * sizeof(uint16_t),
	TOKEN_MAX = KC_NAME_MAX,
	BLOCK = 256, /* symbols a marker */
	BLOCK_MIN = BLOCK * 2, /* bytes of a block of names */
	BLOCK_MAX = BLOCK * 512,
	RUN_SPARE = 4, /* marker-like words that may follow the markers by chance */
	STEPS_MAX = 64 << 20,
	SAMPLES = 64,
};

struct search {
	struct kc_span area;
	uint64_t tokens, token_index; /* places in the area */
	uint64_t markers, names;
	uint64_t names_end;
	uint32_t marker_count;
	uint64_t steps;
	struct kc_kallsyms found;
};

static bool ascends(const uint8_t *index)
{
	if (kc_load16(index))
		return false;
	for (size_t i = 1; i < TOKENS; i++)
		if (kc_load16(index + 2 * i) <= kc_load16(index + 2 * i - 2))
			return false;
	return true;
}

/* Whether the strings that an index tells of start at `tokens`, and end before the index. */
static bool tokens_fit(struct search *search)
{
	const uint8_t *data = search->area.data;
	const uint8_t *index = data + search->token_index;
	struct kc_kallsyms *found = &search->found;
	uint64_t end = search->tokens;

	for (size_t i = 0; i < TOKENS; i++) {
		uint64_t place = search->tokens + kc_load16(index + 2 * i);
		uint64_t room = search->token_index - place;
		const uint8_t *nul;

		search->steps++;
		if (place != end || place >= search->token_index)
			return false;
		nul = memchr(data + place, 0, room < TOKEN_MAX ? room : TOKEN_MAX);
		if (!nul)
			return false;
		found->token_place[i] = kc_load16(index + 2 * i);
		found->token_len[i] = (uint16_t)(nul - (data + place));
		end = place + found->token_len[i] + 1;
	}
	return kc_align(end, ALIGNMENT) == search->token_index;
}

/* The last string's length is not in the index, so its table may start at some places. */
static bool find_tokens(struct search *search)
{
	const uint8_t *index = search->area.data + search->token_index;
	uint64_t size = kc_align(kc_load16(index + TOKEN_INDEX_SIZE - 2) + 1u, ALIGNMENT);

	for (uint64_t end = size + TOKEN_MAX; size <= end && size <= search->token_index;
	     size += ALIGNMENT) {
		search->tokens = search->token_index - size;
		if (tokens_fit(search)) {
			search->found.tokens =
				kc_span(search->area.data + search->tokens, (size_t)size);
			return true;
		}
	}
	return false;
}

/* The place behind one entry of names, or 0. */
static uint64_t skip_name(const struct search *search, uint64_t place, uint64_t end)
{
	const uint8_t *data = search->area.data;
	uint64_t len;

	if (place >= end)
		return 0;
	len = data[place++];
	if (len & 0x80) {
		if (place >= end)
			return 0;
		len = (len & 0x7f) | (uint64_t)data[place++] << 7;
	}
	return len && len <= end - place ? place + len : 0;
}

/* Walks over all names, comparing every marker: they must end where the markers start. */
static bool names_fit(struct search *search, uint32_t count)
{
	const uint8_t *data = search->area.data;
	uint64_t place = search->names;

	for (uint32_t i = 0; i < count; i++) {
		if (i % BLOCK == 0 && kc_load32(data + search->markers + (size_t)i / BLOCK * 4) !=
					      place - search->names)
			return false;
		place = skip_name(search, place, search->markers);
		if (!place || ++search->steps > STEPS_MAX)
			return false;
	}
	search->names_end = place;
	return kc_align(place, ALIGNMENT) == search->markers;
}

static bool find_names(struct search *search, uint32_t marker_count)
{
	const uint8_t *data = search->area.data;
	uint64_t last = kc_load32(data + search->markers + (uint64_t)(marker_count - 1) * 4);

	for (uint64_t size = kc_align(last + 1, ALIGNMENT);
	     size <= last + BLOCK_MAX && size + ALIGNMENT <= search->markers; size += ALIGNMENT) {
		uint32_t count;

		search->names = search->markers - size;
		count = kc_load32(data + search->names - ALIGNMENT);
		if (++search->steps > STEPS_MAX)
			return false;
		if (count == 0 || (count - 1) / BLOCK + 1 != marker_count ||
		    !names_fit(search, count))
			continue;
		search->marker_count = marker_count;
		search->found.count = count;
		search->found.names =
			kc_span(data + search->names, (size_t)(search->names_end - search->names));
		search->found.markers = kc_span(data + search->markers, (size_t)marker_count * 4);
		return true;
	}
	return false;
}

/* How many words from here on could be markers. */
static uint32_t count_markers(const struct search *search, uint64_t place)
{
	const uint8_t *data = search->area.data;
	uint32_t count = 1;

	if (kc_load32(data + place))
		return 0;
	for (uint64_t next = place + 4; next + 4 <= search->tokens; next += 4, count++) {
		uint32_t step = kc_load32(data + next) - kc_load32(data + next - 4);

		if (step < BLOCK_MIN || step > BLOCK_MAX)
			break;
	}
	return count;
}

/*
 * The markers stand before the tokens, at any distance. A table of one marker only is no kernel's.
 */
static bool find_markers(struct search *search)
{
	for (uint64_t place = search->tokens & ~(uint64_t)(ALIGNMENT - 1);
	     place >= 2 * (uint64_t)ALIGNMENT;) {
		uint32_t run;

		place -= ALIGNMENT;
		run = count_markers(search, place);
		search->markers = place;
		for (uint32_t spare = 0; spare < RUN_SPARE && run > spare + 1; spare++)
			if (find_names(search, run - spare))
				return true;
		search->steps += run + 1;
		if (search->steps > STEPS_MAX)
			return false;
	}
	return false;
}

static bool addresses_ascend(const struct kc_kallsyms *kallsyms)
{
	uint64_t last = 0;

	for (uint32_t i = 0; i < kallsyms->count; i++) {
		uint64_t address = kc_kallsyms_address(kallsyms, i);

		if (address < last)
			return false;
		last = address;
	}
	return true;
}

/* Addresses at `place`, in the forms that have a base; the base at `base`. */
static bool try_offsets(struct search *search, uint64_t place, uint64_t base)
{
	/* Offsets without a sign ascend when read with one, too; not the other way round. */
	static const enum kc_kallsyms_form forms[] = { KC_KALLSYMS_UNSIGNED, KC_KALLSYMS_SIGNED };
	struct kc_kallsyms *found = &search->found;

	if (!kc_span_sub(search->area, place, (uint64_t)found->count * 4, &found->addresses) ||
	    !kc_span_contains(search->area, base, 8))
		return false;
	found->base = kc_load64(search->area.data + base);
	for (size_t i = 0; i < KC_ARRAY_SIZE(forms); i++) {
		found->form = forms[i];
		/* A base of 0 would make any ascending numbers pass. */
		if (found->base && addresses_ascend(found))
			return true;
	}
	return false;
}

static bool try_absolute(struct search *search, uint64_t place)
{
	struct kc_kallsyms *found = &search->found;

	if (!kc_span_sub(search->area, place, (uint64_t)found->count * 8, &found->addresses))
		return false;
	found->form = KC_KALLSYMS_ABSOLUTE;
	return addresses_ascend(found) && kc_kallsyms_address(found, found->count - 1);
}

/* `end_ret`: behind the token index and what follows it of the table. */
static bool find_addresses(struct search *search, uint64_t *end_ret)
{
	uint64_t behind = search->token_index + TOKEN_INDEX_SIZE;
	uint64_t before = search->names - ALIGNMENT;
	uint64_t offsets = kc_align((uint64_t)search->found.count * 4, ALIGNMENT);
	uint64_t absolute = (uint64_t)search->found.count * 8;

	*end_ret = behind + offsets + 8;
	if (try_offsets(search, behind, behind + offsets))
		return true;
	*end_ret = behind;
	if (before >= offsets + 8 && try_offsets(search, before - 8 - offsets, before - 8))
		return true;
	if (before >= absolute && try_absolute(search, before - absolute))
		return true;
	*end_ret = behind + absolute;
	return try_absolute(search, behind);
}

/* Whether samples of the order of names are in order: by name, those of one name by index. */
static bool names_ascend(const struct kc_kallsyms *kallsyms)
{
	char texts[2][KC_NAME_MAX + 1] = { { 0 }, { 0 } };
	uint32_t step = kallsyms->count / SAMPLES + 1, last = 0;
	size_t turn = 0;

	for (uint32_t i = 0; i < kallsyms->count; i += step, turn ^= 1) {
		uint32_t index = kc_kallsyms_expand_sorted(kallsyms, i, texts[turn]);
		int order;

		if (index == KC_INDEX_NONE)
			return false;
		order = strcmp(texts[turn] + 1, texts[turn ^ 1] + 1);
		if (order < 0 || (order == 0 && index <= last))
			return false;
		last = index;
	}
	return true;
}

static bool try_by_name(struct search *search, uint64_t place)
{
	struct kc_kallsyms *found = &search->found;

	if (!kc_span_sub(search->area, place, (uint64_t)found->count * 3, &found->by_name))
		return false;
	if (names_ascend(found))
		return true;
	found->by_name = kc_span(NULL, 0);
	return false;
}

static bool search_at(struct search *search)
{
	uint64_t end;

	if (!find_tokens(search) || !find_markers(search) || !find_addresses(search, &end))
		return false;
	if (!try_by_name(search, end))
		(void)!try_by_name(
			search,
			kc_align(search->markers + (uint64_t)search->marker_count * 4, ALIGNMENT));
	return true;
}

bool kc_kallsyms_find(struct kc_span area, struct kc_kallsyms *kallsyms_ret)
{
	uint64_t steps = 0;

	for (uint64_t place = 0; kc_span_contains(area, place, TOKEN_INDEX_SIZE);
	     place += ALIGNMENT) {
		struct search search;

		if (!ascends(area.data + place))
			continue;
		search = (struct search){ .area = area, .token_index = place, .steps = steps };
		if (search_at(&search)) {
			*kallsyms_ret = search.found;
			return true;
		}
		steps = search.steps;
		if (steps > STEPS_MAX)
			return false;
	}
	return false;
}

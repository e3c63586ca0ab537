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
#include "kernel/kallsyms.h"

enum {
	ALIGNMENT = 8,
	TOKENS = KC_KALLSYMS_TOKENS,
	TOKEN_INDEX_SIZE = TOKENS * sizeof(uint16_t),
	TOKEN_MAX = KC_NAME_MAX,
	BLOCK = KC_KALLSYMS_BLOCK,
	BLOCK_MIN = BLOCK * 2, /* bytes of a block of names */
	BLOCK_MAX = BLOCK * 512,
	RUN_SPARE = 4, /* marker-like words that may follow the markers by chance */
	STEPS_MAX = 64 << 20,
	SAMPLES = 64,
};

/* Less than all files of a kernel that are opened, and more than any has. */
#define AREA_MAX ((UINT64_C(4) << 30) - 1)

struct search {
	struct kc_span area;
	uint64_t tokens, token_index; /* places in the area */
	uint64_t markers, names;
	uint64_t names_end;
	uint32_t marker_count;
	uint64_t steps;
	struct kc_kallsyms found;
};
/*@ predicate searchable(struct search *s) =
	readable(s->area) && s->area.len <= AREA_MAX && s->steps <= STEPS_MAX &&
	s->token_index + TOKEN_INDEX_SIZE <= s->area.len && s->tokens <= s->token_index;
    predicate names_found(struct search *s) =
	names_whole(&s->found) && 0 < s->found.count <= STEPS_MAX &&
	ALIGNMENT <= s->names <= s->markers && s->markers + s->marker_count * 4 <= s->tokens; */

/* False when the steps are used up. */
/*@ requires \valid(search) && search->steps <= STEPS_MAX && 0 < steps;
    assigns search->steps;
    ensures \old(search->steps) <= search->steps <= STEPS_MAX;
    ensures \result ==> \old(search->steps) < search->steps; */
static bool spend(struct search *search, uint64_t steps)
{
	if (steps > STEPS_MAX - search->steps)
		return false;
	search->steps += steps;
	return true;
}

/*@ requires \valid_read(index + (0 .. TOKEN_INDEX_SIZE - 1));
    assigns \nothing; */
static bool ascends(const uint8_t *index)
{
	if (kc_load16(index))
		return false;
	/*@ loop invariant 1 <= i <= TOKENS;
	    loop assigns i;
	    loop variant TOKENS - i; */
	for (size_t i = 1; i < TOKENS; i++)
		if (kc_load16(index + 2 * i) <= kc_load16(index + 2 * i - 2))
			return false;
	return true;
}

/* Whether the strings that an index tells of start at `tokens`, and end before the index. */
/*@ requires \valid(search) && searchable(search);
    assigns search->steps, search->found.token_place[0 .. TOKENS - 1],
	    search->found.token_len[0 .. TOKENS - 1];
    ensures searchable(search);
    ensures \result ==> \forall integer i; 0 <= i < TOKENS ==>
	search->tokens + search->found.token_place[i] + search->found.token_len[i] <
	search->token_index; */
static bool tokens_fit(struct search *search)
{
	const uint8_t *data = search->area.data;
	const uint8_t *index = data + search->token_index;
	struct kc_kallsyms *found = &search->found;
	uint64_t end = search->tokens;

	/*@ loop invariant 0 <= i <= TOKENS && searchable(search) && end <= search->token_index;
	    loop invariant \forall integer j; 0 <= j < i ==>
		search->tokens + found->token_place[j] + found->token_len[j] < search->token_index;
	    loop assigns i, end, search->steps, found->token_place[0 .. TOKENS - 1],
		found->token_len[0 .. TOKENS - 1];
	    loop variant TOKENS - i; */
	for (size_t i = 0; i < TOKENS; i++) {
		uint16_t start = kc_load16(index + 2 * i);
		uint64_t room, place = search->tokens + start;
		const uint8_t *nul;

		if (!spend(search, 1) || place != end || place >= search->token_index)
			return false;
		room = search->token_index - place;
		nul = memchr(data + place, 0, room < TOKEN_MAX ? room : TOKEN_MAX);
		if (!nul)
			return false;
		found->token_place[i] = start;
		found->token_len[i] = (uint16_t)(nul - (data + place));
		end = place + found->token_len[i] + 1;
	}
	return kc_align(end, ALIGNMENT) == search->token_index;
}

/*@ requires \valid(search) && searchable(search);
    assigns search->steps, search->tokens, search->found.tokens,
	    search->found.token_place[0 .. TOKENS - 1], search->found.token_len[0 .. TOKENS - 1];
    ensures searchable(search);
    ensures \result ==> tokens_whole(&search->found); */
/* The last string's length is not in the index, so its table may start at some places. */
static bool find_tokens(struct search *search)
{
	const uint8_t *index = search->area.data + search->token_index;
	uint64_t last = kc_load16(index + TOKEN_INDEX_SIZE - 2);

	/*@ loop invariant searchable(search);
	    loop assigns size, search->steps, search->tokens, search->found.tokens,
		search->found.token_place[0 .. TOKENS - 1],
		search->found.token_len[0 .. TOKENS - 1];
	    loop variant last + 1 + TOKEN_MAX + 2 * ALIGNMENT - size; */
	for (uint64_t size = kc_align(last + 1, ALIGNMENT);
	     size < last + 1 + TOKEN_MAX + ALIGNMENT && size <= search->token_index;
	     size += ALIGNMENT) {
		search->tokens = search->token_index - size;
		if (tokens_fit(search)) {
			search->found.tokens =
				kc_span(search->area.data + search->tokens, (size_t)size);
			/*@ assert search->tokens + search->found.tokens.len ==
				search->token_index; */
			/*@ assert readable(search->found.tokens); */
			return true;
		}
	}
	return false;
}

/* Walks over all names, comparing every marker: they must end where the markers start. */
/*@ requires \valid(search) && searchable(search) && search->names <= search->markers;
    requires search->markers + (count - 1) / BLOCK * 4 + 4 <= search->tokens && count > 0;
    assigns search->steps, search->names_end;
    ensures searchable(search);
    ensures \result ==>
	search->names <= search->names_end <= search->markers && count <= STEPS_MAX; */
static bool names_fit(struct search *search, uint32_t count)
{
	const uint8_t *markers = search->area.data + search->markers;
	struct kc_span names =
		kc_span(search->area.data + search->names, search->markers - search->names);
	struct kc_span text;
	uint64_t place = 0;

	/*@ loop invariant 0 <= i <= count && i <= search->steps && place <= names.len;
	    loop invariant search->steps <= STEPS_MAX;
	    loop assigns i, place, text, search->steps;
	    loop variant count - i; */
	for (uint32_t i = 0; i < count; i++) {
		if (i % BLOCK == 0 && kc_load32(markers + (size_t)(i / BLOCK) * 4) != place)
			return false;
		if (!kc_kallsyms_entry(names, &place, &text) || !text.len || !spend(search, 1))
			return false;
	}
	search->names_end = search->names + place;
	return kc_align(search->names_end, ALIGNMENT) == search->markers;
}

/*@ requires \valid(search) && searchable(search) && 0 < count <= marker_count * BLOCK;
    requires count <= STEPS_MAX && search->markers + marker_count * 4 <= search->tokens;
    requires ALIGNMENT <= search->names <= search->names_end <= search->markers;
    assigns search->marker_count, search->found.count, search->found.names,
	    search->found.markers;
    ensures searchable(search);
    ensures names_found(search); */
static void note_names(struct search *search, uint32_t marker_count, uint32_t count)
{
	const uint8_t *data = search->area.data;

	search->marker_count = marker_count;
	search->found.count = count;
	search->found.names =
		kc_span(data + search->names, (size_t)(search->names_end - search->names));
	search->found.markers = kc_span(data + search->markers, (size_t)marker_count * 4);
}

/*@ requires \valid(search) && searchable(search) && marker_count > 0;
    requires search->markers + marker_count * 4 <= search->tokens;
    assigns search->steps, search->names, search->names_end, search->marker_count,
	    search->found.count, search->found.names, search->found.markers;
    ensures searchable(search);
    ensures \result ==> names_found(search); */
static bool find_names(struct search *search, uint32_t marker_count)
{
	const uint8_t *data = search->area.data;
	uint64_t last = kc_load32(data + search->markers + (uint64_t)(marker_count - 1) * 4);

	/*@ loop invariant searchable(search);
	    loop assigns size, search->steps, search->names, search->names_end,
		search->marker_count, search->found.count, search->found.names,
		search->found.markers;
	    loop variant last + BLOCK_MAX + ALIGNMENT - size; */
	for (uint64_t size = kc_align(last + 1, ALIGNMENT);
	     size <= last + BLOCK_MAX && size + ALIGNMENT <= search->markers; size += ALIGNMENT) {
		uint32_t count;

		search->names = search->markers - size;
		count = kc_load32(data + search->names - ALIGNMENT);
		if (!spend(search, 1))
			return false;
		if (count == 0 || (count - 1) / BLOCK + 1 != marker_count ||
		    !names_fit(search, count))
			continue;
		note_names(search, marker_count, count);
		return true;
	}
	return false;
}

/* How many words from here on could be markers. */
/*@ requires \valid_read(search) && searchable(search) && place + 4 <= search->tokens;
    assigns \nothing;
    ensures place + \result * 4 <= search->tokens; */
static uint32_t count_markers(const struct search *search, uint64_t place)
{
	const uint8_t *data = search->area.data;
	uint32_t count = 1;

	if (kc_load32(data + place))
		return 0;
	/*@ loop invariant 1 <= count && next == place + (uint64_t)count * 4;
	    loop invariant next <= search->tokens;
	    loop assigns next, count;
	    loop variant search->tokens - next; */
	for (uint64_t next = place + 4; next + 4 <= search->tokens; next += 4, count++) {
		uint64_t before = kc_load32(data + next - 4), marker = kc_load32(data + next);

		if (marker < before + BLOCK_MIN || marker > before + BLOCK_MAX)
			break;
	}
	return count;
}

/*
 * The markers stand before the tokens, at any distance. A table of one marker only is no kernel's.
 */
/*@ requires \valid(search) && searchable(search);
    assigns search->steps, search->markers, search->names, search->names_end,
	    search->marker_count, search->found.count, search->found.names, search->found.markers;
    ensures searchable(search);
    ensures \result ==> names_found(search); */
static bool find_markers(struct search *search)
{
	/*@ loop invariant searchable(search) && place <= search->tokens;
	    loop assigns place, search->steps, search->markers, search->names,
		search->names_end, search->marker_count, search->found.count,
		search->found.names, search->found.markers;
	    loop variant place; */
	for (uint64_t place = search->tokens / ALIGNMENT * ALIGNMENT;
	     place >= 2 * (uint64_t)ALIGNMENT;) {
		uint32_t run;

		place -= ALIGNMENT;
		run = count_markers(search, place);
		search->markers = place;
		/*@ loop invariant searchable(search) && spare <= RUN_SPARE;
		    loop assigns spare, search->steps, search->names, search->names_end,
			search->marker_count, search->found.count, search->found.names,
			search->found.markers;
		    loop variant RUN_SPARE - spare; */
		for (uint32_t spare = 0; spare < RUN_SPARE && run > spare + 1; spare++)
			if (find_names(search, run - spare))
				return true;
		if (!spend(search, (uint64_t)run + 1))
			return false;
	}
	return false;
}

/*@ requires \valid_read(kallsyms) && addresses_whole(kallsyms);
    assigns \nothing; */
static bool addresses_ascend(const struct kc_kallsyms *kallsyms)
{
	uint64_t last = 0;

	/*@ loop invariant 0 <= i <= kallsyms->count;
	    loop assigns i, last;
	    loop variant kallsyms->count - i; */
	for (uint32_t i = 0; i < kallsyms->count; i++) {
		uint64_t address = kc_kallsyms_address(kallsyms, i);

		if (address < last)
			return false;
		last = address;
	}
	return true;
}

/* Addresses at `place`, in the forms that have a base; the base at `base`. */
/*@ requires readable(area) && \valid(found);
    assigns found->addresses, found->base, found->form;
    ensures \result ==> addresses_whole(found); */
static bool try_offsets(struct kc_span area, uint64_t place, uint64_t base,
			struct kc_kallsyms *found)
{
	struct kc_span base_bytes;

	if (!kc_span_sub(area, place, (uint64_t)found->count * 4, &found->addresses) ||
	    !kc_span_sub(area, base, 8, &base_bytes))
		return false;
	/* With a base of 0 any ascending numbers would pass. */
	found->base = kc_load64(base_bytes.data);
	if (!found->base)
		return false;
	/* Offsets without a sign ascend when read with one, too; not the other way round. */
	found->form = KC_KALLSYMS_UNSIGNED;
	if (addresses_ascend(found))
		return true;
	found->form = KC_KALLSYMS_SIGNED;
	return addresses_ascend(found);
}

/*@ requires readable(area) && \valid(found) && found->count > 0;
    assigns found->addresses, found->form;
    ensures \result ==> addresses_whole(found); */
static bool try_absolute(struct kc_span area, uint64_t place, struct kc_kallsyms *found)
{
	if (!kc_span_sub(area, place, (uint64_t)found->count * 8, &found->addresses))
		return false;
	found->form = KC_KALLSYMS_ABSOLUTE;
	return addresses_ascend(found) && kc_kallsyms_address(found, found->count - 1);
}

/*@ requires \valid(search) && searchable(search) && names_found(search) && \valid(end_ret);
    requires \separated(search, end_ret);
    assigns *end_ret, search->found.addresses, search->found.base, search->found.form;
    ensures \result ==> addresses_whole(&search->found); */
/* `end_ret`: behind the token index and what follows it of the table. */
static bool find_addresses(struct search *search, uint64_t *end_ret)
{
	struct kc_kallsyms *found = &search->found;
	struct kc_span area = search->area;
	uint64_t behind = search->token_index + TOKEN_INDEX_SIZE;
	uint64_t before = search->names - ALIGNMENT;
	uint64_t offsets = ((uint64_t)found->count + 1) / 2 * 8;
	uint64_t absolute = (uint64_t)found->count * 8;

	*end_ret = behind + offsets + 8;
	if (try_offsets(area, behind, behind + offsets, found))
		return true;
	*end_ret = behind;
	if (before >= offsets + 8 && try_offsets(area, before - 8 - offsets, before - 8, found))
		return true;
	if (before >= absolute && try_absolute(area, before - absolute, found))
		return true;
	*end_ret = behind + absolute;
	return try_absolute(area, behind, found);
}

/* Whether samples of the order of names are in order: by name, those of one name by index. */
/*@ requires \valid_read(kallsyms) && whole(kallsyms) && order_whole(kallsyms);
    requires kallsyms->count <= STEPS_MAX;
    assigns \nothing; */
static bool names_ascend(const struct kc_kallsyms *kallsyms)
{
	char texts[2][KC_NAME_MAX + 1] = { { 0 }, { 0 } };
	uint32_t stride = kallsyms->count / SAMPLES + 1, last = 0;
	size_t len, last_len = 1, turn = 0;

	/*@ loop invariant 0 <= turn <= 1 && 1 <= last_len <= KC_NAME_MAX;
	    loop assigns i, turn, len, last, last_len, texts[0 .. 1][0 .. KC_NAME_MAX];
	    loop variant kallsyms->count - i; */
	for (uint32_t i = 0; i < kallsyms->count; i += stride, turn = 1 - turn) {
		uint32_t index = kc_kallsyms_expand_sorted(kallsyms, i, texts[turn], &len);
		int order;

		if (index == KC_INDEX_NONE)
			return false;
		order = kc_kallsyms_compare(texts[turn] + 1, len - 1, texts[1 - turn] + 1,
					    last_len - 1);
		if (order < 0 || (order == 0 && index <= last))
			return false;
		last = index;
		last_len = len;
	}
	return true;
}

/*@ requires \valid(search) && searchable(search) && names_found(search);
    requires tokens_whole(&search->found) && addresses_whole(&search->found);
    assigns search->found.by_name;
    ensures whole(&search->found); */
static bool try_by_name(struct search *search, uint64_t place)
{
	struct kc_kallsyms *found = &search->found;

	if (kc_span_sub(search->area, place, (uint64_t)found->count * 3, &found->by_name) &&
	    names_ascend(found))
		return true;
	found->by_name = kc_span(NULL, 0);
	return false;
}

/*@ requires \valid(search) && searchable(search);
    assigns *search;
    ensures search->steps <= STEPS_MAX && (\result ==> whole(&search->found)); */
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

/* The table whose token index is at `place`, if it is one. */
/*@ requires readable(area) && area.len <= AREA_MAX && place + TOKEN_INDEX_SIZE <= area.len;
    requires \valid(steps) && *steps <= STEPS_MAX && \valid(kallsyms_ret);
    requires \separated(steps, kallsyms_ret);
    assigns *steps, *kallsyms_ret;
    ensures *steps <= STEPS_MAX;
    ensures \result ==> whole(kallsyms_ret); */
static bool try_index(struct kc_span area, uint64_t place, uint64_t *steps,
		      struct kc_kallsyms *kallsyms_ret)
{
	struct search search = {
		.area = area, .tokens = place, .token_index = place, .steps = *steps
	};
	bool found = search_at(&search);

	*steps = search.steps;
	if (!found)
		return false;
	*kallsyms_ret = search.found;
	/*@ assert kallsyms_ret->addresses == search.found.addresses; */
	/*@ assert kallsyms_ret->count == search.found.count; */
	/*@ assert kallsyms_ret->form == search.found.form; */
	return true;
}

bool kc_kallsyms_find(struct kc_span area, struct kc_kallsyms *kallsyms_ret)
{
	uint64_t steps = 0;

	if (area.len > AREA_MAX)
		return false;
	/*@ loop invariant steps <= STEPS_MAX && place <= area.len + ALIGNMENT;
	    loop assigns place, steps, *kallsyms_ret;
	    loop variant area.len + ALIGNMENT - place; */
	for (uint64_t place = 0;
	     steps < STEPS_MAX && kc_span_contains(area, place, TOKEN_INDEX_SIZE);
	     place += ALIGNMENT)
		if (ascends(area.data + place) && try_index(area, place, &steps, kallsyms_ret))
			return true;
	return false;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every byte of every region, as the machine had them before init and as kocoon has them. What
 * differs is told member by member where a type is known, else in words of eight bytes.
 */
#include "judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct comparison {
	const struct kc_load *load;
	const struct judge_real *real;
	struct judge_report *report;
	struct judge_places places;
	struct judge_objects objects;
	enum kocoon_region_kind region;
	const uint8_t *theirs, *ours;
	uint64_t address;
};

static void write_bytes(char text[160], const uint8_t *bytes, uint64_t size)
{
	size_t len = 0;

	*text = 0;
	for (uint64_t i = 0; i < size && i < 32; i++)
		len += (size_t)snprintf(text + len, 160 - len, "%s%02x", i ? " " : "", bytes[i]);
}

static enum judge_value value_of(const struct kc_load *load, const uint8_t *bytes, uint64_t size)
{
	uint64_t word;

	for (uint64_t i = 0; i < size && !bytes[i]; i++)
		if (i + 1 == size)
			return JUDGE_VALUE_ZERO;
	if (size != sizeof(word))
		return JUDGE_VALUE_OTHER;
	word = kc_load64(bytes);
	if (kc_memory_at(&load->memory, word, 1, NULL))
		return JUDGE_VALUE_INSIDE;
	/* With five levels of page tables the kernel's half starts there. */
	return word >> 56 == 0xff ? JUDGE_VALUE_KERNEL : JUDGE_VALUE_OTHER;
}

/* What holds the byte at an offset of the region: never more than the place. */
static void find_unit(const struct comparison *comparison, const struct judge_place *place,
		      uint64_t at, struct judge_difference *difference, uint64_t *start_ret,
		      uint64_t *end_ret)
{
	static const char *const members[] = { "st_name", "st_value", "st_size" };
	uint64_t address = comparison->address + at, end = place->start + place->size;
	struct judge_object member;

	if (judge_member_at(comparison->load, &comparison->objects, address, &member,
			    difference->place)) {
		*start_ret = member.start - comparison->address;
		*end_ret = *start_ret + member.size;
	} else if (!strcmp(place->name, ".symtab") || !strcmp(place->name, "core symbols")) {
		*start_ret = at - (at - place->start) % sizeof(uint64_t);
		*end_ret = *start_ret + sizeof(uint64_t);
		snprintf(difference->place, sizeof(difference->place), "%s.%s", place->name,
			 members[(at - place->start) % sizeof(Elf64_Sym) / sizeof(uint64_t)]);
	} else {
		*start_ret = at & ~UINT64_C(7);
		*end_ret = *start_ret + sizeof(uint64_t);
		snprintf(difference->place, sizeof(difference->place), "%s", place->name);
	}
	if (*start_ret < place->start)
		*start_ret = place->start;
	if (*end_ret > end)
		*end_ret = end;
}

static void tell_difference(const struct comparison *comparison, const struct judge_place *place,
			    struct judge_difference *difference, uint64_t start, uint64_t end)
{
	char symbol[128];

	difference->value = value_of(comparison->load, comparison->theirs + start, end - start);
	for (uint64_t i = start; i < end; i++)
		difference->units += comparison->theirs[i] != comparison->ours[i];
	judge_symbol_at(comparison->load, comparison->address + start, symbol);
	snprintf(difference->detail, sizeof(difference->detail),
		 "%s+%#" PRIx64 " (%s) at %#" PRIx64, place->name, start - place->start, symbol,
		 comparison->address + start);
	write_bytes(difference->kernel, comparison->theirs + start, end - start);
	write_bytes(difference->kocoon, comparison->ours + start, end - start);
	judge_report_differs(comparison->report, difference);
	judge_report_equal(comparison->report, place->category, end - start - difference->units);
}

static void compare_place(const struct comparison *comparison, const struct judge_place *place)
{
	const uint8_t *theirs = comparison->theirs, *ours = comparison->ours;
	uint64_t at = place->start, end = place->start + place->size;

	while (at < end) {
		struct judge_difference difference = { .category = place->category };
		uint64_t same = at, start, stop;

		if (!memcmp(theirs + at, ours + at, end - at)) {
			judge_report_equal(comparison->report, place->category, end - at);
			return;
		}
		while (theirs[same] == ours[same])
			same++;
		find_unit(comparison, place, same, &difference, &start, &stop);
		/* The unit before may have reached to here. */
		start = start < at ? at : start;
		judge_report_equal(comparison->report, place->category, start - at);
		tell_difference(comparison, place, &difference, start, stop);
		at = stop;
	}
}

static void compare_region(struct comparison *comparison, uint64_t size, size_t *next)
{
	uint64_t at = 0;

	for (; *next < comparison->places.count &&
	       comparison->places.list[*next].region == comparison->region;
	     ++*next) {
		struct judge_place place = comparison->places.list[*next];
		const struct judge_place gap = {
			"padding", JUDGE_PADDING,
			0,	   comparison->region,
			at,	   place.start > at ? place.start - at : 0
		};

		compare_place(comparison, &gap);
		/* One in another (an empty section behind an odd end) is compared once. */
		if (place.start < at) {
			uint64_t twice = at - place.start;

			place.start = at;
			place.size = place.size > twice ? place.size - twice : 0;
		}
		compare_place(comparison, &place);
		at = place.start + place.size;
	}
	if (at < size) {
		const struct judge_place rest = { "padding", JUDGE_PADDING, 0, comparison->region,
						  at,	     size - at };

		compare_place(comparison, &rest);
	}
}

int judge_memory(const struct kc_load *load, const struct judge_real *real,
		 struct judge_report *report)
{
	struct comparison comparison = { .load = load, .real = real, .report = report };
	int err = judge_places_make(load, &comparison.places);
	size_t next = 0;

	if (!err)
		err = judge_objects_make(load, &comparison.objects);
	for (int i = 0; i < KOCOON_REGION_COUNT && !err; i++) {
		const struct kc_region *region = &load->memory.regions[i];

		comparison.region = (enum kocoon_region_kind)i;
		while (next < comparison.places.count &&
		       comparison.places.list[next].region < comparison.region)
			next++;
		/* Sizes that differ have been reported. */
		if (!region->size || real->regions[i].len != region->size)
			continue;
		comparison.theirs = real->regions[i].data;
		comparison.ours = region->bytes;
		comparison.address = region->address;
		compare_region(&comparison, region->size, &next);
	}
	free(comparison.places.list);
	free(comparison.objects.list);
	return err;
}

/* ---- code by the image alone */

/* Whether a byte of code is of a site of a key that isn't the module's. */
static void mark_sites(const struct kc_load *load, const char *name, uint64_t size, uint64_t key,
		       uint8_t *const marks[KOCOON_REGION_COUNT])
{
	enum { SITE_SIZE = 5 };
	uint32_t index = kc_find_sec(load, name);
	const uint8_t *table = index ? kc_section_memory(load, index) : NULL;
	uint64_t address = kc_section_address(load, index);

	for (uint64_t at = 0; table && at + size <= load->sections[index].shdr.sh_size;
	     at += size) {
		uint64_t site = address + at + (uint64_t)(int32_t)kc_load32(table + at);
		uint64_t named = size - key == 8 ? kc_load64(table + at + key)
						 : (uint64_t)(int32_t)kc_load32(table + at + key);

		if (kc_memory_at(&load->memory, (address + at + key + named) & ~UINT64_C(3), 1,
				 NULL))
			continue;
		for (int i = 0; i < KOCOON_REGION_COUNT; i++) {
			const struct kc_region *region = &load->memory.regions[i];

			for (uint64_t b = 0; b < SITE_SIZE && marks[i]; b++)
				if (site + b - region->address < region->size)
					marks[i][site + b - region->address] = 1;
		}
	}
}

static void compare_code(const struct kc_load *load, const struct judge_real *real, int kind,
			 const uint8_t *marks, struct judge_report *report)
{
	const struct kc_region *region = &load->memory.regions[kind];
	uint64_t equal = 0;

	for (uint64_t at = 0; at < region->size; at++) {
		struct judge_difference difference = { .category = JUDGE_KEYS, .units = 1 };
		uint64_t start = at & ~UINT64_C(7);

		if (marks[at] || real->regions[kind].data[at] == region->bytes[at]) {
			equal += !marks[at];
			continue;
		}
		snprintf(difference.place, sizeof(difference.place), "%s",
			 kocoon_region_name((enum kocoon_region_kind)kind));
		judge_symbol_at(load, region->address + at, difference.detail);
		write_bytes(difference.kernel, real->regions[kind].data + start, 8);
		write_bytes(difference.kocoon, region->bytes + start, 8);
		judge_report_differs(report, &difference);
	}
	judge_report_equal(report, JUDGE_KEYS, equal);
}

int judge_keys(const struct kc_load *load, const struct judge_real *real,
	       struct judge_report *report)
{
	uint8_t *marks[KOCOON_REGION_COUNT] = { NULL };
	static const enum kocoon_region_kind code[] = { KOCOON_REGION_TEXT,
							KOCOON_REGION_INIT_TEXT };
	int err = 0;

	for (size_t i = 0; i < KC_ARRAY_SIZE(code); i++) {
		marks[code[i]] = calloc(1, load->memory.regions[code[i]].size + 1);
		if (!marks[code[i]])
			err = -1;
	}
	if (!err) {
		mark_sites(load, "__jump_table", 16, 8, marks);
		mark_sites(load, ".static_call_sites", 8, 4, marks);
	}
	for (size_t i = 0; i < KC_ARRAY_SIZE(code) && !err; i++)
		if (real->regions[code[i]].len == load->memory.regions[code[i]].size)
			compare_code(load, real, code[i], marks[code[i]], report);
	for (size_t i = 0; i < KC_ARRAY_SIZE(code); i++)
		free(marks[code[i]]);
	return err;
}

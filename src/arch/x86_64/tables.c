/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sorting in place: the exception table (sort_extable()) and the ORC unwinder's two tables
 * (unwind_module_init()), all by the address of an instruction.
 */
#include "arch/x86_64/tables.h"

#include <errno.h>

/* Then there is one order only. */
static bool strictly_sorted(const struct kc_sorting *sorting, uint64_t count)
{
	for (uint64_t i = 1; i < count; i++)
		if (sorting->compare(sorting->table, i - 1, i) >= 0)
			return false;
	return true;
}

/*
 * Puts entry `top` of a heap of `count` where it belongs: from it down to a leaf along the larger
 * children, back up to the first that isn't smaller, and there by swaps from above.
 */
static void sift_down(const struct kc_sorting *sorting, uint64_t top, uint64_t count)
{
	uint64_t at = top, left = 2 * top + 1, place;

	for (; left + 1 < count; left = 2 * at + 1) {
		int order = sorting->compare(sorting->table, left, left + 1);

		at = order > 0 || (!order && !sorting->pairs) ? left : left + 1;
	}
	if (left + 1 == count)
		at = left;
	while (at != top && sorting->compare(sorting->table, top, at) >= 0)
		at = (at - 1) / 2;
	place = at;
	while (at != top) {
		at = (at - 1) / 2;
		sorting->swap(sorting->table, at, place);
	}
}

static void take_one_by_one(const struct kc_sorting *sorting, uint64_t count)
{
	while (--count > 0) {
		sorting->swap(sorting->table, 0, count);
		sift_down(sorting, 0, count);
	}
}

/* The largest and, of its two children, the larger one at once. */
static void take_pairs(const struct kc_sorting *sorting, uint64_t count)
{
	while (count > 3) {
		uint64_t second;

		sorting->swap(sorting->table, 0, --count);
		second = sorting->compare(sorting->table, 1, 2) <= 0 ? 2 : 1;
		sorting->swap(sorting->table, second, --count);
		sift_down(sorting, second, count);
		sift_down(sorting, 0, count);
	}
	sorting->swap(sorting->table, 0, --count);
	if (count == 2 && sorting->compare(sorting->table, 0, 1) > 0)
		sorting->swap(sorting->table, 0, 1);
}

void kc_sort_table(const struct kc_sorting *sorting, uint64_t count)
{
	if (strictly_sorted(sorting, count))
		return;
	for (uint64_t i = count / 2; i-- > 0;)
		sift_down(sorting, i, count);
	if (sorting->pairs)
		take_pairs(sorting, count);
	else
		take_one_by_one(sorting, count);
}

void kc_swap_bytes(uint8_t *a, uint8_t *b, uint64_t len)
{
	while (len-- > 0) {
		uint8_t byte = a[len];

		a[len] = b[len];
		b[len] = byte;
	}
}

void kc_swap_relative32(const struct kc_place *place, uint64_t a, uint64_t b)
{
	uint32_t distance = (uint32_t)(b - a);
	uint32_t of_a = kc_load32(place->bytes + a), of_b = kc_load32(place->bytes + b);

	kc_store32(place->bytes + a, of_b + distance);
	kc_store32(place->bytes + b, of_a - distance);
}

void kc_swap_relative64(const struct kc_place *place, uint64_t a, uint64_t b)
{
	uint64_t of_a = kc_load64(place->bytes + a), of_b = kc_load64(place->bytes + b);

	kc_store64(place->bytes + a, of_b + (b - a));
	kc_store64(place->bytes + b, of_a - (b - a));
}

static int compare_addresses(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* ---- struct exception_table_entry: the instruction, its fixup, a type ---- */

enum { EXTABLE_SIZE = 12, EXTABLE_FIXUP = 4, EXTABLE_TYPE = 8 };

static int compare_exceptions(const void *table, uint64_t a, uint64_t b)
{
	return compare_addresses(kc_relative32(table, a * EXTABLE_SIZE),
				 kc_relative32(table, b * EXTABLE_SIZE));
}

static void swap_exceptions(const void *table, uint64_t a, uint64_t b)
{
	const struct kc_place *place = table;

	a *= EXTABLE_SIZE;
	b *= EXTABLE_SIZE;
	kc_swap_relative32(place, a, b);
	kc_swap_relative32(place, a + EXTABLE_FIXUP, b + EXTABLE_FIXUP);
	kc_swap_bytes(place->bytes + a + EXTABLE_TYPE, place->bytes + b + EXTABLE_TYPE,
		      EXTABLE_SIZE - EXTABLE_TYPE);
}

void kc_sort_extable(const struct kc_finalize *finalize)
{
	struct kc_place table;
	const struct kc_sorting sorting = { &table, compare_exceptions, swap_exceptions,
					    kc_sorts_pairs(finalize) };

	if (finalize->section(finalize->context, "__ex_table", &table))
		kc_sort_table(&sorting, table.size / EXTABLE_SIZE);
}

/* ---- ORC: addresses in one table, what to do there in another ---- */

enum { ORC_ENTRY_SIZE = 6, ORC_IP_SIZE = 4 };

struct orc {
	struct kc_place ips, entries;
	bool typed; /* a type of its own tells "undefined", not the stack register */
};

/* Marks the end of what is described: between functions, for example. */
static bool is_terminator(const struct orc *orc, uint64_t index)
{
	const uint8_t *entry = orc->entries.bytes + index * ORC_ENTRY_SIZE;

	if (orc->typed)
		return !(entry[5] & 7);
	return !(entry[4] & 15) && !(entry[5] & 8);
}

/* Of two at one address, the terminator is first. */
static int compare_orc(const void *table, uint64_t a, uint64_t b)
{
	const struct orc *orc = table;
	int order = compare_addresses(kc_relative32(&orc->ips, a * ORC_IP_SIZE),
				      kc_relative32(&orc->ips, b * ORC_IP_SIZE));

	return order ? order : is_terminator(orc, b) - is_terminator(orc, a);
}

static void swap_orc(const void *table, uint64_t a, uint64_t b)
{
	const struct orc *orc = table;

	kc_swap_relative32(&orc->ips, a * ORC_IP_SIZE, b * ORC_IP_SIZE);
	kc_swap_bytes(orc->entries.bytes + a * ORC_ENTRY_SIZE,
		      orc->entries.bytes + b * ORC_ENTRY_SIZE, ORC_ENTRY_SIZE);
}

void kc_unwind_module_init(const struct kc_finalize *finalize)
{
	struct orc orc;
	const struct kc_sorting sorting = { &orc, compare_orc, swap_orc, kc_sorts_pairs(finalize) };
	struct kc_place header;
	uint64_t count;

	if (!finalize->section(finalize->context, ".orc_unwind_ip", &orc.ips) ||
	    !finalize->section(finalize->context, ".orc_unwind", &orc.entries))
		return;
	orc.typed = finalize->section(finalize->context, ".orc_header", &header);
	count = orc.ips.size / ORC_IP_SIZE;
	if (orc.ips.size % ORC_IP_SIZE || orc.entries.size % ORC_ENTRY_SIZE ||
	    orc.entries.size / ORC_ENTRY_SIZE != count) {
		/* The kernel warns, and doesn't unwind through such a module. */
		kc_finding(finalize->report, KOCOON_STAGE_FINALIZE, 0,
			   ".orc_unwind and .orc_unwind_ip don't belong together: not sorted");
		return;
	}
	kc_sort_table(&sorting, count);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a module's regions and its per-CPU data are in the machine and here. Addresses are
 * compared by these: the same offset in the same region.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "texts.h"

int texts_places_init(struct texts_places *places, size_t expected)
{
	*places =
		(struct texts_places){ .modules = calloc(expected + 1, sizeof(*places->modules)) };
	return places->modules ? kc_index_init(&places->by_name, expected + 1) : -ENOMEM;
}

void texts_places_deinit(struct texts_places *places)
{
	free(places->modules);
	kc_index_deinit(&places->by_name);
}

/*
 * What the kernel has as one region, or, before it had seven of them, as one of two: those from
 * `type` on that were allocated with it.
 */
static struct texts_span find_ours(const struct texts_subject *subject, uint64_t type, bool two)
{
	uint64_t first = UINT64_MAX, end = 0, count = !two ? 1 : type ? 3 : 4;

	for (uint64_t i = type; i < type + count && i < KOCOON_REGION_COUNT; i++) {
		if (!subject->sizes[i])
			continue;
		if (subject->addresses[i] < first)
			first = subject->addresses[i];
		if (subject->addresses[i] + subject->sizes[i] > end)
			end = subject->addresses[i] + subject->sizes[i];
	}
	return end ? (struct texts_span){ .ours = first, .size = end - first }
		   : (struct texts_span){ 0 };
}

static bool has_two_layouts(const struct texts_subject *subject)
{
	/* Read-only data and text of one allocation: nothing lies between them. */
	return kocoon_kernel_struct_size(subject->kernel, "module_memory") == 0;
}

static void compare_size(struct texts_report *report, const char *module, const char *what,
			 uint64_t theirs, uint64_t ours)
{
	char place[2 * TEXTS_NAME], of_kernel[32], of_kocoon[32];

	snprintf(place, sizeof(place), "%s/%s", module, what);
	snprintf(of_kernel, sizeof(of_kernel), "%" PRIu64, theirs);
	snprintf(of_kocoon, sizeof(of_kocoon), "%" PRIu64, ours);
	texts_compare(report, TEXTS_REGIONS, place, of_kernel, of_kocoon);
}

static void add_region(struct texts_module *module, const struct kc_record *record,
		       const struct texts_subject *subject, bool *seen, struct texts_report *report)
{
	struct kc_span bytes;
	struct record_region region = kc_record_region(record, &bytes);
	struct texts_span span = { 0 };

	if (region.type >= KOCOON_REGION_COUNT)
		return;
	span = find_ours(subject, region.type, has_two_layouts(subject));
	compare_size(report, module->name, kocoon_region_name((enum kocoon_region_kind)region.type),
		     kc_align(region.size, 4096), kc_align(span.size, 4096));
	seen[region.type] = true;
	span.theirs = region.address;
	if (span.ours && module->span_count < KC_ARRAY_SIZE(module->spans))
		module->spans[module->span_count++] = span;
}

static void add_percpu(struct texts_module *module, const struct kc_record *record,
		       const struct texts_subject *subject, struct texts_report *report)
{
	const struct record_module theirs = kc_record_module(record);

	compare_size(report, module->name, "percpu", theirs.percpu != 0, subject->percpu_size != 0);
	if (theirs.percpu && subject->percpu_size)
		module->spans[module->span_count++] =
			(struct texts_span){ theirs.percpu, subject->percpu, subject->percpu_size };
}

int texts_places_add(struct texts_places *places, struct kc_record_group group,
		     const struct texts_subject *subject, struct texts_report *report)
{
	struct texts_module *module = &places->modules[places->count];
	const struct kc_record *record = kc_records_first(group, RECORD_MODULE);
	bool seen[KOCOON_REGION_COUNT] = { false };
	size_t at = 0;

	snprintf(module->name, sizeof(module->name), "%s", subject->newest);
	if (record)
		add_percpu(module, record, subject, report);
	while ((record = kc_records_next(group, RECORD_REGION, &at)))
		add_region(module, record, subject, seen, report);
	if (!has_two_layouts(subject))
		for (size_t i = 0; i < KOCOON_REGION_COUNT; i++)
			if (subject->sizes[i] && !seen[i])
				compare_size(report, module->name,
					     kocoon_region_name((enum kocoon_region_kind)i), 0,
					     subject->sizes[i]);
	return kc_index_add(&places->by_name, kc_hash(module->name), (uint32_t)places->count++);
}

const struct texts_module *texts_places_find(struct texts_places *places, const char *name)
{
	uint32_t hash, cursor = 0, found;

	if (places->last < places->count && !strcmp(places->modules[places->last].name, name))
		return &places->modules[places->last];
	hash = kc_hash(name);
	while ((found = kc_index_next(&places->by_name, hash, &cursor)) != KC_INDEX_NONE) {
		if (strcmp(places->modules[found].name, name) != 0)
			continue;
		places->last = found;
		return &places->modules[found];
	}
	return NULL;
}

static bool is_in(const struct texts_span *span, uint64_t theirs, uint64_t size)
{
	return theirs >= span->theirs && theirs - span->theirs < size;
}

uint64_t texts_expected(const struct texts_module *module, uint64_t theirs)
{
	/* A symbol may also stand right behind what it belongs to. */
	for (uint64_t more = 0; more <= 1; more++) {
		for (size_t i = 0; i < module->span_count; i++) {
			const struct texts_span *span = &module->spans[i];

			if (is_in(span, theirs, span->size + more))
				return span->ours + (theirs - span->theirs);
		}
	}
	return theirs;
}

char *texts_translate(const struct texts_module *module, const char *theirs)
{
	enum { DIGITS = 16 };
	char *text = strdup(theirs), digits[DIGITS + 1];

	for (char *at = text; at && (at = strstr(at, "0x")); at++) {
		char *end;
		uint64_t address = strtoull(at, &end, 16);

		if (end != at + 2 + DIGITS)
			continue;
		snprintf(digits, sizeof(digits), "%016" PRIx64, texts_expected(module, address));
		memcpy(at + 2, digits, DIGITS);
	}
	return text;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Free runs of pages: see page_runs.h. Segregated lists with boundary tags: each free run is in the
 * list of its length's power of two, and its first and last page say how long it is, so that a run
 * that is given back finds its free neighbours at once.
 */
#include "memory/page_runs.h"

#include <stdlib.h>

enum {
	CLASSES = 32,
	/* Runs of the fitting class are looked through, at most so many of them. */
	TRIES = 8,
};

/* What is known at the first and at the last page of a free run. Zero elsewhere. */
struct page {
	uint32_t length;
	uint32_t next, previous; /* of the first page: in its list, KC_NO_PAGE at the ends */
};

struct kc_page_runs {
	uint32_t count, used;
	uint32_t classes; /* bit n: list n is not empty */
	uint32_t first[CLASSES];
	struct page pages[];
};

static unsigned int class_of(uint32_t length)
{
	return 31u - (unsigned int)__builtin_clz(length);
}

static void list_run(struct kc_page_runs *runs, uint32_t first, uint32_t length)
{
	unsigned int class = class_of(length);
	struct page *page = &runs->pages[first];

	*page = (struct page){ length, runs->first[class], KC_NO_PAGE };
	if (page->next != KC_NO_PAGE)
		runs->pages[page->next].previous = first;
	runs->first[class] = first;
	runs->classes |= 1u << class;
	runs->pages[first + length - 1].length = length;
}

static void unlist_run(struct kc_page_runs *runs, uint32_t first)
{
	struct page *page = &runs->pages[first];
	uint32_t length = page->length;
	unsigned int class = class_of(length);

	if (page->next != KC_NO_PAGE)
		runs->pages[page->next].previous = page->previous;
	if (page->previous != KC_NO_PAGE)
		runs->pages[page->previous].next = page->next;
	else
		runs->first[class] = page->next;
	if (runs->first[class] == KC_NO_PAGE)
		runs->classes &= ~(1u << class);
	page->length = 0;
	runs->pages[first + length - 1].length = 0;
}

struct kc_page_runs *kc_page_runs_new(uint32_t pages)
{
	/* A page in front and one behind, never free, so that every run has neighbours. */
	struct kc_page_runs *runs =
		calloc(1, sizeof(*runs) + ((size_t)pages + 2) * sizeof(runs->pages[0]));

	if (!runs)
		return NULL;
	runs->count = pages;
	for (int i = 0; i < CLASSES; i++)
		runs->first[i] = KC_NO_PAGE;
	if (pages)
		list_run(runs, 1, pages);
	return runs;
}

void kc_page_runs_free(struct kc_page_runs *runs)
{
	free(runs);
}

/* A run of at least `count` pages: one of a few of its own class, else any of a larger one. */
static uint32_t find(const struct kc_page_runs *runs, uint32_t count)
{
	unsigned int class = class_of(count);
	uint32_t at = runs->first[class];
	uint32_t larger;

	for (int i = 0; i < TRIES && at != KC_NO_PAGE; i++, at = runs->pages[at].next)
		if (runs->pages[at].length >= count)
			return at;
	larger = class + 1 < CLASSES ? runs->classes & ~0u << (class + 1) : 0;
	if (larger)
		return runs->first[__builtin_ctz(larger)];
	/* None is larger: the rest of the list is the last hope. */
	for (; at != KC_NO_PAGE; at = runs->pages[at].next)
		if (runs->pages[at].length >= count)
			return at;
	return KC_NO_PAGE;
}

uint32_t kc_page_runs_take(struct kc_page_runs *runs, uint32_t count)
{
	uint32_t first = count && count <= runs->count ? find(runs, count) : KC_NO_PAGE;
	uint32_t length;

	if (first == KC_NO_PAGE)
		return KC_NO_PAGE;
	length = runs->pages[first].length;
	unlist_run(runs, first);
	runs->used += count;
	if (length > count)
		list_run(runs, first + count, length - count);
	return first - 1;
}

void kc_page_runs_give(struct kc_page_runs *runs, uint32_t first, uint32_t count)
{
	uint32_t before, after;

	runs->used -= count;
	first++;
	before = runs->pages[first - 1].length;
	if (before) {
		first -= before;
		count += before;
		unlist_run(runs, first);
	}
	after = runs->pages[first + count].length;
	if (after) {
		unlist_run(runs, first + count);
		count += after;
	}
	list_run(runs, first, count);
}

uint32_t kc_page_runs_used(const struct kc_page_runs *runs)
{
	return runs->used;
}

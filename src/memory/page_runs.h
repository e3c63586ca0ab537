/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which runs of pages of a live space are free: numbers only, no memory is touched here. Free runs
 * are listed by powers of two of their length, so that taking and giving back cost the same however
 * many runs there are. One thread at a time.
 */
#ifndef KC_MEMORY_PAGE_RUNS_H
#define KC_MEMORY_PAGE_RUNS_H

#include <stdint.h>

#include "base/span.h"

struct kc_page_runs;

#define KC_NO_PAGE UINT32_MAX

/* NULL: no memory. */
struct kc_page_runs *kc_page_runs_new(uint32_t pages);
void kc_page_runs_free(struct kc_page_runs *runs);
/* The first page of a run, or KC_NO_PAGE. */
uint32_t kc_page_runs_take(struct kc_page_runs *runs, uint32_t count);
void kc_page_runs_give(struct kc_page_runs *runs, uint32_t first, uint32_t count);
/* Pages that are given out. */
uint32_t kc_page_runs_used(const struct kc_page_runs *runs);

#endif

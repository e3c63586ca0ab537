/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables that are sorted where they are, with offsets in them that count from themselves. */
#ifndef KC_ARCH_X86_64_TABLES_H
#define KC_ARCH_X86_64_TABLES_H

#include "arch/arch.h"

struct kc_sorting {
	const void *table;
	/* Negative, 0 or positive, as entry a belongs before or behind entry b. */
	int (*compare)(const void *table, uint64_t a, uint64_t b);
	void (*swap)(const void *table, uint64_t a, uint64_t b);
	bool pairs; /* newer kernels': the two largest are taken from the heap at once */
};

/*
 * In place, without memory: the kernel's sort(), a heap sort, step by step, since the order of
 * entries that compare as equal is that of its steps.
 */
void kc_sort_table(const struct kc_sorting *sorting, uint64_t count);

/* The address that a self-relative offset at `offset` of a place stands for. */
static inline uint64_t kc_relative32(const struct kc_place *place, uint64_t offset)
{
	return place->address + offset + (uint64_t)(int32_t)kc_load32(place->bytes + offset);
}

static inline uint64_t kc_relative64(const struct kc_place *place, uint64_t offset)
{
	return place->address + offset + kc_load64(place->bytes + offset);
}

/* Swaps `len` bytes; and two offsets of 32 bits so that both go on to stand for the same. */
void kc_swap_bytes(uint8_t *a, uint8_t *b, uint64_t len);
void kc_swap_relative32(const struct kc_place *place, uint64_t a, uint64_t b);
void kc_swap_relative64(const struct kc_place *place, uint64_t a, uint64_t b);

/* Whether this kernel's sort() has `pairs`. */
bool kc_sorts_pairs(const struct kc_finalize *finalize); /* finalize.c */

void kc_sort_extable(const struct kc_finalize *finalize);
void kc_unwind_module_init(const struct kc_finalize *finalize);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Accessors that are wrong on purpose: that the set-up refuses them shows that its proofs can fail.
 *
 * refuse: wp entry_off_by_one sum_that_wraps
 * refuse: eva prove_short_copy
 */
#include "elf/elf.h"

/* One entry too many is let through. */
/*@ requires readable(table) && \valid_read(table.data + (0 .. table.len - 1));
    assigns \nothing; */
int entry_off_by_one(struct kc_span table, uint64_t index)
{
	return index <= table.len ? table.data[index] : -1;
}

/* The check that the sum of offset and length fits, made after the sum wrapped. */
/*@ requires readable(span);
    assigns \nothing;
    ensures \result <==> offset + len <= span.len; */
bool sum_that_wraps(struct kc_span span, uint64_t offset, uint64_t len)
{
	return offset + len <= span.len;
}

#ifndef KC_PROVE_WP
#include "any.h"

/* A header is copied from fewer bytes than it has. */
void prove_short_copy(void)
{
	struct kc_span file = any_span(sizeof(Elf64_Ehdr) - 1);
	Elf64_Ehdr ehdr;

	memcpy(&ehdr, file.data, sizeof(ehdr));
}
#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/span.h: spans of any length, by WP; loads, stores and rounding, by Eva, since WP's memory
 * model can't see the bytes of a number.
 *
 * Assumed: a span's bytes are one object. kc_align() wraps, as its comment says.
 *
 * prove: wp kc_span kc_span_contains kc_span_sub kc_span_string
 * prove: eva prove_load16 prove_load32 prove_load64 prove_store32 prove_store64 prove_align
 */
#include "base/span.h"

#ifndef KC_PROVE_WP
#include "any.h"

void prove_load16(void)
{
	uint8_t bytes[2];

	ANY(bytes);
	(void)!kc_load16(bytes);
}

void prove_load32(void)
{
	uint8_t bytes[4];

	ANY(bytes);
	(void)!kc_load32(bytes);
}

void prove_load64(void)
{
	uint8_t bytes[8];

	ANY(bytes);
	(void)!kc_load64(bytes);
}

void prove_store32(void)
{
	uint8_t bytes[4];

	kc_store32(bytes, (uint32_t)any_number());
}

void prove_store64(void)
{
	uint8_t bytes[8];

	kc_store64(bytes, any_number());
}

void prove_align(void)
{
	(void)!kc_align(any_number(), any_number());
}
#endif

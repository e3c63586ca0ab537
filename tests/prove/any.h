/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For harnesses that Eva runs: values of which nothing is known.
 *
 * Each function prove_*() of a harness is a program of its own for Eva, which follows all of its
 * executions at once. An array has its exact size, so an access behind it is an alarm.
 */
#ifndef KC_PROVE_ANY_H
#define KC_PROVE_ANY_H

#include <__fc_builtin.h>

#include "base/span.h"

#define ANY(thing) Frama_C_make_unknown((char *)&(thing), sizeof(thing))

/* Eva unrolls loops up to this bound: a harness tries every length up to it. */
enum { SPAN_MAX = 256 };

/* Any bytes, so many of them; they end where their object ends. */
static inline struct kc_span any_span(size_t len)
{
	static uint8_t bytes[SPAN_MAX];

	ANY(bytes);
	return kc_span(bytes + SPAN_MAX - len, len);
}

static inline uint64_t any_number(void)
{
	uint64_t number;

	ANY(number);
	return number;
}

#endif

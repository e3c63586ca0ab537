/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * module/ber.c: messages of any length, any bytes, any order of calls in which a container is
 * closed that was entered.
 *
 * Assumed: that pkcs7_parse.c and x509.c close what they entered, innermost first. Not proved, and
 * relied on by kc_ber_match(): what indefinite_length() promises; WP gets stuck on its copy of a
 * struct kc_ber. The same keeps kc_ber_match_oid() out.
 *
 * prove: wp kc_ber_open skip_long_tag element_length tag_matches
 * prove: wp-wraps long_length
 * prove: wp kc_ber_match kc_ber_close
 * prove: eva prove_oid_find
 */
#include "module/ber.c"

#ifndef KC_PROVE_WP
#include "any.h"

/* Of up to SPAN_MAX bytes; no identifier that is known has more than ten. */
void prove_oid_find(void)
{
	for (size_t len = 0; len <= SPAN_MAX; len++)
		(void)kc_oid_find(any_span(len));
}
#endif

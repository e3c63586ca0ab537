/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What WP believes of the functions of <string.h> that proved code calls: no more than C11 says of
 * them. An object has fewer than PTRDIFF_MAX bytes. No call has a NULL with a length that isn't 0.
 *
 * Assumed by all proofs of WP: x86-64, little-endian, and the memory model Typed+Cast. In it,
 * objects of different types don't overlap (strict aliasing), and a char isn't read where a uint8_t
 * was written, but by memcpy(), whose contract therefore writes both; casts are between types of
 * one byte, or `run` refuses the proof. Reads of what was never written are the compilers' and the
 * sanitizers' to find.
 */
#ifndef KC_PROVE_STRING_H
#define KC_PROVE_STRING_H

#include <stddef.h>
#include <stdint.h>

/*@ predicate valid_read_string(char *s) =
	\exists integer n; 0 <= n < PTRDIFF_MAX && s[n] == 0 && \valid_read(s + (0 .. n)); */

/*@ requires \valid_read((const uint8_t *)s + (0 .. n - 1));
    assigns \result \from s, indirect: ((const uint8_t *)s)[0 .. n - 1], indirect: c, indirect: n;
    ensures \result == \null ||
            (\exists integer i; 0 <= i < n && (const uint8_t *)\result == (const uint8_t *)s + i &&
             ((const uint8_t *)s)[i] == (uint8_t)c); */
extern void *memchr(const void *s, int c, size_t n);

/*@ requires \valid_read((const uint8_t *)a + (0 .. n - 1));
    requires \valid_read((const uint8_t *)b + (0 .. n - 1));
    assigns \result \from indirect: ((const uint8_t *)a)[0 .. n - 1],
                          indirect: ((const uint8_t *)b)[0 .. n - 1]; */
extern int memcmp(const void *a, const void *b, size_t n);

/*@ requires \valid((uint8_t *)to + (0 .. n - 1));
    requires \valid_read((const uint8_t *)from + (0 .. n - 1));
    requires \separated((uint8_t *)to + (0 .. n - 1), (const uint8_t *)from + (0 .. n - 1));
    assigns ((uint8_t *)to)[0 .. n - 1], ((char *)to)[0 .. n - 1];
    assigns \result \from to;
    ensures \result == to; */
extern void *memcpy(void *to, const void *from, size_t n);

/*@ requires valid_read_string(s);
    assigns \result \from indirect: s[0 ..];
    ensures \result < PTRDIFF_MAX && \valid_read(s + (0 .. \result)); */
extern size_t strlen(const char *s);

#endif

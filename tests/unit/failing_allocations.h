/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Allocations that fail when told to: for programs whose calls of malloc() and its like the linker
 * leads here (--wrap). Those of the libraries go their usual way.
 */
#ifndef KC_TESTS_FAILING_ALLOCATIONS_H
#define KC_TESTS_FAILING_ALLOCATIONS_H

#include <stdbool.h>

/* From here on: so many succeed, then one fails, or all do. */
void start_failing(long allowed, bool all);
/* None fails any more. Whether one has. */
bool stop_failing(void);

#endif

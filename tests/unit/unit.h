/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every unit test includes first: cmocka, and what cmocka's header needs before it. */
#ifndef KC_TESTS_UNIT_H
#define KC_TESTS_UNIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif

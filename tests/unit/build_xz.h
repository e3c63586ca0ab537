/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xz files with one thing about them each, and what the real kernel says to them. */
#ifndef KC_TESTS_BUILD_XZ_H
#define KC_TESTS_BUILD_XZ_H

#include "base/buffer.h"

enum { PAGE = 4096 };

enum xz_expected {
	FAILS, /* -EINVAL */
	MODULE, /* the module's bytes */
	PREFIX, /* the first 1,000 of them */
	NOTHING, /* no bytes */
	PADDED, /* the module's bytes and zeros up to a page */
};

struct xz_case {
	const char *name;
	struct kc_buffer (*make)(struct kc_span m);
	enum xz_expected expected; /* FAILS: the real kernel said EINVAL; MODULE, PADDED: 0; else
				   ENOEXEC */
	const char *what; /* text in the finding */
};

extern const struct xz_case xz_cases[];
extern const size_t xz_case_count;

/* The case of this name. */
struct kc_buffer build_xz(const char *name, struct kc_span module);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reports in a kernel's log: oopses, warnings, lock-ups, hung tasks, panics. The kernel writes them
 * as text; this reads them line by line into struct kocoon_oops. Any bytes may come.
 *
 * Bounded: KC_OOPS_MAX reports, and bounds on what is in each; more is left out. Memory that runs
 * out leaves things out as well. One thread at a time.
 */
#ifndef KC_MACHINE_OOPS_H
#define KC_MACHINE_OOPS_H

#include "base/span.h"
#include "kocoon/machine.h"

enum { KC_OOPS_MAX = 64 };

/* All zeros: nothing read yet. */
struct kc_oops_reader {
	struct kocoon_oops *oopses[KC_OOPS_MAX]; /* owned, as is all in them */
	size_t count;
	size_t fatal; /* a task was killed, or the kernel has ended */
	bool open; /* the last one goes on */
	bool in_trace;
};

/* A line of the log, without its newline. */
void kc_oops_read_line(struct kc_oops_reader *reader, const char *text, size_t len);
void kc_oops_reader_deinit(struct kc_oops_reader *reader);

#endif

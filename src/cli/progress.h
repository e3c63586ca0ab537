/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Progress of long work: one line on stderr that is written over, on a terminal only.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	size_t total;
	bool enabled;
	bool visible;
	uint64_t shown_at; /* milliseconds */
};

uint64_t progress_clock(void); /* milliseconds, monotonic */

void progress_start(struct progress *progress, size_t total, bool enabled);
/* `what` is cleaned as all text is. */
void progress_show(struct progress *progress, size_t done, const char *what);
/* Takes the line away: before anything else is printed, and at the end. */
void progress_clear(struct progress *progress);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A progress line on a terminal. See progress.h.
 */
#include "cli/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/text.h"

enum { INTERVAL = 100 /* milliseconds between two updates */ };

uint64_t progress_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void progress_start(struct progress *progress, size_t total, bool enabled)
{
	*progress =
		(struct progress){ .total = total, .enabled = enabled && isatty(STDERR_FILENO) };
}

void progress_show(struct progress *progress, size_t done, const char *what)
{
	struct text text = { .file = stderr };
	uint64_t now = progress_clock();

	if (!progress->enabled || now - progress->shown_at < INTERVAL)
		return;
	/* Short enough that the line never wraps: a wrapped one could not be written over. */
	fputs("\r\033[K", stderr);
	text_put(&text, "%zu of %zu  %.40s", done, progress->total, what);
	(void)fflush(stderr);
	progress->visible = true;
	progress->shown_at = now;
}

void progress_clear(struct progress *progress)
{
	if (!progress->visible)
		return;
	fputs("\r\033[K", stderr);
	(void)fflush(stderr);
	progress->visible = false;
}

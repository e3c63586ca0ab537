/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the subsystem says, and whom it asks for leave: to the program's hooks. */
#include "live/live.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_MAX_LOG = 1024 };

void kc_log(const struct kocoon *kocoon, enum kocoon_log_level level, const char *format, ...)
{
	char line[LINE_MAX_LOG];
	va_list values;

	if (!kocoon->hooks.log)
		return;
	va_start(values, format);
	(void)vsnprintf(line, sizeof(line), format, values);
	va_end(values);
	kocoon->hooks.log(kocoon->hooks.context, level, line);
}

bool kc_capable(const struct kocoon *kocoon)
{
	return !kocoon->hooks.capable || kocoon->hooks.capable(kocoon->hooks.context);
}

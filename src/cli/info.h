/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The layout of `kocoon info`: fields as kmod's modinfo lays them out.
 */
#ifndef CLI_INFO_H
#define CLI_INFO_H

#include "cli/text.h"

enum { INFO_COLUMN = 16 /* where values begin */ };

/* "name:" and blanks up to the column of the values. */
void info_label(struct text *out, const char *name);

#endif

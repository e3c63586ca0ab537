/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A table of text: cells are kept until table_print(), which aligns the columns. Cells are cleaned
 * as all text output is.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "cli/text.h"

struct table {
	const char *align; /* a letter a column: 'l' or 'r' */
	char **cells; /* owned, cleaned */
	size_t count;
	size_t capacity;
};

/* Cells are added row by row, from left to right; start from { .align = "lr" }. */
void table_cell(struct table *table, const char *format, ...) CLI_PRINTF(2, 3);
/* Prints, with `indent` blanks before each row, and empties the table. */
void table_print(struct table *table, struct text *text, unsigned int indent);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Aligned tables of text. See table.h.
 */
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 16, GAP = 2 };

void table_cell(struct table *table, const char *format, ...)
{
	va_list args;

	if (table->count == table->capacity) {
		table->capacity = table->capacity ? 2 * table->capacity : 64;
		table->cells = cli_grow(table->cells, table->capacity, sizeof(*table->cells));
	}
	va_start(args, format);
	char *raw = cli_format_args(format, args);
	va_end(args);
	table->cells[table->count++] = text_clean(raw);
	free(raw);
}

static void measure(const struct table *table, size_t columns, size_t *widths)
{
	for (size_t i = 0; i < table->count; i++) {
		size_t width = text_columns(table->cells[i]);

		if (width > widths[i % columns])
			widths[i % columns] = width;
	}
}

static bool rest_is_empty(const struct table *table, size_t cell, size_t columns)
{
	for (; cell < table->count && cell % columns; cell++) {
		if (table->cells[cell][0])
			return false;
	}
	return true;
}

static void print_cell(const struct table *table, struct text *text, size_t cell, size_t columns,
		       const size_t *widths)
{
	const char *clean = table->cells[cell];
	int padding = (int)(widths[cell % columns] - text_columns(clean));
	bool right = table->align[cell % columns] == 'r';

	if (right)
		fprintf(text->file, "%*s", padding, "");
	fputs(clean, text->file);
	/* No blanks at the ends of lines. */
	if (rest_is_empty(table, cell + 1, columns))
		return;
	fprintf(text->file, "%*s", GAP + (right ? 0 : padding), "");
}

void table_print(struct table *table, struct text *text, unsigned int indent)
{
	size_t columns = strlen(table->align);
	size_t widths[MAX_COLUMNS] = { 0 };

	measure(table, columns, widths);
	for (size_t i = 0; i < table->count; i++) {
		if (i % columns == 0)
			fprintf(text->file, "%*s", (int)indent, "");
		if (table->cells[i][0] || !rest_is_empty(table, i, columns) || i % columns == 0)
			print_cell(table, text, i, columns, widths);
		if (i % columns == columns - 1)
			text_end_line(text);
	}
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	table->cells = NULL;
	table->count = table->capacity = 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Text output. Everything formatted here is cleaned before it is written: printable characters of
 * UTF-8 stand as they are; every other byte (line feeds, escapes, invalid UTF-8, characters that
 * turn the writing direction) is written as \xNN. So a name in a module can neither drive the
 * terminal nor forge a line.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CLI_PRINTF(at, first) __attribute__((format(printf, at, first)))

enum text_color {
	TEXT_PLAIN,
	TEXT_BOLD,
	TEXT_DIM,
	TEXT_RED,
	TEXT_GREEN,
	TEXT_YELLOW,
};

struct text {
	FILE *file;
	bool color;
	int fd; /* of an opened text: where it goes */
	int err; /* errno of the first write that failed, or 0 */
};

/*
 * Sends text to a descriptor, which belongs to `text` then. `text` must stay where it is: the
 * stream refers to it. text_close() writes what is left: 0, or the errno of the first write that
 * failed, whenever that was.
 */
void text_open(struct text *text, int fd);
int text_close(struct text *text);
void text_flush(struct text *text);

/* Cleaned, no line feed added. */
void text_put(struct text *text, const char *format, ...) CLI_PRINTF(2, 3);
/* The same in a colour, where colours are on. */
void text_put_color(struct text *text, enum text_color color, const char *format, ...)
	CLI_PRINTF(3, 4);
/* Cleaned, then a line feed. */
void text_line(struct text *text, const char *format, ...) CLI_PRINTF(2, 3);
void text_end_line(struct text *text);

/* false: what was written so far did not arrive. Nothing more need be made. */
bool text_healthy(const struct text *text);

/* A cleaned copy, to be freed. */
char *text_clean(const char *bytes);
/* Characters of a cleaned text. */
size_t text_columns(const char *clean);

/*
 * Decodes one character of UTF-8; returns its length, or 0 where the bytes are not valid UTF-8 (or
 * at the end of the string).
 */
size_t text_decode(const char *bytes, uint32_t *character_ret);

/* "kocoon: ..." on stderr. */
void cli_error(const char *format, ...) CLI_PRINTF(1, 2);
/* The same for the second and later lines of a message: indented. */
void cli_error_more(const char *format, ...) CLI_PRINTF(1, 2);

/* These end the command with a message when memory runs out. */
_Noreturn void cli_out_of_memory(void);
char *cli_format(const char *format, ...) CLI_PRINTF(1, 2);
char *cli_format_args(const char *format, va_list args) CLI_PRINTF(1, 0);
char *cli_copy(const char *text);
/* With a space between each two. */
char *cli_join(char *const *words, size_t count);
void *cli_grow(void *array, size_t count, size_t size);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Text output: cleaning, colours, messages. See text.h.
 */
#include "cli/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

_Noreturn void cli_out_of_memory(void)
{
	fputs("kocoon: out of memory\n", stderr);
	exit(CLI_FAILED);
}

char *cli_format_args(const char *format, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, format, args) < 0)
		cli_out_of_memory();
	return text;
}

char *cli_format(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = cli_format_args(format, args);
	va_end(args);
	return text;
}

char *cli_copy(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		cli_out_of_memory();
	return copy;
}

char *cli_join(char *const *words, size_t count)
{
	char *text = cli_copy("");

	for (size_t i = 0; i < count; i++) {
		char *longer = cli_format("%s%s%s", text, i ? " " : "", words[i]);

		free(text);
		text = longer;
	}
	return text;
}

void *cli_grow(void *array, size_t count, size_t size)
{
	void *grown = reallocarray(array, count, size);

	if (!grown)
		cli_out_of_memory();
	return grown;
}

/* How long a sequence is by its first byte, and the bits of the character in that byte. */
static size_t sequence_length(unsigned char first, uint32_t *bits_ret)
{
	if (first < 0x80) {
		*bits_ret = first;
		return first != 0;
	}
	if (first >= 0xc2 && first <= 0xdf) {
		*bits_ret = first & 0x1f;
		return 2;
	}
	if (first >= 0xe0 && first <= 0xef) {
		*bits_ret = first & 0x0f;
		return 3;
	}
	if (first >= 0xf0 && first <= 0xf4) {
		*bits_ret = first & 0x07;
		return 4;
	}
	return 0;
}

size_t text_decode(const char *bytes, uint32_t *character_ret)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t character = 0;
	size_t length = sequence_length((unsigned char)bytes[0], &character);

	for (size_t i = 1; i < length; i++) {
		unsigned char next = (unsigned char)bytes[i];

		/* The terminating zero is no continuation either: nothing behind it is read. */
		if ((next & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (next & 0x3f);
	}
	if (!length || character < smallest[length] || character > 0x10ffff ||
	    (character >= 0xd800 && character <= 0xdfff))
		return 0;
	*character_ret = character;
	return length;
}

static bool is_printable(uint32_t character)
{
	if (character < 0x20 || (character >= 0x7f && character < 0xa0))
		return false;
	/* Line and paragraph separators, and all that changes the writing direction. */
	if (character == 0x61c || character == 0x200e || character == 0x200f)
		return false;
	if ((character >= 0x2028 && character <= 0x202e) ||
	    (character >= 0x2066 && character <= 0x2069))
		return false;
	/* A byte order mark, and what is no character: XML allows neither. */
	return character != 0xfeff && (character & 0xfffe) != 0xfffe;
}

char *text_clean(const char *bytes)
{
	static const char digits[] = "0123456789abcdef";
	/* A byte becomes four at most. */
	char *clean = cli_grow(NULL, strlen(bytes) + 1, 4);
	char *to = clean;

	while (*bytes) {
		uint32_t character = 0;
		size_t length = text_decode(bytes, &character);

		if (length && is_printable(character)) {
			to = mempcpy(to, bytes, length);
			bytes += length;
			continue;
		}
		*to++ = '\\';
		*to++ = 'x';
		*to++ = digits[(unsigned char)*bytes >> 4];
		*to++ = digits[(unsigned char)*bytes & 15];
		bytes++;
	}
	*to = '\0';
	return clean;
}

size_t text_columns(const char *clean)
{
	size_t columns = 0;

	for (; *clean; clean++)
		columns += ((unsigned char)*clean & 0xc0) != 0x80;
	return columns;
}

static void put_cleaned(FILE *file, const char *format, va_list args) CLI_PRINTF(2, 0);

static void put_cleaned(FILE *file, const char *format, va_list args)
{
	char *raw = cli_format_args(format, args);
	char *clean = text_clean(raw);

	fputs(clean, file);
	free(clean);
	free(raw);
}

void text_put(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_cleaned(text->file, format, args);
	va_end(args);
}

void text_put_color(struct text *text, enum text_color color, const char *format, ...)
{
	static const char *const codes[] = {
		[TEXT_PLAIN] = "0",  [TEXT_BOLD] = "1",	  [TEXT_DIM] = "2",
		[TEXT_RED] = "1;31", [TEXT_GREEN] = "32", [TEXT_YELLOW] = "33",
	};
	va_list args;

	if (text->color)
		fprintf(text->file, "\033[%sm", codes[color]);
	va_start(args, format);
	put_cleaned(text->file, format, args);
	va_end(args);
	if (text->color)
		fputs("\033[0m", text->file);
}

void text_end_line(struct text *text)
{
	putc('\n', text->file);
}

void text_line(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_cleaned(text->file, format, args);
	va_end(args);
	text_end_line(text);
}

/* The stream's own error flag does not say why: by the time that one asks, errno is another. */
static ssize_t write_through(void *cookie, const char *bytes, size_t size)
{
	struct text *text = cookie;
	size_t written = 0;

	while (!text->err && written < size) {
		ssize_t count = write(text->fd, bytes + written, size - written);

		if (count >= 0)
			written += (size_t)count;
		else if (errno != EINTR)
			text->err = errno;
	}
	return (ssize_t)written;
}

void text_open(struct text *text, int fd)
{
	text->fd = fd;
	text->err = 0;
	text->file = fopencookie(text, "w", (cookie_io_functions_t){ .write = write_through });
	if (!text->file)
		cli_out_of_memory();
}

int text_close(struct text *text)
{
	(void)fclose(text->file);
	text->file = NULL;
	if (close(text->fd) != 0 && !text->err)
		text->err = errno;
	return text->err;
}

void text_flush(struct text *text)
{
	(void)fflush(text->file);
}

bool text_healthy(const struct text *text)
{
	return !text->err;
}

void cli_error(const char *format, ...)
{
	va_list args;

	fputs("kocoon: ", stderr);
	va_start(args, format);
	put_cleaned(stderr, format, args);
	va_end(args);
	putc('\n', stderr);
}

void cli_error_more(const char *format, ...)
{
	va_list args;

	fputs("        ", stderr);
	va_start(args, format);
	put_cleaned(stderr, format, args);
	va_end(args);
	putc('\n', stderr);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What text output lets through to a terminal, what JSON makes of it, and how tables align it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/json.h"
#include "cli/table.h"
#include "cli/text.h"

struct sample {
	const char *bytes;
	const char *clean;
};

static const struct sample samples[] = {
	{ "plain ~", "plain ~" },
	{ "", "" },
	{ "a\nb\tc\r", "a\\x0ab\\x09c\\x0d" },
	{ "\033[2J\x7f", "\\x1b[2J\\x7f" },
	/* Two, three and four bytes of valid UTF-8. */
	{ "M\xc3\xa1rton \xe2\x82\xac \xf0\x9f\x90\xa7",
	  "M\xc3\xa1rton \xe2\x82\xac \xf0\x9f\x90\xa7" },
	/* A control character of the upper half: CSI, which some terminals obey. */
	{ "\xc2\x9b"
	  "2J",
	  "\\xc2\\x9b2J" },
	/* Right-to-left override, line separator, byte order mark, no character. */
	{ "a\xe2\x80\xae"
	  "b",
	  "a\\xe2\\x80\\xaeb" },
	{ "\xe2\x80\xa8", "\\xe2\\x80\\xa8" },
	{ "\xef\xbb\xbf", "\\xef\\xbb\\xbf" },
	{ "\xef\xbf\xbf", "\\xef\\xbf\\xbf" },
	/* Cut short at the end of the string, and by another character. */
	{ "\xc3", "\\xc3" },
	{ "\xe2\x82", "\\xe2\\x82" },
	{ "\xf0\x9f\x90", "\\xf0\\x9f\\x90" },
	{ "\xe2\x82"
	  "a",
	  "\\xe2\\x82a" },
	/* Longer than need be, a surrogate, above the last character, never valid. */
	{ "\xc0\x9b", "\\xc0\\x9b" },
	{ "\xe0\x80\x9b", "\\xe0\\x80\\x9b" },
	{ "\xf0\x80\x80\x9b", "\\xf0\\x80\\x80\\x9b" },
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
	{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
	{ "\xff\xfe\x80", "\\xff\\xfe\\x80" },
};

static void cleaning(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		char *clean = text_clean(samples[i].bytes);

		assert_string_equal(clean, samples[i].clean);
		free(clean);
	}
}

/* Every byte value, alone and before a letter: of an invalid one comes printable ASCII only. */
static void every_byte(void **state)
{
	(void)state;
	for (int byte = 1; byte < 256; byte++) {
		const char bytes[] = { (char)byte, 'a', '\0' };
		char *clean = text_clean(bytes);

		for (const char *c = clean; *c; c++)
			assert_in_range(*c, 0x20, 0x7e);
		assert_int_equal(clean[strlen(clean) - 1], 'a');
		free(clean);
	}
}

static void columns(void **state)
{
	(void)state;
	assert_int_equal(text_columns(""), 0);
	assert_int_equal(text_columns("abc"), 3);
	assert_int_equal(text_columns("M\xc3\xa1rton \xe2\x82\xac"), 8);
}

/* Runs `print` with a text that goes to memory; what was printed is to be freed. */
static char *printed(void (*print)(struct text *text), bool color)
{
	char *bytes = NULL;
	size_t size = 0;
	struct text text = { .file = open_memstream(&bytes, &size), .color = color };

	assert_non_null(text.file);
	print(&text);
	assert_int_equal(fclose(text.file), 0);
	return bytes;
}

static void print_line(struct text *text)
{
	text_put_color(text, TEXT_RED, "%s", "bad\n");
	text_line(text, " %d", 7);
}

static void lines_and_colors(void **state)
{
	char *plain = printed(print_line, false);
	char *colored = printed(print_line, true);

	(void)state;
	assert_string_equal(plain, "bad\\x0a 7\n");
	assert_string_equal(colored, "\033[1;31mbad\\x0a\033[0m 7\n");
	free(plain);
	free(colored);
}

static void print_table(struct text *text)
{
	struct table table = { .align = "lrl" };
	static const char *const cells[] = { "a", "1", "x\n", "\xc3\xa1\xc3\xa1\xc3\xa1", "100", "",
					     "b", "",  "" };

	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
		table_cell(&table, "%s", cells[i]);
	table_print(&table, text, 1);
	assert_int_equal(table.count, 0);
	table_print(&table, text, 1);
}

static void tables(void **state)
{
	char *table = printed(print_table, false);

	(void)state;
	assert_string_equal(table, " a      1  x\\x0a\n"
				   " \xc3\xa1\xc3\xa1\xc3\xa1  100\n"
				   " b\n");
	free(table);
}

static void print_json(struct text *text)
{
	struct json_object *line = json_make_object();

	json_text(line, "text",
		  "a\n\"\xc3\xa1/\xff\xed\xa0\x80"
		  "b\xe2\x82");
	json_text(line, "none", NULL);
	json_number(line, "most", UINT64_MAX);
	json_address(line, "at", 0xffffffffc0000000);
	json_seconds(line, "took", 1.25);
	json_flag(line, "yes", true);
	json_append(json_member_array(line, "k\xff"), json_make_text("1"));
	json_append(json_member_array(line, "k\xff"), json_make_text("2"));
	json_print(text, line);
}

#define NOT_UTF8 "\xef\xbf\xbd"

static void json(void **state)
{
	char *line = printed(print_json, false);

	(void)state;
	assert_string_equal(line,
			    "{\"text\":\"a\\n\\\"\xc3\xa1/" NOT_UTF8 NOT_UTF8 NOT_UTF8 NOT_UTF8
			    "b" NOT_UTF8 NOT_UTF8 "\",\"none\":null,\"most\":18446744073709551615,"
			    "\"at\":\"0xffffffffc0000000\",\"took\":1.250,\"yes\":true,"
			    "\"k" NOT_UTF8 "\":[\"1\",\"2\"]}\n");
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cleaning), cmocka_unit_test(every_byte),
		cmocka_unit_test(columns),  cmocka_unit_test(lines_and_colors),
		cmocka_unit_test(tables),   cmocka_unit_test(json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

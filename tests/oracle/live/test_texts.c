/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the comparison of texts rests on: where an address has to be, and what counts as good. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "texts.h"

static const struct texts_module module = {
	.name = "one",
	.spans = { { 0xffffffffc0000000, 0x10000000, 0x1000 },
		   { 0xffffffffc0001000, 0x20000000, 0x2000 },
		   { 0x2b000, 0x400, 0x10 } },
	.span_count = 3,
};

static void addresses_keep_their_offset_in_their_region(void **state)
{
	(void)state;
	assert_int_equal(texts_expected(&module, 0xffffffffc0000fff), 0x10000fff);
	/* Right behind one region another one begins. */
	assert_int_equal(texts_expected(&module, 0xffffffffc0001000), 0x20000000);
	/* Behind the last one there is nothing, but a symbol may end it. */
	assert_int_equal(texts_expected(&module, 0xffffffffc0003000), 0x20002000);
	assert_int_equal(texts_expected(&module, 0xffffffffc0003001), 0xffffffffc0003001);
	assert_int_equal(texts_expected(&module, 0x2b008), 0x408);
	assert_int_equal(texts_expected(&module, 0), 0);
}

static void texts_have_whole_addresses_translated(void **state)
{
	char *text = texts_translate(&module, "one 4096 0 - Live 0xffffffffc0001010 0x10 (OE)");

	(void)state;
	assert_string_equal(text, "one 4096 0 - Live 0x0000000020000010 0x10 (OE)");
	free(text);
}

static bool is_good(const char *explained, const char *theirs, const char *ours)
{
	struct texts_report *report;
	bool good;

	assert_int_equal(texts_report_new(explained, NULL, &report), 0);
	for (int i = 0; i < TEXTS_CATEGORIES; i++)
		if (i != TEXTS_NOTES || theirs)
			texts_compare(report, (enum texts_category)i, "/a/place", theirs, ours);
	good = texts_report_print(report, false);
	texts_report_free(report);
	return good;
}

static void only_what_is_equal_or_explained_is_good(void **state)
{
	char path[] = "/tmp/explained.XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");

	(void)state;
	assert_non_null(file);
	fprintf(file, "# comment\n*\t/a/*\tx\tmissing\twhy\n");
	fclose(file);
	assert_true(is_good(NULL, "x", "x"));
	assert_false(is_good(NULL, "x", "y"));
	assert_false(is_good(NULL, "x", NULL));
	assert_true(is_good(path, "x", NULL));
	assert_false(is_good(path, "x", "y"));
	/* A category in which nothing was compared. */
	assert_false(is_good(NULL, NULL, NULL));
	remove(path);
}

static void explanations_have_all_their_fields(void **state)
{
	char path[] = "/tmp/explained.XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");
	struct texts_report *report;

	(void)state;
	assert_non_null(file);
	fprintf(file, "notes\t*\t*\t*\n");
	fclose(file);
	assert_int_equal(texts_report_new(path, NULL, &report), -EINVAL);
	remove(path);
	assert_int_equal(texts_report_new(path, NULL, &report), -ENOENT);
}

static void paths_are_compared_up_to_the_tab(void **state)
{
	(void)state;
	assert_int_equal(texts_compare_paths("/a\tf", "/a\td"), 0);
	assert_true(texts_compare_paths("/a\tf", "/a/b\tf") < 0);
	assert_true(texts_compare_paths("/b\tf", "/a/b\tf") > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_keep_their_offset_in_their_region),
		cmocka_unit_test(texts_have_whole_addresses_translated),
		cmocka_unit_test(only_what_is_equal_or_explained_is_good),
		cmocka_unit_test(explanations_have_all_their_fields),
		cmocka_unit_test(paths_are_compared_up_to_the_tab),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

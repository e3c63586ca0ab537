/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* live/args.c, live/numbers.c: what a real 6.12 kernel makes of the same lines and texts. */
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "live/param.h"

/* A line as "NAME=VALUE|NAME|..."; the value's '=' is ':' where there is a value. */
static void split(const char *line, char *out, size_t size)
{
	char copy[256];
	char *rest = copy;

	snprintf(copy, sizeof(copy), "%s", line);
	rest = kc_skip_spaces(rest);
	out[0] = 0;
	while (*rest) {
		char *name, *value;
		size_t len = strlen(out);

		rest = kc_next_arg(rest, &name, &value);
		snprintf(out + len, size - len, "%s%s%s|", name, value ? ":" : "",
			 value ? value : "");
	}
}

static void splits_as_the_kernel(void **state)
{
	static const struct {
		const char *line, *parts;
	} cases[] = {
		{ "", "" },
		{ "   ", "" },
		{ "i=5 under-score=a_b-c b", "i:5|under-score:a_b-c|b|" },
		{ "\"i=7\" us=\"a b\" b=0", "i:7|us:a b|b:0|" },
		{ "  i = 5 ", "i|=|5|" },
		{ "i=", "i:|" },
		{ "i=1 -- i=2", "i:1|--|i:2|" },
		{ "--=4", "--:4|" },
		{ "=x i=1", "=x|i:1|" },
		{ "=x=y", "=x:y|" },
		{ "us=a=b", "us:a=b|" },
		{ "us=\"a b", "us:a b|" },
		{ "us=a\"b c\"d i=1", "us:a\"b c\"d|i:1|" },
		{ "us=\"a\"b i=1", "us:a\"b|i:1|" },
		{ "\"us=a b\" i=1", "us:a b|i:1|" },
		{ "\"us=\"a b\"\" i=1", "us:a|b\"\"|i:1|" },
		{ "us=\" i=1", "us: i=1|" },
		{ "\" i=1", " i:1|" },
		{ "\"", "|" },
		{ "\"\" i=1", "|i:1|" },
		{ "i=\"1", "i:1|" },
		{ "i=\"", "i:|" },
		/* Latin-1's unbreakable blank is one, and UTF-8 ends in it too. */
		{ "i=4\xa0"
		  "b=1",
		  "i:4|b:1|" },
		{ "i=4\xc2\xa0"
		  "b=1",
		  "i:4\xc2|b:1|" },
		{ "i=4\vb=1\rj=1\n", "i:4|b:1|j:1|" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char parts[512];

		split(cases[i].line, parts, sizeof(parts));
		assert_string_equal(parts, cases[i].parts);
	}
}

static void dashes_are_underscores(void **state)
{
	(void)state;
	assert_true(kc_parameq("a-b_c", "a_b-c"));
	assert_true(kc_parameq("", ""));
	assert_false(kc_parameq("a", "a_"));
	assert_false(kc_parameq("a_", "a"));
	assert_false(kc_parameq("a", "A"));
	assert_false(kc_parameq("-", "b"));
}

static void numbers_stay_in_their_range(void **state)
{
	unsigned long long number = 7;
	long long sign = 7;

	(void)state;
	assert_int_equal(kc_kstrtoull("18446744073709551616", ULLONG_MAX, &number), -ERANGE);
	assert_int_equal(kc_kstrtoull("256", 255, &number), -ERANGE);
	assert_int_equal(kc_kstrtoull("99999999999999999999x", ULLONG_MAX, &number), -ERANGE);
	assert_int_equal(kc_kstrtoull("-1", ULLONG_MAX, &number), -EINVAL);
	assert_int_equal(kc_kstrtoull(NULL, ULLONG_MAX, &number), -EINVAL);
	assert_int_equal(number, 7);
	assert_int_equal(kc_kstrtoll("-9223372036854775809", LLONG_MIN, LLONG_MAX, &sign), -ERANGE);
	assert_int_equal(kc_kstrtoll("-18446744073709551615", LLONG_MIN, LLONG_MAX, &sign),
			 -ERANGE);
	assert_int_equal(kc_kstrtoll("9223372036854775808", LLONG_MIN, LLONG_MAX, &sign), -ERANGE);
	assert_int_equal(kc_kstrtoll("-+1", LLONG_MIN, LLONG_MAX, &sign), -EINVAL);
	assert_int_equal(kc_kstrtoll("+-1", LLONG_MIN, LLONG_MAX, &sign), -EINVAL);
	assert_int_equal(kc_kstrtoll(NULL, LLONG_MIN, LLONG_MAX, &sign), -EINVAL);
	assert_int_equal(sign, 7);
	assert_int_equal(kc_kstrtoll("-9223372036854775808\n", LLONG_MIN, LLONG_MAX, &sign), 0);
	assert_true(sign == LLONG_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_as_the_kernel),
		cmocka_unit_test(dashes_are_underscores),
		cmocka_unit_test(numbers_stay_in_their_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * live/params.c: a line of arguments. What is expected is what a stock 6.12 kernel did with the
 * same line and a real module with these parameters.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "param_fixture.h"

struct line {
	const char *args;
	int err;
	/* The variables afterwards, and lines of the log: errors and warnings. */
	const char *variables;
	unsigned int errors, warnings;
};

static void show_variables(const struct fixture *fixture, char *text, size_t size)
{
	snprintf(text, size, "i=%d us='%s' b=%d inv=%d bi=%d n=%d arr=%d,%d,%d s='%s' async=%d",
		 fixture->i, fixture->us, fixture->b, fixture->inv, fixture->bi, fixture->n,
		 fixture->arr[0], fixture->arr[1], fixture->arr[2], fixture->s,
		 fixture->module->async_probe);
}

#define UNTOUCHED "i=-1 us='none' b=0 inv=0 bi=0 n=-1 arr=0,0,0 s='old' async=0"

static const struct line lines[] = {
	{ "", 0, UNTOUCHED, 0, 0 },
	{ "i=5 under-score=a_b-c b", 0,
	  "i=5 us='a_b-c' b=1 inv=0 bi=0 n=-1 arr=0,0,0 s='old' async=0", 0, 0 },
	{ "\"i=7\" under_score=\"a b\" b=0", 0,
	  "i=7 us='a b' b=0 inv=0 bi=0 n=-1 arr=0,0,0 s='old' async=0", 0, 0 },
	{ "  i = 5 ", -EINVAL, UNTOUCHED, 1, 2 },
	/* What follows an error is set, and the last error is the answer. */
	{ "i=1 i=x i=2 b", -EINVAL, "i=2 us='none' b=1 inv=0 bi=0 n=-1 arr=0,0,0 s='old' async=0",
	  1, 0 },
	{ "i=x arr=1,2,3,4", -EINVAL, "i=-1 us='none' b=0 inv=0 bi=0 n=3 arr=1,2,3 s='old' async=0",
	  3, 0 },
	{ "i=99999999999 i=x", -EINVAL, UNTOUCHED, 2, 0 },
	{ "i=x i=99999999999", -ERANGE, UNTOUCHED, 2, 0 },
	{ "i", -EINVAL, UNTOUCHED, 1, 0 },
	{ "i=", -EINVAL, UNTOUCHED, 1, 0 },
	{ "i=1,2", -EINVAL, UNTOUCHED, 1, 0 },
	{ "nope foo=bar nope.x=1 async-probe", 0, UNTOUCHED, 0, 4 },
	{ "async_probe", 0, "i=-1 us='none' b=0 inv=0 bi=0 n=-1 arr=0,0,0 s='old' async=1", 0, 0 },
	{ "async_probe=0", 0, UNTOUCHED, 0, 0 },
	{ "async_probe async_probe=n", 0, UNTOUCHED, 0, 0 },
	{ "async_probe=junk", 0, "i=-1 us='none' b=0 inv=0 bi=0 n=-1 arr=0,0,0 s='old' async=1", 0,
	  0 },
	{ "dyndbg foo.dyndbg=+p dyndbg=+p", 0, UNTOUCHED, 0, 0 },
	{ "i=1 -- i=2 rest", 0, "i=1 us='none' b=0 inv=0 bi=0 n=-1 arr=0,0,0 s='old' async=0", 0,
	  1 },
	{ "-- ", 0, UNTOUCHED, 0, 1 },
	{ "i=3 --=4 i=4", 0, "i=4 us='none' b=0 inv=0 bi=0 n=-1 arr=0,0,0 s='old' async=0", 0, 1 },
	{ "i=x -- i=2", -EINVAL, UNTOUCHED, 1, 0 },
	{ "s=1234567", 0, "i=-1 us='none' b=0 inv=0 bi=0 n=-1 arr=0,0,0 s='1234567' async=0", 0,
	  0 },
	{ "s=12345678", -ENOSPC, UNTOUCHED, 2, 0 },
	{ "s= under_score=", 0, "i=-1 us='' b=0 inv=0 bi=0 n=-1 arr=0,0,0 s='' async=0", 0, 0 },
	{ "under_score", -EINVAL, UNTOUCHED, 1, 0 },
	{ "s", -EINVAL, UNTOUCHED, 1, 0 },
	{ "arr", -EINVAL, UNTOUCHED, 1, 0 },
	{ "inv", -EINVAL, UNTOUCHED, 1, 0 },
	{ "inv=0 bi b", 0, "i=-1 us='none' b=1 inv=1 bi=1 n=-1 arr=0,0,0 s='old' async=0", 0, 0 },
	{ "b=maybe", -EINVAL, UNTOUCHED, 1, 0 },
	{ "arr=1,2, i=1", -EINVAL, "i=1 us='none' b=0 inv=0 bi=0 n=2 arr=1,2,0 s='old' async=0", 1,
	  0 },
	{ "arr=0x10,-1", 0, "i=-1 us='none' b=0 inv=0 bi=0 n=2 arr=16,-1,0 s='old' async=0", 0, 0 },
	{ "ret=-2", -ENOENT, UNTOUCHED, 1, 0 },
	{ "ret=-28", -ENOSPC, UNTOUCHED, 1, 0 },
	{ "ret=-13", -EACCES, UNTOUCHED, 1, 0 },
	{ "ret=-2 ret=-28 i=1", -ENOSPC,
	  "i=1 us='none' b=0 inv=0 bi=0 n=-1 arr=0,0,0 s='old' async=0", 2, 0 },
	{ "ret=-2 --", -ENOENT, UNTOUCHED, 1, 0 },
	/* Not the kernel's answer: it dies of it. */
	{ "ret=1 -- x", -EINVAL, UNTOUCHED, 1, 0 },
};

static void check_line(const struct line *line)
{
	struct kocoon_report *report = kocoon_report_new();
	const struct kocoon_finding *finding;
	struct fixture fixture;
	char variables[512];
	unsigned int errors, warnings;

	make_line(&fixture);
	assert_int_equal(parse(&fixture, line->args, report), line->err);
	show_variables(&fixture, variables, sizeof(variables));
	assert_string_equal(variables, line->variables);
	/* The module's log, and what the report adds to it. */
	errors = fixture.levels[KOCOON_LOG_ERROR];
	warnings = fixture.levels[KOCOON_LOG_WARNING];
	for (size_t i = 0; (finding = kocoon_report_get(report, i)); i++) {
		assert_int_equal(finding->stage, KOCOON_STAGE_PARAMETERS);
		if (finding->err)
			errors++;
		else
			warnings++;
	}
	assert_int_equal(errors, line->errors);
	assert_int_equal(warnings, line->warnings);
	kocoon_report_free(report);
	free_line(&fixture);
}

static void lines_are_taken_as_the_kernel_takes_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(lines); i++) {
		print_message("# %s\n", lines[i].args);
		check_line(&lines[i]);
	}
}

static void check_finding(const char *args, int err, const char *what)
{
	struct kocoon_report *report = kocoon_report_new();
	struct fixture fixture;

	make_line(&fixture);
	assert_int_equal(parse(&fixture, args, report), err);
	assert_int_equal(kocoon_report_count(report), 1);
	assert_int_equal(kocoon_report_get(report, 0)->err, err);
	assert_string_equal(kocoon_report_get(report, 0)->what, what);
	kocoon_report_free(report);
	free_line(&fixture);
}

static void what_is_said_names_the_parameter(void **state)
{
	(void)state;
	check_finding("arr=1,x,3", -EINVAL, "parameter arr: '1,x,3' is not valid");
	check_finding("i", -EINVAL, "parameter i: '' is not valid");
	check_finding("s=12345678", -ENOSPC, "parameter s: '12345678' is too large");
	check_finding("no_such.x=", 0, "unknown parameter 'no_such.x' is ignored");
	check_finding("-- i=1 j", 0, "parameters 'i=1 j' behind '--' are ignored");
}

static void the_image_knows_of_async_probe(void **state)
{
	struct fixture fixture;
	uint8_t image[16] = { 0 };

	(void)state;
	make_line(&fixture);
	fixture.module->this_module_bytes = image;
	fixture.module->members.offset[KC_MEMBER_ASYNC_PROBE_REQUESTED] = 9;
	assert_int_equal(parse(&fixture, "async_probe", NULL), 0);
	assert_int_equal(image[9], 1);
	fixture.module->members.offset[KC_MEMBER_ASYNC_PROBE_REQUESTED] = KC_NO_MEMBER;
	assert_int_equal(parse(&fixture, "async_probe=n", NULL), 0);
	assert_int_equal(image[9], 1);
	assert_false(fixture.module->async_probe);
	free_line(&fixture);
}

static void no_arguments_are_none(void **state)
{
	struct fixture fixture;

	(void)state;
	make_line(&fixture);
	assert_int_equal(kc_parse_args(fixture.module, NULL), 0);
	free_line(&fixture);
}

static void unsafe_ones_taint(void **state)
{
	struct fixture fixture;

	(void)state;
	make_line(&fixture);
	assert_int_equal(parse(&fixture, "i=1", NULL), 0);
	assert_int_equal(kocoon_tainted(fixture.kocoon), 0);
	/* Also where the value is refused then. */
	assert_int_equal(parse(&fixture, "u=", NULL), -EINVAL);
	assert_int_equal(kocoon_tainted(fixture.kocoon), 1u << KC_TAINT_USER);
	assert_int_equal(fixture.levels[KOCOON_LOG_NOTICE], 1);
	free_line(&fixture);
}

static void hardware_is_not_to_be_set_when_locked_down(void **state)
{
	const struct kc_param *param;
	struct fixture fixture;

	(void)state;
	for (int lockdown = 0; lockdown < 2; lockdown++) {
		make_line(&fixture);
		fixture.kocoon->policy.lockdown = lockdown;
		assert_int_equal(parse(&fixture, "hw=1 i=2", NULL), lockdown ? -EPERM : 0);
		assert_int_equal(fixture.hw, lockdown ? 0 : 1);
		assert_int_equal(fixture.i, 2);
		param = kc_params_lookup(fixture.module, "hw");
		assert_int_equal(kc_param_store(fixture.module, param, "3", 1),
				 lockdown ? -EPERM : 0);
		assert_int_equal(fixture.hw, lockdown ? 0 : 3);
		free_line(&fixture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_taken_as_the_kernel_takes_them),
		cmocka_unit_test(what_is_said_names_the_parameter),
		cmocka_unit_test(the_image_knows_of_async_probe),
		cmocka_unit_test(no_arguments_are_none),
		cmocka_unit_test(unsafe_ones_taint),
		cmocka_unit_test(hardware_is_not_to_be_set_when_locked_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

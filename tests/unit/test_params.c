// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * live/params.c, param_ops.c, param_text.c, param_array.c, sysfs_active.c.
 *
 * A module that is nothing but records and variables, in ordinary memory. What is expected of it is
 * what a stock 6.12 kernel answered to a real module with the same parameters.
 */
#include "unit.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build_module.h"
#include "live/param.h"
#include "param_answers.h"

enum { RECORDS = 16 };

struct fixture {
	struct kocoon *kocoon;
	struct kocoon_loaded *module;
	size_t count;
	struct kc_kernel_param records[RECORDS];
	struct kc_param params[RECORDS];
	/* What the log said last, and how often at which level. */
	char said[4096];
	unsigned int levels[8];

	int i, bi, u, hw, n;
	char *us;
	bool b, inv;
	int arr[3];
	char s[8];
	struct kc_kparam_string string;
	struct kc_kparam_array array;

	/* Of threads, which can't fail a test themselves. */
	atomic_uint rounds, wrong;
	atomic_bool there;
};

static void hear(void *context, enum kocoon_log_level level, const char *text)
{
	struct fixture *fixture = context;

	fixture->levels[level]++;
	snprintf(fixture->said, sizeof(fixture->said), "%s", text);
}

static const struct kocoon_supply *supply_of(const char *name)
{
	struct kc_own_exports own = kc_own_param_functions();

	for (size_t i = 0; i < own.count; i++) {
		if (strcmp(own.supplies[i].name, name) == 0)
			return &own.supplies[i];
	}
	fail_msg("nothing supplies %s", name);
	return NULL;
}

static const struct kc_kernel_param_ops *ops_named(const char *name)
{
	const struct kocoon_supply *supply = supply_of(name);

	assert_int_equal(supply->size, sizeof(struct kc_kernel_param_ops));
	return supply->address;
}

static const struct kc_kernel_param_ops *ops_for(const char *type)
{
	char name[64];

	snprintf(name, sizeof(name), "param_ops_%s", type);
	return ops_named(name);
}

static struct kc_kernel_param *add(struct fixture *fixture, const char *name,
				   const struct kc_kernel_param_ops *ops, void *arg)
{
	struct kc_kernel_param *record = &fixture->records[fixture->count];
	struct kc_param *param = &fixture->params[fixture->count++];

	assert_in_range(fixture->count, 1, RECORDS);
	*record = (struct kc_kernel_param){ .name = name, .ops = ops, .perm = 0644, .level = -1 };
	record->arg = arg;
	*param = (struct kc_param){ .name = name, .perm = 0644, .level = -1 };
	param->record = (uintptr_t)record;
	param->ops = (uintptr_t)ops;
	param->arg = (uintptr_t)arg;
	fixture->module->param_count = fixture->count;
	return record;
}

static struct kc_param *last_param(struct fixture *fixture)
{
	return &fixture->params[fixture->count - 1];
}

static void make(struct fixture *fixture, bool lockdown)
{
	struct kocoon_policy policy = { .size = sizeof(policy), .lockdown = lockdown };
	struct kocoon_options options = { .size = sizeof(options), .policy = &policy };

	memset(fixture, 0, sizeof(*fixture));
	options.hooks.context = fixture;
	options.hooks.log = hear;
	assert_int_equal(kocoon_new(NULL, &options, NULL, &fixture->kocoon), 0);
	fixture->module = calloc(1, sizeof(*fixture->module));
	assert_non_null(fixture->module);
	fixture->module->kocoon = fixture->kocoon;
	strcpy(fixture->module->name, "line");
	fixture->module->params = fixture->params;
	pthread_mutex_init(&fixture->module->param_lock, NULL);
}

static void unmake(struct fixture *fixture)
{
	pthread_mutex_destroy(&fixture->module->param_lock);
	free(fixture->module->args);
	free(fixture->module);
	kocoon_free(fixture->kocoon);
}

static int returns_its_value(const char *value, const struct kc_kernel_param *param)
{
	(void)param;
	return (int)strtol(value, NULL, 0);
}

static const struct kc_kernel_param_ops returning_ops = { .set = returns_its_value };

/* The parameters of the module that the kernel was asked with. */
static void make_line(struct fixture *fixture)
{
	make(fixture, false);
	fixture->i = -1;
	fixture->n = -1;
	fixture->us = (char *)(uintptr_t) "none";
	strcpy(fixture->s, "old");
	fixture->string = (struct kc_kparam_string){ sizeof(fixture->s), fixture->s };
	fixture->array = (struct kc_kparam_array){ 3, sizeof(int), (unsigned int *)&fixture->n,
						   ops_for("int"), fixture->arr };
	add(fixture, "i", ops_for("int"), &fixture->i);
	add(fixture, "under_score", ops_for("charp"), &fixture->us);
	add(fixture, "b", ops_for("bool"), &fixture->b);
	add(fixture, "inv", ops_for("invbool"), &fixture->inv);
	add(fixture, "bi", ops_for("bint"), &fixture->bi);
	add(fixture, "arr", ops_named("param_array_ops"), &fixture->array);
	add(fixture, "s", ops_for("string"), &fixture->string);
	add(fixture, "u", ops_for("int"), &fixture->u);
	last_param(fixture)->flags = KC_PARAM_FL_UNSAFE;
	add(fixture, "hw", ops_for("int"), &fixture->hw);
	last_param(fixture)->flags = KC_PARAM_FL_HWPARAM;
	add(fixture, "ret", &returning_ops, NULL);
}

static void unmake_line(struct fixture *fixture)
{
	if (strcmp(fixture->us, "none") != 0) {
		kocoon_enter(fixture->kocoon);
		kc_param_free_charp(&fixture->us);
		kocoon_leave(fixture->kocoon);
	}
	unmake(fixture);
}

/* ---- types ---- */

static const char *answer_of(const struct kc_kernel_param_ops *ops, const char *text, char *page)
{
	unsigned long long variable = 0;
	struct kc_kernel_param record = { .name = "p", .ops = ops };
	int err;

	record.arg = &variable;
	err = ops->set(text, &record);
	if (err)
		return err == -EINVAL ? "EINVAL" : err == -ERANGE ? "ERANGE" : "?";
	err = ops->get(page, &record);
	assert_int_equal(err, strlen(page));
	assert_int_equal(page[err - 1], '\n');
	page[err - 1] = 0;
	return page;
}

static void check_answers(const struct answers *answers, size_t count, const char *const *types,
			  size_t type_count)
{
	static char page[KC_PAGE_SIZE];

	for (size_t i = 0; i < count; i++) {
		char line[512] = "";

		for (size_t type = 0; type < type_count; type++) {
			strcat(line, type ? " " : "");
			strcat(line, answer_of(ops_for(types[type]), answers[i].text, page));
		}
		assert_string_equal(line, answers[i].values);
	}
}

static void numbers_are_read_as_the_kernel_reads_them(void **state)
{
	(void)state;
	check_answers(number_answers, KC_ARRAY_SIZE(number_answers), number_types,
		      KC_ARRAY_SIZE(number_types));
}

static void booleans_are_read_as_the_kernel_reads_them(void **state)
{
	(void)state;
	check_answers(bool_answers, KC_ARRAY_SIZE(bool_answers), bool_types,
		      KC_ARRAY_SIZE(bool_types));
}

/* A variable next to another one: no more than its own bytes is written. */
static void only_the_variable_is_written(void **state)
{
	static const size_t sizes[] = { 1, 2, 2, 4, 4, 8, 8, 8, 4 };

	(void)state;
	for (size_t type = 0; type < KC_ARRAY_SIZE(sizes); type++) {
		unsigned char bytes[24];
		struct kc_kernel_param record = { .name = "p" };

		memset(bytes, 0xee, sizeof(bytes));
		record.arg = bytes + 8;
		assert_int_equal(ops_for(number_types[type])->set("0", &record), 0);
		for (size_t i = 0; i < sizeof(bytes); i++)
			assert_int_equal(bytes[i], i < 8 || i >= 8 + sizes[type] ? 0xee : 0);
	}
}

static void a_flag_that_is_on_stays_on(void **state)
{
	const struct kc_kernel_param_ops *ops = ops_named("param_ops_bool_enable_only");
	struct kc_kernel_param record = { .name = "p" };
	bool flag = false;

	(void)state;
	record.arg = &flag;
	assert_int_equal(ops->set("0", &record), 0);
	assert_int_equal(ops->set("x", &record), -EINVAL);
	assert_int_equal(ops->set(NULL, &record), 0);
	assert_true(flag);
	assert_int_equal(ops->set("n", &record), -EROFS);
	assert_true(flag);
	assert_int_equal(ops->set("1", &record), 0);
}

static void a_number_may_have_bounds(void **state)
{
	int (*set)(const char *, const struct kc_kernel_param *, unsigned int, unsigned int);
	struct kc_kernel_param record = { .name = "p" };
	unsigned int number = 7;

	(void)state;
	record.arg = &number;
	*(const void **)&set = supply_of("param_set_uint_minmax")->address;
	assert_int_equal(set("3", &record, 4, 9), -EINVAL);
	assert_int_equal(set("10", &record, 4, 9), -EINVAL);
	assert_int_equal(set("4294967296", &record, 4, 9), -ERANGE);
	assert_int_equal(set(NULL, &record, 4, 9), -EINVAL);
	assert_int_equal(number, 7);
	assert_int_equal(set("4", &record, 4, 9), 0);
	assert_int_equal(number, 4);
	assert_int_equal(set("9", &record, 4, 9), 0);
	assert_int_equal(number, 9);
}

static void flags_are_the_kernels(void **state)
{
	(void)state;
	assert_int_equal(ops_for("bool")->flags, 1);
	assert_int_equal(ops_for("invbool")->flags, 0);
	assert_int_equal(ops_for("bint")->flags, 1);
	assert_int_equal(ops_for("bool_enable_only")->flags, 1);
	assert_int_equal(ops_for("string")->flags, 0);
	assert_int_equal(ops_for("charp")->flags, 0);
	assert_int_equal(ops_named("param_array_ops")->flags, 0);
	assert_true(supply_of("param_ops_bool_enable_only")->gpl_only);
	assert_true(supply_of("param_set_bool_enable_only")->gpl_only);
	assert_true(supply_of("param_set_uint_minmax")->gpl_only);
	assert_false(supply_of("param_ops_int")->gpl_only);
}

/* What stock kernels export of kernel/params.c, as they export it, is what there is. */
static void what_is_supplied_is_what_kernels_export(void **state)
{
	static const char *const kinds[] = { "6.12-cloud-amd64", "6.1-amd64" };
	struct kc_own_exports own = kc_own_param_functions();

	(void)state;
	for (size_t kind = 0; kind < KC_ARRAY_SIZE(kinds); kind++) {
		struct kocoon_kernel *kernel = open_stock_kernel(kinds[kind]);
		const struct kocoon_export *exports;
		size_t count = kocoon_kernel_exports(kernel, &exports), supplied = 0;

		for (size_t i = 0; i < own.count; i++) {
			const char *name = own.supplies[i].name;
			const struct kocoon_export *export = kocoon_kernel_export(kernel, name);

			if (!export)
				fail_msg("%s does not export %s", kinds[kind], name);
			assert_int_equal(own.supplies[i].gpl_only, export->gpl_only);
		}
		/* Those of dynamic debug are not of kernel/params.c. */
		for (size_t i = 0; i < count; i++)
			supplied += (strncmp(exports[i].name, "param_", 6) == 0 ||
				     strncmp(exports[i].name, "kernel_param_", 13) == 0) &&
				    !strstr(exports[i].name, "dyndbg");
		assert_int_equal(supplied, own.count);
		kocoon_kernel_free(kernel);
	}
}

static void a_string_fits_or_stays(void **state)
{
	static char page[KC_PAGE_SIZE];
	char buffer[8] = "old";
	struct kc_kparam_string string = { sizeof(buffer), buffer };
	struct kc_kernel_param record = { .name = "s" };
	struct fixture fixture;

	(void)state;
	make(&fixture, false);
	record.str = &string;
	kocoon_enter(fixture.kocoon);
	assert_int_equal(ops_for("string")->set("12345678", &record), -ENOSPC);
	assert_string_equal(buffer, "old");
	assert_non_null(strstr(fixture.said, " 7 "));
	assert_int_equal(fixture.levels[KOCOON_LOG_ERROR], 1);
	assert_int_equal(ops_for("string")->set("123456\n", &record), 0);
	assert_string_equal(buffer, "123456\n");
	assert_int_equal(ops_for("string")->get(page, &record), 8);
	assert_string_equal(page, "123456\n\n");
	kocoon_leave(fixture.kocoon);
	unmake(&fixture);
}

static void a_pointer_gets_a_copy(void **state)
{
	static char page[KC_PAGE_SIZE], big[KC_PARAM_CHARP_MAX + 2];
	const struct kc_kernel_param_ops *ops = ops_for("charp");
	char *variable = NULL;
	struct kc_kernel_param record = { .name = "p" };
	struct fixture fixture;

	(void)state;
	make(&fixture, false);
	record.arg = &variable;
	kocoon_enter(fixture.kocoon);
	assert_int_equal(ops->get(page, &record), 7);
	assert_string_equal(page, "(null)\n");
	memset(big, 'x', KC_PARAM_CHARP_MAX);
	assert_int_equal(ops->set(big, &record), 0);
	assert_ptr_not_equal(variable, big);
	assert_string_equal(variable, big);
	big[KC_PARAM_CHARP_MAX] = 'x';
	assert_int_equal(ops->set(big, &record), -ENOSPC);
	assert_int_equal(strlen(variable), KC_PARAM_CHARP_MAX);
	assert_int_equal(ops->set("with its\n", &record), 0);
	assert_int_equal(ops->get(page, &record), 10);
	assert_string_equal(page, "with its\n\n");
	ops->free(&variable);
	/* What is not a copy is not freed; what is left is freed with the subsystem. */
	variable = big;
	ops->free(&variable);
	variable = NULL;
	ops->free(&variable);
	assert_int_equal(ops->set("left", &record), 0);
	kocoon_leave(fixture.kocoon);
	unmake(&fixture);
}

static void arrays_are_set_until_one_fails(void **state)
{
	static const struct {
		const char *text;
		int err;
		unsigned int num;
		const char *shown;
		int values[4];
	} cases[] = {
		{ "1,2,3", 0, 3, "1,2,3\n", { 1, 2, 3, 0 } },
		{ "1,2,3,4,5", -EINVAL, 4, "1,2,3,4\n", { 1, 2, 3, 4 } },
		{ "1,,3", -EINVAL, 1, "1\n", { 1, 0, 0, 0 } },
		{ "", -EINVAL, 0, "", { 0, 0, 0, 0 } },
		{ "1,2,", -EINVAL, 2, "1,2\n", { 1, 2, 0, 0 } },
		{ ",", -EINVAL, 0, "", { 0, 0, 0, 0 } },
		{ "1,x,3", -EINVAL, 1, "1\n", { 1, 0, 0, 0 } },
		{ "7", 0, 1, "7\n", { 7, 0, 0, 0 } },
		{ "1,2\n", 0, 2, "1,2\n", { 1, 2, 0, 0 } },
	};
	static char page[KC_PAGE_SIZE];
	const struct kc_kernel_param_ops *ops = ops_named("param_array_ops");
	struct fixture fixture;

	(void)state;
	make(&fixture, false);
	kocoon_enter(fixture.kocoon);
	for (size_t i = 0; i < KC_ARRAY_SIZE(cases); i++) {
		unsigned int num = 9;
		int values[4] = { 0 };
		struct kc_kparam_array array = { 4, sizeof(int), &num, ops_for("int"), values };
		struct kc_kernel_param record = { .name = "a" };
		char text[32];

		record.arr = &array;
		strcpy(text, cases[i].text);
		assert_int_equal(ops->set(text, &record), cases[i].err);
		assert_int_equal(num, cases[i].num);
		assert_memory_equal(values, cases[i].values, sizeof(values));
		assert_int_equal(ops->get(page, &record), strlen(cases[i].shown));
		assert_string_equal(page, cases[i].shown);
		if (cases[i].err)
			assert_string_equal(text, cases[i].text);
	}
	assert_int_equal(fixture.levels[KOCOON_LOG_ERROR], 1);
	assert_non_null(strstr(fixture.said, "4 values"));
	kocoon_leave(fixture.kocoon);
	unmake(&fixture);
}

static void arrays_may_be_of_texts(void **state)
{
	static char page[KC_PAGE_SIZE];
	const struct kc_kernel_param_ops *ops = ops_named("param_array_ops");
	unsigned int num = 0;
	char *values[3] = { NULL, NULL, NULL };
	char text[] = "a b,,c\n", shorter[] = "d";
	struct kc_kparam_array array = { 3, sizeof(char *), &num, ops_for("charp"), values };
	struct kc_kernel_param record = { .name = "a" };
	struct fixture fixture;

	(void)state;
	make(&fixture, false);
	record.arr = &array;
	kocoon_enter(fixture.kocoon);
	assert_int_equal(ops->set(text, &record), 0);
	assert_int_equal(num, 3);
	assert_string_equal(values[0], "a b");
	assert_string_equal(values[1], "");
	assert_string_equal(values[2], "c\n");
	assert_int_equal(ops->get(page, &record), 8);
	assert_string_equal(page, "a b,,c\n\n");
	ops->free(&array);
	assert_int_equal(ops->set(shorter, &record), 0);
	assert_string_equal(values[0], "d");
	/* Only those that count. A count that is no count is not believed. */
	num = 1000000;
	values[1] = values[2] = NULL;
	ops->free(&array);
	kocoon_leave(fixture.kocoon);
	unmake(&fixture);
}

static void an_array_shows_a_page_at_most(void **state)
{
	enum { MANY = 1600 };
	static int values[MANY];
	static char page[KC_PAGE_SIZE + 16];
	struct kc_kparam_array array = { MANY, sizeof(int), NULL, ops_for("int"), values };
	struct kc_kernel_param record = { .name = "a" };

	(void)state;
	for (int i = 0; i < MANY; i++)
		values[i] = i;
	memset(page, '#', sizeof(page));
	record.arr = &array;
	assert_int_equal(ops_named("param_array_ops")->get(page, &record), KC_PAGE_SIZE - 1);
	assert_int_equal(strlen(page), KC_PAGE_SIZE - 1);
	assert_int_equal(page[KC_PAGE_SIZE], '#');
}

/* ---- the argument string ---- */

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

static int parse(struct fixture *fixture, const char *args, struct kocoon_report *report)
{
	free(fixture->module->args);
	fixture->module->args = strdup(args);
	assert_non_null(fixture->module->args);
	return kc_parse_args(fixture->module, report);
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
	struct fixture fixture;
	char variables[512];
	size_t refusals = 0;

	make_line(&fixture);
	assert_int_equal(parse(&fixture, line->args, report), line->err);
	show_variables(&fixture, variables, sizeof(variables));
	assert_string_equal(variables, line->variables);
	assert_int_equal(fixture.levels[KOCOON_LOG_ERROR], line->errors);
	assert_int_equal(fixture.levels[KOCOON_LOG_WARNING], line->warnings);
	for (size_t i = 0; i < kocoon_report_count(report); i++) {
		assert_int_equal(kocoon_report_get(report, i)->stage, KOCOON_STAGE_PARAMETERS);
		refusals += kocoon_report_get(report, i)->err != 0;
	}
	assert_int_equal(refusals != 0, line->err != 0);
	kocoon_report_free(report);
	unmake_line(&fixture);
}

static void lines_are_taken_as_the_kernel_takes_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(lines); i++) {
		print_message("# %s\n", lines[i].args);
		check_line(&lines[i]);
	}
}

static void what_is_said_names_module_and_parameter(void **state)
{
	struct fixture fixture;
	struct kocoon_report *report = kocoon_report_new();

	(void)state;
	make_line(&fixture);
	assert_int_equal(parse(&fixture, "arr=1,x,3", report), -EINVAL);
	assert_string_equal(fixture.said, "line: parameter arr: '1,x,3' is not valid");
	assert_int_equal(kocoon_report_count(report), 1);
	assert_int_equal(kocoon_report_get(report, 0)->err, -EINVAL);
	assert_int_equal(parse(&fixture, "no_such=", report), 0);
	assert_string_equal(fixture.said, "line: unknown parameter 'no_such' ignored");
	assert_int_equal(kocoon_report_get(report, 1)->err, 0);
	assert_int_equal(parse(&fixture, "-- i=1 j", NULL), 0);
	assert_string_equal(fixture.said, "line: parameters 'i=1 j' behind '--' ignored");
	kocoon_report_free(report);
	unmake_line(&fixture);
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
	unmake_line(&fixture);
}

static void no_arguments_are_none(void **state)
{
	struct fixture fixture;

	(void)state;
	make_line(&fixture);
	assert_int_equal(kc_parse_args(fixture.module, NULL), 0);
	unmake_line(&fixture);
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
	unmake_line(&fixture);
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
		unmake_line(&fixture);
	}
}

/* ---- reading and writing later ---- */

static void reads_and_writes_at_run_time(void **state)
{
	struct fixture fixture;
	const struct kc_param *param;
	char *text = NULL;
	size_t len = 0;

	(void)state;
	make_line(&fixture);
	param = kc_params_lookup(fixture.module, "under-score");
	assert_non_null(param);
	assert_int_equal(kc_param_show(fixture.module, param, &text, &len), 0);
	assert_string_equal(text, "none\n");
	assert_int_equal(len, 5);
	free(text);
	assert_int_equal(kc_param_store(fixture.module, param, "new\n", 4), 0);
	assert_string_equal(fixture.us, "new\n");
	/* The length counts, and so does a NUL. */
	assert_int_equal(kc_param_store(fixture.module, param, "longer", 4), 0);
	assert_string_equal(fixture.us, "long");
	assert_int_equal(kc_param_store(fixture.module, param, "a\0b", 3), 0);
	assert_string_equal(fixture.us, "a");
	param = kc_params_lookup(fixture.module, "i");
	assert_int_equal(kc_param_store(fixture.module, param, "12\n", 3), 0);
	assert_int_equal(kc_param_store(fixture.module, param, "", 0), -EINVAL);
	assert_int_equal(fixture.i, 12);
	param = kc_params_lookup(fixture.module, "arr");
	assert_int_equal(kc_param_store(fixture.module, param, "4,5", 3), 0);
	assert_int_equal(kc_param_show(fixture.module, param, &text, &len), 0);
	assert_string_equal(text, "4,5\n");
	free(text);
	assert_null(kc_params_lookup(fixture.module, "j"));
	unmake_line(&fixture);
}

static int get_fails(char *buffer, const struct kc_kernel_param *param)
{
	(void)buffer;
	(void)param;
	return -ENODEV;
}

static int get_too_much(char *buffer, const struct kc_kernel_param *param)
{
	(void)param;
	memset(buffer, 'x', KC_PAGE_SIZE);
	return KC_PAGE_SIZE + 1;
}

static void functions_may_be_missing_or_fail(void **state)
{
	static const struct kc_kernel_param_ops none = { 0 };
	static const struct kc_kernel_param_ops failing = { .get = get_fails };
	static const struct kc_kernel_param_ops large = { .get = get_too_much };
	struct fixture fixture;
	char *text = NULL;
	size_t len = 7;

	(void)state;
	make(&fixture, false);
	add(&fixture, "none", &none, NULL);
	assert_int_equal(kc_param_show(fixture.module, last_param(&fixture), &text, &len), -EPERM);
	assert_int_equal(kc_param_store(fixture.module, last_param(&fixture), "1", 1), -EPERM);
	assert_int_equal(parse(&fixture, "none=1", NULL), -EPERM);
	add(&fixture, "failing", &failing, NULL);
	assert_int_equal(kc_param_show(fixture.module, last_param(&fixture), &text, &len), -ENODEV);
	assert_null(text);
	assert_int_equal(len, 7);
	add(&fixture, "large", &large, NULL);
	assert_int_equal(kc_param_show(fixture.module, last_param(&fixture), &text, &len), 0);
	assert_int_equal(len, KC_PAGE_SIZE - 1);
	assert_int_equal(strlen(text), len);
	free(text);
	add(&fixture, "ret", &returning_ops, NULL);
	assert_int_equal(kc_param_store(fixture.module, last_param(&fixture), "3", 1), 3);
	assert_int_equal(kc_param_store(fixture.module, last_param(&fixture), "-5", 2), -EIO);
	unmake(&fixture);
}

static size_t count_copies(const struct fixture *fixture)
{
	size_t used = 0;

	for (size_t i = 0; i < KC_PARAM_TEXT_BUCKETS; i++)
		used += fixture->kocoon->param_texts.buckets[i] != NULL;
	return used;
}

static unsigned int freed;

static void count_free(void *arg)
{
	*(int *)arg = 0;
	freed++;
}

static void destroying_frees(void **state)
{
	static const struct kc_kernel_param_ops counting = { .free = count_free };
	struct fixture fixture;
	int variable = 1;

	(void)state;
	make_line(&fixture);
	add(&fixture, "counted", &counting, &variable);
	assert_int_equal(parse(&fixture, "under_score=a-copy", NULL), 0);
	fixture.module->params = malloc(sizeof(fixture.params));
	memcpy(fixture.module->params, fixture.params, sizeof(fixture.params));
	freed = 0;
	kc_params_destroy(fixture.module);
	assert_int_equal(freed, 1);
	assert_int_equal(variable, 0);
	assert_null(fixture.module->params);
	assert_int_equal(fixture.module->param_count, 0);
	assert_int_equal(count_copies(&fixture), 0);
	kc_params_destroy(fixture.module);
	assert_int_equal(freed, 1);
	unmake(&fixture);
}

/* ---- records ---- */

/* A module's memory: records, then functions, then names. */
struct image {
	struct kc_kernel_param records[2];
	struct kc_kernel_param_ops ops;
	int variable;
	char names[20]; /* to the end of the region */
};

_Static_assert(sizeof(struct image) == 136, "no padding behind the names");

static const uint64_t image_address = 0x41000000;

static void make_image(struct fixture *fixture, struct image *image)
{
	struct kc_region *region = &fixture->module->memory.regions[KOCOON_REGION_DATA];

	memset(image, 0, sizeof(*image));
	memcpy(image->names, "first\0second", 13);
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t names = image_address + offsetof(struct image, names);

		image->records[i].name = (const char *)(uintptr_t)(names + 6 * i);
		image->records[i].ops =
			(const void *)(uintptr_t)(image_address + offsetof(struct image, ops));
		image->records[i].arg =
			(void *)(uintptr_t)(image_address + offsetof(struct image, variable));
		image->records[i].perm = 0444;
		image->records[i].level = (int8_t)(i ? 7 : -1);
		image->records[i].flags = (uint8_t)i;
	}
	*region = (struct kc_region){ .address = image_address,
				      .size = sizeof(*image),
				      .used = sizeof(*image),
				      .bytes = (uint8_t *)image };
	fixture->module->params = NULL;
	atomic_store(&fixture->module->region_sizes[KOCOON_REGION_DATA], sizeof(*image));
}

static void records_are_read(void **state)
{
	struct fixture fixture;
	struct image image;
	const struct kc_param *params;

	(void)state;
	make(&fixture, false);
	make_image(&fixture, &image);
	assert_int_equal(kc_params_find(fixture.module, image_address, 2, NULL), 0);
	params = fixture.module->params;
	assert_int_equal(fixture.module->param_count, 2);
	assert_string_equal(params[0].name, "first");
	assert_string_equal(params[1].name, "second");
	assert_int_equal(params[1].record, image_address + 40);
	assert_int_equal(params[1].ops, image_address + offsetof(struct image, ops));
	assert_int_equal(params[1].arg, image_address + offsetof(struct image, variable));
	assert_int_equal(params[0].perm, 0444);
	assert_int_equal(params[0].level, -1);
	assert_int_equal(params[1].level, 7);
	assert_int_equal(params[0].flags, 0);
	assert_int_equal(params[1].flags, 1);
	free(fixture.module->params);
	unmake(&fixture);
}

static void check_refused(struct fixture *fixture, uint64_t address, uint64_t count)
{
	struct kocoon_report *report = kocoon_report_new();

	assert_int_equal(kc_params_find(fixture->module, address, count, report), -ENOEXEC);
	assert_null(fixture->module->params);
	assert_int_equal(fixture->module->param_count, 0);
	assert_int_equal(kocoon_report_count(report), 1);
	assert_int_equal(kocoon_report_get(report, 0)->err, -ENOEXEC);
	kocoon_report_free(report);
}

static void hostile_records_are_refused(void **state)
{
	struct fixture fixture;
	struct image image;

	(void)state;
	make(&fixture, false);
	make_image(&fixture, &image);
	assert_int_equal(kc_params_find(fixture.module, 0, 0, NULL), 0);
	check_refused(&fixture, 0, 1);
	check_refused(&fixture, image_address - 1, 2);
	check_refused(&fixture, image_address, sizeof(image) / 40 + 1);
	check_refused(&fixture, image_address, UINT64_MAX / 40);
	check_refused(&fixture, image_address, UINT64_MAX / 40 + 2);
	check_refused(&fixture, UINT64_MAX - 10, 2);
	image.records[1].name = NULL;
	check_refused(&fixture, image_address, 2);
	image.records[1].name = (const char *)(uintptr_t)(image_address + sizeof(image));
	check_refused(&fixture, image_address, 2);
	make_image(&fixture, &image);
	memset(image.names + 6, 'x', sizeof(image.names) - 6); /* no end */
	check_refused(&fixture, image_address, 2);
	make_image(&fixture, &image);
	image.records[0].ops = NULL;
	check_refused(&fixture, image_address, 2);
	image.records[0].ops = (const void *)(uintptr_t)(image_address + sizeof(image) - 31);
	check_refused(&fixture, image_address, 2);
	image.records[0].ops = (const void *)(uintptr_t)(UINT64_MAX - 3);
	check_refused(&fixture, image_address, 2);
	unmake(&fixture);
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 2000 };

static void *read_one(void *argument)
{
	struct fixture *fixture = argument;
	const struct kc_param *param = kc_params_lookup(fixture->module, "under_score");

	for (int i = 0; i < ROUNDS; i++) {
		char *text = NULL;
		size_t len = 0;

		if (kc_param_show(fixture->module, param, &text, &len)) {
			atomic_fetch_add(&fixture->wrong, 1);
			continue;
		}
		/* One of the texts, never parts of two. */
		if (strspn(text, "a") != len - 1 && strspn(text, "b") != len - 1)
			atomic_fetch_add(&fixture->wrong, 1);
		free(text);
	}
	return NULL;
}

static void *write_one(void *argument)
{
	static const char as[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", bs[] = "bbbbbbb";
	struct fixture *fixture = argument;
	const struct kc_param *param = kc_params_lookup(fixture->module, "under_score");

	for (int i = 0; i < ROUNDS; i++) {
		const char *text = i % 2 ? as : bs;

		if (kc_param_store(fixture->module, param, text, strlen(text)))
			atomic_fetch_add(&fixture->wrong, 1);
	}
	return NULL;
}

static void readers_and_writers_meet(void **state)
{
	pthread_t threads[2 * THREADS];
	struct fixture fixture;

	(void)state;
	make_line(&fixture);
	assert_int_equal(kc_param_store(fixture.module, &fixture.params[1], "a", 1), 0);
	for (int i = 0; i < 2 * THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, i % 2 ? read_one : write_one, &fixture),
			0);
	for (int i = 0; i < 2 * THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&fixture.wrong), 0);
	assert_int_equal(count_copies(&fixture), 1);
	unmake_line(&fixture);
}

static void *visit(void *argument)
{
	struct fixture *fixture = argument;

	while (kc_sysfs_get_active(fixture->module)) {
		atomic_fetch_add(&fixture->rounds, 1);
		if (!atomic_load(&fixture->there))
			atomic_fetch_add(&fixture->wrong, 1);
		kc_sysfs_put_active(fixture->module);
	}
	return NULL;
}

static void files_stay_while_somebody_is_in_one(void **state)
{
	pthread_t threads[THREADS];
	struct fixture fixture;

	(void)state;
	make(&fixture, false);
	assert_false(kc_sysfs_get_active(fixture.module));
	for (int round = 0; round < 50; round++) {
		unsigned int before = atomic_load(&fixture.rounds);

		atomic_store(&fixture.there, true);
		kc_sysfs_activate(fixture.module);
		assert_true(kc_sysfs_is_there(fixture.module));
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, visit, &fixture), 0);
		while (atomic_load(&fixture.rounds) < before + 100)
			sched_yield();
		kc_sysfs_drain(fixture.module);
		atomic_store(&fixture.there, false);
		for (int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(atomic_load(&fixture.module->sysfs_active), 0);
	}
	assert_int_equal(atomic_load(&fixture.wrong), 0);
	unmake(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_read_as_the_kernel_reads_them),
		cmocka_unit_test(booleans_are_read_as_the_kernel_reads_them),
		cmocka_unit_test(only_the_variable_is_written),
		cmocka_unit_test(a_flag_that_is_on_stays_on),
		cmocka_unit_test(a_number_may_have_bounds),
		cmocka_unit_test(flags_are_the_kernels),
		cmocka_unit_test(what_is_supplied_is_what_kernels_export),
		cmocka_unit_test(a_string_fits_or_stays),
		cmocka_unit_test(a_pointer_gets_a_copy),
		cmocka_unit_test(arrays_are_set_until_one_fails),
		cmocka_unit_test(arrays_may_be_of_texts),
		cmocka_unit_test(an_array_shows_a_page_at_most),
		cmocka_unit_test(lines_are_taken_as_the_kernel_takes_them),
		cmocka_unit_test(what_is_said_names_module_and_parameter),
		cmocka_unit_test(the_image_knows_of_async_probe),
		cmocka_unit_test(no_arguments_are_none),
		cmocka_unit_test(unsafe_ones_taint),
		cmocka_unit_test(hardware_is_not_to_be_set_when_locked_down),
		cmocka_unit_test(reads_and_writes_at_run_time),
		cmocka_unit_test(functions_may_be_missing_or_fail),
		cmocka_unit_test(destroying_frees),
		cmocka_unit_test(records_are_read),
		cmocka_unit_test(hostile_records_are_refused),
		cmocka_unit_test(readers_and_writers_meet),
		cmocka_unit_test(files_stay_while_somebody_is_in_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * live/param_ops.c, param_text.c, param_array.c: what a stock 6.12 kernel says to the same texts.
 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "build_module.h"
#include "param_answers.h"
#include "param_fixture.h"

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
	const void *function;

	(void)state;
	record.arg = &number;
	function = supply_of("param_set_uint_minmax")->address;
	memcpy(&set, &function, sizeof(set));
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
	make_fixture(&fixture);
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
	free_fixture(&fixture);
}

static void a_pointer_gets_a_copy(void **state)
{
	static char page[KC_PAGE_SIZE], big[KC_PARAM_CHARP_MAX + 2];
	const struct kc_kernel_param_ops *ops = ops_for("charp");
	char *variable = NULL;
	struct kc_kernel_param record = { .name = "p" };
	struct fixture fixture;

	(void)state;
	make_fixture(&fixture);
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
	free_fixture(&fixture);
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
	make_fixture(&fixture);
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
	free_fixture(&fixture);
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
	make_fixture(&fixture);
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
	free_fixture(&fixture);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

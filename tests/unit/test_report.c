/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/report.c */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/report.h"

static void keeps_findings_in_order(void **state)
{
	struct kocoon_report *report = kocoon_report_new();

	(void)state;
	assert_non_null(report);
	for (int i = 1; i <= 100; i++)
		assert_int_equal(kc_finding(report, KOCOON_STAGE_ELF, -i, "number %d", i), -i);
	assert_int_equal(kocoon_report_count(report), 100);
	for (size_t i = 0; i < 100; i++) {
		char text[32];

		snprintf(text, sizeof(text), "number %zu", i + 1);
		assert_string_equal(kocoon_report_get(report, i)->what, text);
		assert_int_equal(kocoon_report_get(report, i)->err, -(int)i - 1);
		assert_null(kocoon_report_get(report, i)->expected);
	}
	assert_null(kocoon_report_get(report, 100));
	kocoon_report_free(report);
}

static void says_more_about_the_last_one(void **state)
{
	struct kocoon_report *report = kocoon_report_new();
	const struct kocoon_finding *finding;

	(void)state;
	kc_expected(report, "about nothing yet");
	kc_finding(report, KOCOON_STAGE_VERMAGIC, -ENOEXEC, "first");
	kc_finding(report, KOCOON_STAGE_VERMAGIC, -ENOEXEC, "vermagic differs");
	kc_expected(report, "%s SMP", "6.12");
	kc_found(report, "%s SMP", "6.1");
	kc_hint(report, "once");
	kc_hint(report, "build it %s", "again");
	finding = kocoon_report_get(report, 1);
	assert_string_equal(finding->expected, "6.12 SMP");
	assert_string_equal(finding->found, "6.1 SMP");
	assert_string_equal(finding->hint, "build it again");
	assert_null(kocoon_report_get(report, 0)->hint);
	kocoon_report_free(report);
}

static void moves_findings(void **state)
{
	struct kocoon_report to, from;

	(void)state;
	kc_report_init(&to);
	kc_report_init(&from);
	kc_finding(&to, KOCOON_STAGE_READ, 0, "one");
	kc_finding(&from, KOCOON_STAGE_READ, 0, "two");
	kc_hint(&from, "with a hint");
	kc_report_move(&to, &from);
	assert_int_equal(kocoon_report_count(&from), 0);
	assert_int_equal(kocoon_report_count(&to), 2);
	assert_string_equal(kocoon_report_get(&to, 1)->what, "two");
	assert_string_equal(kocoon_report_get(&to, 1)->hint, "with a hint");
	kc_report_deinit(&from);
	kc_report_deinit(&to);
}

static void needs_no_report(void **state)
{
	(void)state;
	assert_int_equal(kc_finding(NULL, KOCOON_STAGE_READ, -EIO, "unheard"), -EIO);
	kc_expected(NULL, "unheard");
	kocoon_report_free(NULL);
}

static void names_every_stage(void **state)
{
	(void)state;
	for (int i = KOCOON_STAGE_READ; i <= KOCOON_STAGE_KERNEL; i++) {
		const char *name = kocoon_stage_name((enum kocoon_stage)i);

		assert_non_null(name);
		assert_string_not_equal(name, "unknown");
		for (int j = KOCOON_STAGE_READ; j < i; j++)
			assert_string_not_equal(name, kocoon_stage_name((enum kocoon_stage)j));
	}
	assert_string_equal(kocoon_stage_name((enum kocoon_stage)1000), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_findings_in_order),
		cmocka_unit_test(says_more_about_the_last_one),
		cmocka_unit_test(moves_findings),
		cmocka_unit_test(needs_no_report),
		cmocka_unit_test(names_every_stage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

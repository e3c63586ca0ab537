/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Real modules that trap: exception tables, WARN, BUG, faults. Subsystems are made within the
 * tests: cmocka takes the signals anew for each, and would have them for itself otherwise.
 */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "supplies.h"

static struct kocoon_kernel *kernel;

static void exception_tables(void **state)
{
	struct kocoon *kocoon = live_new(kernel, NULL);
	long value = 77;
	uint64_t here = (uintptr_t)&value, nowhere = (uint64_t)-4096;
	uint64_t not_canonical = UINT64_C(0x1234567800000000);

	(void)state;
	assert_non_null(kocoon);
	assert_int_equal(live_load(kocoon, "extable", ""), 0);
	assert_true(live_said("extable: -14"));
	assert_int_equal(live_call(kocoon, "extable:extable_read", here, 0), 77);
	assert_int_equal(live_call(kocoon, "extable:extable_read", 16, 0), -EFAULT);
	assert_int_equal(live_call(kocoon, "extable:extable_read", nowhere, 0), -EFAULT);
	assert_int_equal(live_call(kocoon, "extable:extable_read", not_canonical, 0), -EFAULT);
	assert_int_equal(live_call(kocoon, "extable:extable_user_read", here, 0), 77);
	assert_int_equal(live_call(kocoon, "extable:extable_user_read", nowhere, 0), -1);
	assert_int_equal(live_call_int(kocoon, "extable:extable_divide", 42, 6), 7);
	assert_int_equal(live_call_int(kocoon, "extable:extable_divide", 42, 0), -EDOM);
	kocoon_free(kocoon);
}

static struct kocoon_trap_info last;
static char last_module[64];
static unsigned int trap_count;
static sigjmp_buf way_out;

static void trapped(void *context, const struct kocoon_trap_info *info)
{
	(void)context;
	last = *info;
	strncpy(last_module, kocoon_loaded_name(info->module), sizeof(last_module) - 1);
	trap_count++;
	if (info->trap != KOCOON_TRAP_WARN)
		siglongjmp(way_out, 1);
}

static struct kocoon *begin(void)
{
	const struct kocoon_options options = { .hooks = { .trap = trapped } };
	struct kocoon *kocoon = live_new(kernel, &options);

	assert_non_null(kocoon);
	live_forget();
	trap_count = 0;
	assert_int_equal(live_load(kocoon, "traps", ""), 0);
	return kocoon;
}

static void warnings_go_on(void **state)
{
	struct kocoon *kocoon = begin();
	enum { WARN_TAINT = 1 << 9 };

	(void)state;
	assert_int_equal(live_call_int(kocoon, "traps:traps_warn", 0, 0), 1);
	assert_int_equal(trap_count, 1);
	assert_int_equal(last.trap, KOCOON_TRAP_WARN);
	assert_string_equal(last_module, "traps");
	assert_true(live_said("traps: warned"));
	assert_true(kocoon_tainted(kocoon) & WARN_TAINT);
	assert_int_equal(live_call_int(kocoon, "traps:traps_warn", 0, 0), 1);
	assert_int_equal(trap_count, 2);
	/* Once means once a load. */
	assert_int_equal(live_call_int(kocoon, "traps:traps_warn_once", 0, 0), 1);
	assert_int_equal(live_call_int(kocoon, "traps:traps_warn_once", 0, 0), 1);
	assert_int_equal(trap_count, 3);
	assert_int_equal(kocoon_delete_module(kocoon, "traps", 0), 0);
	assert_int_equal(live_load(kocoon, "traps", "how=warn"), 0);
	assert_int_equal(trap_count, 4);
	assert_int_equal(live_call_int(kocoon, "traps:traps_warn_once", 0, 0), 1);
	assert_int_equal(trap_count, 5);
	kocoon_free(kocoon);
}

static void bugs_and_faults_can_be_left(void **state)
{
	struct kocoon *kocoon = begin();

	(void)state;
	if (!sigsetjmp(way_out, 1)) {
		live_call(kocoon, "traps:traps_bug", 0, 0);
		fail();
	}
	kocoon_leave(kocoon);
	assert_int_equal(last.trap, KOCOON_TRAP_BUG);
	assert_string_equal(last_module, "traps");
	if (!sigsetjmp(way_out, 1)) {
		live_call(kocoon, "traps:traps_fault", 16, 0);
		fail();
	}
	kocoon_leave(kocoon);
	assert_int_equal(last.trap, KOCOON_TRAP_FAULT);
	assert_int_equal(last.signal, SIGSEGV);
	assert_int_equal(last.address, 16);
	assert_int_equal(trap_count, 2);
	assert_int_equal(kocoon_cpu(kocoon), -1);
	kocoon_free(kocoon);
}

static int open_kernel(void **state)
{
	(void)state;
	kernel = live_kernel();
	return kernel ? 0 : -1;
}

static int free_kernel(void **state)
{
	(void)state;
	kocoon_kernel_free(kernel);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exception_tables),
		cmocka_unit_test(warnings_go_on),
		cmocka_unit_test(bugs_and_faults_can_be_left),
	};

	return cmocka_run_group_tests(tests, open_kernel, free_kernel);
}

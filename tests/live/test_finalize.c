/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Code of real modules, patched for this machine: it runs, and has none of the calls left that only
 * a kernel has a use for.
 */
#include "unit.h"

#include <stdbool.h>
#include <string.h>

#include <kocoon/live.h>

#include "supplies.h"

static struct kocoon_kernel *kernel;

static int set_up(void **state)
{
	kernel = live_kernel();
	*state = live_new(kernel, NULL);
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	kocoon_free(*state);
	kocoon_kernel_free(kernel);
	return 0;
}

static const uint8_t *code_of(struct kocoon *kocoon, const char *name)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	return (const uint8_t *)(uintptr_t)live_symbol(kocoon, name);
}

static bool has(const uint8_t *code, size_t len, const char *bytes, size_t wanted)
{
	for (size_t at = 0; at + wanted <= len; at++)
		if (memcmp(code + at, bytes, wanted) == 0)
			return true;
	return false;
}

#define HAS(code, bytes) has(code, 32, bytes, sizeof(bytes) - 1)

static void keys_and_static_calls_run(void **state)
{
	struct kocoon *kocoon = *state;

	assert_int_equal(live_load(kocoon, "keys", NULL), 0);
	assert_true(live_said("keys: 3 0 43 1"));
	assert_int_equal(live_call_int(kocoon, "keys:keys_likely", 0, 0), 3);
	assert_int_equal(live_call_int(kocoon, "keys:keys_unlikely", 0, 0), 0);
	assert_int_equal(live_call_int(kocoon, "keys:keys_call", 4, 0), 9);
	assert_int_equal(live_call_int(kocoon, "keys:keys_call_null", 4, 0), 1);
	assert_int_equal(kocoon_delete_module(kocoon, "keys", 0), 0);
}

static void code_needs_no_thunks(void **state)
{
	struct kocoon *kocoon = *state;
	const uint8_t *code;

	assert_int_equal(live_load(kocoon, "keys", NULL), 0);
	code = code_of(kocoon, "keys:keys_call_null");
	/* Behind an endbr64: what was a call of __fentry__. */
	assert_memory_equal(code + 4, "\x0f\x1f\x44\x00\x00", 5);
	assert_true(HAS(code, "\x2e\x2e\x2e\x31\xc0"));
	assert_true(HAS(code, "\xc3\xcc\xcc\xcc\xcc"));
	assert_int_equal(kocoon_delete_module(kocoon, "keys", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keys_and_static_calls_run, set_up, tear_down),
		cmocka_unit_test_setup_teardown(code_needs_no_thunks, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

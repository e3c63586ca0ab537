/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/buffer.c */
#include "unit.h"

#include <errno.h>

#include "base/buffer.h"

static void keeps_what_was_appended(void **state)
{
	struct kc_buffer buffer = { 0 };

	(void)state;
	for (size_t i = 0; i < 10000; i++) {
		uint8_t bytes[3] = { (uint8_t)i, (uint8_t)(i >> 8), 0x5a };

		assert_int_equal(kc_buffer_append(&buffer, bytes, sizeof(bytes)), 0);
	}
	assert_int_equal(buffer.len, 30000);
	assert_true(buffer.capacity >= buffer.len);
	for (size_t i = 0; i < 10000; i++) {
		assert_int_equal(buffer.data[3 * i], (uint8_t)i);
		assert_int_equal(buffer.data[3 * i + 1], (uint8_t)(i >> 8));
		assert_int_equal(buffer.data[3 * i + 2], 0x5a);
	}
	kc_buffer_deinit(&buffer);
	assert_null(buffer.data);
}

static void reserves_without_losing(void **state)
{
	struct kc_buffer buffer = { 0 };
	struct kc_span span;

	(void)state;
	assert_int_equal(kc_buffer_append(&buffer, "abc", 3), 0);
	assert_int_equal(kc_buffer_reserve(&buffer, 1 << 20), 0);
	assert_int_equal(kc_buffer_reserve(&buffer, 1), 0);
	assert_true(buffer.capacity >= 1 << 20);
	span = kc_buffer_span(&buffer);
	assert_int_equal(span.len, 3);
	assert_memory_equal(span.data, "abc", 3);
	kc_buffer_deinit(&buffer);
}

static void refuses_what_no_memory_can_hold(void **state)
{
	struct kc_buffer buffer = { 0 };

	(void)state;
	assert_int_equal(kc_buffer_append(&buffer, "abc", 3), 0);
	assert_int_equal(kc_buffer_append(&buffer, "", SIZE_MAX / 2), -ENOMEM);
	assert_int_equal(kc_buffer_append(&buffer, "", SIZE_MAX), -ENOMEM);
	assert_int_equal(buffer.len, 3);
	assert_memory_equal(buffer.data, "abc", 3);
	kc_buffer_deinit(&buffer);
}

static void appends_nothing(void **state)
{
	struct kc_buffer buffer = { 0 };

	(void)state;
	assert_int_equal(kc_buffer_append(&buffer, NULL, 0), 0);
	assert_int_equal(buffer.len, 0);
	kc_buffer_deinit(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_was_appended),
		cmocka_unit_test(reserves_without_losing),
		cmocka_unit_test(refuses_what_no_memory_can_hold),
		cmocka_unit_test(appends_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* records.c: a stream that a machine could have sent, whole, cut at every length, and damaged. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buffer.h"
#include "records.h"

static void add(struct kc_buffer *stream, enum record_kind kind, uint32_t index, const void *bytes,
		size_t len)
{
	struct record_header header = { kind, index, len };
	static const uint8_t zeros[8];

	assert_int_equal(kc_buffer_append(stream, &header, sizeof(header)), 0);
	assert_int_equal(kc_buffer_append(stream, bytes, len), 0);
	assert_int_equal(kc_buffer_append(stream, zeros, -len % 8), 0);
}

static void make_stream(struct kc_buffer *stream)
{
	struct record_module module = { .name = "one", .address = 4096, .percpu = 64 };
	struct {
		struct record_region region;
		char bytes[3];
	} region = { { 1, 8192, 4096 }, "abc" };
	int32_t err = ENOEXEC;

	add(stream, RECORD_START, 2, "", 0);
	add(stream, RECORD_MODULE, 2, &module, sizeof(module));
	add(stream, RECORD_REGION, 2, &region, offsetof(typeof(region), bytes) + 3);
	add(stream, RECORD_START, 0, "", 0);
	add(stream, RECORD_RESULT, 0, &err, sizeof(err));
	add(stream, RECORD_LOG, RECORD_NO_INDEX, "hello", 5);
	add(stream, RECORD_LOG, 2, "x", 1);
	add(stream, RECORD_END, RECORD_NO_INDEX, "", 0);
}

static int open_bytes(const uint8_t *bytes, size_t len, struct kc_records *records,
		      uint64_t *where_ret)
{
	char path[] = "/tmp/recordsXXXXXX";
	int fd = mkstemp(path), err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
	err = kc_records_open(path, records, where_ret);
	unlink(path);
	return err;
}

static void grouped_by_line(void **state)
{
	struct kc_buffer stream = { 0 };
	struct kc_records records;
	struct kc_record_group group;
	struct kc_span bytes;
	size_t at = 0;

	(void)state;
	make_stream(&stream);
	assert_int_equal(open_bytes(stream.data, stream.len, &records, NULL), 0);
	assert_true(records.complete);
	assert_int_equal(records.group_count, 3);
	assert_int_equal(records.others.count, 2);
	assert_int_equal(kc_records_of(&records, 1).count, 0);
	assert_int_equal(kc_records_of(&records, 3).count, 0);
	assert_int_equal(kc_records_of(&records, RECORD_NO_INDEX).count, 0);
	group = kc_records_of(&records, 2);
	assert_int_equal(group.count, 4);
	assert_string_equal(kc_record_module(&group.records[1]).name, "one");
	assert_int_equal(kc_record_region(&group.records[2], &bytes).address, 8192);
	assert_int_equal(bytes.len, 3);
	assert_memory_equal(bytes.data, "abc", 3);
	assert_int_equal(kc_records_next(group, RECORD_LOG, &at)->bytes.len, 1);
	assert_null(kc_records_next(group, RECORD_LOG, &at));
	assert_null(kc_records_first(group, RECORD_RESULT));
	group = kc_records_of(&records, 0);
	assert_int_equal(kc_record_errno(kc_records_first(group, RECORD_RESULT)), ENOEXEC);
	kc_records_close(&records);
	kc_buffer_deinit(&stream);
}

/* Whole records only: where it was cut is told; a stream that ends between two is not complete. */
static void cut_anywhere(void **state)
{
	struct kc_buffer stream = { 0 };
	struct kc_records records;

	(void)state;
	make_stream(&stream);
	for (size_t len = 0; len < stream.len; len++) {
		uint64_t where = len + 1;
		int err = open_bytes(stream.data, len, &records, &where);

		if (err) {
			assert_int_equal(err, -EBADMSG);
			assert_true(where <= len);
			continue;
		}
		assert_false(records.complete);
		kc_records_close(&records);
	}
	kc_buffer_deinit(&stream);
}

static void damaged(void **state)
{
	static const struct {
		size_t at; /* in the first header */
		uint64_t value;
	} cases[] = { { 0, 0 }, { 0, RECORD_END + 1 }, { 8, UINT64_MAX }, { 8, UINT64_MAX - 20 } };
	uint64_t where;

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(cases); i++) {
		struct kc_buffer stream = { 0 };
		struct kc_records records;

		make_stream(&stream);
		if (cases[i].at)
			kc_store64(stream.data + cases[i].at, cases[i].value);
		else
			kc_store32(stream.data, (uint32_t)cases[i].value);
		assert_int_equal(open_bytes(stream.data, stream.len, &records, &where), -EBADMSG);
		assert_int_equal(where, 0);
		kc_buffer_deinit(&stream);
	}
}

static void a_record_too_short_for_its_kind(void **state)
{
	static const enum record_kind kinds[] = { RECORD_RESULT, RECORD_UNLOAD, RECORD_TRIED,
						  RECORD_MODULE, RECORD_REGION, RECORD_MEMORY };
	struct kc_records records;

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(kinds); i++) {
		struct kc_buffer stream = { 0 };

		add(&stream, kinds[i], 0, "abc", 3);
		assert_int_equal(open_bytes(stream.data, stream.len, &records, NULL), -EBADMSG);
		kc_buffer_deinit(&stream);
	}
	assert_int_equal(kc_records_open("/nowhere/records", &records, NULL), -ENOENT);
}

/* An index far above the number of records would be memory for nothing. */
static void an_index_out_of_any_list(void **state)
{
	struct kc_buffer stream = { 0 };
	struct kc_records records;

	(void)state;
	add(&stream, RECORD_START, RECORD_NO_INDEX - 1, "", 0);
	assert_int_equal(open_bytes(stream.data, stream.len, &records, NULL), -EBADMSG);
	kc_buffer_deinit(&stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grouped_by_line),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(damaged),
		cmocka_unit_test(a_record_too_short_for_its_kind),
		cmocka_unit_test(an_index_out_of_any_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image/unpack.c, image/read.c */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compress.h"

enum {
	TRAILER = 0x31415926,
	LARGE = 9 << 20, /* two blocks of lz4 */
};

/* Bytes that pack, but not to nothing. */
static struct kc_buffer sample(size_t len)
{
	struct kc_buffer bytes = { 0 };
	uint32_t state = 1;

	while (bytes.len < len) {
		char word[16];
		int size;

		state = state * 1664525 + 1013904223;
		size = snprintf(word, sizeof(word), "sym_%u\n", state >> 20);
		append(&bytes, word, (size_t)size);
	}
	bytes.len = len;
	return bytes;
}

static void assert_same(struct kc_span a, struct kc_span b)
{
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
}

static void unpacks_every_format_and_leaves_what_follows(void **state)
{
	const size_t sizes[] = { 1, 4096, 300000 };

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(packers) * KC_ARRAY_SIZE(sizes); i++) {
		const struct packer *packer = &packers[i / KC_ARRAY_SIZE(sizes)];
		struct kc_buffer bytes = sample(sizes[i % KC_ARRAY_SIZE(sizes)]);
		struct kc_buffer packed = pack(packer, kc_buffer_span(&bytes)), out = { 0 };
		size_t len = packed.len, consumed = 0;

		append32(&packed, TRAILER);
		assert_int_equal(kc_format_detect(kc_buffer_span(&packed)), packer->format);
		/* The limit is the exact size: none of it is one byte too narrow. */
		assert_int_equal(kc_unpack(packer->format, kc_buffer_span(&packed), bytes.len, &out,
					   &consumed, NULL),
				 0);
		assert_same(kc_buffer_span(&out), kc_buffer_span(&bytes));
		assert_int_equal(consumed, len);
		kc_buffer_deinit(&bytes);
		kc_buffer_deinit(&packed);
		kc_buffer_deinit(&out);
	}
}

static void unpacks_more_than_one_block_of_lz4(void **state)
{
	struct kc_buffer bytes = sample(LARGE), out = { 0 };
	struct kc_buffer packed = pack(&packers[4], kc_buffer_span(&bytes));

	(void)state;
	assert_int_equal(packers[4].format, KC_FORMAT_LZ4);
	assert_int_equal(
		kc_unpack(KC_FORMAT_LZ4, kc_buffer_span(&packed), bytes.len, &out, NULL, NULL), 0);
	assert_same(kc_buffer_span(&out), kc_buffer_span(&bytes));
	kc_buffer_deinit(&bytes);
	kc_buffer_deinit(&packed);
	kc_buffer_deinit(&out);
}

/* What is reserved may be what it takes, and then nothing grows; or less. */
static void unpacks_zstd_into_the_room_that_there_is(void **state)
{
	struct kc_buffer bytes = sample(300000);
	struct kc_buffer packed = pack(&packers[5], kc_buffer_span(&bytes));
	const size_t rooms[] = { bytes.len, bytes.len - 1, 1 };

	(void)state;
	assert_int_equal(packers[5].format, KC_FORMAT_ZSTD);
	for (size_t i = 0; i < KC_ARRAY_SIZE(rooms); i++) {
		struct kc_buffer out = { 0 };

		assert_int_equal(kc_buffer_reserve(&out, rooms[i]), 0);
		assert_int_equal(kc_unpack(KC_FORMAT_ZSTD, kc_buffer_span(&packed), 1 << 20, &out,
					   NULL, NULL),
				 0);
		assert_same(kc_buffer_span(&out), kc_buffer_span(&bytes));
		assert_int_equal(out.capacity == rooms[i], rooms[i] == bytes.len);
		kc_buffer_deinit(&out);
	}
	kc_buffer_deinit(&packed);
	kc_buffer_deinit(&bytes);
}

static void refuses_more_than_the_limit(void **state)
{
	struct kc_buffer bytes = sample(1 << 20);

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(packers); i++) {
		const size_t limits[] = { 0, 1, 4096, 1 << 19, bytes.len - 1 };
		struct kc_buffer packed = pack(&packers[i], kc_buffer_span(&bytes)), out = { 0 };

		for (size_t j = 0; j < KC_ARRAY_SIZE(limits); j++) {
			assert_int_equal(kc_unpack(packers[i].format, kc_buffer_span(&packed),
						   limits[j], &out, NULL, NULL),
					 -EFBIG);
			assert_true(out.len <= limits[j]);
		}
		kc_buffer_deinit(&packed);
		kc_buffer_deinit(&out);
	}
	kc_buffer_deinit(&bytes);
}

/* Every length of a small stream. The legacy frame of lz4 alone has no end mark: cut between two
 * blocks, it is a shorter one, and four bytes that are left over are the caller's. */
static void refuses_every_truncation(void **state)
{
	struct kc_buffer bytes = sample(1000), out = { 0 };

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(packers); i++) {
		bool open_ended = packers[i].format == KC_FORMAT_LZ4;
		struct kc_buffer packed = pack(&packers[i], kc_buffer_span(&bytes));

		for (size_t len = 0; len < packed.len; len++) {
			uint8_t *cut = malloc(len + 1);
			int expected = open_ended && len >= 4 && len <= 8 ? 0 : -EINVAL;

			/* A copy of just that size, so that a read behind it is seen. */
			memcpy(cut, packed.data, len);
			cut = realloc(cut, len ? len : 1);
			assert_int_equal(kc_unpack(packers[i].format, kc_span(cut, len), bytes.len,
						   &out, NULL, NULL),
					 expected);
			free(cut);
		}
		kc_buffer_deinit(&packed);
	}
	kc_buffer_deinit(&bytes);
	kc_buffer_deinit(&out);
}

/* Not every flip is seen: lz4, lzma and the headers of gzip have no checksum. */
static void survives_flips_in_every_byte(void **state)
{
	struct kc_buffer bytes = sample(1000), out = { 0 };

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(packers); i++) {
		struct kc_buffer packed = pack(&packers[i], kc_buffer_span(&bytes));
		bool checked =
			packers[i].format == KC_FORMAT_XZ || packers[i].format == KC_FORMAT_BZIP2;

		for (size_t place = 0; place < packed.len; place++) {
			uint8_t flip = (uint8_t)(1 << place % 8);
			int err;

			packed.data[place] ^= flip;
			err = kc_unpack(packers[i].format, kc_buffer_span(&packed), 1 << 20, &out,
					NULL, NULL);
			packed.data[place] ^= flip;
			if (!err && checked)
				assert_same(kc_buffer_span(&out), kc_buffer_span(&bytes));
			if (err)
				assert_true(err == -EINVAL || err == -EFBIG);
		}
		kc_buffer_deinit(&packed);
	}
	kc_buffer_deinit(&bytes);
	kc_buffer_deinit(&out);
}

static void names_what_it_cannot_unpack(void **state)
{
	static const uint8_t lzo[] = { 0x89, 'L', 'Z', 'O', 0, 0x0d, 0x0a, 0x1a, 0x0a };
	struct kocoon_report *report = kocoon_report_new();
	struct kc_span packed = kc_span(lzo, sizeof(lzo));
	struct kc_buffer out = { 0 };

	(void)state;
	assert_int_equal(kc_format_detect(packed), KC_FORMAT_LZO);
	assert_int_equal(kc_unpack(KC_FORMAT_LZO, packed, 4096, &out, NULL, report), -ENOTSUP);
	assert_non_null(strstr(kocoon_report_get(report, 0)->what, "lzo"));
	assert_int_equal(kc_unpack(KC_FORMAT_NONE, packed, 4096, &out, NULL, report), -EINVAL);
	kocoon_report_free(report);
	kc_buffer_deinit(&out);
}

static void detects_formats_by_their_magic_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(packers); i++) {
		struct kc_buffer packed = pack(&packers[i], kc_span("kernel", 6));

		for (size_t len = 0; len < 3; len++)
			assert_int_equal(kc_format_detect(kc_span(packed.data, len)),
					 KC_FORMAT_NONE);
		packed.data[1] ^= 0x80;
		assert_int_equal(kc_format_detect(kc_buffer_span(&packed)), KC_FORMAT_NONE);
		kc_buffer_deinit(&packed);
	}
	assert_string_equal(kc_format_name(KC_FORMAT_NONE), "none");
	assert_string_equal(kc_format_name(KC_FORMAT_BZIP2), "bzip2");
	assert_string_equal(kc_format_name((enum kc_format)99), "none");
}

static void reads_regular_files_only(void **state)
{
	char folder[] = "/tmp/kocoon-test-XXXXXX", path[64];
	struct kocoon_report *report = kocoon_report_new();
	struct kc_buffer buffer = { 0 };
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
	assert_int_equal(kc_read_file(path, 10, &buffer, report), -ENOENT);
	assert_int_equal(kc_read_file(folder, 10, &buffer, report), -EINVAL);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(kc_read_file(path, 10, &buffer, report), -EINVAL);
	unlink(path);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs("0123456789", file) >= 0);
	fclose(file);
	assert_int_equal(kc_read_file(path, 9, &buffer, report), -EFBIG);
	assert_int_equal(kocoon_report_count(report), 4);
	assert_int_equal(kc_read_file(path, 10, &buffer, report), 0);
	assert_same(kc_buffer_span(&buffer), kc_span("0123456789", 10));
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(kc_read_file(path, 10, &buffer, report), 0);
	assert_int_equal(buffer.len, 0);
	assert_int_equal(kocoon_report_count(report), 4);
	unlink(path);
	rmdir(folder);
	kocoon_report_free(report);
	kc_buffer_deinit(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unpacks_every_format_and_leaves_what_follows),
		cmocka_unit_test(unpacks_more_than_one_block_of_lz4),
		cmocka_unit_test(unpacks_zstd_into_the_room_that_there_is),
		cmocka_unit_test(refuses_more_than_the_limit),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(survives_flips_in_every_byte),
		cmocka_unit_test(names_what_it_cannot_unpack),
		cmocka_unit_test(detects_formats_by_their_magic_only),
		cmocka_unit_test(reads_regular_files_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

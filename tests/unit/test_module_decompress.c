/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image/module_decompress.c and module_xz.c, against what the real kernel answers to the files of
 * build_xz.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <zlib.h>
#include <zstd.h>

#include "build_xz.h"
#include "image/image.h"

static const struct kc_decompressor xz_kernel = { .format = KC_FORMAT_XZ, .xz_bcj_x86 = true };
static const struct kc_decompressor gzip_kernel = { .format = KC_FORMAT_GZIP };
static const struct kc_decompressor zstd_kernel = { .format = KC_FORMAT_ZSTD };
static const struct kc_decompressor no_kernel = { .format = KC_FORMAT_NONE };

static void add(struct kc_buffer *buffer, const void *data, size_t len)
{
	assert_int_equal(kc_buffer_append(buffer, data, len), 0);
}

/* 300 KB that pack about as well as a module: words with noise between them, some x86 calls. */
static struct kc_buffer sample(void)
{
	struct kc_buffer bytes = { 0 };
	uint32_t state = 1;

	for (int i = 0; i < 20000; i++) {
		uint8_t call[5] = { 0xe8, (uint8_t)(state >> 24), (uint8_t)(i & 0x3f), 0, 0 };
		char word[16];
		int len;

		state = state * 1664525 + 1013904223;
		len = snprintf(word, sizeof(word), "sym_%u", state >> 22);
		add(&bytes, word, (size_t)len + 1);
		add(&bytes, call, sizeof(call));
	}
	return bytes;
}

/* ---- running them ---- */

struct answer {
	int err;
	enum kc_format format;
	struct kc_span image;
	struct kocoon_report report;
	struct kc_unpacker unpacker; /* kept from one file to the next, as a thread does */
	struct kc_buffer buffer;
};

static void ask(struct answer *answer, const struct kc_decompressor *kernel,
		const struct kc_buffer *file)
{
	uint8_t *exact = malloc(file->len ? file->len : 1);

	/* In memory of its exact size, so that a sanitizer sees each byte read behind it. */
	assert_non_null(exact);
	memcpy(exact, file->data, file->len);
	kc_report_deinit(&answer->report);
	answer->format = KC_FORMAT_LZO;
	answer->image = kc_span(NULL, 0);
	answer->err = kc_module_decompress(kernel, kc_span(exact, file->len), &answer->unpacker,
					   &answer->buffer, &answer->report, &answer->format,
					   &answer->image);
	assert_true(answer->err || answer->format == KC_FORMAT_NONE ||
		    answer->image.data == answer->buffer.data);
	free(exact);
}

static void answer_deinit(struct answer *answer)
{
	kc_report_deinit(&answer->report);
	kc_unpacker_deinit(&answer->unpacker);
	kc_buffer_deinit(&answer->buffer);
}

static void assert_finding(const struct answer *answer, int err, const char *what)
{
	assert_int_equal(answer->report.count, 1);
	assert_int_equal(answer->report.findings[0].err, err);
	assert_int_equal(answer->report.findings[0].stage, KOCOON_STAGE_DECOMPRESS);
	if (!strstr(answer->report.findings[0].what, what))
		fail_msg("\"%s\" is not in \"%s\"", what, answer->report.findings[0].what);
}

static void assert_image(const struct answer *answer, struct kc_span m, enum xz_expected expected)
{
	size_t len = expected == PREFIX	   ? 1000
		     : expected == NOTHING ? 0
		     : expected == PADDED  ? m.len + PAGE - m.len % PAGE
					   : m.len;

	assert_int_equal(answer->err, 0);
	assert_int_equal(answer->report.count, 0);
	assert_int_equal(answer->image.len, len);
	if (len)
		assert_memory_equal(answer->image.data, m.data, len < m.len ? len : m.len);
}

static void test_xz_as_the_kernel(void **state)
{
	struct kc_buffer bytes = sample();
	struct kc_span m = kc_span(bytes.data, 70000);
	struct answer answer = { 0 };

	(void)state;
	for (size_t i = 0; i < xz_case_count; i++) {
		struct kc_buffer file = xz_cases[i].make(m);

		print_message("# %s\n", xz_cases[i].name);
		ask(&answer, &xz_kernel, &file);
		if (xz_cases[i].expected == FAILS) {
			assert_int_equal(answer.err, -EINVAL);
			assert_finding(&answer, -EINVAL, xz_cases[i].what);
		} else {
			assert_int_equal(answer.format, KC_FORMAT_XZ);
			assert_image(&answer, m, xz_cases[i].expected);
		}
		kc_buffer_deinit(&file);
	}
	answer_deinit(&answer);
	kc_buffer_deinit(&bytes);
}

static void test_crc64_is_explained(void **state)
{
	struct kc_buffer m = sample(), file = build_xz("crc64", kc_buffer_span(&m));
	struct answer answer = { 0 };

	(void)state;
	ask(&answer, &xz_kernel, &file);
	assert_string_equal(answer.report.findings[0].expected, "CRC32 or no integrity check");
	assert_string_equal(answer.report.findings[0].found, "CRC64");
	assert_non_null(strstr(answer.report.findings[0].hint, "--check=crc32"));
	answer_deinit(&answer);
	kc_buffer_deinit(&file);
	kc_buffer_deinit(&m);
}

static void test_x86_filter_not_built_in(void **state)
{
	static const struct kc_decompressor kernel = { .format = KC_FORMAT_XZ };
	struct kc_buffer m = sample(), file = build_xz("x86", kc_buffer_span(&m));
	struct answer answer = { 0 };

	(void)state;
	ask(&answer, &kernel, &file);
	assert_int_equal(answer.err, -EINVAL);
	assert_finding(&answer, -EINVAL, "filter");
	answer_deinit(&answer);
	kc_buffer_deinit(&file);
	kc_buffer_deinit(&m);
}

/* Every length of a small file: an answer, and 0 only for the whole stream. */
static void test_every_truncation(void **state)
{
	struct kc_buffer m = sample(), file = build_xz("good", kc_span(m.data, 3000));
	struct answer answer = { 0 };
	size_t len = file.len;

	(void)state;
	for (file.len = 6; file.len < len; file.len++) {
		ask(&answer, &xz_kernel, &file);
		assert_int_equal(answer.err, -EINVAL);
	}
	ask(&answer, &xz_kernel, &file);
	assert_int_equal(answer.err, 0);
	answer_deinit(&answer);
	kc_buffer_deinit(&file);
	kc_buffer_deinit(&m);
}

/* Every bit of a small file flipped: an answer, and never other bytes than the module's. */
static void test_every_flip(void **state)
{
	struct kc_buffer m = sample(), file = build_xz("blocks", kc_span(m.data, 2500));
	struct answer answer = { 0 };

	(void)state;
	for (size_t bit = 6 * 8; bit < file.len * 8; bit++) {
		file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ask(&answer, &xz_kernel, &file);
		file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (!answer.err)
			assert_memory_equal(answer.image.data, m.data, 2500);
		else
			assert_int_equal(answer.err, -EINVAL);
	}
	answer_deinit(&answer);
	kc_buffer_deinit(&file);
	kc_buffer_deinit(&m);
}

/* ---- gzip ---- */

static struct kc_buffer gzip(struct kc_span bytes, gz_header *header)
{
	struct kc_buffer file = { 0 };
	z_stream stream = { 0 };

	assert_int_equal(
		deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	if (header)
		assert_int_equal(deflateSetHeader(&stream, header), Z_OK);
	assert_int_equal(kc_buffer_reserve(&file, deflateBound(&stream, bytes.len) + 100), 0);
	stream.next_in = (Bytef *)(uintptr_t)bytes.data;
	stream.avail_in = (uInt)bytes.len;
	stream.next_out = file.data;
	stream.avail_out = (uInt)file.capacity;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	file.len = stream.total_out;
	deflateEnd(&stream);
	return file;
}

static void test_gzip_as_the_kernel(void **state)
{
	struct kc_buffer m = sample(), file;
	struct kc_span bytes = kc_buffer_span(&m);
	gz_header named = { .name = (Bytef *)"dummy.ko" }, commented = { .comment = (Bytef *)"x" };
	struct answer answer = { 0 };
	size_t len;

	(void)state;
	file = gzip(bytes, NULL);
	ask(&answer, &gzip_kernel, &file);
	assert_image(&answer, bytes, MODULE);
	assert_int_equal(answer.format, KC_FORMAT_GZIP);
	/* What follows the deflate stream, the trailer first of all, is not looked at. */
	file.data[file.len - 8] ^= 1;
	ask(&answer, &gzip_kernel, &file);
	assert_image(&answer, bytes, MODULE);
	add(&file, "garbage", 7);
	ask(&answer, &gzip_kernel, &file);
	assert_image(&answer, bytes, MODULE);
	file.len -= 15;
	ask(&answer, &gzip_kernel, &file);
	assert_image(&answer, bytes, MODULE);
	file.len -= 1;
	ask(&answer, &gzip_kernel, &file);
	assert_int_equal(answer.err, -EINVAL);
	assert_finding(&answer, -EINVAL, "ends before");
	kc_buffer_deinit(&file);

	file = gzip(bytes, &named);
	ask(&answer, &gzip_kernel, &file);
	assert_image(&answer, bytes, MODULE);
	len = file.len;
	for (file.len = 2; file.len < len - 8; file.len += file.len < 40 ? 1 : 997) {
		ask(&answer, &gzip_kernel, &file);
		assert_int_equal(answer.err, -EINVAL);
	}
	kc_buffer_deinit(&file);

	/* A comment is taken for compressed data: 'x' begins a block of a type that isn't. */
	file = gzip(bytes, &commented);
	ask(&answer, &gzip_kernel, &file);
	assert_true(answer.err == -EINVAL || answer.image.len != bytes.len);
	kc_buffer_deinit(&file);

	file = gzip(bytes, NULL);
	file.data[2] = 7;
	ask(&answer, &gzip_kernel, &file);
	assert_int_equal(answer.err, -EINVAL);
	assert_finding(&answer, -EINVAL, "header");
	kc_buffer_deinit(&file);
	answer_deinit(&answer);
	kc_buffer_deinit(&m);
}

/* kmod reads through gzread(3). */
static void test_gzip_as_kmod(void **state)
{
	struct kc_buffer m = sample(), file;
	struct kc_span bytes = kc_buffer_span(&m);
	gz_header commented = { .comment = (Bytef *)"x" };
	struct kc_buffer first = gzip(kc_span(bytes.data, 1000), &commented);
	struct kc_buffer second = gzip(kc_span(bytes.data + 1000, bytes.len - 1000), NULL);
	struct answer answer = { 0 };

	(void)state;
	file = first;
	add(&file, second.data, second.len);
	ask(&answer, &no_kernel, &file);
	assert_image(&answer, bytes, MODULE);
	add(&file, "garbage", 7);
	ask(&answer, &no_kernel, &file);
	assert_image(&answer, bytes, MODULE);
	file.len -= 7 + 8 + 10;
	ask(&answer, &no_kernel, &file);
	assert_int_equal(answer.err, 0);
	assert_finding(&answer, 0, "ends before");
	assert_in_range(answer.image.len, 1000, bytes.len - 1);
	file.data[file.len / 2] ^= 0x55;
	file.len += 10 + 8;
	ask(&answer, &no_kernel, &file);
	assert_int_equal(answer.err, -EINVAL);
	kc_buffer_deinit(&file);
	kc_buffer_deinit(&second);
	answer_deinit(&answer);
	kc_buffer_deinit(&m);
}

/* ---- zstd ---- */

static struct kc_buffer zstd_window(struct kc_span bytes, int window_log, bool content_size,
				    bool checksum)
{
	struct kc_buffer file = { 0 };
	ZSTD_CCtx *context = ZSTD_createCCtx();
	ZSTD_inBuffer none = { bytes.data, 0, 0 };
	ZSTD_inBuffer in = { bytes.data, bytes.len, 0 };
	ZSTD_outBuffer out;

	assert_non_null(context);
	assert_int_equal(kc_buffer_reserve(&file, ZSTD_compressBound(bytes.len) + 100), 0);
	out = (ZSTD_outBuffer){ file.data, file.capacity, 0 };
	ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, content_size);
	ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, checksum);
	if (window_log)
		assert_false(ZSTD_isError(
			ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log)));
	if (content_size)
		ZSTD_CCtx_setPledgedSrcSize(context, bytes.len);
	else /* two calls, or libzstd would know the size all the same */
		assert_false(
			ZSTD_isError(ZSTD_compressStream2(context, &out, &none, ZSTD_e_continue)));
	assert_int_equal(ZSTD_compressStream2(context, &out, &in, ZSTD_e_end), 0);
	file.len = out.pos;
	ZSTD_freeCCtx(context);
	return file;
}

static struct kc_buffer zstd(struct kc_span bytes)
{
	return zstd_window(bytes, 0, true, true);
}

static void test_zstd_as_the_kernel(void **state)
{
	struct kc_buffer m = sample(), file;
	struct kc_span bytes = kc_buffer_span(&m);
	struct answer answer = { 0 };

	(void)state;
	file = zstd(bytes);
	ask(&answer, &zstd_kernel, &file);
	assert_image(&answer, bytes, MODULE);
	assert_int_equal(answer.format, KC_FORMAT_ZSTD);
	/* One frame: what follows is ignored. */
	add(&file, file.data, file.len);
	ask(&answer, &zstd_kernel, &file);
	assert_image(&answer, bytes, MODULE);
	/* The checksum is compared. */
	file.len /= 2;
	file.data[file.len - 1] ^= 1;
	ask(&answer, &zstd_kernel, &file);
	assert_int_equal(answer.err, -EINVAL);
	/* Cut short, the complete blocks are the module: no error. */
	file.len -= 1;
	ask(&answer, &zstd_kernel, &file);
	assert_int_equal(answer.err, 0);
	assert_finding(&answer, 0, "ends before");
	assert_int_equal(answer.image.len, bytes.len);
	file.len = file.len * 3 / 4;
	ask(&answer, &zstd_kernel, &file);
	assert_int_equal(answer.err, 0);
	assert_int_equal(answer.image.len % (128 * 1024), 0);
	assert_in_range(answer.image.len, 128 * 1024, bytes.len - 1);
	assert_memory_equal(answer.image.data, bytes.data, answer.image.len);
	for (file.len = 4; file.len < 8; file.len++) {
		ask(&answer, &zstd_kernel, &file);
		assert_int_equal(answer.err, -EINVAL);
		assert_finding(&answer, -EINVAL, "frame header");
	}
	kc_buffer_deinit(&file);

	file = zstd_window(bytes, 0, false, false);
	ask(&answer, &zstd_kernel, &file);
	assert_image(&answer, bytes, MODULE);
	kc_buffer_deinit(&file);
	answer_deinit(&answer);
	kc_buffer_deinit(&m);
}

static void test_zstd_window(void **state)
{
	static const struct {
		int window_log;
		size_t len;
		bool content_size;
		int err;
	} rows[] = {
		{ 27, 300, false, 0 },
		{ 28, 300, false, -EINVAL },
		{ 30, 5000, false, -EINVAL },
		{ 31, 300, false, -ENOMEM },
		{ 31, 5000, false, -ENOMEM },
		{ 31, 5000, true, 0 }, /* a single segment: the window is the size */
	};
	struct kc_buffer m = sample();
	struct answer answer = { 0 };

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(rows); i++) {
		struct kc_buffer file = zstd_window(kc_span(m.data, rows[i].len),
						    rows[i].window_log, rows[i].content_size, true);

		ask(&answer, &zstd_kernel, &file);
		assert_int_equal(answer.err, rows[i].err);
		if (rows[i].err)
			assert_finding(&answer, rows[i].err, "window");
		kc_buffer_deinit(&file);
	}
	answer_deinit(&answer);
	kc_buffer_deinit(&m);
}

/* A complete frame that a page has room for is decoded at once, whatever its window. */
static void test_zstd_window_of_a_small_frame(void **state)
{
	/* magic; content size in 4 bytes, window; window 1 << 28; size 5; last raw block of 5 */
	static const uint8_t bytes[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x80, 18 << 3, 5,   0,	  0,
					 0,    0x29, 0,	   0,	 'h',  'e',	'l', 'l', 'o' };
	struct kc_buffer file = { 0 };
	struct answer answer = { 0 };

	(void)state;
	add(&file, bytes, sizeof(bytes));
	ask(&answer, &zstd_kernel, &file);
	assert_int_equal(answer.err, 0);
	assert_int_equal(answer.image.len, 5);
	assert_memory_equal(answer.image.data, "hello", 5);
	file.len--;
	ask(&answer, &zstd_kernel, &file);
	assert_int_equal(answer.err, -EINVAL);
	kc_buffer_deinit(&file);
	answer_deinit(&answer);
}

/* As `modinfo` of kmod 30 answers for the same files. */
static void test_zstd_as_kmod(void **state)
{
	struct kc_buffer m = sample(), file, second;
	struct kc_span bytes = kc_buffer_span(&m);
	struct answer answer = { 0 };

	(void)state;
	file = zstd(kc_span(bytes.data, 200000));
	second = zstd(kc_span(bytes.data + 200000, bytes.len - 200000));
	add(&file, second.data, second.len);
	ask(&answer, &no_kernel, &file);
	assert_image(&answer, bytes, MODULE);
	file.len -= second.len / 2;
	ask(&answer, &no_kernel, &file);
	assert_int_equal(answer.err, 0);
	assert_finding(&answer, 0, "ends before");
	assert_in_range(answer.image.len, 200000, bytes.len - 1);
	file.len -= second.len - second.len / 2;
	add(&file, "garbage", 7);
	ask(&answer, &no_kernel, &file);
	assert_int_equal(answer.err, -EINVAL);
	kc_buffer_deinit(&second);
	kc_buffer_deinit(&file);
	answer_deinit(&answer);
	kc_buffer_deinit(&m);
}

/* ---- formats and bounds ---- */

static void test_xz_as_kmod(void **state)
{
	static const struct {
		const char *name;
		bool fails;
	} rows[] = {
		{ "good", false },
		{ "crc64", false },
		{ "sha256", false },
		{ "arm", false },
		{ "delta", false },
		{ "x86 with offset", false },
		{ "dictionary 4 GiB", false },
		{ "padding 4", false },
		{ "padding 3", true },
		{ "garbage", true },
		{ "cut half", true },
		{ "flip", true },
		{ "half and half", false },
	};
	struct kc_buffer bytes = sample(), file;
	struct kc_span m = kc_span(bytes.data, 70000);
	struct answer answer = { 0 };

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(rows); i++) {
		print_message("# %s\n", rows[i].name);
		file = build_xz(rows[i].name, m);
		ask(&answer, &no_kernel, &file);
		if (rows[i].fails) {
			assert_int_equal(answer.err, -EINVAL);
			assert_finding(&answer, -EINVAL, "xz");
		} else {
			assert_image(&answer, m, MODULE);
		}
		kc_buffer_deinit(&file);
	}
	answer_deinit(&answer);
	kc_buffer_deinit(&bytes);
}

static void test_other_format_is_unpacked_by_kmod(void **state)
{
	struct kc_buffer m = sample(), file = build_xz("crc64", kc_buffer_span(&m));
	struct answer answer = { 0 };

	(void)state;
	ask(&answer, &zstd_kernel, &file);
	assert_int_equal(answer.err, 0);
	assert_finding(&answer, 0, "xz");
	assert_string_equal(answer.report.findings[0].expected, "zstd");
	assert_int_equal(answer.image.len, m.len);
	answer_deinit(&answer);
	kc_buffer_deinit(&file);
	kc_buffer_deinit(&m);
}

static void test_uncompressed_is_borrowed(void **state)
{
	static const char *const files[] = { "", "x",
					     "\x7f"
					     "ELF",
					     "\xfd"
					     "7zXY" };
	struct answer answer = { 0 };

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(files); i++) {
		struct kc_span file = kc_span(files[i], strlen(files[i])), image;

		assert_int_equal(kc_module_decompress(&xz_kernel, file, &answer.unpacker,
						      &answer.buffer, &answer.report,
						      &answer.format, &image),
				 0);
		assert_int_equal(answer.format, KC_FORMAT_NONE);
		assert_ptr_equal(image.data, file.data);
		assert_int_equal(image.len, file.len);
		assert_int_equal(answer.report.count, 0);
	}
	answer_deinit(&answer);
}

/* Zeros that unpack to more than a module can be, in each format. */
static void test_bombs(void **state)
{
	enum { PART = 16 << 20, PARTS = 65 };
	struct kc_buffer zeros = { 0 }, part, file = { 0 };
	struct answer answer = { 0 };

	(void)state;
	assert_int_equal(kc_buffer_reserve(&zeros, PART), 0);
	zeros.len = PART;
	memset(zeros.data, 0, PART);
	part = zstd(kc_buffer_span(&zeros));
	for (int i = 0; i < PARTS; i++)
		add(&file, part.data, part.len);
	ask(&answer, &no_kernel, &file);
	assert_int_equal(answer.err, -EFBIG);
	assert_finding(&answer, -EFBIG, "more than a module");
	kc_buffer_deinit(&part);
	kc_buffer_deinit(&file);
	answer_deinit(&answer);
	kc_buffer_deinit(&zeros);
}

/* A file that only claims to be large costs no memory. */
static void test_claims_cost_nothing(void **state)
{
	struct kc_buffer m = sample(), file = zstd(kc_buffer_span(&m));
	struct answer answer = { 0 };

	(void)state;
	/* Single segment, size in 4 bytes: a gigabyte. */
	assert_int_equal(file.data[4] & 0xe0, 0xa0);
	kc_store32(file.data + 5, 1 << 30);
	ask(&answer, &no_kernel, &file);
	assert_int_equal(answer.err, -EINVAL);
	assert_in_range(answer.buffer.capacity, 0, file.len * 32);
	answer_deinit(&answer);
	kc_buffer_deinit(&file);
	kc_buffer_deinit(&m);
}

/* ---- for the oracle ---- */

static int write_file(const char *folder, size_t index, const struct kc_buffer *file, FILE *list)
{
	char path[4096];
	FILE *out;
	bool written;

	snprintf(path, sizeof(path), "%s/%03zu.ko.xz", folder, index);
	out = fopen(path, "wb");
	if (!out)
		return 1;
	written = fwrite(file->data, 1, file->len, out) == file->len;
	if (fclose(out) || !written)
		return 1;
	return fprintf(list, "%s\t4\t\n", path) < 0;
}

static int write_cases(const char *folder, const char *module)
{
	static uint8_t bytes[1 << 20];
	FILE *in = fopen(module, "rb"), *list;
	char path[4096];
	size_t len;
	int failed = 0;

	if (!in)
		return 1;
	len = fread(bytes, 1, sizeof(bytes), in);
	(void)fclose(in);
	snprintf(path, sizeof(path), "%s/list", folder);
	list = fopen(path, "w");
	if (!list)
		return 1;
	for (size_t i = 0; i < xz_case_count; i++) {
		struct kc_buffer file = xz_cases[i].make(kc_span(bytes, len));

		failed |= write_file(folder, i, &file, list);
		kc_buffer_deinit(&file);
	}
	return fclose(list) || failed;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xz_as_the_kernel),
		cmocka_unit_test(test_crc64_is_explained),
		cmocka_unit_test(test_x86_filter_not_built_in),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_flip),
		cmocka_unit_test(test_gzip_as_the_kernel),
		cmocka_unit_test(test_gzip_as_kmod),
		cmocka_unit_test(test_zstd_as_the_kernel),
		cmocka_unit_test(test_zstd_window),
		cmocka_unit_test(test_zstd_window_of_a_small_frame),
		cmocka_unit_test(test_zstd_as_kmod),
		cmocka_unit_test(test_xz_as_kmod),
		cmocka_unit_test(test_other_format_is_unpacked_by_kmod),
		cmocka_unit_test(test_uncompressed_is_borrowed),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_claims_cost_nothing),
	};

	if (argc == 4 && !strcmp(argv[1], "--write"))
		return write_cases(argv[2], argv[3]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

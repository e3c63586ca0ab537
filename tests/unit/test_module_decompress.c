/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image/module_decompress.c and module_xz.c against what the real kernel answers.
 *
 * Each row of `xz_cases` is one file, made from a module's bytes. The errno of its row was learnt
 * from the real kernel (Debian's 6.12 cloud kernel, whose own format is xz), with
 *
 *	test_module_decompress --write DIR dummy.ko
 *	tests/oracle/ask --unload 6.12-cloud-amd64 DIR/list OUT
 *
 * where a stream that the kernel unpacks shows as 0 (the module loads) or ENOEXEC (what was
 * unpacked is no module).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "image/image.h"

enum { PAGE = 4096, BLOCK_AT = 12, DICTIONARY = 1 << 20 };

static const struct kc_decompressor xz_kernel = { .format = KC_FORMAT_XZ, .xz_bcj_x86 = true };
static const struct kc_decompressor gzip_kernel = { .format = KC_FORMAT_GZIP };
static const struct kc_decompressor zstd_kernel = { .format = KC_FORMAT_ZSTD };
static const struct kc_decompressor no_kernel = { .format = KC_FORMAT_NONE };

static void add(struct kc_buffer *buffer, const void *data, size_t len)
{
	assert_int_equal(kc_buffer_append(buffer, data, len), 0);
}

static void add_zeros(struct kc_buffer *buffer, size_t len)
{
	while (len--)
		add(buffer, "", 1);
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

/* -------------------------------------------------------------------------------------------------
 * making xz files */

static struct kc_buffer xz_chain(struct kc_span bytes, lzma_check check, lzma_filter *filters)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	struct kc_buffer out = { 0 };

	assert_int_equal(kc_buffer_reserve(&out, lzma_stream_buffer_bound(bytes.len)), 0);
	assert_int_equal(lzma_stream_encoder(&stream, filters, check), LZMA_OK);
	stream.next_in = bytes.data;
	stream.avail_in = bytes.len;
	stream.next_out = out.data;
	stream.avail_out = out.capacity;
	assert_int_equal(lzma_code(&stream, LZMA_FINISH), LZMA_STREAM_END);
	out.len = stream.total_out;
	lzma_end(&stream);
	return out;
}

/* One stream, one block: an optional filter before LZMA2 with a dictionary of 1 MiB. */
static struct kc_buffer xz_pack(struct kc_span bytes, lzma_check check, lzma_vli filter,
				void *options)
{
	lzma_options_lzma lzma2;
	lzma_filter filters[3] = { { filter, options },
				   { LZMA_FILTER_LZMA2, &lzma2 },
				   { LZMA_VLI_UNKNOWN, NULL } };

	assert_false(lzma_lzma_preset(&lzma2, 6));
	lzma2.dict_size = DICTIONARY;
	return xz_chain(bytes, check, filter == LZMA_VLI_UNKNOWN ? filters + 1 : filters);
}

static struct kc_buffer xz_plain(struct kc_span bytes)
{
	return xz_pack(bytes, LZMA_CHECK_CRC32, LZMA_VLI_UNKNOWN, NULL);
}

static void store_crc(uint8_t *place, const uint8_t *bytes, size_t len)
{
	kc_store32(place, lzma_crc32(bytes, len, 0));
}

static size_t block_header_size(const struct kc_buffer *file)
{
	return lzma_block_header_size_decode(file->data[BLOCK_AT]);
}

/* Changes a byte of the first block header, whose CRC32 is made right again. */
static void patch_block(struct kc_buffer *file, size_t offset, uint8_t value)
{
	size_t len = block_header_size(file) - 4;

	file->data[BLOCK_AT + offset] = value;
	store_crc(file->data + BLOCK_AT + len, file->data + BLOCK_AT, len);
}

static void patch_stream_flags(struct kc_buffer *file, size_t offset, uint8_t value)
{
	file->data[6 + offset] = value;
	store_crc(file->data + 8, file->data + 6, 2);
}

static size_t index_at(const struct kc_buffer *file)
{
	return file->len - 12 - ((size_t)kc_load32(file->data + file->len - 8) + 1) * 4;
}

#define MAKE(name, ...)                                \
	static struct kc_buffer name(struct kc_span m) \
	{                                              \
		struct kc_buffer f = { 0 };            \
		__VA_ARGS__;                           \
		return f;                              \
	}
#define GOOD f = xz_plain(m)

MAKE(good, GOOD)
MAKE(no_check, f = xz_pack(m, LZMA_CHECK_NONE, LZMA_VLI_UNKNOWN, NULL))
MAKE(crc64, f = xz_pack(m, LZMA_CHECK_CRC64, LZMA_VLI_UNKNOWN, NULL))
MAKE(sha256, f = xz_pack(m, LZMA_CHECK_SHA256, LZMA_VLI_UNKNOWN, NULL))
MAKE(check_16, GOOD; patch_stream_flags(&f, 1, 16))
MAKE(check_2, GOOD; patch_stream_flags(&f, 1, 2))
MAKE(stream_flag, GOOD; patch_stream_flags(&f, 0, 1))
MAKE(stream_crc, GOOD; f.data[8] ^= 1)
MAKE(x86, f = xz_pack(m, LZMA_CHECK_CRC32, LZMA_FILTER_X86, NULL))
MAKE(x86_offset, lzma_options_bcj o = { .start_offset = 16 };
     f = xz_pack(m, LZMA_CHECK_CRC32, LZMA_FILTER_X86, &o))
MAKE(arm, f = xz_pack(m, LZMA_CHECK_CRC32, LZMA_FILTER_ARM, NULL))
MAKE(powerpc, f = xz_pack(m, LZMA_CHECK_CRC32, LZMA_FILTER_POWERPC, NULL))
MAKE(delta, lzma_options_delta o = { .type = LZMA_DELTA_TYPE_BYTE, .dist = 1 };
     f = xz_pack(m, LZMA_CHECK_CRC32, LZMA_FILTER_DELTA, &o))
MAKE(dictionary_64m, GOOD; patch_block(&f, 4, 28))
MAKE(dictionary_4g, GOOD; patch_block(&f, 4, 40))
MAKE(dictionary_none, GOOD; patch_block(&f, 4, 41))
MAKE(three_filters, GOOD; patch_block(&f, 1, 2))
MAKE(block_flag, GOOD; patch_block(&f, 1, 4))
MAKE(block_padding, GOOD; patch_block(&f, block_header_size(&f) - 5, 1))
MAKE(block_crc, GOOD; f.data[BLOCK_AT + block_header_size(&f) - 1] ^= 1)
MAKE(range_byte, GOOD; f.data[BLOCK_AT + block_header_size(&f) + 6] = 0x5a)
MAKE(flip, GOOD; f.data[f.len / 2] ^= 1)
MAKE(data_crc, GOOD; f.data[index_at(&f) - 1] ^= 1)
MAKE(index_count, GOOD; f.data[index_at(&f) + 1] ^= 1)
MAKE(index_crc, GOOD; f.data[f.len - 13] ^= 1)
MAKE(footer_magic, GOOD; f.data[f.len - 1] ^= 1)
MAKE(footer_flags, GOOD; f.data[f.len - 3] = 4;
     store_crc(f.data + f.len - 12, f.data + f.len - 8, 6))
MAKE(backward_size, GOOD; f.data[f.len - 8] ^= 1;
     store_crc(f.data + f.len - 12, f.data + f.len - 8, 6))
MAKE(two_streams, GOOD; add(&f, f.data, f.len))
MAKE(padding_4, GOOD; add_zeros(&f, 4))
MAKE(padding_3, GOOD; add_zeros(&f, 3))
MAKE(garbage, GOOD; add(&f, "garbage", 7))
MAKE(cut_1, GOOD; f.len -= 1)
MAKE(cut_footer, GOOD; f.len -= 12)
MAKE(cut_index, GOOD; f.len -= 16)
MAKE(cut_half, GOOD; f.len /= 2)
MAKE(head_6, GOOD; f.len = 6)
MAKE(head_11, GOOD; f.len = 11)
MAKE(head_12, GOOD; f.len = 12)
MAKE(head_13, GOOD; f.len = 13)
MAKE(head_24, GOOD; f.len = 24)

/* Two streams: the kernel takes the first, which is no module. */
MAKE(half_and_half, struct kc_buffer rest; f = xz_plain(kc_span(m.data, 1000));
     rest = xz_plain(kc_span(m.data + 1000, m.len - 1000)); add(&f, rest.data, rest.len);
     kc_buffer_deinit(&rest))
MAKE(nothing, f = xz_plain(kc_span(m.data, 0)))

static struct kc_buffer whole_pages(struct kc_span m, lzma_vli filter)
{
	struct kc_buffer bytes = { 0 }, file;

	add(&bytes, m.data, m.len);
	add_zeros(&bytes, PAGE - m.len % PAGE);
	file = xz_pack(kc_buffer_span(&bytes), LZMA_CHECK_CRC32, filter, NULL);
	kc_buffer_deinit(&bytes);
	return file;
}

MAKE(pages, f = whole_pages(m, LZMA_VLI_UNKNOWN))
MAKE(pages_x86, f = whole_pages(m, LZMA_FILTER_X86))

/* Several blocks in one stream. */
static struct kc_buffer blocks(struct kc_span m)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_options_lzma lzma2;
	lzma_filter filters[2] = { { LZMA_FILTER_LZMA2, &lzma2 }, { LZMA_VLI_UNKNOWN, NULL } };
	struct kc_buffer file = { 0 };
	size_t done = 0;
	lzma_ret ret;

	assert_false(lzma_lzma_preset(&lzma2, 6));
	lzma2.dict_size = DICTIONARY;
	assert_int_equal(kc_buffer_reserve(&file, m.len * 2 + 4096), 0);
	assert_int_equal(lzma_stream_encoder(&stream, filters, LZMA_CHECK_CRC32), LZMA_OK);
	stream.next_out = file.data;
	stream.avail_out = file.capacity;
	do {
		size_t part = m.len - done < 10000 ? m.len - done : 10000;

		stream.next_in = m.data + done;
		stream.avail_in = part;
		done += part;
		do
			ret = lzma_code(&stream, done < m.len ? LZMA_FULL_FLUSH : LZMA_FINISH);
		while (ret == LZMA_OK);
		assert_int_equal(ret, LZMA_STREAM_END);
	} while (done < m.len);
	file.len = stream.total_out;
	lzma_end(&stream);
	return file;
}

/* The second of two blocks has what the first hasn't: each header is looked at. */
static struct kc_buffer second_block_dictionary(struct kc_span m)
{
	struct kc_buffer file = blocks(m);
	static const uint8_t header[] = { 0x02, 0x00, 0x21, 0x01, 16, 0, 0, 0 };
	uint8_t *second = memmem(file.data + 24, file.len - 24, header, sizeof(header));

	assert_non_null(second);
	second[4] = 40;
	store_crc(second + 8, second, 8);
	return file;
}

/* LZMA2 chunks that are not compressed; `control` begins the first one (1: resets the dictionary,
 * as it must). */
static struct kc_buffer stored(struct kc_span m, uint8_t control)
{
	static const uint8_t end = 0;
	struct kc_buffer file = xz_plain(kc_span(m.data, 0)), chunks = { 0 };
	lzma_options_lzma lzma2 = { .dict_size = DICTIONARY };
	lzma_filter filters[2] = { { LZMA_FILTER_LZMA2, &lzma2 }, { LZMA_VLI_UNKNOWN, NULL } };
	lzma_block block = { .version = 1,
			     .check = LZMA_CHECK_CRC32,
			     .filters = filters,
			     .compressed_size = LZMA_VLI_UNKNOWN,
			     .uncompressed_size = LZMA_VLI_UNKNOWN };
	lzma_index *index = lzma_index_init(NULL);
	lzma_stream_flags flags = { .check = LZMA_CHECK_CRC32 };
	uint8_t header[LZMA_BLOCK_HEADER_SIZE_MAX], crc[4], footer[LZMA_STREAM_HEADER_SIZE];
	uint8_t packed_index[64];
	size_t index_len = 0;

	for (size_t at = 0; at < m.len; at += 60000) {
		size_t len = m.len - at < 60000 ? m.len - at : 60000;
		uint8_t head[3] = { at ? 2 : control, (uint8_t)((len - 1) >> 8),
				    (uint8_t)(len - 1) };

		add(&chunks, head, sizeof(head));
		add(&chunks, m.data + at, len);
	}
	add(&chunks, &end, 1);
	assert_int_equal(lzma_block_header_size(&block), LZMA_OK);
	assert_int_equal(lzma_block_header_encode(&block, header), LZMA_OK);
	block.compressed_size = chunks.len;
	assert_int_equal(lzma_index_append(index, NULL, lzma_block_unpadded_size(&block), m.len),
			 LZMA_OK);
	add_zeros(&chunks, (4 - chunks.len % 4) % 4);
	store_crc(crc, m.data, m.len);
	assert_int_equal(
		lzma_index_buffer_encode(index, packed_index, &index_len, sizeof(packed_index)),
		LZMA_OK);
	flags.backward_size = lzma_index_size(index);
	assert_int_equal(lzma_stream_footer_encode(&flags, footer), LZMA_OK);
	file.len = LZMA_STREAM_HEADER_SIZE;
	add(&file, header, block.header_size);
	add(&file, chunks.data, chunks.len);
	add(&file, crc, sizeof(crc));
	add(&file, packed_index, index_len);
	add(&file, footer, sizeof(footer));
	lzma_index_end(index, NULL);
	kc_buffer_deinit(&chunks);
	return file;
}

MAKE(stored_chunks, f = stored(m, 1))
MAKE(stored_without_reset, f = stored(m, 2))
MAKE(unknown_chunk, f = stored(m, 3))

enum expected {
	FAILS, /* -EINVAL */
	MODULE, /* the module's bytes */
	PREFIX, /* the first 1,000 of them */
	NOTHING, /* no bytes */
	PADDED, /* the module's bytes and zeros up to a page */
};

static const struct xz_case {
	const char *name;
	struct kc_buffer (*make)(struct kc_span m);
	enum expected expected; /* FAILS: the real kernel said EINVAL; MODULE, PADDED: 0; else
				   ENOEXEC */
	const char *what; /* text in the finding */
} xz_cases[] = {
	{ "good", good, MODULE, NULL },
	{ "no check", no_check, MODULE, NULL },
	{ "crc64", crc64, FAILS, "integrity check" },
	{ "sha256", sha256, FAILS, "integrity check" },
	{ "check 2", check_2, FAILS, "integrity check" },
	{ "check 16", check_16, FAILS, "flags" },
	{ "stream flag", stream_flag, FAILS, "flags" },
	{ "stream crc", stream_crc, FAILS, "checksum" },
	{ "x86", x86, MODULE, NULL },
	{ "x86 with offset", x86_offset, FAILS, "start offset" },
	{ "arm", arm, FAILS, "filter" },
	{ "powerpc", powerpc, FAILS, "filter" },
	{ "delta", delta, FAILS, "filter" },
	{ "three filters", three_filters, FAILS, "filters" },
	{ "block flag", block_flag, FAILS, "filters" },
	{ "dictionary 64 MiB", dictionary_64m, MODULE, NULL },
	{ "dictionary 4 GiB", dictionary_4g, FAILS, "dictionary" },
	{ "dictionary unknown", dictionary_none, FAILS, "dictionary" },
	{ "block padding", block_padding, FAILS, "block header" },
	{ "block crc", block_crc, FAILS, "checksum" },
	{ "range coder's first byte", range_byte, MODULE, NULL },
	{ "flip", flip, FAILS, "damaged" },
	{ "data crc", data_crc, FAILS, "damaged" },
	{ "index count", index_count, FAILS, "index" },
	{ "index crc", index_crc, FAILS, "index" },
	{ "footer magic", footer_magic, FAILS, "footer" },
	{ "footer flags", footer_flags, FAILS, "footer" },
	{ "backward size", backward_size, FAILS, "footer" },
	{ "two streams", two_streams, MODULE, NULL },
	{ "padding 4", padding_4, MODULE, NULL },
	{ "padding 3", padding_3, MODULE, NULL },
	{ "garbage", garbage, MODULE, NULL },
	{ "cut 1", cut_1, FAILS, "ends before" },
	{ "cut footer", cut_footer, FAILS, "ends before" },
	{ "cut index", cut_index, FAILS, "ends before" },
	{ "cut half", cut_half, FAILS, "ends before" },
	{ "head 6", head_6, FAILS, "ends before" },
	{ "head 11", head_11, FAILS, "ends before" },
	{ "head 12", head_12, FAILS, "ends before" },
	{ "head 13", head_13, FAILS, "ends before" },
	{ "head 24", head_24, FAILS, "ends before" },
	{ "half and half", half_and_half, PREFIX, NULL },
	{ "nothing", nothing, NOTHING, NULL },
	{ "pages", pages, PADDED, NULL },
	{ "pages x86", pages_x86, PADDED, NULL },
	{ "blocks", blocks, MODULE, NULL },
	{ "second block's dictionary", second_block_dictionary, FAILS, "dictionary" },
	{ "stored chunks", stored_chunks, MODULE, NULL },
	{ "stored without reset", stored_without_reset, FAILS, "damaged" },
	{ "unknown chunk", unknown_chunk, FAILS, "damaged" },
};

/* -------------------------------------------------------------------------------------------------
 * running them */

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

static void assert_image(const struct answer *answer, struct kc_span m, enum expected expected)
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
	struct kc_buffer m = sample();
	struct answer answer = { 0 };

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(xz_cases); i++) {
		struct kc_buffer file = xz_cases[i].make(kc_buffer_span(&m));

		print_message("# %s\n", xz_cases[i].name);
		ask(&answer, &xz_kernel, &file);
		if (xz_cases[i].expected == FAILS) {
			assert_int_equal(answer.err, -EINVAL);
			assert_finding(&answer, -EINVAL, xz_cases[i].what);
		} else {
			assert_int_equal(answer.format, KC_FORMAT_XZ);
			assert_image(&answer, kc_buffer_span(&m), xz_cases[i].expected);
		}
		kc_buffer_deinit(&file);
	}
	answer_deinit(&answer);
	kc_buffer_deinit(&m);
}

static void test_crc64_is_explained(void **state)
{
	struct kc_buffer m = sample(), file = crc64(kc_buffer_span(&m));
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
	struct kc_buffer m = sample(), file = x86(kc_buffer_span(&m));
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
	struct kc_buffer m = sample(), file = xz_plain(kc_span(m.data, 3000));
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
	struct kc_buffer m = sample(), file = blocks(kc_span(m.data, 2500));
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

/* -------------------------------------------------------------------------------------------------
 * gzip */

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

/* -------------------------------------------------------------------------------------------------
 * zstd */

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

/* -------------------------------------------------------------------------------------------------
 * formats and bounds */

static void test_xz_as_kmod(void **state)
{
	static const struct {
		struct kc_buffer (*make)(struct kc_span m);
		bool fails;
	} rows[] = {
		{ good, false },	  { crc64, false },	{ sha256, false },
		{ arm, false },		  { delta, false },	{ x86_offset, false },
		{ dictionary_4g, false }, { padding_4, false }, { padding_3, true },
		{ garbage, true },	  { cut_half, true },	{ flip, true },
		{ half_and_half, false },
	};
	struct kc_buffer m = sample(), file;
	struct answer answer = { 0 };

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(rows); i++) {
		print_message("# %zu\n", i);
		file = rows[i].make(kc_buffer_span(&m));
		ask(&answer, &no_kernel, &file);
		if (rows[i].fails) {
			assert_int_equal(answer.err, -EINVAL);
			assert_finding(&answer, -EINVAL, "xz");
		} else {
			assert_image(&answer, kc_buffer_span(&m), MODULE);
		}
		kc_buffer_deinit(&file);
	}
	answer_deinit(&answer);
	kc_buffer_deinit(&m);
}

static void test_other_format_is_unpacked_by_kmod(void **state)
{
	struct kc_buffer m = sample(), file = crc64(kc_buffer_span(&m));
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

/* -------------------------------------------------------------------------------------------------
 * for the oracle */

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
	for (size_t i = 0; i < KC_ARRAY_SIZE(xz_cases); i++) {
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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xz files for tests: see build_xz.h.
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
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <lzma.h>

#include "build_xz.h"

enum { BLOCK_AT = 12, DICTIONARY = 1 << 20 };

static void add(struct kc_buffer *buffer, const void *data, size_t len)
{
	assert_int_equal(kc_buffer_append(buffer, data, len), 0);
}

static void add_zeros(struct kc_buffer *buffer, size_t len)
{
	while (len--)
		add(buffer, "", 1);
}

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

const struct xz_case xz_cases[] = {
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

const size_t xz_case_count = KC_ARRAY_SIZE(xz_cases);

struct kc_buffer build_xz(const char *name, struct kc_span module)
{
	for (size_t i = 0; i < xz_case_count; i++)
		if (!strcmp(xz_cases[i].name, name))
			return xz_cases[i].make(module);
	fail_msg("no case \"%s\"", name);
	return (struct kc_buffer){ 0 };
}

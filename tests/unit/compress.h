/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packs bytes in the formats of kernel payloads, with the libraries' own encoders. */
#ifndef KC_TESTS_COMPRESS_H
#define KC_TESTS_COMPRESS_H

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "image/image.h"

static inline void append(struct kc_buffer *buffer, const void *data, size_t len)
{
	assert_int_equal(kc_buffer_append(buffer, data, len), 0);
}

static inline void append32(struct kc_buffer *buffer, uint32_t value)
{
	append(buffer, &value, sizeof(value));
}

static inline size_t pack_gzip(struct kc_span bytes, uint8_t *out, size_t room)
{
	z_stream stream = { .avail_in = (uInt)bytes.len, .avail_out = (uInt)room, .next_out = out };

	stream.next_in = (Bytef *)(uintptr_t)bytes.data;
	assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, 0), Z_OK);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	deflateEnd(&stream);
	return room - stream.avail_out;
}

static inline size_t pack_bzip2(struct kc_span bytes, uint8_t *out, size_t room)
{
	unsigned int len = (unsigned int)room;

	assert_int_equal(BZ2_bzBuffToBuffCompress((char *)out, &len, (char *)(uintptr_t)bytes.data,
						  (unsigned int)bytes.len, 9, 0, 0),
			 BZ_OK);
	return len;
}

static inline size_t run_encoder(lzma_stream *stream, struct kc_span bytes, uint8_t *out,
				 size_t room)
{
	stream->next_in = bytes.data;
	stream->avail_in = bytes.len;
	stream->next_out = out;
	stream->avail_out = room;
	assert_int_equal(lzma_code(stream, LZMA_FINISH), LZMA_STREAM_END);
	lzma_end(stream);
	return room - stream->avail_out;
}

static inline size_t pack_lzma(struct kc_span bytes, uint8_t *out, size_t room)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_options_lzma options;

	assert_false(lzma_lzma_preset(&options, 0));
	assert_int_equal(lzma_alone_encoder(&stream, &options), LZMA_OK);
	return run_encoder(&stream, bytes, out, room);
}

/* As the kernel's build does: the x86 filter, CRC32. */
static inline size_t pack_xz(struct kc_span bytes, uint8_t *out, size_t room)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_options_lzma options;
	lzma_filter filters[] = { { LZMA_FILTER_X86, NULL },
				  { LZMA_FILTER_LZMA2, &options },
				  { LZMA_VLI_UNKNOWN, NULL } };

	assert_false(lzma_lzma_preset(&options, 0));
	assert_int_equal(lzma_stream_encoder(&stream, filters, LZMA_CHECK_CRC32), LZMA_OK);
	return run_encoder(&stream, bytes, out, room);
}

static inline size_t pack_lz4(struct kc_span bytes, uint8_t *out, size_t room)
{
	const size_t block = 8 << 20;
	size_t place = 4;

	kc_store32(out, 0x184c2102);
	for (size_t done = 0; done < bytes.len; done += block) {
		size_t left = bytes.len - done < block ? bytes.len - done : block;
		int got = LZ4_compress_default((const char *)bytes.data + done,
					       (char *)out + place + 4, (int)left,
					       (int)(room - place - 4));

		assert_true(got > 0);
		kc_store32(out + place, (uint32_t)got);
		place += 4 + (size_t)got;
	}
	return place;
}

/* As a pipe into zstd(1) does: the size of the content is not written down. */
static inline size_t pack_zstd(struct kc_span bytes, uint8_t *out, size_t room)
{
	ZSTD_CCtx *encoder = ZSTD_createCCtx();
	size_t len;

	assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(encoder, ZSTD_c_contentSizeFlag, 0)));
	len = ZSTD_compress2(encoder, out, room, bytes.data, bytes.len);
	assert_false(ZSTD_isError(len));
	ZSTD_freeCCtx(encoder);
	return len;
}

static const struct packer {
	enum kc_format format;
	size_t (*pack)(struct kc_span bytes, uint8_t *out, size_t room);
} packers[] = {
	{ KC_FORMAT_GZIP, pack_gzip }, { KC_FORMAT_BZIP2, pack_bzip2 },
	{ KC_FORMAT_LZMA, pack_lzma }, { KC_FORMAT_XZ, pack_xz },
	{ KC_FORMAT_LZ4, pack_lz4 },   { KC_FORMAT_ZSTD, pack_zstd },
};

static inline struct kc_buffer pack(const struct packer *packer, struct kc_span bytes)
{
	struct kc_buffer packed = { 0 };

	assert_int_equal(kc_buffer_reserve(&packed, bytes.len + bytes.len / 8 + 65536), 0);
	packed.len = packer->pack(bytes, packed.data, packed.capacity);
	return packed;
}

#endif

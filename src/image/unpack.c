/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compressed streams by their libraries' own rules: one table row a format.
 *
 * Consumes one stream, produces its bytes; what stands behind the stream is the caller's. Output
 * goes into the buffer's memory directly, starting with the room that it has already: a caller that
 * knows the size reserves it, and nothing is moved.
 */
#include <bzlib.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_findFrameCompressedSize(), ZSTD_decompressBound() */
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "image/image.h"

enum {
	ROOM_FIRST = 1 << 20,
	LZ4_BLOCK_MAX = 8 << 20, /* unpacked size of a block of the legacy frame */
	ZLIB_GZIP = 16 + MAX_WBITS,
};

/* A dictionary larger than this is no kernel's: the bound on what liblzma may allocate. */
#define XZ_MEMORY_MAX (UINT64_C(512) << 20)

struct job {
	struct kc_span packed;
	uint64_t limit;
	struct kc_buffer *buffer;
	size_t consumed;
};

/* Makes room behind what is there; -EFBIG where `limit` bytes are there already. */
static int make_room(struct job *job, uint8_t **room_ret, size_t *len_ret)
{
	struct kc_buffer *buffer = job->buffer;
	uint64_t capacity = buffer->capacity;

	if (buffer->len >= job->limit)
		return -EFBIG;
	if (buffer->len == capacity) {
		int err;

		capacity = capacity ? capacity * 2 : ROOM_FIRST;
		err = kc_buffer_reserve(buffer,
					(size_t)(capacity < job->limit ? capacity : job->limit));
		if (err)
			return err;
	}
	capacity = buffer->capacity < job->limit ? buffer->capacity : job->limit;
	*room_ret = buffer->data + buffer->len;
	*len_ret = (size_t)capacity - buffer->len;
	return 0;
}

/*
 * A stream that ends exactly at the limit has its end mark still to be read when the room is used
 * up: the decoder gets one byte of its own then, and only a byte written there is over the limit.
 */
static int make_room_or_spare(struct job *job, uint8_t *spare, uint8_t **room_ret, size_t *len_ret)
{
	int err = make_room(job, room_ret, len_ret);

	if (err != -EFBIG)
		return err;
	*room_ret = spare;
	*len_ret = 1;
	return 0;
}

/* Takes note of what a decoder has written into the room. */
static int take(struct job *job, const uint8_t *spare, const uint8_t *room, size_t written)
{
	if (room == spare)
		return written ? -EFBIG : 0;
	job->buffer->len += written;
	return 0;
}

static int unpack_gzip(struct job *job)
{
	z_stream stream = { 0 };
	uint8_t spare, *room;
	size_t left = job->packed.len, len;
	int err, state = inflateInit2(&stream, ZLIB_GZIP);

	if (state != Z_OK)
		return -ENOMEM;
	stream.next_in = (Bytef *)(uintptr_t)job->packed.data;
	do {
		uInt given = left < UINT_MAX ? (uInt)left : UINT_MAX;
		uInt offered;

		err = make_room_or_spare(job, &spare, &room, &len);
		if (err)
			break;
		offered = len < UINT_MAX ? (uInt)len : UINT_MAX;
		stream.avail_in = given;
		stream.next_out = room;
		stream.avail_out = offered;
		state = inflate(&stream, Z_NO_FLUSH);
		left -= given - stream.avail_in;
		err = take(job, &spare, room, offered - stream.avail_out);
	} while (!err && state == Z_OK);
	inflateEnd(&stream);
	job->consumed = job->packed.len - left;
	if (err)
		return err;
	return state == Z_STREAM_END ? 0 : state == Z_MEM_ERROR ? -ENOMEM : -EINVAL;
}

static int unpack_bzip2(struct job *job)
{
	bz_stream stream = { 0 };
	uint8_t spare, *room;
	size_t left = job->packed.len, len;
	int err, state = BZ2_bzDecompressInit(&stream, 0, 0);

	if (state != BZ_OK)
		return -ENOMEM;
	stream.next_in = (char *)(uintptr_t)job->packed.data;
	for (;;) {
		unsigned int given = left < UINT_MAX ? (unsigned int)left : UINT_MAX;
		unsigned int offered, used;

		err = make_room_or_spare(job, &spare, &room, &len);
		if (err)
			break;
		offered = len < UINT_MAX ? (unsigned int)len : UINT_MAX;
		stream.avail_in = given;
		stream.next_out = (char *)room;
		stream.avail_out = offered;
		state = BZ2_bzDecompress(&stream);
		used = given - stream.avail_in;
		left -= used;
		err = take(job, &spare, room, offered - stream.avail_out);
		/* BZ2 has no code for an input that ends early: it says OK and does nothing. */
		if (err || state != BZ_OK || (!used && offered == stream.avail_out))
			break;
	}
	BZ2_bzDecompressEnd(&stream);
	job->consumed = job->packed.len - left;
	if (err)
		return err;
	return state == BZ_STREAM_END ? 0 : state == BZ_MEM_ERROR ? -ENOMEM : -EINVAL;
}

static int run_lzma(struct job *job, lzma_stream *stream)
{
	lzma_ret state = LZMA_OK;
	uint8_t spare, *room;
	size_t len;
	int err = 0;

	stream->next_in = job->packed.data;
	stream->avail_in = job->packed.len;
	while (!err && state == LZMA_OK) {
		err = make_room_or_spare(job, &spare, &room, &len);
		if (err)
			break;
		stream->next_out = room;
		stream->avail_out = len;
		state = lzma_code(stream, LZMA_FINISH);
		err = take(job, &spare, room, len - stream->avail_out);
	}
	lzma_end(stream);
	job->consumed = job->packed.len - stream->avail_in;
	if (err)
		return err;
	return state == LZMA_STREAM_END ? 0 : state == LZMA_MEM_ERROR ? -ENOMEM : -EINVAL;
}

static int unpack_xz(struct job *job)
{
	lzma_stream stream = LZMA_STREAM_INIT;

	if (lzma_stream_decoder(&stream, XZ_MEMORY_MAX, 0) != LZMA_OK)
		return -ENOMEM;
	return run_lzma(job, &stream);
}

static int unpack_lzma(struct job *job)
{
	lzma_stream stream = LZMA_STREAM_INIT;

	if (lzma_alone_decoder(&stream, XZ_MEMORY_MAX) != LZMA_OK)
		return -ENOMEM;
	return run_lzma(job, &stream);
}

static int unpack_lzo(struct job *job)
{
	(void)job;
	return -ENOTSUP;
}

/* Room for the largest block, or for what the limit leaves. */
static int reserve_block(struct job *job, size_t *room_ret)
{
	uint64_t left = job->limit - job->buffer->len;
	uint64_t room = left < LZ4_BLOCK_MAX ? left : LZ4_BLOCK_MAX;
	uint64_t need = job->buffer->len + room, capacity = job->buffer->capacity;
	int err = 0;

	if (need > capacity)
		err = kc_buffer_reserve(job->buffer,
					(size_t)(need > capacity * 2 ? need : capacity * 2));
	if (!err)
		*room_ret = (size_t)room;
	return err;
}

/*
 * The legacy frame has no end mark: blocks follow until the file ends. A block is never empty, so
 * four bytes that are left over can't be one: they are the caller's (a kernel image has its
 * unpacked size there).
 */
static int unpack_lz4(struct job *job)
{
	struct kc_span packed = job->packed;
	uint64_t place = sizeof(uint32_t);

	while (place + sizeof(uint32_t) < packed.len) {
		uint32_t size = kc_load32(packed.data + place);
		struct kc_span block;
		size_t room;
		int err, got;

		place += sizeof(uint32_t);
		if (!size || size > LZ4_COMPRESSBOUND(LZ4_BLOCK_MAX) ||
		    !kc_span_sub(packed, place, size, &block))
			return -EINVAL;
		err = reserve_block(job, &room);
		if (err)
			return err;
		got = LZ4_decompress_safe((const char *)block.data,
					  (char *)job->buffer->data + job->buffer->len, (int)size,
					  (int)room);
		if (got < 0)
			return room < LZ4_BLOCK_MAX ? -EFBIG : -EINVAL;
		job->buffer->len += (size_t)got;
		place += size;
	}
	job->consumed = (size_t)place;
	return packed.len < sizeof(uint32_t) ? -EINVAL : 0;
}

static size_t run_zstd(struct job *job, size_t packed, size_t room)
{
	ZSTD_DCtx *decoder = ZSTD_createDCtx();
	size_t got;

	if (!decoder)
		return (size_t)-ZSTD_error_memory_allocation;
	got = ZSTD_decompressDCtx(decoder, job->buffer->data, room, job->packed.data, packed);
	ZSTD_freeDCtx(decoder);
	return got;
}

static bool is_too_small(size_t got)
{
	return ZSTD_isError(got) && ZSTD_getErrorCode(got) == ZSTD_error_dstSize_tooSmall;
}

/*
 * The whole frame in one call: no window to copy from. The room that the caller has reserved is
 * tried first, since the block headers, which bound the output, claim some times as much as there
 * is. A hostile frame makes that bound large, but memory is only touched where bytes are written.
 */
static int unpack_zstd(struct job *job)
{
	size_t packed = ZSTD_findFrameCompressedSize(job->packed.data, job->packed.len);
	unsigned long long bound;
	size_t got = (size_t)-ZSTD_error_dstSize_tooSmall, room, reserved = job->buffer->capacity;

	if (ZSTD_isError(packed))
		return -EINVAL;
	bound = ZSTD_decompressBound(job->packed.data, packed);
	if (bound == ZSTD_CONTENTSIZE_ERROR)
		return -EINVAL;
	room = (size_t)(bound < job->limit ? bound : job->limit);
	if (reserved && reserved < room)
		got = run_zstd(job, packed, reserved);
	if (is_too_small(got)) {
		if (kc_buffer_reserve(job->buffer, room))
			return -ENOMEM;
		got = run_zstd(job, packed, room);
	}
	if (ZSTD_isError(got) && ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation)
		return -ENOMEM;
	if (ZSTD_isError(got))
		return is_too_small(got) && room < bound ? -EFBIG : -EINVAL;
	job->buffer->len = got;
	job->consumed = packed;
	return 0;
}

static const struct {
	const char *name;
	uint8_t magic[6];
	uint8_t magic_len;
	int (*unpack)(struct job *job);
} formats[] = {
	[KC_FORMAT_GZIP] = { "gzip", { 0x1f, 0x8b, 0x08 }, 3, unpack_gzip },
	[KC_FORMAT_BZIP2] = { "bzip2", { 'B', 'Z', 'h' }, 3, unpack_bzip2 },
	[KC_FORMAT_LZMA] = { "lzma", { 0x5d, 0x00, 0x00 }, 3, unpack_lzma },
	[KC_FORMAT_XZ] = { "xz", { 0xfd, '7', 'z', 'X', 'Z', 0x00 }, 6, unpack_xz },
	[KC_FORMAT_LZO] = { "lzo", { 0x89, 'L', 'Z', 'O', 0x00 }, 5, unpack_lzo },
	[KC_FORMAT_LZ4] = { "lz4", { 0x02, 0x21, 0x4c, 0x18 }, 4, unpack_lz4 },
	[KC_FORMAT_ZSTD] = { "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, unpack_zstd },
};

enum kc_format kc_format_detect(struct kc_span bytes)
{
	for (size_t i = KC_FORMAT_NONE + 1; i < KC_ARRAY_SIZE(formats); i++)
		if (bytes.len >= formats[i].magic_len &&
		    !memcmp(bytes.data, formats[i].magic, formats[i].magic_len))
			return (enum kc_format)i;
	return KC_FORMAT_NONE;
}

const char *kc_format_name(enum kc_format format)
{
	if (format <= KC_FORMAT_NONE || format >= KC_ARRAY_SIZE(formats))
		return "none";
	return formats[format].name;
}

static int explain(struct kocoon_report *report, int err, const char *name, uint64_t limit)
{
	switch (err) {
	case 0:
		return 0;
	case -ENOTSUP:
		return kc_finding(report, KOCOON_STAGE_DECOMPRESS, err,
				  "compressed with %s, which kocoon can't unpack", name);
	case -EFBIG:
		kc_finding(report, KOCOON_STAGE_DECOMPRESS, err,
			   "the %s stream unpacks to too much", name);
		kc_expected(report, "at most %" PRIu64 " bytes", limit);
		return err;
	case -ENOMEM:
		return kc_finding(report, KOCOON_STAGE_DECOMPRESS, err, "out of memory");
	default:
		kc_finding(report, KOCOON_STAGE_DECOMPRESS, err,
			   "the %s stream is damaged or cut short", name);
		kc_hint(report, "the file may be incomplete: copy or download it again");
		return err;
	}
}

int kc_unpack(enum kc_format format, struct kc_span packed, uint64_t limit,
	      struct kc_buffer *buffer, size_t *consumed_ret, struct kocoon_report *report)
{
	struct job job = { .packed = packed, .limit = limit, .buffer = buffer };
	int err;

	if (format <= KC_FORMAT_NONE || format >= KC_ARRAY_SIZE(formats))
		return kc_finding(report, KOCOON_STAGE_DECOMPRESS, -EINVAL,
				  "not compressed in a known format");
	if (job.limit > SIZE_MAX / 4)
		job.limit = SIZE_MAX / 4;
	buffer->len = 0;
	err = explain(report, formats[format].unpack(&job), formats[format].name, limit);
	if (!err && consumed_ret)
		*consumed_ret = job.consumed;
	return err;
}

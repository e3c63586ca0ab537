/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stage KOCOON_STAGE_DECOMPRESS: from a module's file to its image.
 *
 * Consumes a file; produces the bytes that finit_module(2) would go on with. With the kernel's own
 * format it is module_decompress() of kernel/module/decompress.c: xz in module_xz.c, gzip and zstd
 * here. Else it is what kmod hands to init_module(2). One unpacker and one buffer a thread.
 *
 * Differs from Linux: a module's image is at most KC_MODULE_IMAGE_MAX bytes (-EFBIG).
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_getFrameHeader() */
#include <zlib.h>
#include <zstd.h>

#include "image/image.h"
#include "image/module_xz.h"

enum {
	ROOM_MIN = 64 * 1024,
	/* No real module packs better than this; what claims to is unpacked into a growing buffer.
	 */
	RATIO_CLAIMED_MAX = 24,

	GZIP_HEADER = 10,
	GZIP_FLAGS = 3,
	GZIP_HAS_NAME = 0x08,
	ZLIB_RAW = -MAX_WBITS,
	ZLIB_GZIP = 16 + MAX_WBITS,

	PAGE = 4096,
};

/* The largest window that libzstd takes unless told otherwise, in the kernel as here. */
#define ZSTD_WINDOW_MAX ((UINT64_C(1) << 27) + 1)
/* The kernel's zstd workspace beside the window: its context, and blocks of 128 KiB. */
#define ZSTD_WORKSPACE_REST (UINT64_C(512) << 10)

int kc_module_make_room(struct kc_buffer *buffer, struct kocoon_report *report)
{
	uint64_t capacity = (uint64_t)buffer->capacity * 2;

	if (buffer->len > KC_MODULE_IMAGE_MAX) {
		kc_finding(report, KOCOON_STAGE_DECOMPRESS, -EFBIG,
			   "unpacks to more than a module can be");
		kc_expected(report, "at most %" PRIu64 " bytes", KC_MODULE_IMAGE_MAX);
		kc_hint(report, "no module is this large: the file is damaged, or an attack");
		return -EFBIG;
	}
	if (buffer->len < buffer->capacity)
		return 0;
	if (capacity < ROOM_MIN)
		capacity = ROOM_MIN;
	if (capacity > KC_MODULE_IMAGE_MAX + 1)
		capacity = KC_MODULE_IMAGE_MAX + 1;
	return kc_buffer_reserve(buffer, (size_t)capacity);
}

int kc_module_expect(struct kc_buffer *buffer, struct kc_span file, uint64_t claimed)
{
	uint64_t most = (uint64_t)file.len * RATIO_CLAIMED_MAX;

	buffer->len = 0;
	if (most > KC_MODULE_IMAGE_MAX)
		most = KC_MODULE_IMAGE_MAX;
	/* One byte more, or a decompressor would stop for room before it sees the end. */
	return kc_buffer_reserve(buffer, (size_t)(claimed < most ? claimed : most) + 1);
}

static int damaged(struct kocoon_report *report, const char *format, const char *what)
{
	kc_finding(report, KOCOON_STAGE_DECOMPRESS, -EINVAL, "%s: %s", format, what);
	kc_hint(report, "the file is damaged: copy or build it again");
	return -EINVAL;
}

static void warn_cut_short(struct kocoon_report *report, const char *format, size_t len)
{
	kc_finding(report, KOCOON_STAGE_DECOMPRESS, 0,
		   "%s: the file ends before its stream does, which nobody notices at this stage",
		   format);
	kc_found(report, "%zu bytes of a module", len);
	kc_hint(report, "the file is cut short: copy it again");
}

/* ---- gzip ---- */

static z_stream *zlib_state(struct kc_unpacker *unpacker, int window)
{
	z_stream *stream = unpacker->zlib;

	if (stream)
		return inflateReset2(stream, window) == Z_OK ? stream : NULL;
	stream = calloc(1, sizeof(*stream));
	if (!stream || inflateInit2(stream, window) != Z_OK) {
		free(stream);
		return NULL;
	}
	unpacker->zlib = stream;
	return stream;
}

/*
 * inflate() into a growing buffer, from `*at` on, until the stream ends (Z_STREAM_END), input is
 * missing (Z_BUF_ERROR) or an error; `*at` is then behind what was used.
 */
static int run_inflate(z_stream *stream, struct kc_span file, size_t *at, struct kc_buffer *buffer,
		       struct kocoon_report *report, int *verdict_ret)
{
	int verdict, err;

	do {
		size_t left = file.len - *at, room;
		uInt given = left < UINT_MAX ? (uInt)left : UINT_MAX;

		err = kc_module_make_room(buffer, report);
		if (err)
			return err;
		room = buffer->capacity - buffer->len;
		stream->next_in = (Bytef *)(uintptr_t)(file.data + *at);
		stream->avail_in = given;
		stream->next_out = buffer->data + buffer->len;
		stream->avail_out = room < UINT_MAX ? (uInt)room : UINT_MAX;
		room = stream->avail_out;
		verdict = inflate(stream, Z_NO_FLUSH);
		*at += given - stream->avail_in;
		buffer->len += room - stream->avail_out;
	} while (verdict == Z_OK);
	*verdict_ret = verdict;
	return verdict == Z_MEM_ERROR ? -ENOMEM : 0;
}

/* What the gzip trailer at the end of the file says of the size, if that is one. */
static uint64_t gzip_claimed_size(struct kc_span file)
{
	return file.len < sizeof(uint32_t) ? 0 : kc_load32(file.data + file.len - sizeof(uint32_t));
}

/*
 * Length of the header as the kernel sees it: a file name is the only optional part that it knows.
 * Others are left to be inflated, which fails, or gives something that is no module. 0: no header.
 */
static size_t gzip_header_length(struct kc_span file)
{
	const uint8_t *end;

	if (file.len < GZIP_HEADER || memcmp(file.data, "\x1f\x8b\x08", 3))
		return 0;
	if (!(file.data[GZIP_FLAGS] & GZIP_HAS_NAME))
		return GZIP_HEADER;
	end = memchr(file.data + GZIP_HEADER, 0, file.len - GZIP_HEADER);
	return end ? (size_t)(end + 1 - file.data) : 0;
}

/* Of a gzip file the kernel takes the first deflate stream. It looks at neither CRC32 nor size
 * behind it, nor at anything else that follows. */
static int kernel_gzip(const struct kc_decompressor *kernel, struct kc_span file,
		       struct kc_unpacker *unpacker, struct kc_buffer *buffer,
		       struct kocoon_report *report)
{
	size_t at = gzip_header_length(file);
	z_stream *stream;
	int verdict, err;

	(void)kernel;
	if (!at)
		return damaged(report, "gzip", "the header is damaged or cut short");
	stream = zlib_state(unpacker, ZLIB_RAW);
	if (!stream)
		return -ENOMEM;
	err = kc_module_expect(buffer, file, gzip_claimed_size(file));
	if (!err)
		err = run_inflate(stream, file, &at, buffer, report, &verdict);
	if (err)
		return err;
	if (verdict == Z_BUF_ERROR)
		return damaged(report, "gzip", "the file ends before its stream does");
	if (verdict != Z_STREAM_END)
		return damaged(report, "gzip", stream->msg ? stream->msg : "the data is damaged");
	return 0;
}

/* As gzread(3): members one after another, what is no member behind them is ignored, and a file
 * that is cut short ends where it ends. */
static int user_gzip(struct kc_span file, struct kc_unpacker *unpacker, struct kc_buffer *buffer,
		     struct kocoon_report *report)
{
	z_stream *stream;
	size_t at = 0;
	int verdict, err;

	err = kc_module_expect(buffer, file, gzip_claimed_size(file));
	while (!err && file.len - at >= 2 && !memcmp(file.data + at, "\x1f\x8b", 2)) {
		stream = zlib_state(unpacker, ZLIB_GZIP);
		if (!stream)
			return -ENOMEM;
		err = run_inflate(stream, file, &at, buffer, report, &verdict);
		if (err)
			return err;
		if (verdict == Z_BUF_ERROR) {
			warn_cut_short(report, "gzip", buffer->len);
			return 0;
		}
		if (verdict != Z_STREAM_END)
			return damaged(report, "gzip",
				       stream->msg ? stream->msg : "the data is damaged");
	}
	return err;
}

/* ---- zstd ---- */

static ZSTD_DCtx *zstd_state(struct kc_unpacker *unpacker)
{
	if (!unpacker->zstd)
		unpacker->zstd = ZSTD_createDCtx();
	if (unpacker->zstd)
		ZSTD_DCtx_reset(unpacker->zstd, ZSTD_reset_session_only);
	return unpacker->zstd;
}

/*
 * Decodes one frame into a growing buffer: `*left_ret` is 0 when the frame is complete, and not 0
 * when the file ended before. Where the buffer has room for the whole frame, libzstd decodes
 * straight into it.
 */
static int run_zstd(ZSTD_DCtx *context, ZSTD_inBuffer *in, struct kc_buffer *buffer,
		    struct kocoon_report *report, size_t *left_ret)
{
	size_t left;
	int err;

	do {
		ZSTD_outBuffer out;

		err = kc_module_make_room(buffer, report);
		if (err)
			return err;
		out = (ZSTD_outBuffer){ buffer->data, buffer->capacity, buffer->len };
		left = ZSTD_decompressStream(context, &out, in);
		if (ZSTD_isError(left))
			return damaged(report, "zstd", ZSTD_getErrorName(left));
		buffer->len = out.pos;
		if (out.pos < out.size)
			break;
	} while (left);
	*left_ret = left;
	return 0;
}

static uint64_t zstd_claimed_size(struct kc_span file)
{
	unsigned long long size = ZSTD_getFrameContentSize(file.data, file.len);

	return size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR ? 0 : size;
}

/*
 * The window, as the kernel bounds it. Its own check against 1 << 31 never hits, as that is a
 * negative int. What does is that the workspace can't be allocated beyond INT_MAX (-ENOMEM), and
 * libzstd's default limit, which however isn't looked at when a page has room for a complete frame.
 */
static int check_window(const ZSTD_frameHeader *header, struct kc_span file,
			struct kocoon_report *report)
{
	int err = header->windowSize > INT_MAX - ZSTD_WORKSPACE_REST ? -ENOMEM : -EINVAL;

	if (header->windowSize <= ZSTD_WINDOW_MAX)
		return 0;
	if (err == -EINVAL && header->frameContentSize <= PAGE &&
	    ZSTD_findFrameCompressedSize(file.data, file.len) <= file.len)
		return 0;
	kc_finding(report, KOCOON_STAGE_DECOMPRESS, err,
		   "zstd: the window is larger than the kernel's decompressor takes");
	kc_expected(report, "at most %" PRIu64 " bytes", ZSTD_WINDOW_MAX - 1);
	kc_found(report, "%llu bytes", header->windowSize);
	kc_hint(report, "repack it without zstd's --long and --ultra");
	return err;
}

/*
 * The kernel takes the first frame, ignores what follows, and stops without an error when the input
 * ends early: the module is then the complete blocks.
 */
static int kernel_zstd(const struct kc_decompressor *kernel, struct kc_span file,
		       struct kc_unpacker *unpacker, struct kc_buffer *buffer,
		       struct kocoon_report *report)
{
	ZSTD_inBuffer in = { file.data, file.len, 0 };
	ZSTD_DCtx *context = zstd_state(unpacker);
	ZSTD_frameHeader header;
	size_t left;
	int err;

	(void)kernel;
	if (!context)
		return -ENOMEM;
	if (ZSTD_getFrameHeader(&header, file.data, file.len))
		return damaged(report, "zstd", "the frame header is damaged or cut short");
	err = check_window(&header, file, report);
	if (!err)
		err = kc_module_expect(buffer, file, zstd_claimed_size(file));
	if (!err)
		err = run_zstd(context, &in, buffer, report, &left);
	if (!err && left)
		warn_cut_short(report, "zstd", buffer->len);
	return err;
}

/* As kmod: frames one after another to the end of the file; a frame that is cut short ends there.
 */
static int user_zstd(struct kc_span file, struct kc_unpacker *unpacker, struct kc_buffer *buffer,
		     struct kocoon_report *report)
{
	ZSTD_inBuffer in = { file.data, file.len, 0 };
	ZSTD_DCtx *context = zstd_state(unpacker);
	size_t left = 0;
	int err;

	if (!context)
		return -ENOMEM;
	err = kc_module_expect(buffer, file, zstd_claimed_size(file));
	while (!err && in.pos < in.size)
		err = run_zstd(context, &in, buffer, report, &left);
	if (!err && left)
		warn_cut_short(report, "zstd", buffer->len);
	return err;
}

/* ---- xz by liblzma's own rules ---- */

/* As kmod: streams one after another, with padding between them; nothing else may follow. */
static int user_xz(struct kc_span file, struct kc_unpacker *unpacker, struct kc_buffer *buffer,
		   struct kocoon_report *report)
{
	struct kc_xz *xz = kc_xz_state(unpacker);
	lzma_ret verdict;
	int err;

	if (!xz || lzma_stream_decoder(&xz->stream, UINT64_MAX, LZMA_CONCATENATED) != LZMA_OK)
		return -ENOMEM;
	err = kc_module_expect(buffer, file, kc_xz_claimed_size(file));
	if (err)
		return err;
	xz->stream.next_in = file.data;
	xz->stream.avail_in = file.len;
	err = kc_xz_run(&xz->stream, buffer, report, &verdict);
	if (err)
		return err;
	if (verdict == LZMA_BUF_ERROR)
		return damaged(report, "xz", "the file ends before its stream does");
	if (verdict != LZMA_STREAM_END)
		return damaged(report, "xz",
			       "the stream is damaged, or of a kind that liblzma "
			       "doesn't know");
	return 0;
}

/* ---- formats ---- */

/* The formats that modules come in: those that kmod knows by their first bytes. */
static const struct module_format {
	enum kc_format format;
	const char *name;
	const char *magic;
	size_t magic_len;
	int (*kernel)(const struct kc_decompressor *kernel, struct kc_span file,
		      struct kc_unpacker *unpacker, struct kc_buffer *buffer,
		      struct kocoon_report *report);
	int (*user)(struct kc_span file, struct kc_unpacker *unpacker, struct kc_buffer *buffer,
		    struct kocoon_report *report);
} formats[] = {
	{ KC_FORMAT_XZ, "xz",
	  "\xfd"
	  "7zXZ\0",
	  6, kc_module_xz_decompress, user_xz },
	{ KC_FORMAT_ZSTD, "zstd", "\x28\xb5\x2f\xfd", 4, kernel_zstd, user_zstd },
	{ KC_FORMAT_GZIP, "gzip", "\x1f\x8b", 2, kernel_gzip, user_gzip },
};

static const struct module_format *find_format(struct kc_span file)
{
	for (size_t i = 0; i < KC_ARRAY_SIZE(formats); i++)
		if (file.len >= formats[i].magic_len &&
		    !memcmp(file.data, formats[i].magic, formats[i].magic_len))
			return &formats[i];
	return NULL;
}

static const char *format_name(enum kc_format format)
{
	for (size_t i = 0; i < KC_ARRAY_SIZE(formats); i++)
		if (formats[i].format == format)
			return formats[i].name;
	return "another format";
}

int kc_module_check_compressed(const struct kc_decompressor *kernel, struct kc_span file,
			       struct kocoon_report *report)
{
	const struct module_format *format = find_format(file);

	if (kernel->format == KC_FORMAT_NONE)
		return kc_finding(report, KOCOON_STAGE_DECOMPRESS, -EOPNOTSUPP,
				  "this kernel can't decompress modules");
	if (format && format->format == kernel->format)
		return 0;
	kc_finding(report, KOCOON_STAGE_DECOMPRESS, -EINVAL,
		   "not compressed as this kernel wants it");
	kc_expected(report, "%s", format_name(kernel->format));
	kc_found(report, "%s", format ? format->name : "none of the known formats");
	kc_hint(report, "let kmod unpack it, or compress it with %s", format_name(kernel->format));
	return -EINVAL;
}

int kc_module_decompress(const struct kc_decompressor *kernel, struct kc_span file,
			 struct kc_unpacker *unpacker, struct kc_buffer *buffer,
			 struct kocoon_report *report, enum kc_format *format_ret,
			 struct kc_span *image_ret)
{
	const struct module_format *format = find_format(file);
	size_t said;
	int err;

	if (!format) {
		*format_ret = KC_FORMAT_NONE;
		*image_ret = file;
		return 0;
	}
	said = kocoon_report_count(report);
	if (kernel->format == format->format) {
		err = format->kernel(kernel, file, unpacker, buffer, report);
	} else {
		if (kernel->format != KC_FORMAT_NONE) {
			kc_finding(
				report, KOCOON_STAGE_DECOMPRESS, 0,
				"compressed with %s, which this kernel can't unpack itself: kmod "
				"does it, where the kernel may load what it can't read from a file",
				format->name);
			kc_expected(report, "%s", format_name(kernel->format));
			kc_found(report, "%s", format->name);
		}
		said = kocoon_report_count(report);
		err = format->user(file, unpacker, buffer, report);
	}
	if (err == -ENOMEM && kocoon_report_count(report) == said)
		kc_finding(report, KOCOON_STAGE_DECOMPRESS, err, "%s: out of memory", format->name);
	if (err)
		return err;
	*format_ret = format->format;
	*image_ret = kc_buffer_span(buffer);
	return 0;
}

void kc_unpacker_deinit(struct kc_unpacker *unpacker)
{
	kc_xz_free(unpacker->xz);
	ZSTD_freeDCtx(unpacker->zstd);
	if (unpacker->zlib)
		inflateEnd(unpacker->zlib);
	free(unpacker->zlib);
	*unpacker = (struct kc_unpacker){ 0 };
}

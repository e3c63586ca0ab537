/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xz for modules, as the kernel's module_xz_decompress() over XZ Embedded takes it: consumes a
 * file, produces the bytes of its first stream.
 *
 * The stream is taken apart here block by block, because the kernel's limits are in the headers and
 * liblzma knows no such limits: the integrity check is none or CRC32 (the kernel's loop ends at
 * "unsupported check" as at any error, so it makes no difference whether the decompressor was built
 * to skip others); the filters are LZMA2 alone or behind one BCJ filter without properties; a
 * dictionary is at most 3 GiB. The data, index and footer are liblzma's to verify, whose rules are
 * the kernel's. Everything behind the stream's footer is never looked at, be it padding, garbage or
 * another stream. All that is wrong is -EINVAL.
 *
 * Differs from Linux: of the BCJ filters only x86 is known to be built in or not (kc_decompressor);
 * the others, which have no business in an x86 module, are refused. And a dictionary that the
 * kernel's memory has no room for is not refused.
 */
#include "image/module_xz.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
	BLOCK_FLAG_FILTERS = 0x01, /* two filters */
	BLOCK_FLAGS_UNKNOWN = 0x3e,
	BLOCK_FLAG_COMPRESSED_SIZE = 0x40,
	BLOCK_FLAG_UNCOMPRESSED_SIZE = 0x80,

	FILTER_X86 = 0x04,
	FILTER_LZMA2 = 0x21,

	BLOCK_TAIL_MAX = 1 + 3 + 4, /* end of chunks, padding, CRC32 */

	LZMA2_DICTIONARY_MAX = 39, /* 3 GiB in LZMA2's coding; 40 is 4 GiB - 1 */
};

/* A stream on its way. */
struct decoding {
	const struct kc_decompressor *kernel;
	struct kc_span file;
	size_t at; /* all before is decoded */
	struct kc_xz *xz;
	struct kc_buffer *buffer;
	struct kocoon_report *report;
	lzma_stream_flags flags;
};

static struct kc_span rest(const struct decoding *d)
{
	return kc_span(d->file.data + d->at, d->file.len - d->at);
}

static int damaged(struct decoding *d, const char *what)
{
	kc_finding(d->report, KOCOON_STAGE_DECOMPRESS, -EINVAL, "xz: %s (at byte %zu of the file)",
		   what, d->at);
	kc_hint(d->report, "the file is damaged: copy or build it again");
	return -EINVAL;
}

static int truncated(struct decoding *d)
{
	kc_finding(d->report, KOCOON_STAGE_DECOMPRESS, -EINVAL,
		   "xz: the file ends before its stream does");
	kc_found(d->report, "%zu bytes", d->file.len);
	kc_hint(d->report, "the file is cut short: copy it again");
	return -EINVAL;
}

static int unsupported(struct decoding *d, const char *what, const char *expected)
{
	kc_finding(d->report, KOCOON_STAGE_DECOMPRESS, -EINVAL, "xz: %s", what);
	kc_expected(d->report, "%s", expected);
	kc_hint(d->report,
		"unpack it, or repack it with xz --check=crc32 --lzma2=dict=1MiB, as the "
		"kernel's own build does");
	return -EINVAL;
}

struct kc_xz *kc_xz_state(struct kc_unpacker *unpacker)
{
	if (!unpacker->xz) {
		struct kc_xz *xz = calloc(1, sizeof(*xz));

		if (xz)
			xz->stream = (lzma_stream)LZMA_STREAM_INIT;
		unpacker->xz = xz;
	}
	return unpacker->xz;
}

void kc_xz_free(struct kc_xz *xz)
{
	if (!xz)
		return;
	lzma_end(&xz->stream);
	lzma_index_hash_end(xz->index, NULL);
	free(xz);
}

uint64_t kc_xz_claimed_size(struct kc_span file)
{
	lzma_stream_flags footer;
	struct kc_span index;
	lzma_vli count, unpadded, size;
	uint64_t total = 0;
	size_t at = 1;

	if (file.len < 2 * (size_t)LZMA_STREAM_HEADER_SIZE ||
	    lzma_stream_footer_decode(&footer, file.data + file.len - LZMA_STREAM_HEADER_SIZE) !=
		    LZMA_OK ||
	    footer.backward_size > file.len - LZMA_STREAM_HEADER_SIZE)
		return 0;
	index.len = (size_t)footer.backward_size;
	index.data = file.data + file.len - LZMA_STREAM_HEADER_SIZE - index.len;
	if (lzma_vli_decode(&count, NULL, index.data, &at, index.len) != LZMA_OK)
		return 0;
	while (count-- && at < index.len) {
		if (lzma_vli_decode(&unpadded, NULL, index.data, &at, index.len) != LZMA_OK ||
		    lzma_vli_decode(&size, NULL, index.data, &at, index.len) != LZMA_OK ||
		    size > KC_MODULE_IMAGE_MAX - total)
			return 0;
		total += size;
	}
	return total;
}

int kc_xz_run(lzma_stream *stream, struct kc_buffer *buffer, struct kocoon_report *report,
	      lzma_ret *verdict_ret)
{
	lzma_ret verdict;
	int err;

	do {
		err = kc_module_make_room(buffer, report);
		if (err)
			return err;
		stream->next_out = buffer->data + buffer->len;
		stream->avail_out = buffer->capacity - buffer->len;
		verdict = lzma_code(stream, LZMA_FINISH);
		buffer->len = buffer->capacity - stream->avail_out;
	} while (verdict == LZMA_OK);
	*verdict_ret = verdict;
	return verdict == LZMA_MEM_ERROR ? -ENOMEM : 0;
}

static const char *check_name(lzma_check check)
{
	switch (check) {
	case LZMA_CHECK_CRC64:
		return "CRC64";
	case LZMA_CHECK_SHA256:
		return "SHA-256";
	default:
		return "an unknown one";
	}
}

static int decode_stream_header(struct decoding *d)
{
	lzma_ret verdict;

	if (d->file.len < LZMA_STREAM_HEADER_SIZE)
		return truncated(d);
	verdict = lzma_stream_header_decode(&d->flags, d->file.data);
	if (verdict == LZMA_OPTIONS_ERROR)
		return unsupported(d, "the stream header has flags that the kernel doesn't know",
				   "no flags but the kind of integrity check");
	if (verdict != LZMA_OK)
		return damaged(d, "the stream header's checksum is wrong");
	if (d->flags.check > LZMA_CHECK_CRC32) {
		unsupported(d, "the kernel's decompressor can't do the stream's integrity check",
			    "CRC32 or no integrity check");
		kc_found(d->report, "%s", check_name(d->flags.check));
		return -EINVAL;
	}
	d->at = LZMA_STREAM_HEADER_SIZE;
	return 0;
}

/* The filters of a block header, which begin at `at`; the header's own CRC32 is cut off. */
static int check_filters(struct decoding *d, struct kc_span header, size_t at)
{
	if (header.data[1] & BLOCK_FLAG_FILTERS) {
		if (header.len - at < 2)
			return damaged(d, "a block header is too short for its filters");
		if (header.data[at] != FILTER_X86 || !d->kernel->xz_bcj_x86) {
			unsupported(d, "a filter that the kernel's decompressor doesn't have",
				    d->kernel->xz_bcj_x86 ? "LZMA2, alone or behind the x86 filter"
							  : "LZMA2 alone");
			kc_found(d->report, "filter %#x", header.data[at]);
			return -EINVAL;
		}
		if (header.data[at + 1])
			return unsupported(d, "the x86 filter has a start offset of its own",
					   "the x86 filter without properties");
		at += 2;
	}
	if (header.len - at < 3)
		return damaged(d, "a block header is too short for its filters");
	if (header.data[at] != FILTER_LZMA2 || header.data[at + 1] != 1) {
		unsupported(d, "a filter that the kernel's decompressor doesn't have", "LZMA2");
		kc_found(d->report, "filter %#x", header.data[at]);
		return -EINVAL;
	}
	if (header.data[at + 2] > LZMA2_DICTIONARY_MAX)
		return unsupported(d,
				   "the dictionary is larger than the kernel's decompressor takes",
				   "at most 3 GiB");
	return 0;
}

/* The kernel's limits on a block header; its CRC32 has been compared. */
static int check_block_header(struct decoding *d, struct kc_span header)
{
	lzma_vli size;
	size_t at = 2;

	if (header.data[1] & BLOCK_FLAGS_UNKNOWN)
		return unsupported(d,
				   "a block has more filters than the kernel's decompressor takes",
				   "LZMA2, alone or behind one BCJ filter");
	for (unsigned int flag = BLOCK_FLAG_COMPRESSED_SIZE; flag <= BLOCK_FLAG_UNCOMPRESSED_SIZE;
	     flag <<= 1)
		if (header.data[1] & flag &&
		    lzma_vli_decode(&size, NULL, header.data, &at, header.len) != LZMA_OK)
			return damaged(d, "a size in a block header is not a number");
	return check_filters(d, header, at);
}

/* The header of the block at d->at, by the kernel's rules, into `block`. block->filters[].options
 * are the caller's to free. */
static int decode_block_header(struct decoding *d, lzma_block *block)
{
	struct kc_span header;
	lzma_ret verdict;
	int err;

	block->version = 1;
	block->check = d->flags.check;
	block->header_size = lzma_block_header_size_decode(d->file.data[d->at]);
	if (!kc_span_sub(d->file, d->at, block->header_size, &header))
		return truncated(d);
	header.len -= sizeof(uint32_t);
	if (lzma_crc32(header.data, header.len, 0) != kc_load32(header.data + header.len))
		return damaged(d, "a block header's checksum is wrong");
	err = check_block_header(d, header);
	if (err)
		return err;
	verdict = lzma_block_header_decode(block, NULL, header.data);
	if (verdict == LZMA_MEM_ERROR)
		return -ENOMEM;
	if (verdict != LZMA_OK)
		return damaged(d, "a block header has something behind its filters, or sizes that "
				  "can't be");
	return 0;
}

static void free_filters(lzma_block *block)
{
	lzma_filters_free(block->filters, NULL);
}

/*
 * No match reaches back further than what was unpacked, so a dictionary beyond the bound on that
 * makes no difference, and is not worth the memory.
 */
static void bound_dictionary(lzma_block *block)
{
	for (lzma_filter *filter = block->filters; filter->id != LZMA_VLI_UNKNOWN; filter++) {
		lzma_options_lzma *options = filter->options;

		if (filter->id == LZMA_FILTER_LZMA2 && options->dict_size > KC_MODULE_IMAGE_MAX)
			options->dict_size = (uint32_t)KC_MODULE_IMAGE_MAX;
	}
}

/* Decodes the block's data out of `bytes`: the file from the block on, or a copy of it. */
static int run_block(struct decoding *d, struct kc_span bytes, size_t *end_ret,
		     lzma_ret *verdict_ret)
{
	lzma_filter filters[LZMA_FILTERS_MAX + 1];
	lzma_block block = { .filters = filters };
	lzma_stream *stream = &d->xz->stream;
	int err = decode_block_header(d, &block);

	if (err)
		return err;
	bound_dictionary(&block);
	*verdict_ret = lzma_block_decoder(stream, &block);
	if (*verdict_ret == LZMA_OK) {
		stream->next_in = bytes.data + block.header_size;
		stream->avail_in = bytes.len - block.header_size;
		err = kc_xz_run(stream, d->buffer, d->report, verdict_ret);
	} else if (*verdict_ret == LZMA_MEM_ERROR) {
		err = -ENOMEM;
	}
	free_filters(&block);
	if (!err && *verdict_ret == LZMA_STREAM_END) {
		*end_ret = d->at + bytes.len - stream->avail_in;
		if (lzma_index_hash_append(d->xz->index, lzma_block_unpadded_size(&block),
					   block.uncompressed_size) != LZMA_OK)
			*verdict_ret = LZMA_DATA_ERROR;
	}
	return err;
}

/*
 * The first byte of an LZMA chunk means nothing: an encoder writes 0, the kernel ignores it, and
 * liblzma refuses other values. The place of the next such byte behind `*at`, which moves on to the
 * next chunk; 0: the chunks are at an end there.
 */
static size_t next_ignored_byte(struct kc_span bytes, size_t *at)
{
	while (*at < bytes.len && bytes.data[*at]) {
		const uint8_t *chunk = bytes.data + *at;
		bool packed = *chunk >= 0x80;
		size_t head = *chunk >= 0xc0 ? 6 : packed ? 5 : 3;
		size_t first = *at + head;

		if (bytes.len - *at <= head)
			return 0;
		chunk += packed ? 3 : 1;
		*at = first + ((size_t)chunk[0] << 8 | chunk[1]) + 1;
		if (packed && bytes.data[first])
			return first;
	}
	return 0;
}

/* A block that liblzma calls damaged, once more without what the kernel ignores. */
static int run_block_again(struct decoding *d, size_t start, size_t *end_ret, lzma_ret *verdict_ret)
{
	struct kc_span bytes = rest(d);
	size_t data_at = lzma_block_header_size_decode(bytes.data[0]);
	size_t end = data_at, place;
	bool changes = false;
	uint8_t *copy;
	int err;

	while (next_ignored_byte(bytes, &end))
		changes = true;
	if (!changes)
		return 0;
	/* The block alone, or a file of many would be copied once for each. */
	if (end < bytes.len && bytes.len - end > BLOCK_TAIL_MAX)
		bytes.len = end + BLOCK_TAIL_MAX;
	copy = malloc(bytes.len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, bytes.data, bytes.len);
	end = data_at;
	while ((place = next_ignored_byte(bytes, &end)))
		copy[place] = 0;
	d->buffer->len = start;
	err = run_block(d, kc_span(copy, bytes.len), end_ret, verdict_ret);
	free(copy);
	return err;
}

static int decode_block(struct decoding *d)
{
	size_t start = d->buffer->len, end = 0;
	lzma_ret verdict = LZMA_OK;
	int err = run_block(d, rest(d), &end, &verdict);

	if (!err && verdict == LZMA_DATA_ERROR)
		err = run_block_again(d, start, &end, &verdict);
	if (err)
		return err;
	if (verdict == LZMA_BUF_ERROR)
		return truncated(d);
	if (verdict != LZMA_STREAM_END)
		return damaged(d, "a block's data is damaged, or not what its CRC32 says");
	d->at = end;
	return 0;
}

static int decode_index(struct decoding *d)
{
	lzma_ret verdict = lzma_index_hash_decode(d->xz->index, d->file.data, &d->at, d->file.len);

	if (verdict == LZMA_OK || verdict == LZMA_BUF_ERROR)
		return truncated(d);
	if (verdict != LZMA_STREAM_END)
		return damaged(d, "the index doesn't say what the blocks were");
	return 0;
}

static int decode_footer(struct decoding *d)
{
	lzma_stream_flags footer;
	struct kc_span bytes;

	if (!kc_span_sub(d->file, d->at, LZMA_STREAM_HEADER_SIZE, &bytes))
		return truncated(d);
	d->flags.backward_size = lzma_index_hash_size(d->xz->index);
	if (lzma_stream_footer_decode(&footer, bytes.data) != LZMA_OK ||
	    lzma_stream_flags_compare(&d->flags, &footer) != LZMA_OK)
		return damaged(d, "the stream footer is wrong");
	return 0;
}

static int decode_stream(struct decoding *d)
{
	int err = decode_stream_header(d);

	while (!err) {
		if (d->at >= d->file.len)
			return truncated(d);
		if (!d->file.data[d->at])
			break;
		err = decode_block(d);
	}
	if (!err)
		err = decode_index(d);
	if (!err)
		err = decode_footer(d);
	return err;
}

int kc_module_xz_decompress(const struct kc_decompressor *kernel, struct kc_span file,
			    struct kc_unpacker *unpacker, struct kc_buffer *buffer,
			    struct kocoon_report *report)
{
	struct decoding d = { .kernel = kernel,
			      .file = file,
			      .buffer = buffer,
			      .report = report,
			      .xz = kc_xz_state(unpacker) };
	int err;

	if (!d.xz)
		return -ENOMEM;
	d.xz->index = lzma_index_hash_init(d.xz->index, NULL);
	if (!d.xz->index)
		return -ENOMEM;
	err = kc_module_expect(buffer, file, kc_xz_claimed_size(file));
	return err ? err : decode_stream(&d);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a file to the bytes of a module: read, decompress.
 *
 * Two callers with two rules. The module pipeline decompresses as finit_module(2) with
 * MODULE_INIT_COMPRESSED_FILE does: what the target kernel's own decompressor can't take is refused
 * as it refuses it (-EINVAL), though the library could. The kernel image's payload is decompressed
 * without such limits, by the same table.
 */
#ifndef KC_IMAGE_IMAGE_H
#define KC_IMAGE_IMAGE_H

#include "base/buffer.h"
#include "base/report.h"

enum kc_format {
	KC_FORMAT_NONE,
	KC_FORMAT_GZIP,
	KC_FORMAT_BZIP2,
	KC_FORMAT_LZMA,
	KC_FORMAT_XZ,
	KC_FORMAT_LZO,
	KC_FORMAT_LZ4, /* the legacy frame that kernel images use */
	KC_FORMAT_ZSTD,
};

/* By the first bytes; KC_FORMAT_NONE: none that is known. */
enum kc_format kc_format_detect(struct kc_span bytes);
/* "gzip", ... ; "none" */
const char *kc_format_name(enum kc_format format);

/*
 * Reads a whole regular file into `buffer` (replacing what is there). -EINVAL: not a regular file
 * (nothing is read from FIFOs or devices); -EFBIG: over `limit`; else open's or read's errno. A
 * file that grows or shrinks meanwhile is read to the size that it had when opened, or fails with
 * -EIO.
 */
KC_MUST_CHECK int kc_read_file(const char *path, uint64_t limit, struct kc_buffer *buffer,
			       struct kocoon_report *report);

/* The same of an open file, from its start, whatever its position; `path` is for messages. */
KC_MUST_CHECK int kc_read_open_file(int fd, const char *path, uint64_t limit,
				    struct kc_buffer *buffer, struct kocoon_report *report);

/* The same of a text file, with a NUL behind it that `len` counts. */
KC_MUST_CHECK int kc_read_text(const char *path, uint64_t limit, struct kc_buffer *buffer,
			       struct kocoon_report *report);

/*
 * Unpacks one stream of a given format into `buffer` (replacing what is there), at most `limit`
 * bytes. `consumed_ret` (may be NULL) is how much of `packed` the stream took. -ENOTSUP: lzo.
 * -EINVAL: damaged. -EFBIG: over the limit. Used for kernel images.
 */
KC_MUST_CHECK int kc_unpack(enum kc_format format, struct kc_span packed, uint64_t limit,
			    struct kc_buffer *buffer, size_t *consumed_ret,
			    struct kocoon_report *report);

/* A kernel's own decompressor for modules, as probed for in its image. */
struct kc_decompressor {
	enum kc_format format; /* the one format that it takes; KC_FORMAT_NONE: it has none */
	bool xz_bcj_x86; /* xz: the x86 BCJ filter is built in */
};

/*
 * Whether this kernel can be given the file with MODULE_INIT_COMPRESSED_FILE. -EOPNOTSUPP: it has
 * no decompressor; -EINVAL: not the format that it takes.
 */
KC_MUST_CHECK int kc_module_check_compressed(const struct kc_decompressor *kernel,
					     struct kc_span file, struct kocoon_report *report);

/* State of a thread's decompressors, used again for each module; zero-filled at first. */
struct kc_unpacker {
	void *xz; /* private to module_xz.c, owned */
	void *zstd; /* ZSTD_DCtx *, owned */
	void *zlib; /* z_stream *, owned */
};

void kc_unpacker_deinit(struct kc_unpacker *unpacker);

/*
 * No module's image is larger than this: the bound on a decompression bomb. Differs from Linux,
 * which stops at its memory.
 */
#define KC_MODULE_IMAGE_MAX (UINT64_C(1) << 30)

/*
 * The bytes of a module: `file` itself where it isn't compressed (`image_ret` then borrows from
 * it), else unpacked into `buffer`, as that kernel's module_decompress() would: format by magic;
 * xz's integrity checks, filters and dictionary sizes, zstd's window, gzip's header flags within
 * the kernel's limits; trailing bytes, truncation and damage refused exactly where the kernel
 * refuses them. Stage KOCOON_STAGE_DECOMPRESS; -EINVAL as the kernel, -EFBIG for a bomb.
 *
 * A kernel that can't decompress modules itself, or not this format: user space (kmod) unpacks
 * before it calls init_module, so the module is unpacked here too, by the library's rules, with a
 * warning finding (err 0) only where the kernel has a decompressor for another format.
 */
KC_MUST_CHECK int kc_module_decompress(const struct kc_decompressor *kernel, struct kc_span file,
				       struct kc_unpacker *unpacker, struct kc_buffer *buffer,
				       struct kocoon_report *report, enum kc_format *format_ret,
				       struct kc_span *image_ret);

#endif

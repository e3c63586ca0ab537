/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xz as the kernel's own decompressor (XZ Embedded) takes it, and what the formats of a module
 * share. Private to module_decompress.c and module_xz.c.
 */
#ifndef KC_IMAGE_MODULE_XZ_H
#define KC_IMAGE_MODULE_XZ_H

#include <lzma.h>

#include "image/image.h"

/* What kc_unpacker.xz points to. */
struct kc_xz {
	lzma_stream stream;
	lzma_index_hash *index; /* owned */
};

/*
 * Room behind `buffer->len`, at least one byte: grows geometrically, so what is held is at most
 * twice what was really unpacked. -EFBIG with a finding behind KC_MODULE_IMAGE_MAX; -ENOMEM.
 */
KC_MUST_CHECK int kc_module_make_room(struct kc_buffer *buffer, struct kocoon_report *report);

/* Empties the buffer and makes room for `claimed` bytes, a number that the file claims: bounded by
 * what a file of this size can be expected to hold. */
KC_MUST_CHECK int kc_module_expect(struct kc_buffer *buffer, struct kc_span file, uint64_t claimed);

/* The state, made when it is first asked for; NULL: out of memory. */
struct kc_xz *kc_xz_state(struct kc_unpacker *unpacker);
void kc_xz_free(struct kc_xz *xz);
/* What the index at the end of the file says of the size; 0 where there is none. Not verified. */
uint64_t kc_xz_claimed_size(struct kc_span file);
/* lzma_code() into a growing buffer until it says other than LZMA_OK; 0, -EFBIG or -ENOMEM. */
KC_MUST_CHECK int kc_xz_run(lzma_stream *stream, struct kc_buffer *buffer,
			    struct kocoon_report *report, lzma_ret *verdict_ret);

/* module_xz_decompress(): the first stream of `file`. */
KC_MUST_CHECK int kc_module_xz_decompress(const struct kc_decompressor *kernel, struct kc_span file,
					  struct kc_unpacker *unpacker, struct kc_buffer *buffer,
					  struct kocoon_report *report);

#endif

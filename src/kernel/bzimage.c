/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a bzImage to the kernel inside it.
 *
 * Consumes the file; produces the unpacked payload. The layout is that of Documentation/arch/x86/
 * boot.rst: boot sector and setup code first, then the protected-mode part, in which the setup
 * header says where the compressed payload stands. Behind the compressed stream, as the payload's
 * last four bytes, is its unpacked size.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "kernel/parts.h"

enum {
	SECTOR = 512,
	SETUP_SECTS = 0x1f1,
	SETUP_SECTS_DEFAULT = 4, /* what 0 stands for */
	BOOT_FLAG = 0x1fe,
	BOOT_FLAG_VALUE = 0xaa55,
	HEADER_MAGIC = 0x202,
	HEADER_MAGIC_VALUE = 0x53726448, /* "HdrS" */
	PROTOCOL = 0x206,
	PROTOCOL_PAYLOAD = 0x0208, /* the first that has the two fields below */
	KERNEL_VERSION = 0x20e, /* less 0x200 */
	PAYLOAD_OFFSET = 0x248, /* from the start of the protected-mode part */
	PAYLOAD_LENGTH = 0x24c,
	HEADER_END = 0x250,
	VERSION_MAX = 256,
	LARGE_PAGE = 2 << 20,
};

bool kc_bzimage_detect(struct kc_span file)
{
	return kc_span_contains(file, 0, HEADER_END) &&
	       kc_load16(file.data + BOOT_FLAG) == BOOT_FLAG_VALUE &&
	       kc_load32(file.data + HEADER_MAGIC) == HEADER_MAGIC_VALUE;
}

static void read_release(struct kc_span file, struct kc_bzimage *image)
{
	uint16_t place = kc_load16(file.data + KERNEL_VERSION);
	const char *version = place ? kc_span_string(file, (uint64_t)place + 0x200) : NULL;

	image->release = version ? version : "";
	while (image->release_len < VERSION_MAX &&
	       isgraph((unsigned char)image->release[image->release_len]))
		image->release_len++;
}

int kc_bzimage_open(struct kc_span file, struct kocoon_report *report, struct kc_bzimage *image_ret)
{
	struct kc_bzimage image = { 0 };
	uint64_t setup, offset, length;

	if (!kc_bzimage_detect(file))
		return kc_finding(report, KOCOON_STAGE_KERNEL, -ENOEXEC, "not a bzImage");
	if (kc_load16(file.data + PROTOCOL) < PROTOCOL_PAYLOAD) {
		kc_finding(report, KOCOON_STAGE_KERNEL, -ENOTSUP,
			   "the bzImage's boot protocol does not say where the kernel is in it");
		kc_expected(report, "2.08 or later");
		kc_found(report, "%u.%02u", file.data[PROTOCOL + 1], file.data[PROTOCOL]);
		return -ENOTSUP;
	}
	setup = file.data[SETUP_SECTS] ? file.data[SETUP_SECTS] : SETUP_SECTS_DEFAULT;
	offset = (setup + 1) * SECTOR + kc_load32(file.data + PAYLOAD_OFFSET);
	length = kc_load32(file.data + PAYLOAD_LENGTH);
	if (length <= sizeof(uint32_t) || !kc_span_sub(file, offset, length, &image.payload)) {
		kc_finding(report, KOCOON_STAGE_KERNEL, -ENOEXEC,
			   "the bzImage's payload is not inside the file");
		kc_expected(report, "%" PRIu64 " bytes at least", offset + length);
		kc_found(report, "%zu bytes", file.len);
		kc_hint(report, "the file may be cut short: copy or install it again");
		return -ENOEXEC;
	}
	image.unpacked_size = kc_load32(image.payload.data + length - sizeof(uint32_t));
	image.format = kc_format_detect(image.payload);
	if (image.format == KC_FORMAT_NONE)
		return kc_finding(
			report, KOCOON_STAGE_KERNEL, -ENOTSUP,
			"the bzImage's payload is in no compression format that is known");
	read_release(file, &image);
	*image_ret = image;
	return 0;
}

/*
 * Some fifty megabytes are about to be written: page by page, a quarter of the time goes into
 * faults. Only a wish.
 */
static void ask_for_large_pages(const struct kc_buffer *buffer)
{
	uintptr_t start = ((uintptr_t)buffer->data + LARGE_PAGE - 1) & ~(uintptr_t)(LARGE_PAGE - 1);
	uintptr_t end = (uintptr_t)(buffer->data + buffer->capacity) & ~(uintptr_t)(LARGE_PAGE - 1);

	if (start < end)
		(void)madvise((void *)start, end - start, MADV_HUGEPAGE);
}

/*
 * The room is reserved by the size word: where it lies, the unpacker makes more, or less is used.
 */
static int reserve(const struct kc_bzimage *image, struct kc_buffer *buffer)
{
	enum { PACKED_AT_MOST = 64 };
	int err;

	if (!image->unpacked_size || image->unpacked_size > KC_KERNEL_IMAGE_MAX ||
	    image->unpacked_size / PACKED_AT_MOST > image->payload.len)
		return 0;
	err = kc_buffer_reserve(buffer, (size_t)image->unpacked_size);
	if (!err)
		ask_for_large_pages(buffer);
	return err;
}

int kc_bzimage_unpack(const struct kc_bzimage *image, struct kc_buffer *buffer,
		      struct kocoon_report *report)
{
	size_t consumed = 0;
	int err = reserve(image, buffer);

	if (!err)
		err = kc_unpack(image->format, image->payload, KC_KERNEL_IMAGE_MAX, buffer,
				&consumed, report);
	if (err == -EINVAL || err == -EFBIG)
		return kc_finding(report, KOCOON_STAGE_KERNEL, -ENOEXEC,
				  "the kernel inside the bzImage can't be unpacked");
	if (err)
		return kc_finding(report, KOCOON_STAGE_KERNEL, err,
				  "the kernel inside the bzImage can't be unpacked");
	if (buffer->len != image->unpacked_size) {
		kc_finding(report, KOCOON_STAGE_KERNEL, -ENOEXEC,
			   "the bzImage's payload unpacks to another size than it says");
		kc_expected(report, "%" PRIu64 " bytes", image->unpacked_size);
		kc_found(report, "%zu bytes", buffer->len);
		return -ENOEXEC;
	}
	return 0;
}

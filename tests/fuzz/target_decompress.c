/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compressed modules as each of the kernels' decompressors takes them, and compressed kernels.
 *
 * The first byte of the input says which; the rest is the stream.
 */
#include "fuzz.h"

#include "image/image.h"

static const struct kc_decompressor decompressors[] = {
	{ .format = KC_FORMAT_XZ, .xz_bcj_x86 = true },
	{ .format = KC_FORMAT_XZ },
	{ .format = KC_FORMAT_GZIP },
	{ .format = KC_FORMAT_ZSTD },
	{ .format = KC_FORMAT_NONE },
};
enum { DECOMPRESSORS = KC_ARRAY_SIZE(decompressors), UNPACKED_MAX = 32 << 20 };

static void unpack_module(const struct kc_decompressor *kernel, struct kc_span file)
{
	struct kocoon_report report;
	enum kc_format format;
	struct kc_span image;
	/* Kept from one input to the next, as a thread keeps them. */
	static struct kc_unpacker unpacker;
	static struct kc_buffer buffer;

	kc_report_init(&report);
	(void)!kc_module_check_compressed(kernel, file, &report);
	if (!kc_module_decompress(kernel, file, &unpacker, &buffer, &report, &format, &image))
		fuzz_use(image.data, image.len);
	fuzz_use_report(&report);
	kc_report_deinit(&report);
	/* A bomb's room isn't. */
	if (buffer.capacity > UNPACKED_MAX)
		kc_buffer_deinit(&buffer);
}

static void unpack_kernel(enum kc_format format, struct kc_span file)
{
	struct kc_buffer buffer = { 0 };
	struct kocoon_report report;
	size_t consumed;

	kc_report_init(&report);
	if (!kc_unpack(format, file, UNPACKED_MAX, &buffer, &consumed, &report)) {
		FUZZ_CHECK(consumed <= file.len && buffer.len <= UNPACKED_MAX);
		fuzz_use(buffer.data, buffer.len);
	}
	fuzz_use_report(&report);
	kc_report_deinit(&report);
	kc_buffer_deinit(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct kc_span file;
	unsigned int how;

	if (!len)
		return 0;
	file = kc_span(data + 1, len - 1);
	how = data[0] % (DECOMPRESSORS + 2);
	if (how < DECOMPRESSORS)
		unpack_module(&decompressors[how], file);
	else if (how == DECOMPRESSORS)
		unpack_kernel(kc_format_detect(file), file);
	else
		unpack_kernel(KC_FORMAT_GZIP + data[0] / 16 % (KC_FORMAT_ZSTD - KC_FORMAT_GZIP + 1),
			      file);
	return 0;
}

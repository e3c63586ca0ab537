/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Module.symvers and System.map: a kernel without an image; where System.map is empty, one with an
 * image besides, which Module.symvers is compared with.
 *
 * The input is Module.symvers, a form feed, System.map.
 */
#include "fuzz.h"

#include "../unit/build_vmlinux.h"

static const char *image;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct vmlinux_recipe recipe = { 0 };
	struct kc_buffer file = build_vmlinux(&recipe);

	(void)argc;
	(void)argv;
	image = fuzz_file(2, file.data, file.len);
	kc_buffer_deinit(&file);
	return 0;
}

static void open_and_use(const char *path, const struct kocoon_kernel_options *options)
{
	struct kocoon_report *report = kocoon_report_new();
	struct kocoon_kernel *kernel;
	int err = kocoon_kernel_open(path, options, report, &kernel);

	FUZZ_CHECK(err <= 0);
	fuzz_use_report(report);
	kocoon_report_free(report);
	if (err)
		return;
	if (!path)
		fuzz_use_kernel(kernel);
	kocoon_kernel_free(kernel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_bytes map = { data, len }, symvers = fuzz_next(&map, '\f');
	struct kocoon_kernel_options options = { .size = sizeof(options) };

	options.symvers = fuzz_file(0, symvers.data, symvers.len);
	options.system_map = map.len ? fuzz_file(1, map.data, map.len) : NULL;
	open_and_use(NULL, &options);
	if (!map.len)
		open_and_use(image, &options);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening and asking a kernel with every single allocation failing in turn: -ENOMEM, or a kernel
 * that knows less. That nothing leaks is for LeakSanitizer to say.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "build_vmlinux.h"
#include "compress.h"
#include "failing_allocations.h"

/* Whether an allocation failed on the way. */
static bool run(struct kc_span image, const struct kocoon_kernel_options *options, long allowed)
{
	struct kocoon_report *report = kocoon_report_new();
	struct kocoon_kernel *kernel = NULL;
	bool failed;
	int err;

	start_failing(allowed, false);
	err = open_kernel_bytes(image, options, report, &kernel);
	assert_true(err == 0 || err == -ENOMEM);
	assert_int_equal(kernel != NULL, err == 0);
	if (kernel)
		use_kernel(kernel);
	failed = stop_failing();
	kocoon_kernel_free(kernel);
	kocoon_report_free(report);
	return failed;
}

static void survives_every_failing_allocation(void **state)
{
	char path[] = "/tmp/kocoon-test-XXXXXX";
	const struct vmlinux_recipe recipes[] = { { 0 }, { .no_by_name = true } };
	const char *const paths[] = { path };
	const struct kocoon_kernel_options options = {
		.size = sizeof(options),
		.key_files = paths,
		.key_count = 1,
	};
	struct kc_span certificate = test_certificate();
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, certificate.data, certificate.len), (ssize_t)certificate.len);
	close(fd);
	for (size_t i = 0; i < KC_ARRAY_SIZE(recipes); i++) {
		struct kc_buffer file = build_vmlinux(&recipes[i]);
		struct kc_buffer packed = pack(&packers[0], kc_buffer_span(&file));
		struct kc_buffer image = build_bzimage(kc_buffer_span(&packed), (uint32_t)file.len);
		long allowed = 0;

		while (run(kc_buffer_span(&image), &options, allowed))
			allowed++;
		assert_true(allowed > 20);
		kc_buffer_deinit(&file);
		kc_buffer_deinit(&packed);
		kc_buffer_deinit(&image);
	}
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_every_failing_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

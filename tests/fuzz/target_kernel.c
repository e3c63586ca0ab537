/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kernels: a bzImage or a vmlinux is opened, asked for all that it can tell, and a good module is
 * linked against it.
 */
#include "fuzz.h"

#include "kernel/kernel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct kocoon_policy policy = { .size = sizeof(policy),
					      .force_vermagic = true,
					      .force_modversions = true };
	const struct kocoon_module_options options = { .size = sizeof(options), .cpu = "qemu64" };
	struct kocoon_report *report = kocoon_report_new();
	struct kocoon_module *module;
	struct kocoon_kernel *kernel;
	int err = kocoon_kernel_open(fuzz_file(0, data, len), NULL, report, &kernel);

	FUZZ_CHECK(err <= 0);
	fuzz_use_report(report);
	kocoon_report_free(report);
	if (err)
		return 0;
	fuzz_use_kernel(kernel);
	(void)kc_kernel_has_builtin(kernel, "kernel");
	if (!kocoon_module_load(kernel, NULL, &policy, LIVE_MODULES "/hello.ko", &options,
				&module)) {
		fuzz_use_report(kocoon_module_verdict(module)->report);
		kocoon_module_free(module);
	}
	kocoon_kernel_free(kernel);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Module.symvers, System.map and key files: instead of an image, and beside one. */
#include "unit.h"

#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "build_vmlinux.h"

static char folder[] = "/tmp/kocoon-test-XXXXXX";
static char symvers_path[64], map_path[64], key_path[64];

static const char symvers_text[] = "0x22222222\tbeta\tvmlinux\tEXPORT_SYMBOL\tSPACE\n"
				   "0x11111111\talpha\tvmlinux\tEXPORT_SYMBOL\t\n"
				   "0x33333333\tother\tdrivers/net/dummy\tEXPORT_SYMBOL\t\n"
				   "0xdeadbeef\tgamma\tvmlinux\tEXPORT_SYMBOL\t\n"
				   "0x55555555\tepsilon_gpl\tvmlinux\tEXPORT_SYMBOL_GPL\t\n"
				   "0x44444444\tdelta_gpl\tvmlinux\tEXPORT_SYMBOL_GPL\t\n";
static const char map_text[] = "ffffffff81000010 t alpha\n"
			       "ffffffff81000020 T alpha\n"
			       "0000000000001000 A percpu\n"
			       "ffffffff81000030 t helper.isra.0\n";

static void write_file(const char *path, const void *data, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void write_text(const char *path, const char *text)
{
	write_file(path, text, strlen(text));
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(symvers_path, sizeof(symvers_path), "%s/Module.symvers", folder);
	snprintf(map_path, sizeof(map_path), "%s/System.map", folder);
	snprintf(key_path, sizeof(key_path), "%s/key", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(symvers_path);
	unlink(map_path);
	unlink(key_path);
	return rmdir(folder);
}

static struct kocoon_kernel *open_symvers(const char *map)
{
	const struct kocoon_kernel_options options = { .size = sizeof(options),
						       .symvers = symvers_path,
						       .system_map = map };
	struct kocoon_kernel *kernel = NULL;

	assert_int_equal(kocoon_kernel_open(NULL, &options, NULL, &kernel), 0);
	return kernel;
}

static void takes_module_symvers_for_a_kernel(void **state)
{
	const struct kocoon_export *exports;
	const struct kocoon_symbol *symbols;
	const struct kocoon_key *keys;
	struct kocoon_kernel *kernel;

	(void)state;
	write_text(symvers_path, symvers_text);
	kernel = open_symvers(NULL);
	assert_int_equal(kocoon_kernel_exports(kernel, &exports), 5);
	assert_string_equal(exports[0].name, "alpha");
	assert_string_equal(exports[1].ns, "SPACE");
	assert_string_equal(exports[3].name, "delta_gpl");
	assert_true(exports[3].gpl_only && exports[3].has_crc);
	assert_int_equal(exports[3].crc, 0x44444444);
	assert_int_equal(exports[3].address, 0);
	assert_null(kocoon_kernel_export(kernel, "other"));
	assert_string_equal(kocoon_kernel_release(kernel), "");
	assert_string_equal(kocoon_kernel_vermagic(kernel), "");
	assert_string_equal(kocoon_kernel_build_id(kernel), "");
	assert_null(kocoon_kernel_path(kernel));
	assert_false(kc_kernel_has_image(kernel));
	assert_int_equal(kocoon_kernel_symbols(kernel, &symbols), 0);
	assert_int_equal(kocoon_kernel_keys(kernel, &keys), 0);
	assert_int_equal(kc_kernel_abi(kernel)->module_size, 0);
	assert_true(kc_kernel_behaviour(kernel)->modversions);
	assert_false(kc_kernel_behaviour(kernel)->signatures);
	assert_non_null(strstr(kocoon_kernel_gap(kernel, 0), "signatures"));
	assert_non_null(strstr(kocoon_kernel_gap(kernel, 4), "addresses"));
	assert_null(kocoon_kernel_gap(kernel, 5));
	use_kernel(kernel);
	kocoon_kernel_free(kernel);
}

static void takes_addresses_from_system_map(void **state)
{
	struct kocoon_kernel *kernel;
	const struct kocoon_symbol *symbols;
	uint64_t address;

	(void)state;
	write_text(symvers_path, symvers_text);
	write_text(map_path, map_text);
	kernel = open_symvers(map_path);
	/* The exported one is the global one. */
	assert_int_equal(kocoon_kernel_export(kernel, "alpha")->address,
			 UINT64_C(0xffffffff81000020));
	assert_int_equal(kocoon_kernel_export(kernel, "beta")->address, 0);
	assert_true(kc_kernel_find_symbol(kernel, "percpu", &address));
	assert_int_equal(address, 0x1000);
	assert_true(kc_kernel_has_symbol(kernel, "helper"));
	assert_int_equal(kocoon_kernel_symbols(kernel, &symbols), 4);
	assert_string_equal(symbols[0].name, "percpu");
	assert_null(kocoon_kernel_gap(kernel, 4));
	kocoon_kernel_free(kernel);
}

static void takes_symvers_of_older_kernels(void **state)
{
	const struct kocoon_export *exports;
	struct kocoon_kernel *kernel;

	(void)state;
	write_text(symvers_path, "0x00000000\talpha\tvmlinux\tEXPORT_SYMBOL\n"
				 "0x00000000\tbeta\tvmlinux\tEXPORT_SYMBOL_GPL");
	kernel = open_symvers(NULL);
	assert_int_equal(kocoon_kernel_exports(kernel, &exports), 2);
	assert_null(exports[0].ns);
	/* A kernel without symbol versions. */
	assert_false(exports[0].has_crc);
	assert_false(kc_kernel_behaviour(kernel)->modversions);
	kocoon_kernel_free(kernel);
}

static void refuses_what_is_no_symvers(void **state)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		"garbage\n",
		"0x1\talpha\tvmlinux\n",
		"0x1\talpha\tvmlinux\tEXPORT_SYMBOL\t\tmore\n",
		"0x123456789\talpha\tvmlinux\tEXPORT_SYMBOL\t\n",
		"12345678\talpha\tvmlinux\tEXPORT_SYMBOL\t\n",
		"0x\talpha\tvmlinux\tEXPORT_SYMBOL\t\n",
		"0x1\t\tvmlinux\tEXPORT_SYMBOL\t\n",
		"0x1\talpha\tvmlinux\tIMPORT\t\n",
		"0x1\tother\tdrivers/net/dummy\tEXPORT_SYMBOL\t\n",
	};
	const struct kocoon_kernel_options options = { .size = sizeof(options),
						       .symvers = symvers_path };
	struct kocoon_kernel *kernel = NULL;

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(texts); i++) {
		struct kocoon_report *report = kocoon_report_new();

		write_text(symvers_path, texts[i]);
		assert_int_equal(kocoon_kernel_open(NULL, &options, report, &kernel), -EINVAL);
		assert_non_null(strstr(kocoon_report_get(report, 0)->what, "Module.symvers"));
		kocoon_report_free(report);
	}
	unlink(symvers_path);
	assert_int_equal(kocoon_kernel_open(NULL, &options, NULL, &kernel), -ENOENT);
}

static void refuses_what_is_no_system_map(void **state)
{
	static const char *const texts[] = {
		/* What Debian's image packages have in its place. */
		"ffffffffffffffff B The real System.map is in the linux-image-6.12-dbg package\n",
		"nothing\n",
		"ffffffff81000010 alpha\n",
		"11112222333344445 T alpha\n",
		"ffffffff81000010 T \n",
	};
	const struct kocoon_kernel_options options = { .size = sizeof(options),
						       .symvers = symvers_path,
						       .system_map = map_path };
	struct kocoon_kernel *kernel = NULL;

	(void)state;
	write_text(symvers_path, symvers_text);
	for (size_t i = 0; i < KC_ARRAY_SIZE(texts); i++) {
		write_text(map_path, texts[i]);
		assert_int_equal(kocoon_kernel_open(NULL, &options, NULL, &kernel), -EINVAL);
	}
}

static void open_beside(const char *text, size_t expected_findings)
{
	const struct kocoon_kernel_options options = { .size = sizeof(options),
						       .symvers = symvers_path };
	const struct vmlinux_recipe recipe = { 0 };
	struct kc_buffer file = build_vmlinux(&recipe);
	struct kocoon_report *report = kocoon_report_new();
	struct kocoon_kernel *kernel;

	write_text(symvers_path, text);
	assert_int_equal(open_kernel_bytes(kc_buffer_span(&file), &options, report, &kernel), 0);
	assert_int_equal(kocoon_report_count(report), expected_findings);
	for (size_t i = 0; i < expected_findings; i++) {
		const struct kocoon_finding *finding = kocoon_report_get(report, i);

		assert_int_equal(finding->err, 0);
		assert_int_equal(finding->stage, KOCOON_STAGE_KERNEL);
		assert_non_null(finding->found);
		assert_non_null(finding->hint);
	}
	/* The image's word counts. */
	assert_int_equal(kocoon_kernel_export(kernel, "alpha")->crc, 0x11111111);
	kocoon_kernel_free(kernel);
	kocoon_report_free(report);
	kc_buffer_deinit(&file);
}

static void compares_symvers_with_the_image(void **state)
{
	(void)state;
	open_beside(symvers_text, 0);
	/* Another CRC, and the others missing; one that the image hasn't. */
	open_beside("0x11111112\talpha\tvmlinux\tEXPORT_SYMBOL\t\n"
		    "0x00000001\tzeta\tvmlinux\tEXPORT_SYMBOL\t\n",
		    3);
}

static void assert_keys(const struct kocoon_kernel_options *options, size_t count)
{
	struct kocoon_kernel *kernel = NULL;
	const struct kocoon_key *keys;

	assert_int_equal(kocoon_kernel_open(NULL, options, NULL, &kernel), 0);
	assert_int_equal(kocoon_kernel_keys(kernel, &keys), count);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(keys[i].subject, "test key");
		assert_string_equal(keys[i].source, key_path);
	}
	kocoon_kernel_free(kernel);
}

static void reads_key_files(void **state)
{
	const char *const paths[] = { key_path };
	const struct kocoon_kernel_options options = {
		.size = sizeof(options), .symvers = symvers_path, .key_files = paths, .key_count = 1
	};
	struct kc_span der = test_certificate();
	const unsigned char *place = der.data;
	X509 *certificate = d2i_X509(NULL, &place, (long)der.len);
	struct kocoon_kernel *kernel = NULL;
	FILE *file;

	(void)state;
	write_text(symvers_path, symvers_text);
	write_file(key_path, der.data, der.len);
	assert_keys(&options, 1);
	file = fopen(key_path, "w");
	assert_non_null(file);
	assert_true(fputs("a chain of two:\n", file) >= 0);
	assert_true(PEM_write_X509(file, certificate) && PEM_write_X509(file, certificate));
	fclose(file);
	assert_keys(&options, 2);
	write_file(key_path, der.data, der.len - 1);
	assert_int_equal(kocoon_kernel_open(NULL, &options, NULL, &kernel), -EINVAL);
	write_text(key_path, "");
	assert_int_equal(kocoon_kernel_open(NULL, &options, NULL, &kernel), -EINVAL);
	unlink(key_path);
	assert_int_equal(kocoon_kernel_open(NULL, &options, NULL, &kernel), -ENOENT);
	assert_null(kernel);
	X509_free(certificate);
}

/* A program that was built when the options were shorter: what it doesn't know is not read. */
static void takes_options_of_older_programs(void **state)
{
	struct kocoon_kernel_options options = {
		.size = offsetof(struct kocoon_kernel_options, system_map),
		.symvers = symvers_path,
		.system_map = "/nonexistent",
	};
	struct kocoon_kernel *kernel = NULL;

	(void)state;
	write_text(symvers_path, symvers_text);
	assert_int_equal(kocoon_kernel_open(NULL, &options, NULL, &kernel), 0);
	kocoon_kernel_free(kernel);
	options.size = sizeof(options);
	assert_int_equal(kocoon_kernel_open(NULL, &options, NULL, &kernel), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_module_symvers_for_a_kernel),
		cmocka_unit_test(takes_addresses_from_system_map),
		cmocka_unit_test(takes_symvers_of_older_kernels),
		cmocka_unit_test(refuses_what_is_no_symvers),
		cmocka_unit_test(refuses_what_is_no_system_map),
		cmocka_unit_test(compares_symvers_with_the_image),
		cmocka_unit_test(reads_key_files),
		cmocka_unit_test(takes_options_of_older_programs),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

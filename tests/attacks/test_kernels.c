/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kernels, and what is given beside them, made to take time or memory, or changed while they are
 * used.
 */
#include "../unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/build_module.h"
#include "../unit/build_vmlinux.h"
#include "../unit/compress.h"
#include "hostile.h"

static char folder[64], path[96], other_path[96];

static int new_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/kocoon-kernels.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/kernel", folder);
	snprintf(other_path, sizeof(other_path), "%s/other", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	unlink(other_path);
	return rmdir(folder);
}

static void write_file(const char *to, const void *bytes, size_t len)
{
	FILE *file = fopen(to, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

/* The first finding and the errno of opening `path` with these options. */
static struct kocoon_kernel *
open_path(const char *image, const struct kocoon_kernel_options *options, struct outcome *outcome)
{
	struct kocoon_report *report = kocoon_report_new();
	const struct kocoon_finding *finding;
	struct kocoon_kernel *kernel = NULL;

	outcome->err = kocoon_kernel_open(image, options, report, &kernel);
	finding = kocoon_report_get(report, 0);
	if (outcome->err && finding) {
		outcome->stage = finding->stage;
		snprintf(outcome->text, sizeof(outcome->text), "%s", finding->what);
	}
	kocoon_report_free(report);
	return kernel;
}

static void open_and_free(struct outcome *outcome, void *context)
{
	const struct kocoon_kernel_options *options = context;

	kocoon_kernel_free(open_path(options && options->symvers ? NULL : path, options, outcome));
}

static void cut_while_open(struct outcome *outcome, void *context)
{
	struct kocoon_kernel *kernel = open_path(path, NULL, outcome);

	(void)context;
	if (!kernel)
		return;
	if (truncate(path, 0))
		_exit(7);
	use_kernel(kernel);
	kocoon_kernel_free(kernel);
}

static void vmlinux_cut_while_open(void **state)
{
	struct vmlinux_recipe recipe = { 0 };
	struct kc_buffer file = build_vmlinux(&recipe);
	struct outcome outcome;

	(void)state;
	write_file(path, file.data, file.len);
	kc_buffer_deinit(&file);
	outcome = attack(cut_while_open, NULL);
	assert_int_equal(outcome.err, 0);
}

static void open_while_it_changes(struct outcome *outcome, void *context)
{
	const struct kc_buffer *file = context;
	pid_t other = fork();

	if (!other) {
		int fd = open(path, O_RDWR | O_CLOEXEC);

		alarm(120);
		for (;;) {
			(void)!ftruncate(fd, 5000);
			(void)!pwrite(fd, file->data, file->len, 0);
		}
	}
	for (int i = 0; i < 500; i++) {
		struct outcome one = { 0 };
		struct kocoon_kernel *kernel = open_path(path, NULL, &one);

		if (kernel)
			use_kernel(kernel);
		else if (!*one.text)
			outcome->err = one.err;
		kocoon_kernel_free(kernel);
	}
	kill(other, SIGKILL);
}

/* Any answer, with a reason. */
static void vmlinux_changes_while_opened(void **state)
{
	struct vmlinux_recipe recipe = { 0 };
	struct kc_buffer file = build_vmlinux(&recipe);
	struct outcome outcome;

	(void)state;
	write_file(path, file.data, file.len);
	outcome = attack(open_while_it_changes, &file);
	assert_int_equal(outcome.err, 0);
	kc_buffer_deinit(&file);
}

static void sparse_files(void **state)
{
	static const struct {
		uint64_t size;
		const char *start;
		size_t len;
		int err;
		enum kocoon_stage stage;
		const char *text;
	} cases[] = {
		{ UINT64_C(1) << 40, "", 0, -EFBIG, KOCOON_STAGE_READ, "too large for a kernel" },
		{ (UINT64_C(4) << 30) + 1, "\177ELF", 4, -EFBIG, KOCOON_STAGE_READ, "too large" },
		{ UINT64_C(3) << 30, "", 0, -ENOEXEC, KOCOON_STAGE_KERNEL, "not a kernel" },
		{ UINT64_C(3) << 30, "\177ELF\2\1\1", 7, -ENOTSUP, KOCOON_STAGE_KERNEL, "vmlinux" },
		{ 0, "", 0, -ENOEXEC, KOCOON_STAGE_READ, "empty" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome outcome;

		write_file(path, cases[i].start, cases[i].len);
		assert_int_equal(truncate(path, (off_t)cases[i].size), 0);
		outcome = attack(open_and_free, NULL);
		assert_refused(&outcome, cases[i].err, cases[i].stage, cases[i].text, 16);
	}
}

/* Debug information is most of a file, and is never read: what is there is as good as a hole. */
static void headers_of_all_kinds(void **state)
{
	struct vmlinux_recipe recipe = { 0 };
	struct kc_buffer file = build_vmlinux(&recipe);
	Elf64_Ehdr ehdr;

	(void)state;
	memcpy(&ehdr, file.data, sizeof(ehdr));
	for (unsigned int i = 0; i < 6; i++) {
		Elf64_Ehdr changed = ehdr;
		struct outcome outcome;

		changed.e_shnum = i == 0 ? 0 : i == 1 ? 0xffff : ehdr.e_shnum;
		changed.e_phnum = i == 2 ? 0xffff : ehdr.e_phnum;
		changed.e_shstrndx = i == 3 ? SHN_XINDEX : ehdr.e_shstrndx;
		changed.e_shoff = i == 4 ? UINT64_MAX - 8 : ehdr.e_shoff;
		changed.e_phoff = i == 5 ? UINT64_MAX - 8 : ehdr.e_phoff;
		memcpy(file.data, &changed, sizeof(changed));
		write_file(path, file.data, file.len);
		outcome = attack(open_and_free, NULL);
		if (i)
			assert_refused(&outcome, -ENOEXEC, KOCOON_STAGE_KERNEL, "vmlinux", 16);
		else
			assert_int_equal(outcome.err, 0);
	}
	kc_buffer_deinit(&file);
}

/* Payloads that unpack to more than they say. */
static void bombs(void **state)
{
	enum { ZEROS = 24 << 20 };
	uint8_t *zeros = calloc(1, ZEROS);

	(void)state;
	assert_non_null(zeros);
	for (size_t i = 0; i < KC_ARRAY_SIZE(packers); i++) {
		struct kc_buffer packed = pack(&packers[i], kc_span(zeros, ZEROS));
		struct kc_buffer file = build_bzimage(kc_buffer_span(&packed), 4096);
		struct outcome outcome;

		write_file(path, file.data, file.len);
		outcome = attack(open_and_free, NULL);
		assert_refused(&outcome, -ENOEXEC, KOCOON_STAGE_KERNEL, "another size", 150);
		kc_buffer_deinit(&packed);
		kc_buffer_deinit(&file);
	}
	free(zeros);
}

static void link_without_addresses(struct outcome *outcome, void *context)
{
	const struct kocoon_kernel_options *options = context;
	struct kocoon_kernel *kernel = open_path(NULL, options, outcome);
	struct kocoon_module *module;
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (!kernel)
		return;
	outcome->err = kocoon_module_load(kernel, NULL, NULL, path, NULL, &module);
	if (outcome->err)
		return;
	outcome->err = kocoon_module_verdict(module)->err;
	if (!outcome->err)
		outcome->err = kocoon_module_write_elf(module, fd);
	kocoon_module_free(module);
	kocoon_kernel_free(kernel);
}

/* Nothing is linked to address 0 because nobody knows a better one. */
static void no_addresses(void **state)
{
	struct kocoon_kernel *stock = open_stock_kernel("6.12-cloud-amd64");
	struct module_recipe recipe = { "user", NULL, (const char *const[]){ "kfree", NULL },
					"intree=Y" };
	struct kocoon_kernel_options options = { .size = sizeof(options), .symvers = other_path };
	struct outcome outcome;
	char map[96];

	(void)state;
	build_module_as(stock, path, &recipe);
	kocoon_kernel_free(stock);
	write_file(other_path, "0x00000000\tkfree\tvmlinux\tEXPORT_SYMBOL\t\n", 41);
	outcome = attack(link_without_addresses, &options);
	assert_int_equal(outcome.err, -ENOTSUP);
	snprintf(map, sizeof(map), "%s/map", folder);
	write_file(map, "ffffffff81001000 T kfree\n", 25);
	options.system_map = map;
	outcome = attack(link_without_addresses, &options);
	unlink(map);
	assert_int_equal(outcome.err, 0);
}

/* One static name on most lines, and asked for with each export. */
static void one_name_in_a_map(void **state)
{
	struct kocoon_kernel_options options = { .size = sizeof(options),
						 .symvers = path,
						 .system_map = other_path };
	FILE *symvers = fopen(path, "we"), *map = fopen(other_path, "we");
	struct outcome outcome;

	(void)state;
	assert_true(symvers && map);
	for (int i = 0; i < 300000; i++)
		fputs("ffffffff81001000 t the_name\n", map);
	for (int i = 0; i < 100000; i++)
		fputs("0x00000000\tthe_name\tvmlinux\tEXPORT_SYMBOL\t\n", symvers);
	assert_int_equal(fclose(symvers) | fclose(map), 0);
	outcome = attack(open_and_free, &options);
	assert_int_equal(outcome.err, 0);
	assert_memory(&outcome, 150);

	map = fopen(other_path, "we");
	assert_non_null(map);
	for (int i = 0; i < (4 << 20) + 1; i++)
		fputs("0 t a\n", map);
	assert_int_equal(fclose(map), 0);
	outcome = attack(open_and_free, &options);
	assert_refused(&outcome, -EFBIG, KOCOON_STAGE_KERNEL, "more lines than any System.map", 64);
}

/* Nobody is asked for a password, and so nobody waits for one. */
static void encrypted_certificate(void **state)
{
	static const char pem[] =
		"-----BEGIN CERTIFICATE-----\n"
		"Proc-Type: 4,ENCRYPTED\n"
		"DEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
		"-----END CERTIFICATE-----\n";
	struct vmlinux_recipe recipe = { 0 };
	struct kc_buffer file = build_vmlinux(&recipe);
	const char *keys[] = { other_path };
	struct kocoon_kernel_options options = { .size = sizeof(options),
						 .key_files = keys,
						 .key_count = 1 };
	struct outcome outcome;

	(void)state;
	write_file(path, file.data, file.len);
	kc_buffer_deinit(&file);
	write_file(other_path, pem, sizeof(pem) - 1);
	outcome = attack(open_and_free, &options);
	assert_refused(&outcome, -EINVAL, KOCOON_STAGE_KERNEL, "no X.509 certificate", 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vmlinux_cut_while_open),
		cmocka_unit_test(vmlinux_changes_while_opened),
		cmocka_unit_test(sparse_files),
		cmocka_unit_test(headers_of_all_kinds),
		cmocka_unit_test(bombs),
		cmocka_unit_test(no_addresses),
		cmocka_unit_test(one_name_in_a_map),
		cmocka_unit_test(encrypted_certificate),
	};

	return cmocka_run_group_tests(tests, new_folder, remove_folder);
}

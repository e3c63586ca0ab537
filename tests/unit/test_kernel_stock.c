/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stock kernels: what kocoon finds in an image against what their packages say of it:
 * Module.symvers, the configuration, the symbol table of the debug package by nm(1), the modules.
 */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build_module.h"
#include "kernel/parts.h"

/* One of each compression and each series. */
static const struct stock {
	const char *kind;
	enum kc_format format;
	bool symvers; /* its headers are in the cache */
} stock[] = {
	{ "6.12-cloud-amd64", KC_FORMAT_ZSTD, true },
	{ "6.12-amd64", KC_FORMAT_ZSTD, true },
	{ "6.1-amd64", KC_FORMAT_XZ, true },
	{ "6.1-cloud-amd64", KC_FORMAT_LZ4, false },
};

static struct kocoon_kernel *kernels[KC_ARRAY_SIZE(stock)];

static int open_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(stock); i++)
		kernels[i] = open_stock_kernel(stock[i].kind);
	return 0;
}

static int free_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(stock); i++)
		kocoon_kernel_free(kernels[i]);
	return 0;
}

static FILE *open_stock_file(const char *kind, const char *pattern)
{
	char *path = stock_file(kind, pattern);
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	free(path);
	return file;
}

static void knows_its_strings(void **state)
{
	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(stock); i++) {
		const char *release = kocoon_kernel_release(kernels[i]);
		char *tree = stock_tree(stock[i].kind), vermagic[256];

		assert_string_equal(release, strrchr(tree, '/') + 1);
		snprintf(vermagic, sizeof(vermagic), "%s SMP preempt mod_unload modversions ",
			 release);
		assert_string_equal(kocoon_kernel_vermagic(kernels[i]), vermagic);
		assert_int_equal(strlen(kocoon_kernel_build_id(kernels[i])), 40);
		assert_int_equal(kernels[i]->format, stock[i].format);
		assert_true(kernels[i]->vmlinux.relocations.len > 100000);
		assert_null(kocoon_kernel_gap(kernels[i], 0));
		free(tree);
	}
}

static void assert_export_line(const struct kocoon_kernel *kernel, char *line)
{
	char *crc = strsep(&line, "\t"), *name = strsep(&line, "\t"), *provider, *type, *ns;
	const struct kocoon_export *found = kocoon_kernel_export(kernel, name);

	provider = strsep(&line, "\t");
	type = strsep(&line, "\t");
	ns = strsep(&line, "\n");
	assert_string_equal(provider, "vmlinux");
	assert_non_null(found);
	assert_true(found->has_crc);
	assert_int_equal(found->crc, strtoul(crc, NULL, 16));
	assert_int_equal(found->gpl_only, strcmp(type, "EXPORT_SYMBOL_GPL") == 0);
	assert_string_equal(found->ns ? found->ns : "", ns);
}

static void exports_are_those_of_module_symvers(void **state)
{
	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(stock); i++) {
		const struct kocoon_export *exports;
		size_t lines = 0;
		char line[1024];
		FILE *file;

		if (!stock[i].symvers)
			continue;
		file = open_stock_file(stock[i].kind, "usr/src/linux-headers-*64/Module.symvers");
		while (fgets(line, sizeof(line), file)) {
			if (!strstr(line, "\tvmlinux\t"))
				continue;
			assert_export_line(kernels[i], line);
			lines++;
		}
		fclose(file);
		assert_true(lines > 8000);
		assert_int_equal(kocoon_kernel_exports(kernels[i], &exports), lines);
	}
}

static bool has_symbol_at(const struct kocoon_symbol *symbols, size_t count, const char *name,
			  uint64_t address)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbols[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < count && symbols[low].address == address; low++)
		if (!strcmp(symbols[low].name, name))
			return true;
	return false;
}

/* Two tables that know nothing of each other agree on every address. */
static void exports_stand_where_kallsyms_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(stock); i++) {
		const struct kocoon_export *exports;
		const struct kocoon_symbol *symbols;
		size_t count = kocoon_kernel_symbols(kernels[i], &symbols);
		size_t export_count = kocoon_kernel_exports(kernels[i], &exports);

		for (size_t j = 0; j < export_count; j++)
			assert_true(
				has_symbol_at(symbols, count, exports[j].name, exports[j].address));
		assert_true(export_count > 8000);
	}
}

/* What scripts/mksysmap and scripts/kallsyms.c leave out of nm's lines. */
static bool is_left_out(char type, const char *name)
{
	return strchr("aAuUnNw", type) || *name == '$' || !strncmp(name, ".L", 2) ||
	       !strncmp(name, "__crc_", 6) || !strncmp(name, "__kstrtab", 9) || !strcmp(name, "L0");
}

struct line {
	uint64_t address;
	char type;
	char *name;
};

static int compare_lines(const void *left, const void *right)
{
	const struct line *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* "ffffffff81000000 T _text\n"; undefined symbols have no address. */
static bool parse_nm(char *text, struct line *line_ret)
{
	char *end;
	uint64_t address = strtoull(text, &end, 16);

	if (end == text || end[0] != ' ')
		return false;
	end[3 + strcspn(end + 3, "\n")] = 0;
	if (is_left_out(end[1], end + 3))
		return false;
	*line_ret = (struct line){ .address = address, .type = end[1], .name = strdup(end + 3) };
	return true;
}

static size_t read_nm(const char *path, size_t expected, struct line *lines)
{
	char command[1024], text[1024];
	size_t count = 0;
	FILE *pipe;

	snprintf(command, sizeof(command), "nm '%s'", path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	while (fgets(text, sizeof(text), pipe)) {
		struct line line;

		if (!parse_nm(text, &line))
			continue;
		assert_true(count < expected);
		lines[count++] = line;
	}
	assert_int_equal(pclose(pipe), 0);
	qsort(lines, count, sizeof(*lines), compare_lines);
	return count;
}

static int compare_symbols(const void *left, const void *right)
{
	const struct kocoon_symbol *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* Every name, address and type; per-CPU symbols, whose addresses are offsets, are all of type A. */
static void symbols_are_those_of_nm(void **state)
{
	char *path = stock_file("6.12-cloud-amd64", "usr/lib/debug/boot/vmlinux-*");
	const struct kocoon_symbol *symbols;
	size_t count = kocoon_kernel_symbols(kernels[0], &symbols);
	struct kocoon_symbol *sorted = malloc(count * sizeof(*sorted));
	struct line *lines = calloc(count, sizeof(*lines));

	(void)state;
	assert_true(sorted && lines && count > 50000);
	memcpy(sorted, symbols, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_symbols);
	assert_int_equal(read_nm(path, count, lines), count);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(sorted[i].name, lines[i].name);
		assert_int_equal(sorted[i].address, lines[i].address);
		if (sorted[i].type != 'A')
			assert_int_equal(sorted[i].type, lines[i].type);
		free(lines[i].name);
	}
	free(lines);
	free(sorted);
	free(path);
}

/* The kernel's own order of names leads to each of them, to the first of several. */
static void looks_up_every_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(stock); i += 2) {
		const struct kocoon_symbol *symbols;
		size_t count = kocoon_kernel_symbols(kernels[i], &symbols);

		for (size_t j = 0; j < count; j += 7) {
			uint64_t address = 0;

			assert_true(kc_kernel_find_symbol(kernels[i], symbols[j].name, &address));
			assert_true(address <= symbols[j].address);
		}
		assert_false(kc_kernel_has_symbol(kernels[i], "no_such_symbol"));
	}
}

/* The debug package's vmlinux: mapped, with a symbol table of its own, and yet the same kernel. */
static void a_vmlinux_is_the_same_kernel(void **state)
{
	char *path = stock_file("6.12-cloud-amd64", "usr/lib/debug/boot/vmlinux-*");
	const struct kocoon_export *here, *there;
	struct kocoon_kernel *kernel;
	struct kc_symbols symbols;
	size_t count;

	(void)state;
	assert_int_equal(kocoon_kernel_open(path, NULL, NULL, &kernel), 0);
	assert_string_equal(kocoon_kernel_release(kernel), kocoon_kernel_release(kernels[0]));
	assert_string_equal(kocoon_kernel_vermagic(kernel), kocoon_kernel_vermagic(kernels[0]));
	assert_string_equal(kocoon_kernel_build_id(kernel), kocoon_kernel_build_id(kernels[0]));
	count = kocoon_kernel_exports(kernel, &there);
	assert_int_equal(kocoon_kernel_exports(kernels[0], &here), count);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(here[i].name, there[i].name);
		assert_int_equal(here[i].address, there[i].address);
		assert_int_equal(here[i].crc, there[i].crc);
	}
	assert_memory_equal(kc_kernel_behaviour(kernel), kc_kernel_behaviour(kernels[0]),
			    sizeof(struct kc_behaviour));
	assert_memory_equal(kc_kernel_abi(kernel), kc_kernel_abi(kernels[0]),
			    sizeof(struct kc_abi));
	/* Its .symtab, as it is used where a vmlinux has no table for /proc/kallsyms. */
	assert_int_equal(kc_symbols_from_elf(&kernel->vmlinux.elf, &symbols), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(kc_symbols_find_global(&symbols, there[i].name)->address,
				 there[i].address);
	kc_symbols_deinit(&symbols);
	kocoon_kernel_free(kernel);
	free(path);
}

#define MEMBER(name) offsetof(struct kc_behaviour, name)

/* Settings that the configuration tells, and what was probed for without it. */
static const struct {
	const char *setting;
	size_t member;
} settings[] = {
	{ "CONFIG_MODULE_SIG=y", MEMBER(signatures) },
	{ "CONFIG_MODULE_SIG_FORCE=y", MEMBER(sig_enforce) },
	{ "CONFIG_SECURITY_LOCKDOWN_LSM=y", MEMBER(lockdown) },
	{ "CONFIG_MODVERSIONS=y", MEMBER(modversions) },
	{ "CONFIG_EXTENDED_MODVERSIONS=y", MEMBER(extended_modversions) },
	{ "CONFIG_MODULE_FORCE_LOAD=y", MEMBER(force_load) },
	{ "CONFIG_STRICT_MODULE_RWX=y", MEMBER(strict_rwx) },
	{ "CONFIG_LIVEPATCH=y", MEMBER(livepatch) },
	{ "CONFIG_KALLSYMS_ALL=y", MEMBER(kallsyms_all) },
	{ "CONFIG_CONSTRUCTORS=y", MEMBER(constructors) },
	{ "CONFIG_SMP=y", MEMBER(smp) },
	{ "CONFIG_DEBUG_INFO_BTF_MODULES=y", MEMBER(btf_modules) },
	{ "CONFIG_MODULE_ALLOW_BTF_MISMATCH=y", MEMBER(btf_mismatch_allowed) },
	{ "CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS=y", MEMBER(missing_namespace_allowed) },
	{ "CONFIG_INTEGRITY_PLATFORM_KEYRING=y", MEMBER(platform_keyring) },
	{ "CONFIG_XZ_DEC_X86=y", MEMBER(decompressor.xz_bcj_x86) },
	{ "CONFIG_CRYPTO_ECDSA=y", MEMBER(signature_ecdsa) },
};

static char *read_config(const char *kind)
{
	char *path = stock_file(kind, "boot/config-*");
	struct kc_buffer buffer = { 0 };

	assert_int_equal(kc_read_file(path, 1 << 24, &buffer, NULL), 0);
	assert_int_equal(kc_buffer_append(&buffer, "", 1), 0);
	free(path);
	return (char *)buffer.data;
}

static bool is_set(const char *config, const char *setting)
{
	char line[128];

	snprintf(line, sizeof(line), "\n%s\n", setting);
	return strstr(config, line) != NULL;
}

static enum kc_format configured_decompressor(const char *config)
{
	if (!is_set(config, "CONFIG_MODULE_DECOMPRESS=y"))
		return KC_FORMAT_NONE;
	return is_set(config, "CONFIG_MODULE_COMPRESS_XZ=y")	 ? KC_FORMAT_XZ
	       : is_set(config, "CONFIG_MODULE_COMPRESS_ZSTD=y") ? KC_FORMAT_ZSTD
								 : KC_FORMAT_GZIP;
}

static void behaves_as_it_was_configured(void **state)
{
	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(stock); i++) {
		const struct kc_behaviour *behaviour = kc_kernel_behaviour(kernels[i]);
		char *config = read_config(stock[i].kind);

		for (size_t j = 0; j < KC_ARRAY_SIZE(settings); j++)
			if (is_set(config, settings[j].setting) !=
			    *(const bool *)((const char *)behaviour + settings[j].member))
				fail_msg("%s: %s", stock[i].kind, settings[j].setting);
		assert_int_equal(behaviour->decompressor.format, configured_decompressor(config));
		free(config);
	}
}

/* Size of .gnu.linkonce.this_module of a stock module: what its compiler took struct module for. */
static uint64_t size_in_module(const char *kind)
{
	char *path = stock_file(kind, "lib/modules/*/kernel/fs/*/*.ko*");
	struct kc_buffer file = { 0 }, unpacked = { 0 };
	struct kc_span image, bytes;
	struct kc_elf elf;
	Elf64_Shdr shdr;

	assert_int_equal(kc_read_file(path, 1 << 28, &file, NULL), 0);
	image = kc_buffer_span(&file);
	if (kc_format_detect(image) != KC_FORMAT_NONE) {
		assert_int_equal(
			kc_unpack(kc_format_detect(image), image, 1 << 28, &unpacked, NULL, NULL),
			0);
		image = kc_buffer_span(&unpacked);
	}
	assert_int_equal(kc_elf_open(image, &elf), 0);
	assert_true(kc_elf_find_section(&elf, ".gnu.linkonce.this_module", &shdr, &bytes));
	kc_buffer_deinit(&file);
	kc_buffer_deinit(&unpacked);
	free(path);
	return shdr.sh_size;
}

static void knows_the_layout_of_modules(void **state)
{
	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(stock); i++) {
		const struct kc_abi *abi = kc_kernel_abi(kernels[i]);

		assert_true(abi->known);
		assert_int_equal(abi->module_size, size_in_module(stock[i].kind));
		assert_int_equal(abi->module_name, 24);
		assert_int_equal(abi->module_name_len, 56);
		assert_int_equal(abi->kernel_symbol_size, 12);
		assert_true(abi->kernel_symbol_relative);
		assert_int_equal(abi->kernel_param_size, 40);
		assert_int_equal(abi->modversion_size, 64);
		assert_int_equal(abi->modversion_name, 8);
		assert_int_equal(abi->extable_entry_size, 12);
		assert_int_equal(abi->mod_kallsyms_size, 32);
		assert_false(abi->data_layout);
	}
}

static void knows_its_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(stock); i++) {
		const struct kocoon_key *keys;
		struct kc_keyring found = { 0 };
		struct kc_span list;

		assert_true(kocoon_kernel_keys(kernels[i], &keys) >= 1);
		assert_string_equal(keys[0].subject, "Build time autogenerated kernel key");
		assert_int_equal(strlen(keys[0].key_id), 40);
		assert_string_equal(keys[0].source, "image");
		/* As in an image whose symbol table has functions only. */
		assert_true(kc_keyring_search(&kernels[i]->vmlinux, &list));
		assert_int_equal(kc_keyring_add_list(&found, list, NULL), 0);
		assert_int_equal(found.count, kocoon_kernel_keys(kernels[i], &keys));
		assert_string_equal(found.keys[0].key_id, keys[0].key_id);
		kc_keyring_deinit(&found);
	}
}

static void *ask(void *argument)
{
	struct kocoon_kernel *kernel = argument;
	const struct kocoon_symbol *symbols;
	const struct kocoon_fact *facts;
	uintptr_t sum = kocoon_kernel_facts(kernel, &facts);

	sum += kocoon_kernel_symbols(kernel, &symbols);
	sum += kc_kernel_abi(kernel)->module_size + kc_kernel_behaviour(kernel)->signatures;
	sum += kocoon_kernel_struct_size(kernel, "task_struct");
	return (void *)sum;
}

/* All ask for the parts that are made when first asked for. */
static void is_shared_by_threads(void **state)
{
	enum { THREADS = 8 };
	struct kocoon_kernel *kernel = open_stock_kernel("6.1-cloud-amd64");
	pthread_t threads[THREADS];
	void *results[THREADS];

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask, kernel), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], &results[i]), 0);
	for (size_t i = 1; i < THREADS; i++)
		assert_ptr_equal(results[i], results[0]);
	assert_ptr_equal(results[0], ask(kernels[3]));
	kocoon_kernel_free(kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_its_strings),
		cmocka_unit_test(exports_are_those_of_module_symvers),
		cmocka_unit_test(exports_stand_where_kallsyms_says),
		cmocka_unit_test(symbols_are_those_of_nm),
		cmocka_unit_test(looks_up_every_name),
		cmocka_unit_test(a_vmlinux_is_the_same_kernel),
		cmocka_unit_test(behaves_as_it_was_configured),
		cmocka_unit_test(knows_the_layout_of_modules),
		cmocka_unit_test(knows_its_key),
		cmocka_unit_test(is_shared_by_threads),
	};

	return cmocka_run_group_tests(tests, open_all, free_all);
}

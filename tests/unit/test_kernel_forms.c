/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernels in all forms that the image, its export tables and its symbol table may have. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "build_vmlinux.h"
#include "compress.h"

static struct kocoon_kernel *open_recipe(const struct vmlinux_recipe *recipe)
{
	struct kc_buffer file = build_vmlinux(recipe);
	struct kocoon_kernel *kernel = NULL;

	assert_int_equal(open_kernel_bytes(kc_buffer_span(&file), NULL, NULL, &kernel), 0);
	kc_buffer_deinit(&file);
	return kernel;
}

static void assert_export(const struct kocoon_kernel *kernel, const char *name, const char *ns,
			  uint64_t address, uint32_t crc, bool gpl_only)
{
	const struct kocoon_export *found = kocoon_kernel_export(kernel, name);

	assert_non_null(found);
	assert_string_equal(found->name, name);
	if (ns)
		assert_string_equal(found->ns, ns);
	else
		assert_null(found->ns);
	assert_int_equal(found->address, address);
	assert_int_equal(found->has_crc, crc != 0);
	assert_int_equal(found->crc, crc);
	assert_int_equal(found->gpl_only, gpl_only);
}

static void assert_exports(const struct kocoon_kernel *kernel, const struct vmlinux_recipe *recipe)
{
	const struct kocoon_export *array;
	const char *space = recipe->no_namespaces ? NULL : "SPACE";
	bool crcs = !recipe->no_crcs;

	assert_int_equal(kocoon_kernel_exports(kernel, &array), 5);
	assert_string_equal(array[0].name, "alpha");
	assert_string_equal(array[4].name, "epsilon_gpl");
	assert_export(kernel, "alpha", NULL, TEXT_ADDRESS + 16, crcs ? 0x11111111 : 0, false);
	assert_export(kernel, "beta", space, TEXT_ADDRESS + 32, crcs ? 0x22222222 : 0, false);
	assert_export(kernel, "gamma", NULL, TEXT_ADDRESS + 48, crcs ? 0xdeadbeef : 0, false);
	assert_export(kernel, "delta_gpl", NULL, TEXT_ADDRESS + 64, crcs ? 0x44444444 : 0, true);
	assert_export(kernel, "epsilon_gpl", NULL, TEXT_ADDRESS + 80, crcs ? 0x55555555 : 0, true);
	assert_null(kocoon_kernel_export(kernel, "zeta"));
	assert_int_equal(kc_kernel_behaviour(kernel)->modversions, crcs);
	assert_int_equal(kc_kernel_abi(kernel)->kernel_symbol_relative, !recipe->pointers);
	assert_int_equal(kc_kernel_abi(kernel)->kernel_symbol_size,
			 (recipe->pointers ? 8 : 4) * (recipe->no_namespaces ? 2 : 3));
}

static void reads_every_form_of_exports(void **state)
{
	(void)state;
	for (unsigned int bits = 0; bits < 32; bits++) {
		const struct vmlinux_recipe recipe = {
			.pointers = bits & 1,
			.no_namespaces = bits & 2,
			.wide_crcs = bits & 4,
			.no_crcs = bits & 8,
			.no_section_names = bits & 16,
		};
		struct kocoon_kernel *kernel = open_recipe(&recipe);

		assert_exports(kernel, &recipe);
		kocoon_kernel_free(kernel);
	}
}

static void assert_symbol(const struct kocoon_kernel *kernel, const char *name, uint64_t address)
{
	uint64_t found = 1;

	assert_true(kc_kernel_find_symbol(kernel, name, &found));
	assert_int_equal(found, address);
}

static void assert_functions(const struct kocoon_kernel *kernel)
{
	const struct kocoon_symbol *symbols;
	size_t count = kocoon_kernel_symbols(kernel, &symbols), seen = 0;

	for (size_t i = 0; i < count; i++) {
		assert_true(!i || symbols[i].address >= symbols[i - 1].address);
		if (!strncmp(symbols[i].name, "f_", 2) && strcmp(symbols[i].name, "f_twin") != 0) {
			unsigned int n = (unsigned int)strtoul(symbols[i].name + 2, NULL, 10);

			assert_int_equal(symbols[i].address, TEXT_ADDRESS + n * 16);
			assert_int_equal(symbols[i].type, n % 3 ? 'T' : 't');
			seen++;
		}
	}
	assert_int_equal(seen, FUNCTIONS);
}

static void assert_lookups(const struct kocoon_kernel *kernel, const struct vmlinux_recipe *recipe)
{
	uint64_t address;

	assert_symbol(kernel, "f_0", TEXT_ADDRESS);
	assert_symbol(kernel, "f_699", TEXT_ADDRESS + 699 * 16);
	assert_symbol(kernel, LONG_NAME, TEXT_ADDRESS + 800);
	assert_symbol(kernel, "f_twin", TEXT_ADDRESS + 320);
	if (recipe->form != KC_KALLSYMS_UNSIGNED && !recipe->functions_only)
		assert_symbol(kernel, "percpu_value", 0x1000);
	assert_false(kc_kernel_find_symbol(kernel, "f_700", &address));
	assert_false(kc_kernel_find_symbol(kernel, "f_", &address));
	assert_false(kc_kernel_find_symbol(kernel, "", &address));
	/* With a compiler's suffix only. */
	assert_false(kc_kernel_find_symbol(kernel, "module_patient_check_exists", &address));
	assert_true(kc_kernel_has_symbol(kernel, "module_patient_check_exists"));
	assert_false(kc_kernel_has_symbol(kernel, "module_patient_check"));
}

static void reads_every_form_of_kallsyms(void **state)
{
	(void)state;
	for (unsigned int bits = 0; bits < 24; bits++) {
		const struct vmlinux_recipe recipe = {
			.form = (enum kc_kallsyms_form)(bits / 8),
			.old_order = bits & 1,
			.no_by_name = bits & 2,
			.functions_only = bits & 4,
		};
		struct kocoon_kernel *kernel = open_recipe(&recipe);

		assert_int_equal(kernel->kallsyms.form, recipe.form);
		assert_int_equal(kernel->kallsyms.by_name.len == 0, recipe.no_by_name);
		assert_lookups(kernel, &recipe);
		assert_functions(kernel);
		assert_int_equal(kc_kernel_behaviour(kernel)->kallsyms_all, !recipe.functions_only);
		kocoon_kernel_free(kernel);
	}
}

static void tells_what_an_image_lacks(void **state)
{
	const struct vmlinux_recipe recipe = { .no_kallsyms = true, .no_btf = true };
	struct kocoon_kernel *kernel = open_recipe(&recipe);
	const struct kocoon_symbol *symbols;
	const struct kc_abi *abi = kc_kernel_abi(kernel);
	const struct kocoon_key *keys;

	(void)state;
	/* Found by their looks. */
	assert_int_equal(kocoon_kernel_keys(kernel, &keys), 2);
	assert_string_equal(kocoon_kernel_vermagic(kernel),
			    "9.9.9-test SMP mod_unload modversions ");
	assert_string_equal(kocoon_kernel_release(kernel), "9.9.9-test");
	assert_int_equal(kocoon_kernel_symbols(kernel, &symbols), 0);
	assert_exports(kernel, &recipe);
	assert_false(abi->known);
	assert_int_equal(abi->module_size, 0);
	assert_int_equal(abi->kernel_param_size, 40);
	assert_null(kc_kernel_btf(kernel));
	assert_int_equal(kc_kernel_btf_bytes(kernel).len, 0);
	assert_non_null(strstr(kocoon_kernel_gap(kernel, 0), "symbol table"));
	assert_non_null(strstr(kocoon_kernel_gap(kernel, 1), "BTF"));
	assert_null(kocoon_kernel_gap(kernel, 2));
	assert_null(kocoon_kernel_gap(kernel, SIZE_MAX));
	kocoon_kernel_free(kernel);
}

static void reads_strings_keys_and_layouts(void **state)
{
	const struct vmlinux_recipe recipe = { .sig_enforce = true };
	struct kocoon_kernel *kernel = open_recipe(&recipe);
	const struct kocoon_key *keys;
	X509 *const *certificates;
	const struct kc_abi *abi = kc_kernel_abi(kernel);

	(void)state;
	assert_string_equal(kocoon_kernel_release(kernel), "9.9.9-test");
	assert_string_equal(kocoon_kernel_vermagic(kernel),
			    "9.9.9-test SMP mod_unload modversions ");
	assert_string_equal(kocoon_kernel_build_id(kernel), "abcdef01");
	assert_string_equal(kocoon_kernel_arch(kernel), "x86_64");
	assert_int_equal(kernel->vmlinux.relocations.len, RELOCATIONS);
	assert_memory_equal(kernel->vmlinux.relocations.data, "RRR", 3);
	assert_int_equal(kocoon_kernel_keys(kernel, &keys), 2);
	assert_string_equal(keys[1].subject, "test key");
	assert_string_equal(keys[1].issuer, "test key");
	assert_string_equal(keys[1].serial, "1234");
	assert_string_equal(keys[1].algorithm, "EC-P-256");
	assert_string_equal(keys[1].source, "image");
	assert_int_equal(kc_kernel_certificates(kernel, &certificates), 2);
	assert_int_equal(X509_cmp(certificates[0], certificates[1]), 0);
	assert_true(abi->known && abi->memory_regions && !abi->data_layout);
	assert_int_equal(abi->module_size, 1344);
	assert_int_equal(abi->module_name, 24);
	assert_int_equal(abi->module_name_len, 56);
	assert_int_equal(kocoon_kernel_struct_size(kernel, "module"), 1344);
	assert_int_equal(kocoon_kernel_struct_size(kernel, "char"), 0);
	assert_int_equal(kocoon_kernel_struct_size(kernel, "nothing"), 0);
	assert_null(kocoon_kernel_gap(kernel, 0));
	kocoon_kernel_free(kernel);
}

#define MEMBER(name) offsetof(struct kc_behaviour, name)

/* Each message that is evidence, and what it is evidence for. */
static void tells_behaviour_by_messages(void **state)
{
	static const struct {
		const char *message;
		size_t member;
		bool expected;
	} rows[] = {
		{ "\0014%s: %s: kernel tainted.\n", MEMBER(force_load), true },
		{ "\0014%s: has both .ctors and .init_array.\n", MEMBER(constructors), true },
		{ "\0014failed to validate module [%s] BTF: %ld\n", MEMBER(btf_modules), true },
		{ "\0014failed to validate module [%s] BTF: %ld\n", MEMBER(btf_mismatch_allowed),
		  false },
		{ "\0014Kernel module BTF mismatch detected, BTF", MEMBER(btf_modules), true },
		{ "\0014Kernel module BTF mismatch detected, BTF", MEMBER(btf_mismatch_allowed),
		  true },
		{ "\0014%s: module uses symbol (%s) from namespace %s, but",
		  MEMBER(missing_namespace_allowed), true },
		{ "\0013%s: module uses symbol (%s) from namespace %s, but",
		  MEMBER(missing_namespace_allowed), false },
		{ "\0013Only one .modinfo section must exist.\n", MEMBER(validity_split), true },
		{ "\0013module %s: .gnu.linkonce.this_module section size must match the kernel's",
		  MEMBER(validity_this_module), true },
		{ "\0013Invalid ELF section name table type: %u\n", MEMBER(validity_name_type),
		  true },
		{ "\0013Invalid ELF symbol string table type: %u\n", MEMBER(validity_symtab_type),
		  true },
		{ "\0013%s: Symbol %s has an invalid section index %u (max %u)\n",
		  MEMBER(symbol_index_checked), true },
		{ "__version_ext_crcs", MEMBER(extended_modversions), true },
		{ "not__version_ext_crcs", MEMBER(extended_modversions), false },
		{ "module:", MEMBER(module_namespaces), true },
		{ "module:%d ", MEMBER(module_namespaces), false },
		{ "a message without a level: %s: kernel tainted.\n", MEMBER(force_load), false },
	};

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(rows); i++) {
		const char *messages[] = { rows[i].message, NULL };
		const struct vmlinux_recipe with = { .messages = messages }, without = { 0 };
		struct kocoon_kernel *kernel = open_recipe(&with), *plain = open_recipe(&without);

		assert_int_equal(
			*(const bool *)((const char *)kc_kernel_behaviour(kernel) + rows[i].member),
			rows[i].expected);
		assert_false(
			*(const bool *)((const char *)kc_kernel_behaviour(plain) + rows[i].member));
		kocoon_kernel_free(kernel);
		kocoon_kernel_free(plain);
	}
}

static void tells_behaviour_by_values(void **state)
{
	const struct vmlinux_recipe enforced = { .sig_enforce = true }, not_enforced = { 0 };
	struct kocoon_kernel *kernel = open_recipe(&enforced);
	const struct kc_behaviour *behaviour = kc_kernel_behaviour(kernel);

	(void)state;
	assert_true(behaviour->signatures && behaviour->sig_enforce && behaviour->strict_rwx);
	assert_true(behaviour->early_mod_check && behaviour->smp && behaviour->modversions);
	assert_int_equal(behaviour->decompressor.format, KC_FORMAT_ZSTD);
	assert_false(behaviour->lockdown || behaviour->livepatch || behaviour->platform_keyring);
	kocoon_kernel_free(kernel);
	kernel = open_recipe(&not_enforced);
	assert_false(kc_kernel_behaviour(kernel)->sig_enforce);
	kocoon_kernel_free(kernel);
}

static void opens_bzimages_of_every_compression(void **state)
{
	const struct vmlinux_recipe recipe = { 0 };
	struct kc_buffer file = build_vmlinux(&recipe);

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(packers); i++) {
		struct kc_buffer packed = pack(&packers[i], kc_buffer_span(&file));
		struct kc_buffer image = build_bzimage(kc_buffer_span(&packed), (uint32_t)file.len);
		struct kocoon_kernel *kernel;

		assert_int_equal(open_kernel_bytes(kc_buffer_span(&image), NULL, NULL, &kernel), 0);
		assert_int_equal(kernel->format, packers[i].format);
		assert_string_equal(kocoon_kernel_release(kernel), "9.9.9-boot");
		assert_exports(kernel, &recipe);
		assert_functions(kernel);
		kocoon_kernel_free(kernel);
		kc_buffer_deinit(&packed);
		kc_buffer_deinit(&image);
	}
	kc_buffer_deinit(&file);
}

static void assert_refused(struct kc_span bytes, int err, const char *text)
{
	struct kocoon_report *report = kocoon_report_new();
	struct kocoon_kernel *kernel = NULL;
	bool said = false;

	assert_int_equal(open_kernel_bytes(bytes, NULL, report, &kernel), err);
	assert_null(kernel);
	for (size_t i = 0; i < kocoon_report_count(report); i++)
		said |= strstr(kocoon_report_get(report, i)->what, text) != NULL;
	assert_true(said);
	kocoon_report_free(report);
	/* A report is never needed. */
	assert_int_equal(open_kernel_bytes(bytes, NULL, NULL, &kernel), err);
}

static void refuses_bzimages_by_name_of_the_fault(void **state)
{
	static const uint8_t lzo[] = { 0x89, 'L', 'Z', 'O', 0, 0x0d, 0x0a, 0x1a, 0x0a };
	const struct vmlinux_recipe recipe = { 0 };
	struct kc_buffer file = build_vmlinux(&recipe);
	struct kc_buffer packed = pack(&packers[0], kc_buffer_span(&file));
	struct kc_buffer image;

	(void)state;
	image = build_bzimage(kc_span(lzo, sizeof(lzo)), 4096);
	assert_refused(kc_buffer_span(&image), -ENOTSUP, "lzo");
	kc_buffer_deinit(&image);
	image = build_bzimage(kc_span("no format", 9), 4096);
	assert_refused(kc_buffer_span(&image), -ENOTSUP, "no compression format");
	kc_buffer_deinit(&image);
	image = build_bzimage(kc_buffer_span(&packed), (uint32_t)file.len + 1);
	assert_refused(kc_buffer_span(&image), -ENOEXEC, "another size");
	image.data[0x206] = 7;
	assert_refused(kc_buffer_span(&image), -ENOTSUP, "boot protocol");
	kc_buffer_deinit(&image);
	kc_buffer_deinit(&file);
	kc_buffer_deinit(&packed);
}

static void refuses_what_is_no_kernel(void **state)
{
	const struct vmlinux_recipe recipe = { 0 };
	struct kc_buffer file = build_vmlinux(&recipe);
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)file.data;
	struct kocoon_kernel *kernel = NULL;

	(void)state;
	assert_int_equal(kocoon_kernel_open("/nonexistent/vmlinuz", NULL, NULL, &kernel), -ENOENT);
	assert_int_equal(kocoon_kernel_open("/proc", NULL, NULL, &kernel), -EINVAL);
	assert_int_equal(kocoon_kernel_open(NULL, NULL, NULL, &kernel), -EINVAL);
	assert_refused(kc_span("", 0), -ENOEXEC, "empty");
	assert_refused(kc_span("#!/bin/sh\n", 10), -ENOEXEC, "not a kernel");
	assert_refused(kc_span(file.data, 16), -ENOEXEC, "too short");
	ehdr->e_machine = EM_AARCH64;
	assert_refused(kc_buffer_span(&file), -ENOTSUP, "architecture");
	ehdr->e_machine = EM_X86_64;
	ehdr->e_type = ET_REL;
	assert_refused(kc_buffer_span(&file), -ENOEXEC, "executable");
	assert_null(kernel);
	kc_buffer_deinit(&file);
	kocoon_kernel_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_form_of_exports),
		cmocka_unit_test(reads_every_form_of_kallsyms),
		cmocka_unit_test(tells_what_an_image_lacks),
		cmocka_unit_test(reads_strings_keys_and_layouts),
		cmocka_unit_test(tells_behaviour_by_messages),
		cmocka_unit_test(tells_behaviour_by_values),
		cmocka_unit_test(opens_bzimages_of_every_compression),
		cmocka_unit_test(refuses_bzimages_by_name_of_the_fault),
		cmocka_unit_test(refuses_what_is_no_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

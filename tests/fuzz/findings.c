/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the fuzzers found, one generator an input, under a name: written among the seeds, so every
 * run of the tests repeats it, and every run of a fuzzer begins with it.
 */
#include "../unit/unit.h"

#include "seeds.h"

#include <bpf/btf.h>
#include <string.h>

#include "../corpus/edit.h"
#include "../live/supplies.h"
#include "../unit/build_vmlinux.h"

/* Its payload says that it unpacks to nothing: no room was made, and an offset added to it. */
static struct kc_buffer bzimage_of_nothing(void)
{
	static const uint8_t gzip[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0 };

	return build_bzimage(kc_span(gzip, sizeof(gzip)), 0);
}

/* Its .rodata has no bytes: none were looked through for a text. */
static struct kc_buffer vmlinux_without_rodata(void)
{
	const struct vmlinux_recipe recipe = { .no_kallsyms = true };
	struct kc_buffer file = build_vmlinux(&recipe);
	size_t first = kc_load64(file.data + offsetof(Elf64_Ehdr, e_shoff)) + sizeof(Elf64_Shdr);

	kc_store32(file.data + first + offsetof(Elf64_Shdr, sh_type), SHT_NOBITS);
	return file;
}

/* By this kernel's BTF a table in the module's memory is 768 MiB: that much was cleared. */
static struct kc_buffer huge_mod_kallsyms(void)
{
	struct kc_buffer input = { 0 };
	struct btf *btf = btf__new_empty();
	const void *raw;
	uint32_t size;

	assert_true(btf__add_struct(btf, "module", 1280) > 0);
	assert_true(btf__add_struct(btf, "mod_kallsyms", 768 << 20) > 0);
	raw = btf__raw_data(btf, &size);
	assert_int_equal(kc_buffer_append(&input, "", 1), 0);
	assert_int_equal(kc_buffer_append(&input, raw, size), 0);
	btf__free(btf);
	return input;
}

/* By this kernel's BTF the name in an entry of __versions stands behind the entry: read there. */
static struct kc_buffer name_behind_version(void)
{
	struct kc_buffer input = { 0 };
	struct btf *btf = btf__new_empty();
	const void *raw;
	uint32_t size;
	int character = btf__add_int(btf, "char", 1, 0);

	assert_true(btf__add_struct(btf, "modversion_info", 4) > 0);
	assert_int_equal(btf__add_field(btf, "name", character, 1 << 23, 0), 0);
	assert_true(btf__add_struct(btf, "exception_table_entry", 0) > 0);
	raw = btf__raw_data(btf, &size);
	assert_int_equal(kc_buffer_append(&input, "\2", 1), 0);
	assert_int_equal(kc_buffer_append(&input, raw, size), 0);
	btf__free(btf);
	return input;
}

/*
 * Its symbol table is aligned to 2^64 - 4: a region so large that the sum of all was small again.
 */
static struct kc_buffer symtab_aligned_to_all(void)
{
	struct edit edit = edit_open(live_path("hello"), "hello");
	struct kc_buffer file = { 0 };

	edit_shdr(&edit, edit_symtab(&edit))->sh_addralign = UINT64_MAX - 3;
	edit.data[EI_PAD + 2] = 0x10;
	assert_int_equal(kc_buffer_append(&file, edit.data, edit.len), 0);
	edit_close(&edit);
	return file;
}

void save_findings(void)
{
	static const struct {
		const char *target, *name;
		struct kc_buffer (*make)(void);
	} findings[] = {
		{ "kernel", "finding-bzimage-of-nothing", bzimage_of_nothing },
		{ "kernel", "finding-vmlinux-without-rodata", vmlinux_without_rodata },
		{ "btf", "finding-huge-mod-kallsyms", huge_mod_kallsyms },
		{ "btf", "finding-name-behind-version", name_behind_version },
		{ "module", "finding-symtab-aligned-to-all", symtab_aligned_to_all },
		{ "live", "finding-symtab-aligned-to-all", symtab_aligned_to_all },
	};

	for (size_t i = 0; i < KC_ARRAY_SIZE(findings); i++) {
		struct kc_buffer input = findings[i].make();

		save(findings[i].target, findings[i].name, input.data, input.len);
		kc_buffer_deinit(&input);
	}
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Symbols of real modules by name and by address, and a livepatch module whose relocations wait for
 * the module that they are about.
 */
#include "unit.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "supplies.h"

static struct kocoon_kernel *kernel;
static struct kocoon *kocoon;
static const char banner[] = "kocoon's own";

/* What all modules get, and the one variable of the kernel that the patch asks for. */
static int make(void **state)
{
	size_t count;
	const struct kocoon_supply *common = live_supplies(&count);
	struct kocoon_supply *supplies = calloc(count + 1, sizeof(*supplies));
	struct kocoon_options options = { .size = sizeof(options) };

	(void)state;
	assert_non_null(supplies);
	memcpy(supplies, common, count * sizeof(*supplies));
	supplies[count] = (struct kocoon_supply){ .name = "linux_banner",
						  .address = banner,
						  .size = sizeof(banner) };
	options.supplies = supplies;
	options.supply_count = count + 1;
	kernel = live_kernel();
	assert_non_null(kernel);
	assert_int_equal(kocoon_new(kernel, &options, NULL, &kocoon), 0);
	free(supplies);
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	kocoon_free(kocoon);
	kocoon_kernel_free(kernel);
	return 0;
}

static void load(const char *name)
{
	assert_int_equal(live_load(kocoon, name, NULL), 0);
}

static void unload(const char *name)
{
	assert_int_equal(kocoon_delete_module(kocoon, name, O_NONBLOCK), 0);
}

static void names_and_addresses_agree(void **state)
{
	struct kocoon_address found;
	uint64_t address;

	(void)state;
	load("hello");
	address = kocoon_lookup_name(kocoon, "hello:hello_exit");
	assert_true(address);
	assert_int_equal(kocoon_lookup_name(kocoon, "hello_exit"), address);
	assert_true(kocoon_lookup_address(kocoon, address + 1, &found));
	/* The alias stands at the same address: either may come first in the table. */
	assert_true(!strcmp(found.symbol, "hello_exit") || !strcmp(found.symbol, "cleanup_module"));
	assert_string_equal(found.module, "hello");
	assert_int_equal(found.offset, 1);
	assert_true(found.size > 1 && found.size <= 4096);
	unload("hello");
	assert_int_equal(kocoon_lookup_name(kocoon, "hello:hello_exit"), 0);
	assert_false(kocoon_lookup_address(kocoon, address + 1, &found));
}

static void names_that_are_none(void **state)
{
	char prefix[512];

	(void)state;
	memset(prefix, 'a', sizeof(prefix) - 1);
	prefix[sizeof(prefix) - 1] = 0;
	load("hello");
	assert_int_equal(kocoon_lookup_name(kocoon, ""), 0);
	assert_int_equal(kocoon_lookup_name(kocoon, ":"), 0);
	assert_int_equal(kocoon_lookup_name(kocoon, "hello:"), 0);
	assert_int_equal(kocoon_lookup_name(kocoon, "hello:nothing"), 0);
	assert_int_equal(kocoon_lookup_name(kocoon, "other:hello_exit"), 0);
	assert_int_equal(kocoon_lookup_name(kocoon, prefix), 0);
	/* Undefined there: it is imported. */
	assert_int_equal(kocoon_lookup_name(kocoon, "hello:_printk"), 0);
	unload("hello");
}

static void init_symbols_go_with_init(void **state)
{
	(void)state;
	load("hello");
	assert_int_equal(kocoon_lookup_name(kocoon, "hello:hello_init"), 0);
	assert_int_equal(kocoon_lookup_name(kocoon, "hello:init_module"), 0);
	unload("hello");
}

/* The pointer that the patch has its relocation for. */
static uint64_t patched(const char *name)
{
	uint64_t address = kocoon_lookup_name(kocoon, name);

	assert_true(address);
	return *(const uint64_t *)(uintptr_t)address;
}

static void a_patch_finds_the_kernel(void **state)
{
	uint64_t expected = kocoon_symbol_address(kocoon, "linux_banner");

	(void)state;
	assert_true(expected);
	load("patch");
	assert_int_equal(patched("patch:patch_vmlinux"), expected);
	assert_int_equal(patched("patch:patch_hello"), 0);
	unload("patch");
}

static void an_object_behind_its_patch(void **state)
{
	(void)state;
	load("patch");
	load("hello");
	assert_int_equal(patched("patch:patch_hello"),
			 kocoon_lookup_name(kocoon, "hello:hello_exit"));
	unload("hello");
	assert_int_equal(patched("patch:patch_hello"), 0);
	/* And again: the places are as they were. */
	load("hello");
	assert_int_equal(patched("patch:patch_hello"),
			 kocoon_lookup_name(kocoon, "hello:hello_exit"));
	unload("patch");
	unload("hello");
}

static void a_patch_behind_its_object(void **state)
{
	struct kocoon_loaded *patch, *hello;

	(void)state;
	load("hello");
	load("patch");
	assert_int_equal(patched("patch:patch_hello"),
			 kocoon_lookup_name(kocoon, "hello:hello_exit"));
	patch = kocoon_find_get(kocoon, "patch");
	hello = kocoon_find_get(kocoon, "hello");
	assert_true(patch && hello);
	/* Applied already, nothing for it, and no patch at all. */
	assert_int_equal(kocoon_livepatch_apply(kocoon, patch, "hello"), 0);
	assert_int_equal(kocoon_livepatch_apply(kocoon, patch, "nothing"), 0);
	assert_int_equal(kocoon_livepatch_apply(kocoon, hello, "hello"), -EINVAL);
	kocoon_module_put(patch);
	kocoon_module_put(hello);
	unload("patch");
	unload("hello");
}

/* The symbol table of a module's file: its entries, and how many. */
static Elf64_Sym *find_symbols(unsigned char *image, size_t *count_ret)
{
	const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)(void *)image;
	const Elf64_Shdr *shdr = (const Elf64_Shdr *)(void *)(image + ehdr->e_shoff);

	while (shdr->sh_type != SHT_SYMTAB)
		shdr++;
	*count_ret = shdr->sh_size / sizeof(Elf64_Sym);
	return (Elf64_Sym *)(void *)(image + shdr->sh_offset);
}

/* Names and values that point anywhere: whatever loads answers every question, and goes again. */
static void hostile_tables_are_answered(void **state)
{
	struct kocoon_address found;
	unsigned int loaded = 0;

	(void)state;
	for (unsigned int round = 0; round < 64; round++) {
		size_t len, count;
		unsigned char *image = live_image("hello", &len);
		Elf64_Sym *symbols;
		uint64_t from, size;

		assert_non_null(image);
		symbols = find_symbols(image, &count);
		for (size_t i = round % 7; i < count; i += 7) {
			if (symbols[i].st_shndx == SHN_UNDEF ||
			    ELF64_ST_TYPE(symbols[i].st_info) == STT_SECTION)
				continue;
			symbols[i].st_name = (uint32_t)(len * (round + i) / 97);
		}
		if (kocoon_init_module(kocoon, image, len, NULL, NULL) == 0) {
			kocoon_read_lock();
			kocoon_loaded_region(kocoon_find_module(kocoon, "hello"),
					     KOCOON_REGION_TEXT, &from, &size);
			for (uint64_t at = from; at < from + size; at += 16)
				if (kocoon_lookup_address(kocoon, at, &found))
					assert_true(found.offset < size && *found.symbol);
			kocoon_read_unlock();
			kocoon_lookup_name(kocoon, "nothing");
			loaded++;
			unload("hello");
		}
		free(image);
	}
	assert_true(loaded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_addresses_agree),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(init_symbols_go_with_init),
		cmocka_unit_test(a_patch_finds_the_kernel),
		cmocka_unit_test(an_object_behind_its_patch),
		cmocka_unit_test(a_patch_behind_its_object),
		cmocka_unit_test(hostile_tables_are_answered),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}

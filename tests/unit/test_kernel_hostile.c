/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Damaged and hostile kernels: an answer always, and whatever opens can be used to its last byte.
 * What this is worth shows under the sanitizers.
 */
#include "unit.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "build_module.h"
#include "build_vmlinux.h"
#include "compress.h"

/* A kernel as a file whose bytes can be changed in place. */
struct target {
	int fd;
	char path[32];
	uint8_t *bytes;
	size_t len;
};

static struct target open_target(struct kc_span bytes)
{
	struct target target = { .fd = memfd_create("kernel", 0), .len = bytes.len };

	assert_true(target.fd >= 0);
	snprintf(target.path, sizeof(target.path), "/proc/self/fd/%d", target.fd);
	assert_int_equal(ftruncate(target.fd, (off_t)bytes.len), 0);
	target.bytes = mmap(NULL, bytes.len, PROT_READ | PROT_WRITE, MAP_SHARED, target.fd, 0);
	assert_ptr_not_equal(target.bytes, MAP_FAILED);
	memcpy(target.bytes, bytes.data, bytes.len);
	return target;
}

static void close_target(struct target *target)
{
	munmap(target->bytes, target->len);
	close(target->fd);
}

static int try(const struct target *target)
{
	struct kocoon_report *report = kocoon_report_new();
	struct kocoon_kernel *kernel = NULL;
	int err = kocoon_kernel_open(target->path, NULL, report, &kernel);

	if (!err) {
		use_kernel(kernel);
		kocoon_kernel_free(kernel);
	} else {
		assert_true(err == -ENOEXEC || err == -ENOTSUP);
		assert_null(kernel);
		assert_true(kocoon_report_count(report) > 0);
	}
	kocoon_report_free(report);
	return err;
}

/* Changes some bytes, tries, and puts them back. */
static void try_changed(const struct target *target, size_t place, const void *bytes, size_t len)
{
	uint8_t old[8];

	assert_true(len <= sizeof(old) && place + len <= target->len);
	memcpy(old, target->bytes + place, len);
	memcpy(target->bytes + place, bytes, len);
	(void)try(target);
	memcpy(target->bytes + place, old, len);
}

static void try_flip(const struct target *target, size_t place, uint8_t mask)
{
	uint8_t byte = target->bytes[place] ^ mask;

	try_changed(target, place, &byte, 1);
}

static void survives_truncated_bzimages(void **state)
{
	const struct vmlinux_recipe recipe = { 0 };
	struct kc_buffer file = build_vmlinux(&recipe);

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(packers); i++) {
		struct kc_buffer packed = pack(&packers[i], kc_buffer_span(&file));
		struct kc_buffer image = build_bzimage(kc_buffer_span(&packed), (uint32_t)file.len);
		size_t whole = image.len - strlen("behind");
		struct target target = open_target(kc_buffer_span(&image));

		for (size_t len = whole; len > 0; len -= len > 1200 ? len / 20 : 1) {
			assert_int_equal(ftruncate(target.fd, (off_t)len), 0);
			assert_int_equal(try(&target) == 0, len == whole);
		}
		close_target(&target);
		kc_buffer_deinit(&packed);
		kc_buffer_deinit(&image);
	}
	kc_buffer_deinit(&file);
}

static void survives_flips_in_bzimages(void **state)
{
	const struct vmlinux_recipe recipe = { 0 };
	struct kc_buffer file = build_vmlinux(&recipe);

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(packers); i++) {
		struct kc_buffer packed = pack(&packers[i], kc_buffer_span(&file));
		struct kc_buffer image = build_bzimage(kc_buffer_span(&packed), (uint32_t)file.len);
		struct target target = open_target(kc_buffer_span(&image));

		for (size_t place = 0x1f0; place < 0x298; place++)
			try_flip(&target, place, (uint8_t)(1 << (place + i) % 8));
		for (size_t place = 0x400; place < target.len; place += 37)
			try_flip(&target, place, (uint8_t)(1 << place % 8));
		close_target(&target);
		kc_buffer_deinit(&packed);
		kc_buffer_deinit(&image);
	}
	kc_buffer_deinit(&file);
}

/* ELF header, program header; then all else in strides that meet every table. */
static void survives_flips_in_a_vmlinux(void **state)
{
	const struct vmlinux_recipe recipes[] = {
		{ 0 },
		{ .pointers = true, .old_order = true, .form = KC_KALLSYMS_UNSIGNED },
		{ .no_section_names = true, .no_by_name = true, .form = KC_KALLSYMS_ABSOLUTE },
	};

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(recipes); i++) {
		struct kc_buffer file = build_vmlinux(&recipes[i]);
		struct target target = open_target(kc_buffer_span(&file));
		size_t tables = 4096 + FUNCTIONS * 16;

		assert_int_equal(try(&target), 0);
		for (size_t place = 0; place < 128; place++)
			for (int bit = 0; bit < 8; bit++)
				try_flip(&target, place, (uint8_t)(1 << bit));
		for (size_t place = tables; place < target.len; place += 5)
			try_flip(&target, place, (uint8_t)(1 << place % 8));
		for (size_t place = tables + 3; place < target.len; place += 41)
			try_flip(&target, place, 0xff);
		close_target(&target);
		kc_buffer_deinit(&file);
	}
}

/* Numbers that overflow when something is added or multiplied. */
static void survives_numbers_at_the_edge(void **state)
{
	static const uint64_t values[] = { 0,
					   1,
					   UINT64_MAX,
					   INT64_MAX,
					   UINT32_MAX,
					   INT32_MAX,
					   UINT64_MAX - 63,
					   0x1000000,
					   0x10000,
					   TEXT_ADDRESS,
					   (uint64_t)INT64_MIN };
	const struct vmlinux_recipe recipe = { 0 };
	struct kc_buffer file = build_vmlinux(&recipe);
	struct target target = open_target(kc_buffer_span(&file));
	size_t headers = ((const Elf64_Ehdr *)target.bytes)->e_shoff;

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(values); i++) {
		for (size_t place = 24; place + 8 <= 120; place += 2)
			try_changed(&target, place, &values[i], 8);
		for (size_t place = headers; place + 8 <= target.len; place += 8)
			try_changed(&target, place, &values[i], 8);
		for (size_t place = 4096 + FUNCTIONS * 16; place + 8 <= headers; place += 88)
			try_changed(&target, place, &values[i], 8);
	}
	close_target(&target);
	kc_buffer_deinit(&file);
}

static void survives_truncated_vmlinuxes(void **state)
{
	const struct vmlinux_recipe recipe = { 0 };
	struct kc_buffer file = build_vmlinux(&recipe);
	struct target target = open_target(kc_buffer_span(&file));
	size_t elf_len = file.len - RELOCATIONS;

	(void)state;
	for (size_t len = file.len; len > 0; len -= len > 200 ? 29 : 1) {
		assert_int_equal(ftruncate(target.fd, (off_t)len), 0);
		assert_int_equal(try(&target) == 0, len >= elf_len);
	}
	close_target(&target);
	kc_buffer_deinit(&file);
}

/* Bytes that look like tables everywhere: the search for kallsyms must end. */
static void gives_up_on_bait(void **state)
{
	const struct vmlinux_recipe recipe = { .no_kallsyms = true, .no_section_names = true };
	struct kc_buffer file = build_vmlinux(&recipe), bait = { 0 };
	Elf64_Phdr phdr;
	struct target target;

	(void)state;
	memcpy(&phdr, file.data + sizeof(Elf64_Ehdr), sizeof(phdr));
	kc_buffer_deinit(&bait);
	append(&bait, file.data, 4096);
	/* Token tables with their indices, among words that ascend like markers. */
	while (bait.len < (8 << 20)) {
		for (uint32_t i = 0; i < 64; i++)
			append32(&bait, i * 600);
		for (int i = 0; i < 256; i++)
			append(&bait, "a", 2);
		for (uint16_t i = 0; i < 512; i += 2)
			append(&bait, &i, 2);
	}
	phdr.p_filesz = bait.len - 4096;
	phdr.p_memsz = phdr.p_filesz;
	memcpy(bait.data + sizeof(Elf64_Ehdr), &phdr, sizeof(phdr));
	((Elf64_Ehdr *)bait.data)->e_shnum = 0;
	target = open_target(kc_buffer_span(&bait));
	assert_int_equal(try(&target), 0);
	close_target(&target);
	kc_buffer_deinit(&bait);
	kc_buffer_deinit(&file);
}

/* The real thing: a stock kernel's headers, tables of exports and symbols, BTF. */
static void survives_flips_in_a_stock_vmlinux(void **state)
{
	struct kocoon_kernel *kernel = open_stock_kernel("6.1-cloud-amd64");
	struct target target = open_target(kc_buffer_span(&kernel->image));
	const uint8_t *start = kernel->image.data;
	const struct kc_span places[] = {
		kernel->kallsyms.names,	   kernel->kallsyms.markers,
		kernel->kallsyms.tokens,   kernel->kallsyms.addresses,
		kernel->kallsyms.by_name,  kernel->vmlinux.elf.sections,
		kernel->vmlinux.elf.names, kc_kernel_btf_bytes(kernel),
		kc_span(start, 4096),
	};

	(void)state;
	srand(1);
	for (size_t i = 0; i < KC_ARRAY_SIZE(places) * 8; i++) {
		struct kc_span where = places[i % KC_ARRAY_SIZE(places)];
		size_t place = (size_t)(where.data - start) + (size_t)rand() % where.len;

		try_flip(&target, place, (uint8_t)(1 << i / KC_ARRAY_SIZE(places)));
	}
	close_target(&target);
	kocoon_kernel_free(kernel);
}

/* libbpf says on stderr what it finds wrong; here something is wrong on purpose. */
static int say_nothing(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

/*
 * Anonymous structures in one another: what is inside is found, with the offsets added up; where
 * each has many of the next, the paths to look along would be more than anybody can follow.
 */
static void descends_into_structures_within_bounds(void **state)
{
	enum { LEVELS = 12, WIDTH = 16 };
	struct btf *btf = btf__new_empty();
	uint32_t offset = 0, type = 0;
	int id, ring, inner;

	(void)state;
	assert_non_null(btf);
	id = btf__add_int(btf, "int", 4, 0);
	inner = btf__add_struct(btf, "", 8);
	assert_int_equal(btf__add_field(btf, "first", id, 0, 0), 0);
	assert_int_equal(btf__add_field(btf, "second", id, 32, 0), 0);
	assert_int_equal(btf__add_struct(btf, "outer", 16), inner + 1);
	assert_int_equal(btf__add_field(btf, "named", inner, 0, 0), 0);
	assert_int_equal(btf__add_field(btf, "", btf__type_cnt(btf) + 1, 64, 0), 0);
	/* The anonymous one behind two modifiers. */
	assert_true(btf__add_const(btf, inner) > 0);
	assert_true(btf__add_volatile(btf, inner + 2) > 0);
	assert_true(kc_btf_member(btf, btf__type_by_id(btf, (uint32_t)inner + 1), "second", &offset,
				  &type));
	assert_int_equal(offset, 12);
	assert_int_equal(type, id);
	assert_false(kc_btf_member(btf, btf__type_by_id(btf, (uint32_t)inner + 1), "third", &offset,
				   NULL));
	/* A type that is made of itself. */
	ring = btf__add_typedef(btf, "ring", (int)btf__type_cnt(btf));
	assert_true(btf__add_struct(btf, "knot", 8) > 0);
	assert_int_equal(btf__add_field(btf, "", ring, 0, 0), 0);
	assert_int_equal(btf__add_field(btf, "", ring + 1, 0, 0), 0);
	assert_false(kc_btf_member(btf, btf__type_by_id(btf, (uint32_t)ring + 1), "none", &offset,
				   NULL));
	for (int level = 0; level < LEVELS; level++) {
		id = btf__add_struct(btf, "", 8);
		for (int i = 0; i < WIDTH; i++)
			assert_int_equal(btf__add_field(btf, "", level ? id - 1 : inner, 0, 0), 0);
	}
	assert_false(kc_btf_member(btf, btf__type_by_id(btf, (uint32_t)id), "none", &offset, NULL));
	btf__free(btf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descends_into_structures_within_bounds),
		cmocka_unit_test(survives_truncated_bzimages),
		cmocka_unit_test(survives_flips_in_bzimages),
		cmocka_unit_test(survives_flips_in_a_vmlinux),
		cmocka_unit_test(survives_numbers_at_the_edge),
		cmocka_unit_test(survives_truncated_vmlinuxes),
		cmocka_unit_test(gives_up_on_bait),
		cmocka_unit_test(survives_flips_in_a_stock_vmlinux),
	};

	libbpf_set_print(say_nothing);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

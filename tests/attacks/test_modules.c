/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Modules made to take time or memory: tables that overlap, strings that are each other's tails,
 * numbers near 2^32 and 2^64, streams that unpack to more than a module can be.
 */
#include "../unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "../unit/build_module.h"
#include "hostile.h"

static struct kocoon_kernel *kernel;
static char folder[64], path[96];

static int open_all(void **state)
{
	(void)state;
	kernel = open_stock_kernel("6.12-cloud-amd64");
	strcpy(folder, "/tmp/kocoon-attacks.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/hostile.ko", folder);
	/* What is made when it is first asked for is no attack's cost. */
	(void)kocoon_kernel_struct_size(kernel, "module");
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	kocoon_kernel_free(kernel);
	unlink(path);
	return rmdir(folder);
}

static void start(struct hostile *hostile)
{
	hostile_start(hostile, kernel, "", 0);
}

/* What the attacks below add to would be taken. */
static void harmless(void **state)
{
	struct hostile hostile;
	struct outcome outcome;

	(void)state;
	start(&hostile);
	hostile_write(&hostile, path);
	outcome = attack_module(kernel, path);
	assert_int_equal(outcome.err, 0);
	assert_int_equal(outcome.accepted, 1);
	assert_memory(&outcome, 64);
}

static void names_of_imports_overlap(void **state)
{
	struct hostile hostile;
	struct outcome outcome;
	uint32_t name;

	(void)state;
	start(&hostile);
	name = hostile_long_string(&hostile.strings, 4 << 20);
	for (uint32_t i = 0; i < 100000; i++)
		hostile_symbol(&hostile, name + i, SHN_UNDEF);
	hostile_write(&hostile, path);
	outcome = attack_module(kernel, path);
	assert_refused(&outcome, -ENOMEM, KOCOON_STAGE_SYMBOLS, "names of undefined symbols", 64);
}

/* Names that are said are said in part. */
static void names_in_messages_are_cut(void **state)
{
	struct hostile hostile;
	struct outcome outcome;
	uint32_t name;

	(void)state;
	start(&hostile);
	name = hostile_long_string(&hostile.strings, 3 << 20);
	for (uint32_t i = 0; i < 20; i++)
		hostile_symbol(&hostile, name + i, SHN_UNDEF);
	hostile_write(&hostile, path);
	outcome = attack_module(kernel, path);
	assert_refused(&outcome, -ENOENT, KOCOON_STAGE_SYMBOLS, "20 symbols fail", 32);
}

static void names_of_sections_overlap(void **state)
{
	struct hostile hostile;
	struct outcome outcome;
	uint32_t name;

	(void)state;
	start(&hostile);
	name = hostile_long_string(&hostile.names, 4 << 20);
	for (uint32_t i = 0; i < 60000; i++)
		hostile_header(&hostile, hostile_section(&hostile, "", SHT_PROGBITS, 0, "", 0))
			->sh_name = name + i;
	hostile_write(&hostile, path);
	outcome = attack_module(kernel, path);
	assert_refused(&outcome, -ENOMEM, KOCOON_STAGE_ELF, "names of sections", 64);
}

/* Symbols that are defined have names too, which nobody asks for. */
static void names_of_symbols_overlap(void **state)
{
	struct hostile hostile;
	struct outcome outcome;
	uint32_t name;

	(void)state;
	start(&hostile);
	name = hostile_long_string(&hostile.strings, 4 << 20);
	for (uint32_t i = 0; i < 200000; i++)
		hostile_symbol(&hostile, name + i, i % 2 ? SHN_COMMON : 0xff00);
	hostile_write(&hostile, path);
	outcome = attack_module(kernel, path);
	assert_refused(&outcome, -ENOEXEC, KOCOON_STAGE_SYMBOLS, "symbol 1 (aaaa", 96);
}

static void core_symbols_overlap(void **state)
{
	struct hostile hostile;
	struct outcome outcome;
	uint32_t name, text;

	(void)state;
	start(&hostile);
	text = hostile_section(&hostile, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, "\xc3",
			       1);
	name = hostile_long_string(&hostile.strings, 4 << 20);
	for (uint32_t i = 0; i < 200000; i++)
		hostile_symbol(&hostile, name + i, (uint16_t)text);
	hostile_write(&hostile, path);
	outcome = attack_module(kernel, path);
	assert_refused(&outcome, -ENOMEM, KOCOON_STAGE_LAYOUT, "no room for the module's memory",
		       64);
}

static void too_many_imports(void **state)
{
	struct hostile hostile;
	struct outcome outcome;

	(void)state;
	start(&hostile);
	for (uint32_t i = 0; i < 1000000; i++)
		hostile_symbol(&hostile, 0, SHN_UNDEF);
	hostile_write(&hostile, path);
	outcome = attack_module(kernel, path);
	assert_refused(&outcome, -ENOMEM, KOCOON_STAGE_SYMBOLS, "undefined symbols are more", 96);
}

/* A file without blocks on disk, most of which is symbols. */
static void symbol_table_of_a_gigabyte(void **state)
{
	const uint64_t size = UINT64_C(64) << 20;
	struct hostile hostile;
	struct outcome outcome;
	uint32_t big;

	(void)state;
	start(&hostile);
	big = hostile_section(&hostile, ".symtab", SHT_SYMTAB, 0, NULL, 0);
	hostile_header(&hostile, big)->sh_link = big + 2;
	hostile_header(&hostile, big)->sh_size = size;
	hostile_write(&hostile, path);
	outcome = attack_module(kernel, path);
	assert_refused(&outcome, -ENOEXEC, KOCOON_STAGE_ELF, "behind the end of the file", 16);

	assert_int_equal(truncate(path, (off_t)(size + (1 << 20))), 0);
	outcome = attack_module(kernel, path);
	assert_refused(&outcome, -ENOEXEC, KOCOON_STAGE_ELF, "one symbol table", 96);

	assert_int_equal(truncate(path, (off_t)1 << 40), 0);
	outcome = attack_module(kernel, path);
	assert_refused(&outcome, -EFBIG, KOCOON_STAGE_READ, "too large", 16);
}

static void versions_of_one_name(void **state)
{
	enum { ENTRIES = 300000, SIZE = 64 };
	struct hostile hostile;
	struct outcome outcome;
	char *entries = calloc(ENTRIES, SIZE);

	(void)state;
	assert_non_null(entries);
	for (size_t i = 0; i < ENTRIES; i++)
		strcpy(entries + i * SIZE + 8, "no_such_symbol");
	start(&hostile);
	hostile_section(&hostile, "__versions", SHT_PROGBITS, SHF_ALLOC, entries,
			(size_t)ENTRIES * SIZE);
	hostile_write(&hostile, path);
	free(entries);
	outcome = attack_module(kernel, path);
	assert_refused(&outcome, -ENOEXEC, KOCOON_STAGE_MODVERSION, "module_layout", 64);
}

static const struct kocoon_export *export_with_namespace(void)
{
	const struct kocoon_export *exports;
	size_t count = kocoon_kernel_exports(kernel, &exports);

	for (size_t i = 0; i < count; i++)
		if (exports[i].ns && strncmp(exports[i].ns, "module:", 7) != 0)
			return &exports[i];
	fail_msg("no export has a namespace");
	return NULL;
}

/* Each import asks for a namespace among many. */
static void many_namespaces(void **state)
{
	enum { NAMESPACES = 200000, IMPORTS = 100000 };
	const struct kocoon_export *export = export_with_namespace();
	struct kc_buffer texts = { 0 };
	struct hostile hostile;
	struct outcome outcome;

	(void)state;
	for (int i = 0; i < NAMESPACES; i++)
		assert_int_equal(kc_buffer_append(&texts, "import_ns=A", 12), 0);
	hostile_start(&hostile, kernel, texts.data, texts.len);
	kc_buffer_deinit(&texts);
	assert_int_equal(kc_buffer_append(&hostile.strings, export->name, strlen(export->name) + 1),
			 0);
	for (uint32_t i = 0; i < IMPORTS; i++)
		hostile_symbol(&hostile, 1, SHN_UNDEF);
	hostile_write(&hostile, path);
	outcome = attack_module(kernel, path);
	/* Versions are overridden where there are none, so the namespace decides. */
	assert_refused(&outcome, -EINVAL, KOCOON_STAGE_SYMBOLS, "100000 symbols fail", 96);
}

static void relocations_overlap(void **state)
{
	enum { SECTIONS = 60000, ENTRIES = 100000 };
	size_t size = ENTRIES * sizeof(Elf64_Rela);
	void *entries = calloc(1, size);
	struct hostile hostile;
	struct outcome outcome;
	uint32_t text, first;

	(void)state;
	assert_non_null(entries);
	start(&hostile);
	text = hostile_section(&hostile, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, "\xc3",
			       1);
	first = hostile_section(&hostile, ".rela.text", SHT_RELA, 0, entries, size);
	hostile_header(&hostile, first)->sh_info = text;
	for (uint32_t i = 1; i < SECTIONS; i++) {
		uint32_t section = hostile_section(&hostile, "", SHT_RELA, 0, NULL, 0);

		*hostile_header(&hostile, section) = *hostile_header(&hostile, first);
	}
	hostile_write(&hostile, path);
	free(entries);
	outcome = attack_module(kernel, path);
	assert_refused(&outcome, -ENOEXEC, KOCOON_STAGE_RELOCATIONS, "lie over each other", 96);
}

static void relocation_counts_overflow(void **state)
{
	static const uint64_t sizes[] = { UINT64_MAX, UINT64_MAX / 24 * 24, UINT64_C(1) << 63,
					  UINT64_C(24) << 32 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct hostile hostile;
		struct outcome outcome;
		uint32_t section;

		start(&hostile);
		section = hostile_section(&hostile, ".rela", SHT_RELA, 0, NULL, 0);
		hostile_header(&hostile, section)->sh_info = 1;
		hostile_header(&hostile, section)->sh_size = sizes[i];
		hostile_write(&hostile, path);
		outcome = attack_module(kernel, path);
		assert_refused(&outcome, -ENOEXEC, KOCOON_STAGE_ELF, "behind the end of the file",
			       16);
	}
}

static void names_of_exports_overlap(void **state)
{
	enum { ENTRIES = 20000, SIZE = 12, NAME = 600 << 10 };
	struct kc_buffer table = { 0 };
	struct hostile hostile;
	struct outcome outcome;

	(void)state;
	assert_int_equal(kc_buffer_reserve(&table, ENTRIES * SIZE + NAME + 16), 0);
	memset(table.data, 0, ENTRIES * SIZE);
	table.len = ENTRIES * SIZE;
	/* Relative, so nothing has to be relocated: the name is in the same section. */
	for (uint32_t i = 0; i < ENTRIES; i++)
		kc_store32(table.data + i * SIZE + 4, ENTRIES * SIZE + i - (i * SIZE + 4));
	hostile_long_string(&table, NAME);
	start(&hostile);
	hostile_section(&hostile, "__ksymtab", SHT_PROGBITS, SHF_ALLOC, table.data, table.len);
	hostile_section(&hostile, "__kcrctab", SHT_PROGBITS, SHF_ALLOC, "", 0);
	kc_buffer_deinit(&table);
	hostile_write(&hostile, path);
	outcome = attack_module(kernel, path);
	assert_refused(&outcome, -ENOMEM, KOCOON_STAGE_FORMATION, "names of exports", 96);
}

/* Zeros that take no room in the file take none in memory either. */
static void bss_of_a_gigabyte(void **state)
{
	static const struct {
		uint64_t size, align;
		int err;
		enum kocoon_stage stage;
	} cases[] = {
		{ UINT64_C(900) << 20, 8, 0, KOCOON_STAGE_READ },
		{ UINT64_C(8) << 30, 8, -ENOMEM, KOCOON_STAGE_LAYOUT },
		{ UINT64_C(1) << 63, 8, -ENOMEM, KOCOON_STAGE_LAYOUT },
		{ UINT64_MAX, 8, -ENOMEM, KOCOON_STAGE_LAYOUT },
		{ UINT64_MAX - 0xffe, 4096, -ENOMEM, KOCOON_STAGE_LAYOUT },
		{ 16, UINT64_C(1) << 31, -ENOMEM, KOCOON_STAGE_LAYOUT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hostile hostile;
		struct outcome outcome;
		uint32_t bss;

		start(&hostile);
		hostile_section(&hostile, ".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, "a", 1);
		bss = hostile_section(&hostile, ".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, NULL, 0);
		hostile_header(&hostile, bss)->sh_size = cases[i].size;
		hostile_header(&hostile, bss)->sh_addralign = cases[i].align;
		hostile_write(&hostile, path);
		outcome = attack_module(kernel, path);
		assert_refused(&outcome, cases[i].err, cases[i].stage, "", 32);
	}
}

/* Alignments that no memory has, of 2^32 and more: the kernel's 32 bits make something else of
 * them. */
static void alignments_overflow(void **state)
{
	static const uint64_t aligns[] = { UINT64_C(1) << 63, UINT64_C(1) << 32, UINT64_MAX,
					   UINT32_MAX, 3 };

	(void)state;
	for (size_t i = 0; i < sizeof(aligns) / sizeof(aligns[0]); i++) {
		struct hostile hostile;
		struct outcome outcome;
		uint32_t data;

		start(&hostile);
		data = hostile_section(&hostile, ".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, "a",
				       1);
		hostile_header(&hostile, data)->sh_addralign = aligns[i];
		hostile_write(&hostile, path);
		outcome = attack_module(kernel, path);
		assert_true(outcome.err == 0 || outcome.err == -ENOEXEC || outcome.err == -ENOMEM);
		if (outcome.err)
			assert_string_equal(kocoon_stage_name(outcome.stage), "layout");
		assert_memory(&outcome, 32);
	}
}

/* The ways in which ELF tells of more sections than 16 bits count. */
static void sections_of_32_bits(void **state)
{
	static const struct {
		uint16_t shentsize, shnum, shstrndx;
		const char *text;
	} cases[] = {
		{ 64, 0, 0, "no section headers" },
		{ 64, 0, SHN_XINDEX, "no section headers" },
		{ 64, 0xffff, 1, "behind the end of the file" },
		{ 0xffff, 5, 1, "wrong size of section headers" },
		{ 0, 0, 0, "wrong size of section headers" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hostile hostile;
		struct outcome outcome;

		start(&hostile);
		hostile_header(&hostile, 0)->sh_size = UINT64_C(1) << 32;
		hostile_header(&hostile, 0)->sh_link = UINT32_MAX;
		hostile.ehdr.e_shoff = 64;
		hostile.ehdr.e_shentsize = cases[i].shentsize;
		hostile.ehdr.e_shnum = cases[i].shnum;
		hostile.ehdr.e_shstrndx = cases[i].shstrndx;
		hostile_write(&hostile, path);
		outcome = attack_module(kernel, path);
		assert_refused(&outcome, -ENOEXEC, KOCOON_STAGE_ELF, cases[i].text, 16);
	}
}

/* ---- streams ---- */

static void write_parts(const char *head, size_t head_len, const void *part, size_t len,
			unsigned int parts)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(head, 1, head_len, file), head_len);
	while (parts--)
		assert_int_equal(fwrite(part, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

/*
 * 1100 MiB come out of each. The bound on that is test_module_decompress's; a gigabyte takes long
 * on a busy machine, so here memory ends before.
 */
static void assert_bomb(void)
{
	struct outcome outcome = attack_module_within(kernel, path, 200);
	bool limited = outcome.err == -ENOMEM;

	assert_refused(&outcome, limited ? -ENOMEM : -EFBIG, KOCOON_STAGE_DECOMPRESS,
		       limited ? "out of memory" : "more than a module can be",
		       limited ? 200 : 1100);
}

/* A block of one byte that is repeated 128 Ki times takes four. */
static void zstd_bomb(void **state)
{
	static const uint8_t block[] = { 0x02, 0x00, 0x10, 0x00 }; /* RLE, not the last */

	(void)state;
	/* A window of 128 KiB, no size. */
	write_parts("\x28\xb5\x2f\xfd\x00\x38", 6, block, sizeof(block), 1200 * 8);
	assert_bomb();
}

/* Deflated zeros up to a full flush stand for themselves, as often as wanted. */
static void gzip_bomb(void **state)
{
	enum { PART = 16 << 20 };
	uint8_t *zeros = calloc(1, PART), *packed = malloc(PART);
	z_stream stream = { 0 };

	(void)state;
	assert_true(zeros && packed);
	assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
			 Z_OK);
	stream.next_in = zeros;
	stream.avail_in = PART;
	stream.next_out = packed;
	stream.avail_out = PART;
	assert_int_equal(deflate(&stream, Z_FULL_FLUSH), Z_OK);
	write_parts("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10, packed, stream.total_out, 70);
	deflateEnd(&stream);
	free(zeros);
	free(packed);
	assert_bomb();
}

/* One block of zeros, many times. */
static void xz_blocks(size_t block_len, unsigned int blocks, bool damage)
{
	size_t room = lzma_block_buffer_bound(block_len) + 64, len = 0, index_len;
	uint8_t *zeros = calloc(1, block_len), *packed = malloc(room);
	uint8_t head[LZMA_STREAM_HEADER_SIZE], index_bytes[65536 * 8];
	lzma_options_lzma options;
	lzma_filter filters[] = { { LZMA_FILTER_LZMA2, &options }, { LZMA_VLI_UNKNOWN, NULL } };
	lzma_block block = { .check = LZMA_CHECK_CRC32, .filters = filters };
	lzma_stream_flags flags = { .check = LZMA_CHECK_CRC32 };
	lzma_index *index = lzma_index_init(NULL);
	FILE *file = fopen(path, "we");

	assert_true(zeros && packed && file && index && !lzma_lzma_preset(&options, 0));
	options.dict_size = LZMA_DICT_SIZE_MIN;
	assert_int_equal(
		lzma_block_buffer_encode(&block, NULL, zeros, block_len, packed, &len, room),
		LZMA_OK);
	/* The first byte of an LZMA chunk, which the kernel doesn't look at, and liblzma does. */
	if (damage)
		packed[block.header_size + 6] = 1;
	assert_int_equal(lzma_stream_header_encode(&flags, head), LZMA_OK);
	assert_int_equal(fwrite(head, 1, sizeof(head), file), sizeof(head));
	for (unsigned int i = 0; i < blocks; i++) {
		assert_int_equal(fwrite(packed, 1, len, file), len);
		assert_int_equal(
			lzma_index_append(index, NULL, lzma_block_unpadded_size(&block), block_len),
			LZMA_OK);
	}
	index_len = 0;
	assert_int_equal(
		lzma_index_buffer_encode(index, index_bytes, &index_len, sizeof(index_bytes)),
		LZMA_OK);
	assert_int_equal(fwrite(index_bytes, 1, index_len, file), index_len);
	flags.backward_size = lzma_index_size(index);
	assert_int_equal(lzma_stream_footer_encode(&flags, head), LZMA_OK);
	assert_int_equal(fwrite(head, 1, sizeof(head), file), sizeof(head));
	assert_int_equal(fclose(file), 0);
	lzma_index_end(index, NULL);
	free(zeros);
	free(packed);
}

static void xz_bomb(void **state)
{
	(void)state;
	xz_blocks(16 << 20, 70, false);
	assert_bomb();
}

/* Each block has to be looked at twice. */
static void xz_blocks_that_liblzma_refuses(void **state)
{
	struct outcome outcome;

	(void)state;
	xz_blocks(200, 60000, true);
	outcome = attack_module(kernel, path);
	assert_refused(&outcome, -ENOEXEC, KOCOON_STAGE_ELF, "not an ELF file", 64);
}

/* ---- while it is read ---- */

struct changing {
	uint64_t size;
};

static void check_while_it_changes(struct outcome *outcome, void *context)
{
	const struct changing *changing = context;
	const char *paths[] = { path };
	struct kocoon_policy policy = { .size = sizeof(policy), .threads = 1 };
	pid_t other = fork();

	if (!other) {
		alarm(120);
		for (;;) {
			(void)!truncate(path, 100);
			(void)!truncate(path, (off_t)changing->size);
		}
	}
	for (int i = 0; i < 300 && !outcome->err; i++) {
		struct outcome one = { 0 };
		int err = kocoon_check(kernel, NULL, &policy, paths, 1, note_verdict, &one);

		/* Cut short, or zeros where it was: nothing else. */
		if (err || (one.err != -EIO && one.err != -ENOEXEC && one.err != -EINVAL))
			outcome->err = err ? err : one.err ? one.err : -EDOM;
		outcome->refused += one.err != 0;
	}
	kill(other, SIGKILL);
}

static void module_that_changes(void **state)
{
	struct changing changing = { 2 << 20 };
	struct outcome outcome;

	(void)state;
	write_parts("", 0, "", 0, 0);
	assert_int_equal(truncate(path, (off_t)changing.size), 0);
	outcome = attack(check_while_it_changes, &changing);
	assert_int_equal(outcome.err, 0);
	assert_int_equal(outcome.refused, 300);
	assert_memory(&outcome, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(harmless),
		cmocka_unit_test(names_of_imports_overlap),
		cmocka_unit_test(names_in_messages_are_cut),
		cmocka_unit_test(names_of_sections_overlap),
		cmocka_unit_test(names_of_symbols_overlap),
		cmocka_unit_test(core_symbols_overlap),
		cmocka_unit_test(too_many_imports),
		cmocka_unit_test(symbol_table_of_a_gigabyte),
		cmocka_unit_test(versions_of_one_name),
		cmocka_unit_test(many_namespaces),
		cmocka_unit_test(relocations_overlap),
		cmocka_unit_test(relocation_counts_overflow),
		cmocka_unit_test(names_of_exports_overlap),
		cmocka_unit_test(bss_of_a_gigabyte),
		cmocka_unit_test(alignments_overflow),
		cmocka_unit_test(sections_of_32_bits),
		cmocka_unit_test(zstd_bomb),
		cmocka_unit_test(gzip_bomb),
		cmocka_unit_test(xz_bomb),
		cmocka_unit_test(xz_blocks_that_liblzma_refuses),
		cmocka_unit_test(module_that_changes),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}

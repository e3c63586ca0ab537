/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Damaged modules in live space: cut off anywhere, or with fields of their headers, sections,
 * symbols and relocations changed. None of their code may be run, so a notifier refuses what comes
 * as far as COMING; up to there nothing may crash, and afterwards nothing may be left: no module,
 * no page, no byte of the per-CPU reserve. Run under AddressSanitizer too.
 *
 * KOCOON_HOSTILE_STEPS says how many mutations there are, KOCOON_HOSTILE_SEED where they begin.
 */
#include "unit.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/live.h"
#include "supplies.h"

enum { STEPS = 20000, MUTATIONS_MAX = 3, SECTIONS_MAX = 256 };

static const char *const names[] = { "hello", "parameters", "chain_a", "percpu", "large" };
enum { NAMES = sizeof(names) / sizeof(names[0]) };

/* A module as it was built, and room for a copy to be damaged. */
struct victim {
	unsigned char *original; /* owned */
	unsigned char *image; /* owned */
	size_t len;
	Elf64_Ehdr ehdr;
	Elf64_Shdr sections[SECTIONS_MAX];
};

static struct victim victims[NAMES];
static struct kocoon_kernel *kernel;
static struct kocoon *bare, *stock; /* without and with a kernel behind them */
static uint64_t space_used[2];
static unsigned long long came; /* as far as COMING */

static int refuse(void *context, enum kocoon_module_state event, struct kocoon_loaded *module)
{
	(void)context;
	(void)module;
	if (event != KOCOON_STATE_COMING)
		return 0;
	came++;
	return -EPERM;
}

static struct kocoon *new_subsystem(const struct kocoon_kernel *behind)
{
	/* Few areas: a section with per-CPU data is copied to each. */
	const struct kocoon_options options = { .cpus = 2 };
	struct kocoon *kocoon = live_new(behind, &options);

	assert_non_null(kocoon);
	assert_int_equal(kocoon_register_notifier(kocoon, refuse, NULL, 0), 0);
	kocoon_synchronize(kocoon);
	return kocoon;
}

static void read_victim(struct victim *victim, const char *name)
{
	victim->original = live_image(name, &victim->len);
	assert_non_null(victim->original);
	victim->image = malloc(victim->len);
	assert_non_null(victim->image);
	memcpy(&victim->ehdr, victim->original, sizeof(victim->ehdr));
	assert_true(victim->ehdr.e_shnum <= SECTIONS_MAX);
	memcpy(victim->sections, victim->original + victim->ehdr.e_shoff,
	       victim->ehdr.e_shnum * sizeof(victim->sections[0]));
}

static int prepare(void **state)
{
	(void)state;
	kernel = live_kernel();
	assert_non_null(kernel);
	bare = new_subsystem(NULL);
	stock = new_subsystem(kernel);
	space_used[0] = kc_live_space_used(&bare->space);
	space_used[1] = kc_live_space_used(&stock->space);
	for (int i = 0; i < NAMES; i++)
		read_victim(&victims[i], names[i]);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	kocoon_free(bare);
	kocoon_free(stock);
	kocoon_kernel_free(kernel);
	for (int i = 0; i < NAMES; i++) {
		free(victims[i].original);
		free(victims[i].image);
	}
	return 0;
}

static int is_there(struct kocoon_loaded *module, void *context)
{
	(void)context;
	fprintf(stderr, "%s is there\n", kocoon_loaded_name(module));
	return 1;
}

static void nothing_is_left_in(struct kocoon *kocoon, uint64_t used)
{
	kocoon_synchronize(kocoon);
	assert_int_equal(kocoon_each_module(kocoon, is_there, NULL), 0);
	assert_null(atomic_load(&kocoon->modules));
	assert_int_equal(kocoon->names.count, 0);
	assert_int_equal(kocoon->names.reserved, 0);
	assert_int_equal(kocoon->symbols.count, kocoon->export_count);
	assert_int_equal(kc_live_space_used(&kocoon->space), used);
	for (size_t i = 0; i < sizeof(kocoon->per_cpu.used); i++)
		assert_int_equal(kocoon->per_cpu.used[i], 0);
}

static void nothing_is_left(void)
{
	nothing_is_left_in(bare, space_used[0]);
	nothing_is_left_in(stock, space_used[1]);
}

/* The image is copied so that a byte too far is outside of what was allocated. */
static void load(struct kocoon *kocoon, const unsigned char *image, size_t len)
{
	unsigned char *exact = malloc(len ? len : 1);
	int err;

	assert_non_null(exact);
	memcpy(exact, image, len);
	err = kocoon_init_module(kocoon, exact, len, "int=1", NULL);
	free(exact);
	assert_true(err < 0);
}

/* ---- cut off ---- */

static void every_length(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		for (size_t len = 0; len < victims[i].len; len++)
			load(bare, victims[i].original, len);
	nothing_is_left();
}

/* Beside which the others are damaged ones. */
static void as_they_were_built(void **state)
{
	unsigned long long before = came;

	(void)state;
	for (int i = 0; i < NAMES; i++) {
		load(bare, victims[i].original, victims[i].len);
		load(stock, victims[i].original, victims[i].len);
	}
	assert_int_equal(came - before, 2 * NAMES);
	nothing_is_left();
}

/* ---- changed ---- */

static uint64_t random_state;

/* xorshift64* */
static uint64_t number(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(2685821657736338717);
}

static uint64_t below(uint64_t end)
{
	return end ? number() % end : 0;
}

/* Numbers that bounds are at. */
static uint64_t odd_number(const struct victim *victim, uint64_t was)
{
	switch (below(14)) {
	case 0:
		return 0;
	case 1:
		return below(16);
	case 2:
		return was + 1;
	case 3:
		return was - 1;
	case 4:
		return was + (UINT64_C(1) << below(64));
	case 5:
		return was ^ UINT64_C(1) << below(64);
	case 6:
		return victim->len - below(64);
	case 7:
		return victim->ehdr.e_shnum - 1 + below(3);
	case 8:
		return UINT64_MAX - below(4096);
	case 9:
		return INT64_MAX - below(2);
	case 10:
		return UINT64_C(1) << below(64);
	case 11:
		return UINT32_MAX - below(16);
	case 12:
		return below(victim->len);
	default:
		return number();
	}
}

/* A little-endian field of 1 to 8 bytes. */
static void change(struct victim *victim, uint64_t offset, size_t size)
{
	uint64_t value = 0;

	if (offset > victim->len || size > victim->len - offset)
		return;
	memcpy(&value, victim->image + offset, size);
	value = odd_number(victim, value);
	memcpy(victim->image + offset, &value, size);
}

struct field {
	unsigned char offset, size;
};

#define FIELD(type, member)                                            \
	{                                                              \
		offsetof(type, member), sizeof(((type *)NULL)->member) \
	}

static const struct field file_fields[] = {
	FIELD(Elf64_Ehdr, e_type),	FIELD(Elf64_Ehdr, e_machine), FIELD(Elf64_Ehdr, e_shoff),
	FIELD(Elf64_Ehdr, e_shentsize), FIELD(Elf64_Ehdr, e_shnum),   FIELD(Elf64_Ehdr, e_shstrndx),
};
static const struct field section_fields[] = {
	FIELD(Elf64_Shdr, sh_name),    FIELD(Elf64_Shdr, sh_type),
	FIELD(Elf64_Shdr, sh_flags),   FIELD(Elf64_Shdr, sh_offset),
	FIELD(Elf64_Shdr, sh_size),    FIELD(Elf64_Shdr, sh_link),
	FIELD(Elf64_Shdr, sh_info),    FIELD(Elf64_Shdr, sh_addralign),
	FIELD(Elf64_Shdr, sh_entsize),
};
static const struct field symbol_fields[] = {
	FIELD(Elf64_Sym, st_name),  FIELD(Elf64_Sym, st_info),	FIELD(Elf64_Sym, st_other),
	FIELD(Elf64_Sym, st_shndx), FIELD(Elf64_Sym, st_value), FIELD(Elf64_Sym, st_size),
};
static const struct field rela_fields[] = {
	FIELD(Elf64_Rela, r_offset),
	FIELD(Elf64_Rela, r_info),
	FIELD(Elf64_Rela, r_addend),
	{ offsetof(Elf64_Rela, r_info), 4 },
	{ offsetof(Elf64_Rela, r_info) + 4, 4 },
};

static void change_one_of(struct victim *victim, uint64_t at, const struct field *fields,
			  size_t count)
{
	const struct field *field = &fields[below(count)];

	change(victim, at + field->offset, field->size);
}

/* Somewhere in the contents of a section: of any type, or of those of one. */
static void change_contents(struct victim *victim, uint32_t type)
{
	uint64_t start = below(victim->ehdr.e_shnum);
	const Elf64_Shdr *section = NULL;

	for (uint64_t i = 0; i < victim->ehdr.e_shnum; i++) {
		section = &victim->sections[(start + i) % victim->ehdr.e_shnum];
		if (section->sh_size && section->sh_type != SHT_NOBITS &&
		    (!type || section->sh_type == type))
			break;
	}
	if (type == SHT_SYMTAB)
		change_one_of(victim,
			      section->sh_offset + below(section->sh_size / sizeof(Elf64_Sym)) *
							   sizeof(Elf64_Sym),
			      symbol_fields, sizeof(symbol_fields) / sizeof(symbol_fields[0]));
	else if (type == SHT_RELA)
		change_one_of(victim,
			      section->sh_offset + below(section->sh_size / sizeof(Elf64_Rela)) *
							   sizeof(Elf64_Rela),
			      rela_fields, sizeof(rela_fields) / sizeof(rela_fields[0]));
	else
		change(victim, section->sh_offset + below(section->sh_size), (size_t)1 << below(4));
}

/* Two sections of a module change places in what they say of themselves. */
static void swap_fields(struct victim *victim)
{
	const struct field *field =
		&section_fields[below(sizeof(section_fields) / sizeof(section_fields[0]))];
	unsigned char *table = victim->image + victim->ehdr.e_shoff + field->offset;
	unsigned char *a = table + below(victim->ehdr.e_shnum) * sizeof(Elf64_Shdr);
	unsigned char *b = table + below(victim->ehdr.e_shnum) * sizeof(Elf64_Shdr);
	unsigned char kept[8];

	memcpy(kept, a, field->size);
	memmove(a, b, field->size);
	memcpy(b, kept, field->size);
}

static void mutate(struct victim *victim)
{
	switch (below(16)) {
	case 0:
		change_one_of(victim, 0, file_fields, sizeof(file_fields) / sizeof(file_fields[0]));
		break;
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
		change_one_of(victim,
			      victim->ehdr.e_shoff +
				      below(victim->ehdr.e_shnum) * sizeof(Elf64_Shdr),
			      section_fields, sizeof(section_fields) / sizeof(section_fields[0]));
		break;
	case 6:
	case 7:
	case 8:
		change_contents(victim, SHT_SYMTAB);
		break;
	case 9:
	case 10:
	case 11:
		change_contents(victim, SHT_RELA);
		break;
	case 12:
		swap_fields(victim);
		break;
	default: /* modinfo, struct module, parameters, exports and names among them */
		change_contents(victim, 0);
		break;
	}
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void mutations(void **state)
{
	uint64_t steps = setting("KOCOON_HOSTILE_STEPS", STEPS);
	uint64_t seed = setting("KOCOON_HOSTILE_SEED", 0);
	unsigned long long before = came;

	(void)state;
	for (uint64_t i = 0; i < steps; i++) {
		struct victim *victim;

		random_state = (seed + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
		number();
		victim = &victims[below(NAMES)];
		memcpy(victim->image, victim->original, victim->len);
		for (uint64_t left = 1 + below(MUTATIONS_MAX); left; left--)
			mutate(victim);
		if (getenv("KOCOON_HOSTILE_SHOW"))
			fprintf(stderr, "%" PRIu64 "\n", seed + i);
		load(below(4) ? bare : stock, victim->image, victim->len);
		if (i % 500 == 0)
			nothing_is_left();
	}
	nothing_is_left();
	/* Not all were refused for the first of their faults. */
	assert_true(came - before > steps / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_they_were_built),
		cmocka_unit_test(every_length),
		cmocka_unit_test(mutations),
	};

	return cmocka_run_group_tests(tests, prepare, finish);
}

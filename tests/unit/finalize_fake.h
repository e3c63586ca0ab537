/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module and a kernel made up of one page of bytes and a few symbols, to be patched for a CPU. */
#ifndef KC_TESTS_FINALIZE_FAKE_H
#define KC_TESTS_FINALIZE_FAKE_H

#include "unit.h"

#include <stdbool.h>

#include "arch/arch.h"

enum {
	TEXT = 0,
	REPLACEMENTS = 0x400,
	DATA = 0x800,
	TABLE = 0xa00,
	SIZE = 0x1000,
	MAX_SECTIONS = 8,
};

#define BASE UINT64_C(0xffffffffc0000000)
#define THUNK_RAX UINT64_C(0xffffffff81000000)
#define THUNK_R11 UINT64_C(0xffffffff81000020)
#define RETURN_THUNK UINT64_C(0xffffffff81000040)
#define UNRET_THUNK UINT64_C(0xffffffff81000060)
#define FENTRY UINT64_C(0xffffffff81000080)
#define RETURN0 UINT64_C(0xffffffff810000a0)
#define PV_OPS UINT64_C(0xffffffff82000000)
#define NOP_FUNC UINT64_C(0xffffffff810000c0)
#define NATIVE UINT64_C(0xffffffff810000e0)
#define SORT_R UINT64_C(0xffffffff81000100)

/* One region, and sections that are parts of it. */
struct fake {
	uint8_t bytes[SIZE];
	struct {
		const char *name;
		uint64_t offset, size;
	} sections[MAX_SECTIONS];
	size_t section_count;
	uint8_t pv_ops[32]; /* at PV_OPS */
	const char *sort_r; /* four bytes of its code; NULL: there is none */
	uint32_t alt_instr_size;
	bool old_kernel; /* one that relocates calls and jumps only */
	bool with_regions;
	struct kc_cpu cpu;
	bool up;
	struct kocoon_report *report;
};

/* x86-64's. */
const struct kc_arch *arch(void);
/* A module of one section, .text, and a CPU by its name. */
void fake_start(struct fake *fake, const char *cpu);
struct kc_finalize callbacks(struct fake *fake);
int finalize(struct fake *fake);

void add_section(struct fake *fake, const char *name, uint64_t offset, uint64_t size);
void fake_put(struct fake *fake, uint64_t at, const char *bytes, size_t len);
#define PUT(fake, at, bytes) fake_put(fake, at, bytes, sizeof(bytes) - 1)
#define ASSERT_CODE(fake, at, code) \
	assert_memory_equal((fake)->bytes + (at), code, sizeof(code) - 1)
/* A branch of 5 bytes: its opcode, and where it goes. */
void put_branch(struct fake *fake, uint64_t at, uint8_t opcode, uint64_t target);
void assert_branch(const struct fake *fake, uint64_t at, uint8_t opcode, uint64_t target);
/* A self-relative offset. */
void put_offset(struct fake *fake, uint64_t at, uint64_t target);
/* A section of one such offset, at TABLE. */
void add_site(struct fake *fake, const char *name, uint64_t target);

/* Features and flags of alternatives. */
enum { ALWAYS = 3 * 32 + 21, NEVER = 9 * 32 + 31, NOT = 1, DIRECT_CALL = 2 };
void put_alternative(struct fake *fake, unsigned int number, uint64_t target, uint16_t feature,
		     uint16_t flags, uint8_t len, uint8_t replacement_len);

#endif

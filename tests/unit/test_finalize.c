/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Code patched for a CPU: arch/x86_64, on small modules made up here; and tables that lie. */
#include "finalize_fake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86_64/instruction.h"

/* ---- alternatives ---- */

static void replaces_and_pads(void **state)
{
	struct fake fake;

	(void)state;
	fake_start(&fake, "qemu64");
	PUT(&fake, TEXT, "\x90\x90\x90\x90\x90\x90");
	PUT(&fake, REPLACEMENTS, "\x0f\xae\xe8");
	add_section(&fake, ".altinstructions", TABLE, 14);
	put_alternative(&fake, 0, TEXT, ALWAYS, 0, 6, 3);
	assert_int_equal(finalize(&fake), 0);
	ASSERT_CODE(&fake, TEXT, "\x0f\xae\xe8\x0f\x1f\x00");
}

static void leaves_what_the_cpu_lacks_but_merges_nops(void **state)
{
	struct fake fake;

	(void)state;
	fake_start(&fake, "qemu64");
	PUT(&fake, TEXT, "\x90\x90\x90\x0f\x1f\x00");
	add_section(&fake, ".altinstructions", TABLE, 28);
	put_alternative(&fake, 0, TEXT, NEVER, 0, 6, 3);
	put_alternative(&fake, 1, TEXT, ALWAYS, NOT, 6, 3);
	assert_int_equal(finalize(&fake), 0);
	ASSERT_CODE(&fake, TEXT, "\x66\x0f\x1f\x44\x00\x00");
}

static void jumps_over_long_nops(void **state)
{
	struct fake fake;

	(void)state;
	fake_start(&fake, "qemu64");
	memset(fake.bytes, 0x90, 20);
	add_section(&fake, ".altinstructions", TABLE, 14);
	put_alternative(&fake, 0, TEXT, NEVER, 0, 20, 0);
	assert_int_equal(finalize(&fake), 0);
	ASSERT_CODE(&fake, TEXT, "\xeb\x12\xcc\xcc");

	fake_start(&fake, "qemu64");
	fake.old_kernel = true;
	memset(fake.bytes, 0x90, 10);
	add_section(&fake, ".altinstructions", TABLE, 14);
	put_alternative(&fake, 0, TEXT, NEVER, 0, 10, 0);
	assert_int_equal(finalize(&fake), 0);
	ASSERT_CODE(&fake, TEXT, "\x0f\x1f\x84\x00\x00\x00\x00\x00\x66\x90");
}

static void moves_calls_jumps_and_data(void **state)
{
	struct fake fake;

	(void)state;
	fake_start(&fake, "qemu64");
	add_section(&fake, ".altinstructions", TABLE, 14);
	/* mov DATA(%rip), %rax; call FENTRY */
	PUT(&fake, REPLACEMENTS, "\x48\x8b\x05");
	kc_store32(fake.bytes + REPLACEMENTS + 3, DATA - (REPLACEMENTS + 7));
	put_branch(&fake, REPLACEMENTS + 7, 0xe8, FENTRY);
	put_alternative(&fake, 0, TEXT, ALWAYS, 0, 12, 12);
	assert_int_equal(finalize(&fake), 0);
	assert_int_equal(kc_load32(fake.bytes + 3), DATA - 7);
	assert_branch(&fake, 7, 0xe8, FENTRY);
}

static void shortens_jumps(void **state)
{
	struct fake fake;

	(void)state;
	for (int old = 0; old < 2; old++) {
		fake_start(&fake, "qemu64");
		fake.old_kernel = old;
		add_section(&fake, ".altinstructions", TABLE, 14);
		put_branch(&fake, REPLACEMENTS, 0xe9, BASE + 0x40);
		put_alternative(&fake, 0, TEXT, ALWAYS, 0, 5, 5);
		assert_int_equal(finalize(&fake), 0);
		if (old)
			ASSERT_CODE(&fake, TEXT, "\xeb\x3e\x0f\x1f\x00");
		else
			ASSERT_CODE(&fake, TEXT, "\xeb\x3e\xcc\xcc\xcc");
	}
}

static void calls_what_pv_ops_holds(void **state)
{
	static const struct {
		uint64_t function;
		bool nop;
	} cases[] = { { NATIVE, false }, { NOP_FUNC, true } };
	struct fake fake;

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(cases); i++) {
		fake_start(&fake, "qemu64");
		add_section(&fake, ".altinstructions", TABLE, 14);
		PUT(&fake, TEXT, "\xff\x15");
		kc_store32(fake.bytes + 2, (uint32_t)(PV_OPS + 8 - (BASE + 6)));
		kc_store64(fake.pv_ops + 8, cases[i].function);
		put_branch(&fake, REPLACEMENTS, 0xe8, FENTRY);
		put_alternative(&fake, 0, TEXT, ALWAYS, DIRECT_CALL, 6, 5);
		assert_int_equal(finalize(&fake), 0);
		if (cases[i].nop)
			ASSERT_CODE(&fake, TEXT, "\x66\x0f\x1f\x44\x00\x00");
		else
			assert_branch(&fake, TEXT, 0xe8, NATIVE);
	}
}

static void finds_the_size_of_entries(void **state)
{
	struct fake fake;

	(void)state;
	fake_start(&fake, "qemu64");
	fake.alt_instr_size = 0;
	PUT(&fake, TEXT, "\x90\x90\x90");
	PUT(&fake, REPLACEMENTS, "\x0f\xae\xe8");
	add_section(&fake, ".altinstructions", TABLE, 12);
	put_offset(&fake, TABLE, TEXT);
	put_offset(&fake, TABLE + 4, REPLACEMENTS);
	PUT(&fake, TABLE + 8, "\x3f\x81\x03\x03"); /* lacks NEVER */
	assert_int_equal(finalize(&fake), 0);
	ASSERT_CODE(&fake, TEXT, "\x0f\xae\xe8");
}

/* ---- thunks ---- */

static void patches_retpolines(void **state)
{
	static const struct {
		const char *cpu;
		uint8_t opcode;
		const char *expected;
	} cases[] = {
		{ "qemu64,-retpoline", 0xe8, "\x41\xff\xd3\x66\x90" },
		{ "qemu64,-retpoline", 0xe9, "\x41\xff\xe3\xcc\x90" },
		{ "host", 0xe8, "\x41\xff\xd3\x66\x90" },
	};
	struct fake fake;

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(cases); i++) {
		fake_start(&fake, cases[i].cpu);
		put_branch(&fake, 0x20, cases[i].opcode, THUNK_R11);
		add_site(&fake, ".retpoline_sites", 0x20);
		assert_int_equal(finalize(&fake), 0);
		assert_memory_equal(fake.bytes + 0x20, cases[i].expected, 5);
	}
	fake_start(&fake, "qemu64");
	put_branch(&fake, 0x20, 0xe8, THUNK_R11);
	add_site(&fake, ".retpoline_sites", 0x20);
	assert_int_equal(finalize(&fake), 0);
	assert_branch(&fake, 0x20, 0xe8, THUNK_R11);
}

static void puts_lfence_where_there_is_room(void **state)
{
	struct fake fake;

	(void)state;
	fake_start(&fake, "qemu64,+retpoline_lfence");
	put_branch(&fake, 0x20, 0xe8, THUNK_RAX);
	add_site(&fake, ".retpoline_sites", 0x20);
	assert_int_equal(finalize(&fake), 0);
	ASSERT_CODE(&fake, 0x20, "\x0f\xae\xe8\xff\xd0");
	put_branch(&fake, 0x20, 0xe8, THUNK_R11);
	assert_int_equal(finalize(&fake), 0);
	assert_branch(&fake, 0x20, 0xe8, THUNK_R11);
}

static void patches_returns(void **state)
{
	struct fake fake;

	(void)state;
	fake_start(&fake, "qemu64");
	put_branch(&fake, 0x20, 0xe9, RETURN_THUNK);
	add_site(&fake, ".return_sites", 0x20);
	assert_int_equal(finalize(&fake), 0);
	ASSERT_CODE(&fake, 0x20, "\xc3\xcc\xcc\xcc\xcc");

	fake_start(&fake, "qemu64,+rethunk,+unret");
	put_branch(&fake, 0x20, 0xe9, RETURN_THUNK);
	add_site(&fake, ".return_sites", 0x20);
	assert_int_equal(finalize(&fake), 0);
	assert_branch(&fake, 0x20, 0xe9, UNRET_THUNK);
}

static void patches_paravirt_sites(void **state)
{
	struct fake fake;

	(void)state;
	fake_start(&fake, "qemu64");
	fake.old_kernel = true;
	add_section(&fake, ".parainstructions", TABLE, 32);
	kc_store64(fake.bytes + TABLE, BASE + 0x20);
	PUT(&fake, TABLE + 8, "\x01\x07");
	kc_store64(fake.bytes + TABLE + 16, BASE + 0x40);
	PUT(&fake, TABLE + 24, "\x02\x07");
	kc_store64(fake.pv_ops + 8, NATIVE);
	kc_store64(fake.pv_ops + 16, NOP_FUNC);
	assert_int_equal(finalize(&fake), 0);
	assert_branch(&fake, 0x20, 0xe8, NATIVE);
	ASSERT_CODE(&fake, 0x25, "\x66\x90");
	ASSERT_CODE(&fake, 0x40, "\x0f\x1f\x80\x00\x00\x00\x00");
}

/* ---- the others ---- */

static void unlocks_for_one_cpu(void **state)
{
	struct fake fake;

	(void)state;
	for (int regions = 0; regions < 2; regions++) {
		for (int up = 0; up < 2; up++) {
			fake_start(&fake, "qemu64");
			fake.up = up;
			fake.with_regions = regions;
			fake.bytes[0x20] = 0xf0;
			fake.bytes[REPLACEMENTS + 8] = 0xf0;
			add_section(&fake, ".smp_locks", TABLE, 8);
			put_offset(&fake, TABLE, 0x20);
			put_offset(&fake, TABLE + 4, REPLACEMENTS + 8);
			assert_int_equal(finalize(&fake), 0);
			assert_int_equal(fake.bytes[0x20], up ? 0x3e : 0xf0);
			assert_int_equal(fake.bytes[REPLACEMENTS + 8], up && regions ? 0x3e : 0xf0);
		}
	}
}

static void ftrace_calls_become_nops(void **state)
{
	struct fake fake;

	(void)state;
	fake_start(&fake, "qemu64");
	put_branch(&fake, 0x20, 0xe8, FENTRY);
	put_branch(&fake, 0x40, 0xe8, NATIVE);
	add_section(&fake, "__mcount_loc", TABLE, 24);
	kc_store64(fake.bytes + TABLE, BASE + 0x40);
	kc_store64(fake.bytes + TABLE + 16, BASE + 0x20);
	assert_int_equal(finalize(&fake), 0);
	/* Sorted; what a linker has padded with comes first. */
	assert_int_equal(kc_load64(fake.bytes + TABLE), 0);
	assert_int_equal(kc_load64(fake.bytes + TABLE + 8), BASE + 0x20);
	assert_int_equal(kc_load64(fake.bytes + TABLE + 16), BASE + 0x40);
	ASSERT_CODE(&fake, 0x20, "\x0f\x1f\x44\x00\x00");
	assert_branch(&fake, 0x40, 0xe8, NATIVE);
}

static void put_jump(struct fake *fake, uint64_t at, uint64_t code, uint64_t target, uint64_t key)
{
	put_offset(fake, at, code);
	put_offset(fake, at + 4, target);
	kc_store64(fake->bytes + at + 8, key - (BASE + at + 8));
}

static void jump_labels_follow_the_kernels_keys(void **state)
{
	struct fake fake;

	(void)state;
	fake_start(&fake, "qemu64");
	add_section(&fake, "__jump_table", TABLE, 48);
	put_jump(&fake, TABLE, 0x20, 0x80, PV_OPS);
	put_jump(&fake, TABLE + 16, 0x40, 0x80, PV_OPS | 1);
	put_jump(&fake, TABLE + 32, 0x60, 0x80, BASE + DATA);
	PUT(&fake, 0x20, "\x0f\x1f\x44\x00\x00");
	PUT(&fake, 0x40, "\xeb\x3e");
	PUT(&fake, 0x60, "\x66\x90");
	fake.pv_ops[0] = 1; /* switched on, and was off at first */
	assert_int_equal(finalize(&fake), 0);
	assert_branch(&fake, 0x20, 0xe9, BASE + 0x80);
	ASSERT_CODE(&fake, 0x40, "\x66\x90");
	ASSERT_CODE(&fake, 0x60, "\x66\x90");
	/* By key: PV_OPS is below BASE. */
	assert_int_equal(TABLE + 32 + (int32_t)kc_load32(fake.bytes + TABLE + 32), 0x60);
}

/* A key of the module's own: its flags stay, the rest of that word leads to its first entry. */
static void keys_are_led_to_their_entries(void **state)
{
	struct fake fake;

	(void)state;
	fake_start(&fake, "qemu64");
	add_section(&fake, "__jump_table", TABLE, 48);
	for (uint64_t at = 0; at < 48; at += 16)
		put_jump(&fake, TABLE + at, 0x20 + at, 0x80, BASE + DATA + (at ? 16 : 0));
	for (uint64_t at = 0x20; at < 0x50; at += 16)
		PUT(&fake, at, "\x66\x90");
	kc_store64(fake.bytes + DATA + 8, 1);
	kc_store64(fake.bytes + DATA + 24, 0);
	assert_int_equal(finalize(&fake), 0);
	assert_int_equal(kc_load64(fake.bytes + DATA + 8), (BASE + TABLE) | 1);
	assert_int_equal(kc_load64(fake.bytes + DATA + 24), BASE + TABLE + 16);
}

static void put_static_call(struct fake *fake, uint64_t at, uint64_t code, uint64_t key)
{
	put_offset(fake, at, code);
	kc_store32(fake->bytes + at + 4, (uint32_t)(key - (BASE + at + 4)));
}

/* Entries of one key come in the order that the steps of that kernel's heap sort leave. */
static void equal_entries_are_where_the_kernel_leaves_them(void **state)
{
	static const struct {
		const char *sort_r;
		uint64_t order[3];
	} kernels[] = {
		{ NULL, { 2, 1, 0 } },
		{ "\x4b\x8d\x04\x3f", { 2, 1, 0 } }, /* lea (%r15,%r15,1), %rax */
		{ "\x49\x8d\x0c\x47", { 1, 2, 0 } }, /* lea (%r15,%rax,2), %rcx */
	};

	(void)state;
	for (size_t k = 0; k < KC_ARRAY_SIZE(kernels); k++) {
		struct fake fake;

		fake_start(&fake, "qemu64");
		fake.sort_r = kernels[k].sort_r;
		add_section(&fake, ".static_call_sites", TABLE, 24);
		kc_store64(fake.bytes + DATA, NATIVE);
		for (uint64_t i = 0; i < 3; i++) {
			put_static_call(&fake, TABLE + i * 8, 0x20 + i * 16, BASE + DATA);
			put_branch(&fake, 0x20 + i * 16, 0xe8, FENTRY);
		}
		assert_int_equal(finalize(&fake), 0);
		for (uint64_t i = 0; i < 3; i++)
			assert_int_equal(TABLE + i * 8 +
						 (int32_t)kc_load32(fake.bytes + TABLE + i * 8),
					 0x20 + kernels[k].order[i] * 16);
	}
}

static void calls_in_init_are_marked(void **state)
{
	struct fake fake;

	(void)state;
	fake_start(&fake, "qemu64");
	add_section(&fake, ".init.text", 0x40, 0x20);
	add_section(&fake, ".static_call_sites", TABLE, 16);
	put_static_call(&fake, TABLE, 0x20, BASE + DATA);
	put_static_call(&fake, TABLE + 8, 0x40, BASE + DATA + 16);
	put_branch(&fake, 0x20, 0xe8, FENTRY);
	put_branch(&fake, 0x40, 0xe8, FENTRY);
	assert_int_equal(finalize(&fake), 0);
	assert_int_equal(kc_load32(fake.bytes + TABLE + 4) & 3, 0);
	assert_int_equal(kc_load32(fake.bytes + TABLE + 12) & 3, 2);
}

static void static_calls_are_direct(void **state)
{
	static const uint64_t functions[] = { NATIVE, 0, RETURN0 };
	struct fake fake;

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(functions); i++) {
		fake_start(&fake, "qemu64");
		add_section(&fake, ".static_call_sites", TABLE, 16);
		put_static_call(&fake, TABLE, 0x20, BASE + DATA);
		put_static_call(&fake, TABLE + 8, 0x40, (BASE + DATA) | 1);
		put_branch(&fake, 0x20, 0xe8, FENTRY);
		put_branch(&fake, 0x40, 0xe9, FENTRY);
		kc_store64(fake.bytes + DATA, functions[i]);
		assert_int_equal(finalize(&fake), 0);
		if (functions[i] == NATIVE)
			assert_branch(&fake, 0x20, 0xe8, NATIVE);
		else if (functions[i])
			ASSERT_CODE(&fake, 0x20, "\x2e\x2e\x2e\x31\xc0");
		else
			ASSERT_CODE(&fake, 0x20, "\x0f\x1f\x44\x00\x00");
		if (functions[i])
			assert_branch(&fake, 0x40, 0xe9, functions[i]);
		else
			ASSERT_CODE(&fake, 0x40, "\xc3\xcc\xcc\xcc\xcc");
	}
}

static void sorts_exceptions(void **state)
{
	enum { COUNT = 50, ENTRY = 12 };
	struct fake fake;
	struct kc_finalize finalize;
	uint64_t previous = 0;

	(void)state;
	fake_start(&fake, "qemu64");
	for (uint64_t i = 0; i < COUNT; i++) {
		uint64_t code = i * 37 % COUNT * 8;

		put_offset(&fake, TABLE + i * ENTRY, code);
		put_offset(&fake, TABLE + i * ENTRY + 4, code + 4);
		kc_store32(fake.bytes + TABLE + i * ENTRY + 8, (uint32_t)code);
	}
	add_section(&fake, "__ex_table", TABLE, COUNT * ENTRY);
	finalize = callbacks(&fake);
	arch()->sort_extable(&finalize);
	for (uint64_t at = TABLE; at < TABLE + COUNT * ENTRY; at += ENTRY) {
		uint64_t code = at + (uint64_t)(int32_t)kc_load32(fake.bytes + at);

		assert_int_equal(code, previous);
		assert_int_equal(at + 4 + (uint64_t)(int32_t)kc_load32(fake.bytes + at + 4),
				 code + 4);
		assert_int_equal(kc_load32(fake.bytes + at + 8), code);
		previous += 8;
	}
}

/* ---- CPUs ---- */

static void cpus_have_names(void **state)
{
	struct kc_cpu cpu, other;

	(void)state;
	assert_int_equal(arch()->cpu_find("qemu64", NULL, &cpu), 0);
	assert_true(arch()->cpu_is_smp(&cpu));
	assert_int_equal(arch()->cpu_find("qemu64,+up,+erms,-erms", NULL, &other), 0);
	assert_false(arch()->cpu_is_smp(&other));
	other.capabilities[3] &= ~(UINT32_C(1) << 9);
	assert_memory_equal(&cpu, &other, sizeof(cpu));
	assert_int_equal(arch()->cpu_find("qemu32", NULL, &cpu), -EINVAL);
	assert_int_equal(arch()->cpu_find("qemu64,+", NULL, &cpu), -EINVAL);
	assert_int_equal(arch()->cpu_find("qemu64,erms", NULL, &cpu), -EINVAL);
	assert_int_equal(arch()->cpu_find("", NULL, &cpu), -EINVAL);
}

/* Code for this machine executes nothing that needs privilege, and returns without thunks. */
static void this_machine_is_used_without_privilege(void **state)
{
	enum { SMAP = 9 * 32 + 20, XENPV = 8 * 32 + 16, RETHUNK = 11 * 32 + 14, SSE2 = 26 };
	struct kc_cpu cpu;

	(void)state;
	arch()->cpu_host(&cpu);
	assert_false(cpu.capabilities[SMAP / 32] >> SMAP % 32 & 1);
	assert_false(cpu.capabilities[RETHUNK / 32] >> RETHUNK % 32 & 1);
	assert_true(cpu.capabilities[XENPV / 32] >> XENPV % 32 & 1);
	assert_true(cpu.capabilities[ALWAYS / 32] >> ALWAYS % 32 & 1);
	assert_true(cpu.capabilities[SSE2 / 32] >> SSE2 % 32 & 1);
}

/* ---- hostile tables ---- */

static const char *const tables[] = {
	".altinstructions",   ".retpoline_sites", ".return_sites", ".parainstructions",
	".static_call_sites", "__jump_table",	  "__mcount_loc",  ".smp_locks",
};

static void refuses_sites_outside(void **state)
{
	struct fake fake;

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(tables); i++) {
		fake_start(&fake, "qemu64,+up,-retpoline");
		fake.report = kocoon_report_new();
		add_section(&fake, tables[i], TABLE, 64);
		/* Offsets and addresses that all lead far behind the module. */
		memset(fake.bytes + TABLE, 0x7f, 64);
		assert_int_equal(finalize(&fake), -ENOEXEC);
		assert_int_equal(kocoon_report_count(fake.report), 1);
		assert_int_equal(kocoon_report_get(fake.report, 0)->stage, KOCOON_STAGE_FINALIZE);
		assert_non_null(strstr(kocoon_report_get(fake.report, 0)->what, tables[i]));
		kocoon_report_free(fake.report);
	}
}

static void refuses_sites_over_the_end(void **state)
{
	struct fake fake;

	(void)state;
	fake_start(&fake, "qemu64");
	add_section(&fake, ".altinstructions", TABLE, 14);
	put_alternative(&fake, 0, SIZE - 4, ALWAYS, 0, 5, 5);
	assert_int_equal(finalize(&fake), -ENOEXEC);
	put_alternative(&fake, 0, TEXT, ALWAYS, 0, 5, 6);
	assert_int_equal(finalize(&fake), -ENOEXEC);
	put_alternative(&fake, 0, TEXT, 0xffff, 0, 5, 5);
	assert_int_equal(finalize(&fake), -ENOEXEC);
	put_alternative(&fake, 0, TEXT, ALWAYS, DIRECT_CALL, 6, 5);
	assert_int_equal(finalize(&fake), -ENOEXEC);

	fake_start(&fake, "qemu64");
	add_site(&fake, ".return_sites", SIZE - 4);
	fake.bytes[SIZE - 4] = 0xe9;
	assert_int_equal(finalize(&fake), -ENOEXEC);
}

static void refuses_what_is_no_site(void **state)
{
	struct fake fake;

	(void)state;
	for (size_t i = 1; i < 3; i++) {
		fake_start(&fake, "qemu64,-retpoline");
		put_branch(&fake, 0x20, 0xe9, NATIVE);
		add_site(&fake, tables[i], 0x20);
		assert_int_equal(finalize(&fake), -ENOEXEC);
	}
	fake_start(&fake, "qemu64");
	add_section(&fake, ".static_call_sites", TABLE, 8);
	put_static_call(&fake, TABLE, 0x20, BASE + DATA);
	assert_int_equal(finalize(&fake), -ENOEXEC);
}

/* Noise for tables and code: an errno or 0, and nothing else is touched. */
static void survives_noise(void **state)
{
	uint32_t noise = 1;
	struct {
		uint8_t before[64];
		struct fake fake;
		uint8_t behind[64];
	} guarded = { .before = { 0 } };
	static const uint8_t zeroes[64];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct fake *fake = &guarded.fake;
		int err;

		fake_start(fake, round & 1 ? "EPYC,+up" : "qemu64,-retpoline,+up");
		fake->old_kernel = round & 2;
		fake->alt_instr_size = round & 4 ? 0 : round & 2 ? 12 : 14;
		for (size_t i = 0; i < SIZE; i++) {
			noise = noise * 1664525 + 1013904223;
			fake->bytes[i] = (uint8_t)(noise >> 24);
		}
		/* Offsets that mostly stay inside. */
		for (size_t i = TABLE; i < TABLE + 256; i += 4)
			kc_store32(
				fake->bytes + i,
				(uint32_t)((int32_t)(noise ^ kc_load32(fake->bytes + i)) % 0xb00) -
					0xb00 * (round >> 4 & 1));
		add_section(fake, tables[(size_t)round % KC_ARRAY_SIZE(tables)], TABLE, 252);
		add_section(fake, ".orc_unwind_ip", TABLE + 256, 40);
		add_section(fake, ".orc_unwind", TABLE + 300, 60);
		err = finalize(fake);
		assert_true(err == 0 || err == -ENOEXEC);
		assert_memory_equal(guarded.before, zeroes, sizeof(zeroes));
		assert_memory_equal(guarded.behind, zeroes, sizeof(zeroes));
	}
}

static void lengths_of_instructions(void **state)
{
	static const struct {
		const char *code;
		uint8_t length;
	} cases[] = {
		{ "\x90", 1 },
		{ "\xf3\x0f\x1e\xfa", 4 },
		{ "\x48\xb8\1\2\3\4\5\6\7\x08", 10 },
		{ "\x66\xb8\1\2", 4 },
		{ "\xf6\x05\1\2\3\4\5", 7 },
		{ "\xf6\x15\1\2\3\4", 6 },
		{ "\x8b\x04\x25\1\2\3\4", 7 },
		{ "\xc4\xe2\x79\x18\x05\1\2\3\4", 9 },
		{ "\x62\xf1\x7c\x48\x10\x40\1", 7 },
		{ "\x0f\x3a\x0f\xc1\x08", 5 },
		{ "\xa0\1\2\3\4\5\6\7\x08", 9 },
		{ "\x06", 0 },
	};
	struct kc_instruction found;

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(cases); i++) {
		uint8_t length = cases[i].length;
		struct kc_span code = kc_span(cases[i].code, length ? length : 1);

		assert_int_equal(kc_instruction_decode(code, &found), length != 0);
		if (!length)
			continue;
		assert_int_equal(found.length, length);
		code.len--;
		assert_false(kc_instruction_decode(code, &found));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replaces_and_pads),
		cmocka_unit_test(leaves_what_the_cpu_lacks_but_merges_nops),
		cmocka_unit_test(jumps_over_long_nops),
		cmocka_unit_test(moves_calls_jumps_and_data),
		cmocka_unit_test(shortens_jumps),
		cmocka_unit_test(calls_what_pv_ops_holds),
		cmocka_unit_test(finds_the_size_of_entries),
		cmocka_unit_test(patches_retpolines),
		cmocka_unit_test(puts_lfence_where_there_is_room),
		cmocka_unit_test(patches_returns),
		cmocka_unit_test(patches_paravirt_sites),
		cmocka_unit_test(unlocks_for_one_cpu),
		cmocka_unit_test(ftrace_calls_become_nops),
		cmocka_unit_test(jump_labels_follow_the_kernels_keys),
		cmocka_unit_test(keys_are_led_to_their_entries),
		cmocka_unit_test(static_calls_are_direct),
		cmocka_unit_test(equal_entries_are_where_the_kernel_leaves_them),
		cmocka_unit_test(calls_in_init_are_marked),
		cmocka_unit_test(sorts_exceptions),
		cmocka_unit_test(cpus_have_names),
		cmocka_unit_test(this_machine_is_used_without_privilege),
		cmocka_unit_test(refuses_sites_outside),
		cmocka_unit_test(refuses_sites_over_the_end),
		cmocka_unit_test(refuses_what_is_no_site),
		cmocka_unit_test(survives_noise),
		cmocka_unit_test(lengths_of_instructions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nops: the forms that the kernel's x86_nops has, and optimize_nops(), which makes few long ones of
 * many short ones. Kernels differ in what they merge: 0x90s only, or all of 0x90 and 0f 1f.
 */
#include "arch/x86_64/instruction.h"
#include "arch/x86_64/patch.h"

enum { NOP_MAX = 11, SHORT_JUMP_REACH = 128 };

/* Recommended multi-byte nops of both vendors' manuals; from 9 on with size prefixes. */
static const uint8_t nops[NOP_MAX + 1][NOP_MAX] = {
	[1] = { 0x90 },
	[2] = { 0x66, 0x90 },
	[3] = { 0x0f, 0x1f, 0x00 },
	[4] = { 0x0f, 0x1f, 0x40, 0x00 },
	[5] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 },
	[6] = { 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 },
	[7] = { 0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00 },
	[8] = { 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
	[9] = { 0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
	[10] = { 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
	[11] = { 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
};

void kc_write_nop(const struct kc_patch *patch, uint8_t *code, uint64_t len)
{
	if (!len)
		return;
	if (len <= patch->nop_max) {
		memcpy(code, nops[len], len);
		return;
	}
	memset(code, KC_OP_INT3, len);
	if (len < SHORT_JUMP_REACH) {
		code[0] = KC_OP_JMP_SHORT;
		code[1] = (uint8_t)(len - 2);
	} else {
		kc_write_branch(code, KC_OP_JMP, 0, len);
	}
}

void kc_write_nops(const struct kc_patch *patch, uint8_t *code, uint64_t len)
{
	while (len) {
		uint64_t step = len < patch->nop_max ? len : patch->nop_max;

		memcpy(code, nops[step], step);
		code += step;
		len -= step;
	}
}

static uint64_t run_of_single_nops(const uint8_t *code, uint64_t at, uint64_t len)
{
	uint64_t end = at;

	while (end < len && code[end] == KC_OP_NOP)
		end++;
	return end - at;
}

static void optimize_single_nops(const struct kc_patch *patch, uint8_t *code, uint64_t len)
{
	struct kc_instruction found;

	for (uint64_t at = 0; at < len;) {
		uint64_t run = run_of_single_nops(code, at, len);

		if (run > 1)
			kc_write_nops(patch, code + at, run);
		at += run;
		if (run || at >= len)
			continue;
		if (!kc_instruction_decode(kc_span(code + at, len - at), &found))
			return;
		at += found.length;
	}
}

static uint64_t skip_nops(const uint8_t *code, uint64_t at, uint64_t len)
{
	struct kc_instruction found;

	while (at < len && kc_instruction_decode(kc_span(code + at, len - at), &found) &&
	       kc_instruction_is_nop(&found))
		at += found.length;
	return at;
}

static void optimize_all_nops(const struct kc_patch *patch, uint8_t *code, uint64_t len)
{
	struct kc_instruction found;
	uint64_t next;

	for (uint64_t at = 0; at < len; at = next) {
		if (!kc_instruction_decode(kc_span(code + at, len - at), &found))
			return;
		next = at + found.length;
		if (!kc_instruction_is_nop(&found))
			continue;
		if (next == len)
			return;
		next = skip_nops(code, next, len);
		kc_write_nop(patch, code + at, next - at);
	}
}

void kc_optimize_nops(const struct kc_patch *patch, uint8_t *code, uint64_t len)
{
	if (patch->by_instruction)
		optimize_all_nops(patch, code, len);
	else
		optimize_single_nops(patch, code, len);
}

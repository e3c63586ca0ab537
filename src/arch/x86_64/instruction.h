/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long an instruction is, and where its displacement and its immediate are: what the kernel's
 * insn_decode() is asked while code is patched. 64-bit mode only; nothing is said about operands.
 */
#ifndef KC_ARCH_X86_64_INSTRUCTION_H
#define KC_ARCH_X86_64_INSTRUCTION_H

#include "base/span.h"

struct kc_instruction {
	uint8_t length;
	uint8_t opcode; /* its first byte; 0 with a VEX or EVEX prefix */
	uint8_t opcode2; /* the next one, where the first is 0x0f */
	bool repeated; /* prefix 0xf3 */
	bool wide; /* REX.W */
	bool narrow; /* prefix 0x66 */
	bool short_address; /* prefix 0x67 */
	bool rip_relative;
	uint8_t displacement_at, displacement_size;
	uint8_t immediate_at, immediate_size;
};

/* False: not an instruction of 64-bit mode, or one that `code` doesn't hold whole. */
KC_MUST_CHECK bool kc_instruction_decode(struct kc_span code, struct kc_instruction *ret);

/* A nop of any length, but not a pause. */
static inline bool kc_instruction_is_nop(const struct kc_instruction *of)
{
	return (of->opcode == 0x90 && !of->repeated) || (of->opcode == 0x0f && of->opcode2 == 0x1f);
}

/* A jump with a condition and 32 bits of displacement. */
static inline bool kc_instruction_is_jcc32(const struct kc_instruction *of)
{
	return of->opcode == 0x0f && (of->opcode2 & 0xf0) == 0x80;
}

#endif

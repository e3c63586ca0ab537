/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls and jumps through the compiler's thunks: retpolines (apply_retpolines()) and returns
 * (apply_returns()) become what the CPU needs.
 *
 * Differs from Linux: where a CPU needs a thunk for an indirect branch in the lower half of a cache
 * line, the kernel allocates a page of them for the module; here the kernel's own static ones are
 * used, as it does when it has no memory.
 */
#include "arch/x86_64/instruction.h"
#include "arch/x86_64/patch.h"

#include <errno.h>
#include <stdio.h>

static const char *const registers[KC_REGISTERS] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp",
						     "rsi", "rdi", "r8",  "r9",	 "r10", "r11",
						     "r12", "r13", "r14", "r15" };

enum { STACK_POINTER = 4 };

static uint64_t thunk_symbol(const struct kc_patch *patch, const char *kind, int number)
{
	char name[64];

	snprintf(name, sizeof(name), "__x86_indirect_%s_%s", kind, registers[number]);
	return kc_patch_symbol(patch, name);
}

/* The same branch to another thunk: `opcode` is that of the call or jump, behind a prefix. */
static bool retarget(const struct kc_patch *patch, const char *kind, int number,
		     const struct kc_instruction *found, uint64_t address, uint8_t *code)
{
	uint64_t thunk = thunk_symbol(patch, kind, number);

	if (!thunk)
		return false;
	if (!kc_instruction_is_jcc32(found) && found->length > KC_BRANCH_SIZE)
		code[0] = 0x2e;
	kc_store32(code + found->length - 4, (uint32_t)(thunk - (address + found->length)));
	return true;
}

/* The last byte of an indirect branch in the lower half of a cache line. */
static bool wants_its_thunk(const struct kc_patch *patch, uint64_t address, int number)
{
	return kc_cpu_has(patch->to->cpu, KC_FEATURE_INDIRECT_THUNK_ITS) &&
	       !((address + 1 + (number >= 8)) & 0x20);
}

static uint8_t write_indirect(uint8_t *code, uint8_t opcode, int number)
{
	uint8_t len = 0;

	if (number >= 8)
		code[len++] = 0x41;
	code[len++] = 0xff;
	code[len++] = (uint8_t)((opcode == KC_OP_CALL ? 0xd0 : 0xe0) + number % 8);
	return len;
}

/*
 * The branch without its thunk: [jcc over it] [lfence] branch *register, int3 behind a jump. False:
 * it stays as it is.
 */
static bool write_direct(const struct kc_patch *patch, const struct kc_instruction *found,
			 uint64_t address, int number, uint8_t *code)
{
	uint8_t new[16], len = 0, opcode = found->opcode;

	if (kc_instruction_is_jcc32(found)) {
		new[len++] = 0x70 | ((found->opcode2 & 15) ^ 1);
		new[len++] = (uint8_t)(found->length - 2);
		opcode = KC_OP_JMP;
	}
	if (kc_cpu_has(patch->to->cpu, KC_FEATURE_RETPOLINE_LFENCE)) {
		new[len++] = 0x0f;
		new[len++] = 0xae;
		new[len++] = 0xe8;
	}
	if (wants_its_thunk(patch, address + len, number))
		return retarget(patch, "its_thunk", number, found, address, code);
	len = (uint8_t)(len + write_indirect(new + len, opcode, number));
	if (opcode == KC_OP_JMP && len < found->length)
		new[len++] = KC_OP_INT3;
	if (len > found->length)
		return false;
	memset(new + len, KC_OP_NOP, found->length - len);
	kc_optimize_nops(patch, new, found->length);
	memcpy(code, new, found->length);
	return true;
}

static int find_thunk(const struct kc_patch *patch, uint64_t target)
{
	for (int i = 0; i < KC_REGISTERS; i++)
		if (target && patch->thunks[i] == target)
			return i;
	return -1;
}

static int patch_retpoline(const struct kc_patch *patch, const char *table, uint64_t address,
			   const struct kc_place *place)
{
	const struct kc_cpu *cpu = patch->to->cpu;
	struct kc_instruction found;
	int number;

	if (!kc_instruction_decode(kc_span(place->bytes, place->size), &found) ||
	    (found.opcode != KC_OP_CALL && found.opcode != KC_OP_JMP &&
	     !kc_instruction_is_jcc32(&found)))
		return kc_patch_refuse(patch, table, address, "no call or jump");
	number = find_thunk(patch, kc_branch_target(place->bytes, address, found.length));
	if (number < 0 || number == STACK_POINTER)
		return kc_patch_refuse(patch, table, address, "no branch to a retpoline thunk");
	if (!kc_cpu_has(cpu, KC_FEATURE_RETPOLINE) || kc_cpu_has(cpu, KC_FEATURE_RETPOLINE_LFENCE))
		write_direct(patch, &found, address, number, place->bytes);
	return 0;
}

int kc_apply_retpolines(const struct kc_patch *patch)
{
	struct kc_patch with_thunks = *patch;

	for (int i = 0; i < KC_REGISTERS; i++)
		with_thunks.thunks[i] = thunk_symbol(patch, "thunk", i);
	return kc_patch_sites(&with_thunks, ".retpoline_sites", patch_retpoline);
}

/* ---- returns ---- */

/* Which thunk the kernel returns through, once it has looked at the CPU. */
static const char *return_thunk_name(const struct kc_cpu *cpu)
{
	if (kc_cpu_has(cpu, KC_FEATURE_SRSO_ALIAS))
		return "srso_alias_return_thunk";
	if (kc_cpu_has(cpu, KC_FEATURE_SRSO))
		return "srso_return_thunk";
	if (kc_cpu_has(cpu, KC_FEATURE_UNRET))
		return "retbleed_return_thunk";
	if (kc_cpu_has(cpu, KC_FEATURE_INDIRECT_THUNK_ITS))
		return "its_return_thunk";
	return "__x86_return_thunk";
}

uint64_t kc_return_target(const struct kc_patch *patch, uint64_t address)
{
	const struct kc_cpu *cpu = patch->to->cpu;

	if (!kc_cpu_has(cpu, KC_FEATURE_RETHUNK))
		return 0;
	if (kc_cpu_has(cpu, KC_FEATURE_INDIRECT_THUNK_ITS) && (address & 0x20))
		return 0;
	return kc_patch_symbol(patch, return_thunk_name(cpu));
}

static int patch_return(const struct kc_patch *patch, const char *table, uint64_t address,
			const struct kc_place *place)
{
	uint8_t *code = place->bytes;
	uint64_t thunk;

	if (place->size < KC_BRANCH_SIZE || code[0] != KC_OP_JMP ||
	    kc_branch_target(code, address, KC_BRANCH_SIZE) != patch->return_thunk)
		return kc_patch_refuse(patch, table, address, "no jump to the return thunk");
	thunk = kc_return_target(patch, address);
	if (thunk) {
		kc_write_branch(code, KC_OP_JMP, address, thunk);
	} else {
		code[0] = KC_OP_RET;
		memset(code + 1, KC_OP_INT3, KC_BRANCH_SIZE - 1);
	}
	return 0;
}

int kc_apply_returns(const struct kc_patch *patch)
{
	return kc_patch_sites(patch, ".return_sites", patch_return);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Code for one CPU: module_finalize() of arch/x86/kernel/module.c, and what follows it before the
 * module's code runs: ftrace_module_init(), and the notifiers of jump labels and static calls.
 */
#include "arch/x86_64/patch.h"
#include "arch/x86_64/tables.h"
#include "arch/x86_64/x86_64.h"

#include <errno.h>

enum {
	NOP_MAX_SHORT = 8,
	NOP_MAX_LONG = 11,
	ENDBR_POISON = 0x001f0f66,
	FUNCTION_LOOKED_AT = 256,
	SORT_LOOKED_AT = 512,
	IBT = KC_FEATURE(18, 20),
};

static const uint32_t newer_endbr_poison = 0xd6401f0f;

static bool has_symbol(const struct kc_finalize *to, const char *name)
{
	return to->symbol(to->context, name) != 0;
}

/* A function of any of the names that it has had. */
static bool relocates_by_instruction(const struct kc_finalize *to, uint32_t alt_instr_size)
{
	if (!has_symbol(to, "apply_alternatives"))
		return alt_instr_size != 12;
	return has_symbol(to, "text_poke_apply_relocation") || has_symbol(to, "apply_relocation") ||
	       has_symbol(to, "__apply_relocation");
}

/* x86_nops: pointers to nops of 1, 2, ... bytes, which stand one behind the other. */
static unsigned int longest_nop(const struct kc_patch *patch)
{
	uint64_t table = kc_patch_symbol(patch, "x86_nops"), last, beyond;

	if (!table || !kc_patch_read64(patch, table + NOP_MAX_SHORT * UINT64_C(8), &last))
		return patch->by_instruction ? NOP_MAX_LONG : NOP_MAX_SHORT;
	if (kc_patch_read64(patch, table + (NOP_MAX_SHORT + 1) * UINT64_C(8), &beyond) &&
	    beyond == last + NOP_MAX_SHORT)
		return NOP_MAX_LONG;
	return NOP_MAX_SHORT;
}

static uint32_t endbr_poison(const struct kc_patch *patch)
{
	uint64_t function = kc_patch_symbol(patch, "apply_seal_endbr");
	struct kc_span code;

	if (!function)
		function = kc_patch_symbol(patch, "apply_ibt_endbr");
	if (!function ||
	    !patch->to->kernel_bytes(patch->to->context, function, FUNCTION_LOOKED_AT, &code))
		return 0;
	for (size_t at = 0; at + sizeof(uint32_t) <= code.len; at++)
		if (kc_load32(code.data + at) == newer_endbr_poison)
			return newer_endbr_poison;
	return ENDBR_POISON;
}

/*
 * Two or three times the size of an entry is computed by those that take pairs only: lea of a
 * register and the same one.
 */
bool kc_sorts_pairs(const struct kc_finalize *to)
{
	enum { LEA = 0x8d, SIB = 4, REX_X_AND_B = 3 };
	uint64_t function = to->symbol(to->context, "sort_r");
	struct kc_span code;

	if (!function || !to->kernel_bytes(to->context, function, SORT_LOOKED_AT, &code))
		return true;
	for (size_t at = 1; at + 3 < code.len; at++) {
		uint8_t rex = code.data[at - 1], modrm = code.data[at + 1], sib = code.data[at + 2];

		if ((rex & 0xf8) == 0x48 && code.data[at] == LEA && (modrm & 7) == SIB &&
		    (modrm >> 6) != 3 && (sib & 7) == (sib >> 3 & 7) &&
		    ((rex & REX_X_AND_B) == REX_X_AND_B || !(rex & REX_X_AND_B)))
			return true;
	}
	return false;
}

static struct kc_patch probe(const struct kc_finalize *to)
{
	struct kc_patch patch = { .to = to };

	patch.alt_instr_size = to->struct_size(to->context, "alt_instr");
	if (patch.alt_instr_size != 12 && patch.alt_instr_size != 14)
		patch.alt_instr_size = kc_alt_instr_size(to);
	patch.by_instruction = relocates_by_instruction(to, patch.alt_instr_size);
	patch.nop_max = longest_nop(&patch);
	patch.endbr_poison = endbr_poison(&patch);
	patch.sorts_pairs = kc_sorts_pairs(to);
	patch.return_thunk = kc_patch_symbol(&patch, "__x86_return_thunk");
	return patch;
}

/* What a kernel does for some CPUs, and isn't done here: said, not left out. */
static int refuse_unsupported(const struct kc_finalize *to)
{
	struct kc_place section;

	if (to->section(to->context, ".call_sites", &section) &&
	    kc_cpu_has(to->cpu, KC_FEATURE_CALL_DEPTH))
		return kc_finding(to->report, KOCOON_STAGE_FINALIZE, -ENOTSUP,
				  "calls that count their depth (retbleed=stuff) are not "
				  "supported");
	if (to->section(to->context, ".cfi_sites", &section) && kc_cpu_has(to->cpu, IBT) &&
	    has_symbol(to, "fineibt_preamble_start"))
		return kc_finding(to->report, KOCOON_STAGE_FINALIZE, -ENOTSUP,
				  "FineIBT is not supported");
	return 0;
}

static int apply(const struct kc_patch *patch, int (*const steps[])(const struct kc_patch *patch))
{
	int err = 0;

	for (int i = 0; steps[i] && !err; i++)
		err = steps[i](patch);
	return err;
}

int kc_x86_finalize(const struct kc_finalize *to)
{
	static int (*const first[])(const struct kc_patch *patch) = {
		kc_apply_paravirt,
		kc_apply_retpolines,
		kc_apply_returns,
		kc_apply_alternatives,
		kc_apply_seal_endbr,
		kc_apply_smp_locks,
		NULL,
	};
	static int (*const then[])(const struct kc_patch *patch) = {
		kc_ftrace_module_init,
		kc_jump_label_add_module,
		kc_static_call_add_module,
		NULL,
	};
	struct kc_patch patch = probe(to);
	int err = refuse_unsupported(to);

	if (!err)
		err = apply(&patch, first);
	if (err)
		return err;
	kc_unwind_module_init(to);
	return apply(&patch, then);
}

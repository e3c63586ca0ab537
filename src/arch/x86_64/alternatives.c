/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * .altinstructions: each entry replaces code if the CPU has, or lacks, a feature
 * (apply_alternatives()). Replacements are relocated to where they go, padded with nops, and nops
 * are merged, those of what is not replaced too.
 *
 * struct alt_instr has two forms: 12 bytes with the feature's top bit for "lacks", 14 bytes with
 * flags. Kernels of the first form relocate only a replacement that is one call or jump.
 */
#include "arch/x86_64/instruction.h"
#include "arch/x86_64/patch.h"

#include <errno.h>

enum {
	SHORT_SIZE = 12,
	LONG_SIZE = 14,
	FLAG_NOT = 1,
	FLAG_DIRECT_CALL = 2,
	FEATURE_INVERTED = 0x8000,
	CODE_MAX = 255, /* lengths are bytes */
};

static const char table_name[] = ".altinstructions";

struct alternative {
	uint64_t address, replacement;
	uint16_t feature;
	bool inverted, direct_call;
	uint8_t len, replacement_len;
	uint8_t *code;
	const uint8_t *replacement_code;
};

static uint64_t self_relative(const struct kc_place *table, uint64_t offset)
{
	return table->address + offset + (uint64_t)(int32_t)kc_load32(table->bytes + offset);
}

static uint32_t len_offset(uint32_t size)
{
	return size - 2;
}

static void read_alternative(const struct kc_place *table, uint64_t offset, uint32_t size,
			     struct alternative *ret)
{
	const uint8_t *entry = table->bytes + offset;
	uint16_t feature = kc_load16(entry + 8);
	uint16_t flags = size == LONG_SIZE	      ? kc_load16(entry + 10)
			 : feature & FEATURE_INVERTED ? FLAG_NOT
						      : 0;

	*ret = (struct alternative){
		.address = self_relative(table, offset),
		.replacement = self_relative(table, offset + 4),
		.feature = size == LONG_SIZE ? feature : feature & ~FEATURE_INVERTED,
		.inverted = flags & FLAG_NOT,
		.direct_call = flags & FLAG_DIRECT_CALL,
		.len = entry[len_offset(size)],
		.replacement_len = entry[len_offset(size) + 1],
	};
}

/* Whether a table makes sense with entries of this size. */
static bool plausible(const struct kc_finalize *to, const struct kc_place *table, uint32_t size)
{
	struct kc_place place;

	if (table->size % size)
		return false;
	for (uint64_t offset = 0; offset < table->size; offset += size) {
		struct alternative entry;

		read_alternative(table, offset, size, &entry);
		if (entry.replacement_len > entry.len || entry.feature >= KC_CPU_WORDS * 32 ||
		    !to->at(to->context, entry.address, &place) || place.size < entry.len)
			return false;
	}
	return true;
}

uint32_t kc_alt_instr_size(const struct kc_finalize *to)
{
	struct kc_place table;

	if (!to->section(to->context, table_name, &table))
		return 0;
	return plausible(to, &table, LONG_SIZE) || !plausible(to, &table, SHORT_SIZE) ? LONG_SIZE
										      : SHORT_SIZE;
}

/* Alternatives within alternatives: all of one place are padded to the longest. */
static void level_lengths(const struct kc_place *table, uint64_t offset)
{
	uint64_t address = self_relative(table, offset);
	uint8_t *len = table->bytes + offset + len_offset(LONG_SIZE);

	for (uint64_t next = offset + LONG_SIZE;
	     next + LONG_SIZE <= table->size && self_relative(table, next) == address;
	     next += LONG_SIZE) {
		uint8_t *other = table->bytes + next + len_offset(LONG_SIZE);

		if (*other > *len)
			*len = *other;
		else
			*other = *len;
	}
}

/* ---- relocation ---- */

/* Targets within the replacement move with it. */
static bool leaves(const struct alternative *from, uint64_t offset)
{
	return offset > from->replacement_len;
}

/* Adds the distance to a displacement of 1, 2 or 4 bytes. False: it doesn't fit. */
static bool move_displacement(uint8_t *place, uint8_t size, uint64_t distance)
{
	int64_t value;

	if (size == 4) {
		value = (int32_t)kc_load32(place) + (int64_t)distance;
		kc_store32(place, (uint32_t)value);
		return value == (int32_t)value;
	}
	if (size != 1)
		return false;
	value = (int8_t)*place + (int64_t)distance;
	*place = (uint8_t)value;
	return value == (int8_t)value;
}

static int64_t displacement_of(const uint8_t *place, uint8_t size)
{
	return size == 4 ? (int32_t)kc_load32(place) : size == 1 ? (int8_t)*place : 0;
}

static bool is_branch(const struct kc_instruction *found)
{
	return kc_instruction_is_jcc32(found) || (found->opcode & 0xf0) == 0x70 ||
	       found->opcode == KC_OP_JMP || found->opcode == KC_OP_JMP_SHORT ||
	       found->opcode == KC_OP_CALL;
}

/* A jump that reaches with one byte becomes a short one; `before` is what its displacement was. */
static void shorten_jump(uint8_t *code, int64_t before, uint64_t distance)
{
	int64_t reach = before + (int64_t)distance + KC_BRANCH_SIZE - 2;

	if (reach != (int8_t)reach)
		return;
	code[0] = KC_OP_JMP_SHORT;
	code[1] = (uint8_t)reach;
	memset(code + 2, KC_OP_INT3, KC_BRANCH_SIZE - 2);
}

static bool relocate_one(const struct alternative *from, uint8_t *buffer, uint64_t at,
			 const struct kc_instruction *found)
{
	uint64_t distance = from->replacement - from->address, next = at + found->length;
	uint8_t *code = buffer + at;
	int64_t offset;

	if (is_branch(found)) {
		offset = displacement_of(code + found->immediate_at, found->immediate_size);
		if (leaves(from, next + (uint64_t)offset) &&
		    !move_displacement(code + found->immediate_at, found->immediate_size, distance))
			return false;
		if (found->opcode == KC_OP_JMP && found->length == KC_BRANCH_SIZE)
			shorten_jump(code, offset, distance);
	}
	if (!found->rip_relative)
		return true;
	offset = displacement_of(code + found->displacement_at, 4);
	return !leaves(from, next + (uint64_t)offset) ||
	       move_displacement(code + found->displacement_at, 4, distance);
}

/* __apply_relocation() */
static bool relocate_all(const struct alternative *from, uint8_t *buffer)
{
	struct kc_instruction found;

	for (uint64_t at = 0; at < from->len; at += found.length) {
		if (!kc_instruction_decode(kc_span(buffer + at, from->len - at), &found))
			return true;
		if (!relocate_one(from, buffer, at, &found))
			return false;
	}
	return true;
}

/* recompute_jump(), and its neighbour for calls: of kernels that know no other replacements. */
static void relocate_branch(const struct kc_patch *patch, const struct alternative *from,
			    uint8_t *buffer)
{
	uint64_t target;
	int64_t reach;

	if (from->replacement_len != KC_BRANCH_SIZE)
		return;
	target = kc_branch_target(from->replacement_code, from->replacement, KC_BRANCH_SIZE);
	reach = (int64_t)(target - from->address);
	if (buffer[0] == KC_OP_CALL || (buffer[0] == KC_OP_JMP && (reach < 0 || reach - 2 > 127))) {
		kc_write_branch(buffer, buffer[0], from->address, target);
	} else if (buffer[0] == KC_OP_JMP) {
		buffer[0] = KC_OP_JMP_SHORT;
		buffer[1] = (uint8_t)(reach - 2);
		kc_write_nops(patch, buffer + 2, KC_BRANCH_SIZE - 2);
	}
}

/* ---- an entry ---- */

/*
 * "call *pv_ops+n(%rip)" becomes a call of what is there now; the replacement is a call of
 * something else. Length of the replacement; -1: what is there isn't known, so the call stays.
 */
static int replace_call(const struct kc_patch *patch, const struct alternative *of, uint8_t *buffer)
{
	uint64_t target;

	if (!kc_patch_read64(patch, kc_branch_target(of->code, of->address, of->len), &target))
		return -1;
	if (!target)
		target = kc_patch_symbol(patch, "BUG_func");
	if (target && target == kc_patch_symbol(patch, "nop_func"))
		return 0;
	kc_write_branch(buffer, KC_OP_CALL, of->replacement, target);
	return KC_BRANCH_SIZE;
}

static bool is_indirect_call(const struct alternative *of)
{
	return of->len == 6 && of->code[0] == 0xff && of->code[1] == 0x15 &&
	       of->replacement_len == KC_BRANCH_SIZE && of->replacement_code[0] == KC_OP_CALL;
}

static int replace(const struct kc_patch *patch, const struct alternative *of)
{
	uint8_t buffer[CODE_MAX] = { 0 };
	int used = of->replacement_len;

	if (used)
		memcpy(buffer, of->replacement_code, of->replacement_len);
	if (of->direct_call) {
		if (!is_indirect_call(of))
			return kc_patch_refuse(patch, table_name, of->address,
					       "no indirect call to be made direct");
		used = replace_call(patch, of, buffer);
		if (used < 0)
			return 0;
	}
	if (!patch->by_instruction)
		relocate_branch(patch, of, buffer);
	memset(buffer + used, KC_OP_NOP, (size_t)(of->len - used));
	if (patch->by_instruction && !relocate_all(of, buffer))
		return kc_patch_refuse(patch, table_name, of->address,
				       "a replacement doesn't reach what it reached");
	kc_optimize_nops(patch, buffer, of->len);
	memcpy(of->code, buffer, of->len);
	return 0;
}

/* The number that lfence_rdtsc had before is another feature's where entries are long: no CPU's. */
static bool wants(const struct kc_patch *patch, const struct alternative *entry)
{
	if (patch->alt_instr_size == LONG_SIZE && entry->feature == KC_FEATURE_OLD_LFENCE_RDTSC)
		return false;
	return kc_cpu_has(patch->to->cpu, entry->feature);
}

static int apply_one(const struct kc_patch *patch, struct alternative *entry)
{
	struct kc_place place;

	if (entry->feature >= KC_CPU_WORDS * 32)
		return kc_patch_refuse(patch, table_name, entry->address, "no such CPU feature");
	if (entry->replacement_len > entry->len)
		return kc_patch_refuse(patch, table_name, entry->address,
				       "a replacement is longer than what it replaces");
	entry->code = kc_patch_at(patch, table_name, entry->address, entry->len, &place);
	if (!entry->code)
		return -ENOEXEC;
	if (wants(patch, entry) == entry->inverted) {
		kc_optimize_nops(patch, entry->code, entry->len);
		return 0;
	}
	if (entry->replacement_len) {
		entry->replacement_code = kc_patch_at(patch, table_name, entry->replacement,
						      entry->replacement_len, &place);
		if (!entry->replacement_code)
			return -ENOEXEC;
	}
	return replace(patch, entry);
}

int kc_apply_alternatives(const struct kc_patch *patch)
{
	uint32_t size = patch->alt_instr_size;
	struct alternative entry;
	struct kc_place table;
	int err = 0;

	if (!patch->to->section(patch->to->context, table_name, &table) || !size)
		return 0;
	for (uint64_t at = 0; at + size <= table.size && !err; at += size) {
		if (size == LONG_SIZE)
			level_lengths(&table, at);
		read_alternative(&table, at, size, &entry);
		err = apply_one(patch, &entry);
	}
	return err;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Instruction lengths from the opcode maps of the architecture's manual: a letter tells what
 * follows an opcode. What there is: legacy and REX prefixes, the maps 0F, 0F38, 0F3A, VEX and EVEX.
 */
#include "arch/x86_64/instruction.h"

enum { INSTRUCTION_MAX = 15 };

/*
 * What follows an opcode. '.': nothing. 'b': 1 byte, 'w': 2, 'e': 3, 'd': 4, whatever the size of
 * operands is; 'z': 2 or 4 with it; 'v': 2, 4 or 8; 'o': an address. 'm': ModRM; 'B', 'Z': ModRM
 * and 1 byte, or 2 or 4; 'T', 'U': those only where ModRM's register is 0 or 1. 'x': no such
 * instruction, or one that is looked at before the map is.
 */
static const char one_byte[256 + 1] = "mmmmbzxxmmmmbzxx" /* 00 */
				      "mmmmbzxxmmmmbzxx"
				      "mmmmbzxxmmmmbzxx" /* 20 */
				      "mmmmbzxxmmmmbzxx"
				      "xxxxxxxxxxxxxxxx" /* 40 */
				      "................"
				      "xxxmxxxxzZbB...." /* 60 */
				      "bbbbbbbbbbbbbbbb"
				      "BZxBmmmmmmmmmmmm" /* 80 */
				      "..........x....."
				      "oooo....bz......" /* a0 */
				      "bbbbbbbbvvvvvvvv"
				      "BBw.xxBZe.w..bx." /* c0 */
				      "mmmmxxx.mmmmmmmm"
				      "bbbbbbbbddxb...." /* e0 */
				      "x.xx..TU......mm";

static const char two_bytes[256 + 1] = "mmmmx.....x.xm.B" /* 00 */
				       "mmmmmmmmmmmmmmmm"
				       "mmmmxxxxmmmmmmmm" /* 20 */
				       "........xxxxxxxx"
				       "mmmmmmmmmmmmmmmm" /* 40 */
				       "mmmmmmmmmmmmmmmm"
				       "mmmmmmmmmmmmmmmm" /* 60 */
				       "BBBBmmm.mmxxmmmm"
				       "dddddddddddddddd" /* 80 */
				       "mmmmmmmmmmmmmmmm"
				       "...mBmxx...mBmmm" /* a0 */
				       "mmmmmmmmmmBmmmmm"
				       "mmBmBBBm........" /* c0 */
				       "mmmmmmmmmmmmmmmm"
				       "mmmmmmmmmmmmmmmm" /* e0 */
				       "mmmmmmmmmmmmmmm.";

struct decoder {
	struct kc_span code;
	uint32_t at;
	bool failed;
	struct kc_instruction *to;
};

static uint8_t peek(const struct decoder *decoder)
{
	return decoder->at < decoder->code.len ? decoder->code.data[decoder->at] : 0;
}

static uint8_t next(struct decoder *decoder)
{
	uint8_t byte = peek(decoder);

	if (decoder->at++ >= decoder->code.len)
		decoder->failed = true;
	return byte;
}

static void prefixes(struct decoder *decoder)
{
	for (;; next(decoder)) {
		switch (peek(decoder)) {
		case 0x66:
			decoder->to->narrow = true;
			continue;
		case 0x67:
			decoder->to->short_address = true;
			continue;
		case 0xf3:
			decoder->to->repeated = true;
			continue;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64:
		case 0x65:
		case 0xf0:
		case 0xf2:
			if (decoder->at < decoder->code.len)
				continue;
		}
		break;
	}
	if ((peek(decoder) & 0xf0) == 0x40)
		decoder->to->wide = next(decoder) & 8;
}

static void displacement(struct decoder *decoder, uint8_t size)
{
	decoder->to->displacement_at = (uint8_t)decoder->at;
	decoder->to->displacement_size = size;
	decoder->at += size;
}

static void immediate(struct decoder *decoder, uint8_t size)
{
	decoder->to->immediate_at = (uint8_t)decoder->at;
	decoder->to->immediate_size = size;
	decoder->at += size;
}

/* ModRM with what belongs to it; its register field. */
static uint8_t modrm(struct decoder *decoder)
{
	uint8_t byte = next(decoder);
	uint8_t mode = byte >> 6, base = byte & 7;

	if (mode != 3 && base == 4) {
		base = next(decoder) & 7;
		if (mode == 0 && base == 5)
			displacement(decoder, 4);
	} else if (mode == 0 && base == 5) {
		decoder->to->rip_relative = true;
		displacement(decoder, 4);
	}
	if (mode == 1)
		displacement(decoder, 1);
	if (mode == 2)
		displacement(decoder, 4);
	return byte >> 3 & 7;
}

static void follow(struct decoder *decoder, char what)
{
	struct kc_instruction *to = decoder->to;
	uint8_t operand = to->narrow && !to->wide ? 2 : 4;

	switch (what) {
	case '.':
		return;
	case 'b':
		return immediate(decoder, 1);
	case 'w':
		return immediate(decoder, 2);
	case 'e':
		return immediate(decoder, 3);
	case 'd':
		return immediate(decoder, 4);
	case 'z':
		return immediate(decoder, operand);
	case 'v':
		return immediate(decoder, to->wide ? 8 : operand);
	case 'o':
		return immediate(decoder, to->short_address ? 4 : 8);
	case 'm':
		modrm(decoder);
		return;
	case 'B':
		modrm(decoder);
		return immediate(decoder, 1);
	case 'Z':
		modrm(decoder);
		return immediate(decoder, operand);
	case 'T':
	case 'U':
		if (modrm(decoder) < 2)
			immediate(decoder, what == 'T' ? 1 : operand);
		return;
	}
	decoder->failed = true;
}

/* An opcode of the map that a VEX or EVEX prefix names. */
static void vector(struct decoder *decoder, uint8_t map)
{
	uint8_t opcode = next(decoder);

	if (map == 1)
		follow(decoder, two_bytes[opcode]);
	else
		follow(decoder, map == 3 ? 'B' : map == 2 || map == 5 || map == 6 ? 'm' : 'x');
}

static void two_byte_opcode(struct decoder *decoder)
{
	uint8_t opcode = next(decoder);

	decoder->to->opcode2 = opcode;
	if (opcode == 0x38 || opcode == 0x3a) {
		next(decoder);
		follow(decoder, opcode == 0x38 ? 'm' : 'B');
		return;
	}
	follow(decoder, two_bytes[opcode]);
}

bool kc_instruction_decode(struct kc_span code, struct kc_instruction *ret)
{
	struct decoder decoder = { .code = code, .to = ret };
	uint8_t opcode, map;

	*ret = (struct kc_instruction){ 0 };
	prefixes(&decoder);
	opcode = next(&decoder);
	if (opcode == 0xc5) {
		next(&decoder);
		vector(&decoder, 1);
	} else if (opcode == 0xc4) {
		map = next(&decoder) & 31;
		next(&decoder);
		vector(&decoder, map);
	} else if (opcode == 0x62) {
		map = next(&decoder) & 7;
		next(&decoder);
		next(&decoder);
		vector(&decoder, map);
	} else {
		ret->opcode = opcode;
		if (opcode == 0x0f)
			two_byte_opcode(&decoder);
		else
			follow(&decoder, one_byte[opcode]);
	}
	if (decoder.failed || decoder.at > code.len || decoder.at > INSTRUCTION_MAX)
		return false;
	ret->length = (uint8_t)decoder.at;
	return true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Evidence in the kernel's code, where neither a symbol nor a message tells.
 *
 * Kernels that complain "failed to validate module [%s] BTF" either refuse the module then or,
 * built with CONFIG_MODULE_ALLOW_BTF_MISMATCH, go on; the message is the same in some. So the code
 * that prints it is found by its reference to the text, and followed: past calls and moves, along
 * jumps. Where it comes to return the constant NOTIFY_OK (1) with nothing in between, the mismatch
 * passes. All else counts as a refusal.
 */
#include <stdio.h>

#include "kernel/parts.h"

enum {
	FUNCTION_MAX = 8192, /* bytes of code that are searched */
	STEPS_MAX = 64,
	REFERENCE_SIZE = 7,
	CALL_SIZE = 5,
	CALL = 0xe8,
	JUMP = 0xe9,
	MOV_SIZE = 3,
};

static uint64_t relative(uint64_t next, uint32_t offset)
{
	return next + (uint64_t)(int64_t)(int32_t)offset;
}

/* "mov $address,%rdi" or "lea address(%rip),%rdi": where the text goes to printk. */
static bool refers_to(uint64_t place, const uint8_t *code, uint64_t text)
{
	static const uint8_t mov[] = { 0x48, 0xc7, 0xc7 }, lea[] = { 0x48, 0x8d, 0x3d };
	uint32_t operand = kc_load32(code + 3);

	if (!memcmp(code, mov, sizeof(mov)))
		return relative(0, operand) == text;
	return !memcmp(code, lea, sizeof(lea)) && relative(place + REFERENCE_SIZE, operand) == text;
}

/* The code behind the reference. False: there is none in this function. */
static bool find_reference(const struct kc_vmlinux *vmlinux, uint64_t function, uint64_t text,
			   uint64_t *place_ret)
{
	struct kc_span code;

	if (!kc_vmlinux_rest(vmlinux, function, &code))
		return false;
	for (size_t i = 0; i < FUNCTION_MAX && kc_span_contains(code, i, REFERENCE_SIZE); i++) {
		if (!refers_to(function + i, code.data + i, text))
			continue;
		*place_ret = function + i + REFERENCE_SIZE;
		return true;
	}
	return false;
}

/* Size of an instruction that changes neither the course nor %eax for good; 0: it isn't one. */
static size_t skippable(const uint8_t *code)
{
	if (code[0] == CALL)
		return CALL_SIZE;
	if ((code[0] & 0xf8) == 0x48 && (code[1] == 0x89 || code[1] == 0x8b) && code[2] >= 0xc0)
		return MOV_SIZE; /* between registers */
	if (code[0] == 0x48 && code[1] == 0x83 && code[2] == 0xc4)
		return 4; /* add $n,%rsp */
	if (code[0] == 0x41 && (code[1] & 0xf8) == 0x58)
		return 2; /* pop of a newer register */
	if ((code[0] & 0xf8) == 0x58)
		return 1; /* pop */
	return 0;
}

static bool returns_ok(const struct kc_vmlinux *vmlinux, uint64_t place, uint64_t thunk)
{
	static const uint8_t ok[] = { 0xb8, 1, 0, 0, 0 }; /* mov $1,%eax */
	bool is_ok = false;

	for (int step = 0; step < STEPS_MAX; step++) {
		struct kc_span code;
		size_t size;

		if (place == thunk)
			return is_ok;
		if (!kc_vmlinux_bytes(vmlinux, place, 8, &code))
			return false;
		if (code.data[0] == 0xc3)
			return is_ok;
		size = skippable(code.data);
		if (size) {
			/* Only the function's end may follow, not what could change it. */
			is_ok &= size != CALL_SIZE && size != MOV_SIZE;
			place += size;
		} else if (!memcmp(code.data, ok, sizeof(ok))) {
			is_ok = true;
			place += sizeof(ok);
		} else if (code.data[0] == JUMP) {
			place = relative(place + 5, kc_load32(code.data + 1));
		} else if (code.data[0] == 0xeb) {
			place += 2 + (uint64_t)(int64_t)(int8_t)code.data[1];
		} else {
			return false;
		}
	}
	return false;
}

static bool find_message(const struct kocoon_kernel *kernel, uint64_t *address_ret)
{
	static const char message[] = "\1"
				      "4failed to validate module [%s] BTF";
	struct kc_span bytes;
	uint64_t address;

	for (size_t i = 0; kc_vmlinux_rodata(&kernel->vmlinux, i, &address, &bytes); i++) {
		const uint8_t *found = memmem(bytes.data, bytes.len, message, sizeof(message) - 1);

		if (found) {
			*address_ret = address + (uint64_t)(found - bytes.data);
			return true;
		}
	}
	return false;
}

bool kc_kernel_btf_mismatch_passes(const struct kocoon_kernel *kernel)
{
	/* Compilers put code that is hardly ever run into a part of its own. */
	static const char *const functions[] = { "btf_module_notify", "btf_module_notify.cold" };
	uint64_t text, function, place, thunk = 0;

	if (!find_message(kernel, &text))
		return false;
	(void)!kc_kernel_find_symbol(kernel, "__x86_return_thunk", &thunk);
	for (size_t i = 0; i < KC_ARRAY_SIZE(functions); i++)
		if (kc_kernel_find_symbol(kernel, functions[i], &function) &&
		    find_reference(&kernel->vmlinux, function, text, &place))
			return returns_ok(&kernel->vmlinux, place, thunk);
	return false;
}

/* Its end is where the next symbol begins that isn't a part of it. */
static uint64_t function_end(const struct kocoon_kernel *kernel, uint64_t start)
{
	const struct kc_symbols *symbols = kc_kernel_symbol_table(kernel);
	uint64_t end = start + FUNCTION_MAX;

	for (size_t i = 0; i < symbols->count; i++) {
		uint64_t address = symbols->array[i].address;

		if (address > start && address < end)
			end = address;
	}
	return end;
}

static bool has_call(const struct kocoon_kernel *kernel, uint64_t start, uint64_t callee)
{
	uint64_t end = function_end(kernel, start);
	struct kc_span code;

	for (uint64_t place = start; place + CALL_SIZE <= end; place++)
		if (kc_vmlinux_bytes(&kernel->vmlinux, place, CALL_SIZE, &code) &&
		    (code.data[0] == CALL || code.data[0] == JUMP) &&
		    relative(place + CALL_SIZE, kc_load32(code.data + 1)) == callee)
			return true;
	return false;
}

bool kc_kernel_calls(const struct kocoon_kernel *kernel, const char *function, const char *callee)
{
	char cold[64];
	uint64_t start, target;

	if (!kc_kernel_find_symbol(kernel, callee, &target))
		return false;
	if (kc_kernel_find_symbol(kernel, function, &start) && has_call(kernel, start, target))
		return true;
	snprintf(cold, sizeof(cold), "%s.cold", function);
	return kc_kernel_find_symbol(kernel, cold, &start) && has_call(kernel, start, target);
}

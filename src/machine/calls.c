/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How kernel code calls host code: by stubs below 2 GiB, which every process of a machine makes
 * anew, in the same order, so that their addresses in the machine's memory stay true.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "machine/entry.h"
#include "machine/machine.h"

enum { STUB_SIZE = 32, STUB_COUNT = 1024, HOST_STACK = 1 << 20 };

uint64_t kc_host_stack; /* its top */
static size_t stub_count;

typedef uint64_t kernel_function(uint64_t, uint64_t, uint64_t, uint64_t);

uint64_t kc_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	return ((kernel_function *)kc_pointer(function))(a, b, c, d);
}

static uint8_t *next_stub(void)
{
	if (stub_count == STUB_COUNT)
		kc_machine_end(KC_EXIT_UNFIT, "more than %d stubs", STUB_COUNT);
	return kc_pointer(KC_STUB_BASE + stub_count++ * STUB_SIZE);
}

uint64_t kc_stub(void (*function)(void))
{
	uint8_t *code = next_stub();

	memcpy(code, "\xf3\x0f\x1e\xfa\x49\xbb", 6); /* endbr64; movabs $function, %r11 */
	kc_store64(code + 6, (uint64_t)(uintptr_t)function);
	memcpy(code + 14, "\x49\xba", 2); /* movabs $kc_call_host, %r10 */
	kc_store64(code + 16, (uint64_t)(uintptr_t)kc_call_host);
	memcpy(code + 24, "\x41\xff\xe2", 3); /* jmp *%r10 */
	return kc_address(code);
}

uint64_t kc_direct_stub(void (*function)(void))
{
	uint8_t *code = next_stub();

	memcpy(code, "\xf3\x0f\x1e\xfa\xff\x25\0\0\0\0", 10); /* endbr64; jmp *(%rip) */
	kc_store64(code + 10, (uint64_t)(uintptr_t)function);
	return kc_address(code);
}

/* Behind what others patch: the landing mark, and the call of the function tracer. */
static uint64_t behind_entry(uint64_t function)
{
	const uint8_t *code = kc_pointer(function);
	uint64_t at = function;

	if (kc_load32(code) == 0xfa1e0ff3)
		code += 4, at += 4;
	if (code[0] == 0xe8 &&
	    at + 5 + (uint64_t)(int64_t)(int32_t)kc_load32(code + 1) == kc_symbol("__fentry__"))
		at += 5;
	return at;
}

void kc_replace(const char *function, uint64_t stub)
{
	uint64_t at;
	uint8_t *code;

	if (!kc_machine.booting)
		return;
	at = behind_entry(kc_needed(function));
	code = kc_pointer(at);
	code[0] = 0xe9;
	kc_store32(code + 1, (uint32_t)(stub - at - 5));
}

int kc_calls_init(void)
{
	const int all = PROT_READ | PROT_WRITE | PROT_EXEC;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	uint8_t *stack = kc_map_new(HOST_STACK);

	if (!stack)
		return -ENOMEM;
	kc_host_stack = kc_address(stack + HOST_STACK - 64);
	return kc_map_at(KC_STUB_BASE, (uint64_t)STUB_SIZE * STUB_COUNT, all, flags, -1, 0);
}

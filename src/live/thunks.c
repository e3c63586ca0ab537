/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What compiled code needs of the kernel, whatever it does: entry and return thunks, retpolines,
 * static calls' defaults, and the functions that compilers call by themselves. Names, and who may
 * import them, as the kernel exports them.
 *
 * Most are no functions of C: callers rely on registers being kept that C functions may change.
 */
#include <stdlib.h>
#include <string.h>

#include "live/live.h"
#include "live/traps.h"

/* ---- in assembly */

/* A function `kc_thunk_NAME`, and its declaration. */
#define THUNK(name, code)                                            \
	__asm__(".pushsection .text\n"                               \
		".balign 16\n"                                       \
		".globl kc_thunk_" #name "\n"                        \
		".hidden kc_thunk_" #name "\n"                       \
		".type kc_thunk_" #name ", @function\n"              \
		"kc_thunk_" #name ":\n" code "\n"                    \
		".size kc_thunk_" #name ", . - kc_thunk_" #name "\n" \
		".popsection\n");                                    \
	extern __attribute__((visibility("hidden"))) const char kc_thunk_##name[]

THUNK(return, "ret; int3");
THUNK(return0, "xorl %eax, %eax; ret; int3");
THUNK(bug, "ud2; int3");

/*
 * Jumps to where a register points. Differs from Linux: retpolines don't keep the processor from
 * speculating; nothing here is to be hidden from a module, which is of this process.
 */
#define FOR_REGISTERS(what)                                                                     \
	what(rax) what(rbx) what(rcx) what(rdx) what(rsi) what(rdi) what(rbp) what(r8) what(r9) \
		what(r10) what(r11) what(r12) what(r13) what(r14) what(r15)

#define JUMP(reg) THUNK(jump_##reg, "jmp *%" #reg "; int3");
FOR_REGISTERS(JUMP)

/* These keep all registers but rax, as callers expect. edi or rdi: the word. */
THUNK(hweight32, "pushq %rdx\n"
		 "movl %edi, %edx\n"
		 "movl %edi, %eax\n"
		 "shrl $1, %edx\n"
		 "andl $0x55555555, %edx\n"
		 "subl %edx, %eax\n"
		 "movl %eax, %edx\n"
		 "shrl $2, %eax\n"
		 "andl $0x33333333, %edx\n"
		 "andl $0x33333333, %eax\n"
		 "addl %edx, %eax\n"
		 "movl %eax, %edx\n"
		 "shrl $4, %edx\n"
		 "addl %edx, %eax\n"
		 "andl $0x0f0f0f0f, %eax\n"
		 "imull $0x01010101, %eax, %eax\n"
		 "shrl $24, %eax\n"
		 "popq %rdx\n"
		 "ret; int3");
THUNK(hweight64, "pushq %rdi\n"
		 "pushq %rcx\n"
		 "call kc_thunk_hweight32\n"
		 "movl %eax, %ecx\n"
		 "shrq $32, %rdi\n"
		 "call kc_thunk_hweight32\n"
		 "addl %ecx, %eax\n"
		 "popq %rcx\n"
		 "popq %rdi\n"
		 "ret; int3");
/* rdi: the page, and its end behind it; rax and rcx are the callee's. */
THUNK(clear_page, "movl $4096, %ecx\n"
		  "xorl %eax, %eax\n"
		  "rep stosb\n"
		  "ret; int3");

/* ---- in C */

KOCOON_CALLED_BY_MODULE static void *module_memcpy(void *to, const void *from, size_t len)
{
	return memcpy(to, from, len);
}

KOCOON_CALLED_BY_MODULE static void *module_memmove(void *to, const void *from, size_t len)
{
	return memmove(to, from, len);
}

KOCOON_CALLED_BY_MODULE static void *module_memset(void *to, int byte, size_t len)
{
	return memset(to, byte, len);
}

KOCOON_CALLED_BY_MODULE static int module_memcmp(const void *a, const void *b, size_t len)
{
	return memcmp(a, b, len);
}

KOCOON_CALLED_BY_MODULE static size_t module_strlen(const char *text)
{
	return strlen(text);
}

/* The stack is damaged: whoever is told may leave by longjmp(), but not return. */
KOCOON_CALLED_BY_MODULE static void stack_chk_fail(void)
{
	kc_trap_stack_corrupted((uint64_t)(uintptr_t)__builtin_return_address(0));
	abort();
}

/* ---- the table */

#define FUNCTION(text, function)                                    \
	{                                                           \
		.name = (text), .address = (const void *)(function) \
	}
#define GPL_FUNCTION(text, function)                                                  \
	{                                                                             \
		.name = (text), .address = (const void *)(function), .gpl_only = true \
	}
#define RETPOLINES(reg)                                                           \
	FUNCTION("__x86_indirect_thunk_" #reg, kc_thunk_jump_##reg),              \
		FUNCTION("__x86_indirect_call_thunk_" #reg, kc_thunk_jump_##reg), \
		FUNCTION("__x86_indirect_jump_thunk_" #reg, kc_thunk_jump_##reg), \
		FUNCTION("__x86_indirect_its_thunk_" #reg, kc_thunk_jump_##reg),

static const struct kocoon_supply supplies[] = {
	FUNCTION("__fentry__", kc_thunk_return),
	FUNCTION("__x86_return_thunk", kc_thunk_return),
	FUNCTION("its_return_thunk", kc_thunk_return),
	FOR_REGISTERS(RETPOLINES) GPL_FUNCTION("__static_call_return0", kc_thunk_return0),
	FUNCTION("__SCT__cond_resched", kc_thunk_return0),
	FUNCTION("__SCT__might_resched", kc_thunk_return0),
	FUNCTION("__SCT__preempt_schedule", kc_thunk_return),
	FUNCTION("__SCT__preempt_schedule_notrace", kc_thunk_return),
	FUNCTION("preempt_schedule_thunk", kc_thunk_return),
	FUNCTION("preempt_schedule_notrace_thunk", kc_thunk_return),
	FUNCTION("BUG_func", kc_thunk_bug),
	FUNCTION("__sw_hweight32", kc_thunk_hweight32),
	FUNCTION("__sw_hweight64", kc_thunk_hweight64),
	GPL_FUNCTION("clear_page_orig", kc_thunk_clear_page),
	GPL_FUNCTION("clear_page_rep", kc_thunk_clear_page),
	GPL_FUNCTION("clear_page_erms", kc_thunk_clear_page),
	FUNCTION("memcpy", module_memcpy),
	FUNCTION("memmove", module_memmove),
	FUNCTION("memset", module_memset),
	FUNCTION("__memcpy", module_memcpy),
	FUNCTION("__memmove", module_memmove),
	FUNCTION("__memset", module_memset),
	FUNCTION("memcmp", module_memcmp),
	FUNCTION("bcmp", module_memcmp),
	FUNCTION("strlen", module_strlen),
	FUNCTION("__stack_chk_fail", stack_chk_fail),
};

struct kc_own_exports kc_own_thunks(void)
{
	return (struct kc_own_exports){ supplies, sizeof(supplies) / sizeof(supplies[0]) };
}

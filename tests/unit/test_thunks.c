/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What compiled code needs of the kernel: called as compiled code does. */
#include "unit.h"

#include <string.h>

#include "live/live.h"

static const struct kocoon_supply *find(const char *name)
{
	struct kc_own_exports own = kc_own_thunks();

	for (size_t i = 0; i < own.count; i++)
		if (strcmp(own.supplies[i].name, name) == 0)
			return &own.supplies[i];
	fail_msg("%s is missing", name);
	return NULL;
}

static const void *address(const char *name)
{
	return find(name)->address;
}

static void names_are_unique_functions(void **state)
{
	struct kc_own_exports own = kc_own_thunks();

	(void)state;
	for (size_t i = 0; i < own.count; i++) {
		assert_int_equal(own.supplies[i].size, 0);
		assert_non_null(own.supplies[i].address);
		assert_ptr_equal(find(own.supplies[i].name), &own.supplies[i]);
	}
}

static void some_are_gpl_only(void **state)
{
	(void)state;
	assert_true(find("__static_call_return0")->gpl_only);
	assert_false(find("__fentry__")->gpl_only);
	assert_false(find("memcpy")->gpl_only);
}

static uint64_t answer_42(void)
{
	return 42;
}

/* Calls a function with a number in every register; returns rax, and those that changed. */
#define REGISTERS 13
static uint64_t call_with_registers(const void *function, uint64_t rdi, unsigned int *changed_ret)
{
	static uint64_t before[REGISTERS], after[REGISTERS];
	uint64_t rax;

	for (unsigned int i = 0; i < REGISTERS; i++)
		before[i] = UINT64_C(0x1111111111111111) * (i + 1);
	before[4] = rdi;
	/* The 128 bytes below the stack pointer may be the compiler's. */
	__asm__ volatile("subq $128, %%rsp\n"
			 "pushq %%rbp\n"
			 "pushq %%rbx\n"
			 "pushq %%rdx\n"
			 "movq 0(%%rax), %%rbx\n"
			 "movq 8(%%rax), %%rcx\n"
			 "movq 16(%%rax), %%rdx\n"
			 "movq 32(%%rax), %%rdi\n"
			 "movq 40(%%rax), %%rbp\n"
			 "movq 48(%%rax), %%r8\n"
			 "movq 56(%%rax), %%r9\n"
			 "movq 64(%%rax), %%r10\n"
			 "movq 72(%%rax), %%r11\n"
			 "movq 80(%%rax), %%r12\n"
			 "movq 88(%%rax), %%r13\n"
			 "movq 96(%%rax), %%r14\n"
			 "movq 24(%%rax), %%rsi\n"
			 "call *(%%rsp)\n"
			 "movq %%rax, (%%rsp)\n"
			 "leaq %[after], %%rax\n"
			 "movq %%rbx, 0(%%rax)\n"
			 "movq %%rcx, 8(%%rax)\n"
			 "movq %%rdx, 16(%%rax)\n"
			 "movq %%rsi, 24(%%rax)\n"
			 "movq %%rdi, 32(%%rax)\n"
			 "movq %%rbp, 40(%%rax)\n"
			 "movq %%r8, 48(%%rax)\n"
			 "movq %%r9, 56(%%rax)\n"
			 "movq %%r10, 64(%%rax)\n"
			 "movq %%r11, 72(%%rax)\n"
			 "movq %%r12, 80(%%rax)\n"
			 "movq %%r13, 88(%%rax)\n"
			 "movq %%r14, 96(%%rax)\n"
			 "popq %%rax\n"
			 "popq %%rbx\n"
			 "popq %%rbp\n"
			 "addq $128, %%rsp\n"
			 : "=a"(rax), "+d"(function), [after] "=m"(after)
			 : "a"(before), "m"(before)
			 : "rcx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
			   "r15", "memory", "cc");
	*changed_ret = 0;
	for (unsigned int i = 0; i < REGISTERS; i++)
		*changed_ret |= (unsigned int)(before[i] != after[i]) << i;
	return rax;
}

static void keep_registers(void **state)
{
	static const char *const names[] = { "__fentry__",
					     "__x86_return_thunk",
					     "its_return_thunk",
					     "__SCT__preempt_schedule",
					     "__SCT__preempt_schedule_notrace",
					     "preempt_schedule_thunk",
					     "preempt_schedule_notrace_thunk" };
	static const char *const zeros[] = { "__static_call_return0", "__SCT__cond_resched",
					     "__SCT__might_resched" };
	unsigned int changed;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		call_with_registers(address(names[i]), 1, &changed);
		assert_int_equal(changed, 0);
	}
	for (size_t i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++) {
		assert_int_equal(call_with_registers(address(zeros[i]), 1, &changed), 0);
		assert_int_equal(changed, 0);
	}
}

static void count_bits(void **state)
{
	uint64_t word = 0x9e3779b97f4a7c15;
	unsigned int changed;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(call_with_registers(address("__sw_hweight32"), word, &changed),
				 __builtin_popcount((uint32_t)word));
		assert_int_equal(changed, 0);
		assert_int_equal(call_with_registers(address("__sw_hweight64"), word, &changed),
				 __builtin_popcountll(word));
		assert_int_equal(changed, 0);
		word = word * 6364136223846793005 + 1442695040888963407;
	}
	assert_int_equal(call_with_registers(address("__sw_hweight64"), 0, &changed), 0);
	assert_int_equal(call_with_registers(address("__sw_hweight64"), UINT64_MAX, &changed), 64);
}

/* Through each thunk of a register. */
#define GO_THROUGH(kind, reg)                                                                    \
	do {                                                                                     \
		uint64_t got;                                                                    \
		__asm__ volatile("pushq %%rbp; pushq %%rbx; pushq %1\n"                          \
				 "movq %2, %%" #reg "\n"                                         \
				 "call *(%%rsp)\n"                                               \
				 "popq %%rbx; popq %%rbx; popq %%rbp\n"                          \
				 : "=a"(got)                                                     \
				 : "a"(address("__x86_indirect_" kind "_" #reg)), "d"(answer_42) \
				 : "rcx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",  \
				   "r14", "r15", "memory", "cc");                                \
		assert_int_equal(got, 42);                                                       \
	} while (0)

#define GO_THROUGH_ALL(kind)           \
	do {                           \
		GO_THROUGH(kind, rax); \
		GO_THROUGH(kind, rbx); \
		GO_THROUGH(kind, rcx); \
		GO_THROUGH(kind, rdx); \
		GO_THROUGH(kind, rsi); \
		GO_THROUGH(kind, rdi); \
		GO_THROUGH(kind, rbp); \
		GO_THROUGH(kind, r8);  \
		GO_THROUGH(kind, r9);  \
		GO_THROUGH(kind, r10); \
		GO_THROUGH(kind, r11); \
		GO_THROUGH(kind, r12); \
		GO_THROUGH(kind, r13); \
		GO_THROUGH(kind, r14); \
		GO_THROUGH(kind, r15); \
	} while (0)

static void jump_where_a_register_points(void **state)
{
	(void)state;
	GO_THROUGH_ALL("thunk");
	GO_THROUGH_ALL("call_thunk");
	GO_THROUGH_ALL("jump_thunk");
	GO_THROUGH_ALL("its_thunk");
}

static void work_on_memory(void **state)
{
	static _Alignas(4096) unsigned char page[2 * 4096];
	void *(*copy)(void *, const void *, size_t) = address("memcpy");
	void *(*move)(void *, const void *, size_t) = address("__memmove");
	void *(*set)(void *, int, size_t) = address("memset");
	int (*compare)(const void *, const void *, size_t) = address("memcmp");
	size_t (*length)(const char *) = address("strlen");
	unsigned int changed;
	char text[] = "abcdef";

	(void)state;
	assert_ptr_equal(copy(text, "xyz", 3), text);
	assert_string_equal(text, "xyzdef");
	assert_ptr_equal(move(text + 1, text, 4), text + 1);
	assert_string_equal(text, "xxyzdf");
	assert_ptr_equal(set(text, '-', 2), text);
	assert_string_equal(text, "--yzdf");
	assert_true(compare("a", "b", 1) < 0);
	assert_int_equal(compare("ax", "ay", 1), 0);
	assert_int_equal(length(text), 6);
	memset(page, 1, sizeof(page));
	/* Calling conventions of its own: only rax, rcx and rdi change. */
	call_with_registers(address("clear_page_erms"), (uint64_t)(uintptr_t)page, &changed);
	assert_int_equal(changed, 1 << 1 | 1 << 4);
	assert_int_equal(page[0] | page[4095], 0);
	assert_int_equal(page[4096], 1);
}

/* Functions in C that are called with the stack at 8 modulo 16 more than C expects. */
static void realign_the_stack(void **state)
{
	char to[64] = "", from[64] = "from a stack that is not aligned";
	void *got;

	(void)state;
	__asm__ volatile("movq %%rsp, %%rbx\n"
			 "andq $-16, %%rsp\n"
			 "pushq %%rax\n"
			 "call *%[function]\n"
			 "movq %%rbx, %%rsp\n"
			 : "=a"(got)
			 : [function] "r"(address("memcpy")), "D"(to), "S"(from), "d"(sizeof(from))
			 : "rbx", "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
	assert_ptr_equal(got, to);
	assert_string_equal(to, from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_unique_functions),
		cmocka_unit_test(some_are_gpl_only),
		cmocka_unit_test(keep_registers),
		cmocka_unit_test(count_bits),
		cmocka_unit_test(jump_where_a_register_points),
		cmocka_unit_test(work_on_memory),
		cmocka_unit_test(realign_the_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

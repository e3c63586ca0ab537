/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tasks are the kernel's own, switched by its own scheduler; here is the processor's part of a
 * switch. Host code that calls kernel code which may sleep runs in a task, on the task's stack
 * where it needs little, or on a large one of its own, so that whoever runs meanwhile leaves it
 * alone.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/parts.h"
#include "machine/entry.h"
#include "machine/machine.h"

enum { STACK_SIZE = 1 << 18, GUARD = 4096, KERNEL_STACK = 16384, ARGUMENTS = 21 };
enum { SIGCHLD_NUMBER = 17 };

static uint64_t stack_offset, current_at, top_at, per_cpu_offset, do_exit_at, system_calls;

uint64_t kc_per_cpu_base(void)
{
	return kc_load64(kc_pointer(per_cpu_offset));
}

/* The C half of __switch_to(); segments, debug registers and FPU state are nobody's here. */
void *kc_switch_to(void *previous, uint8_t *next)
{
	uint64_t base = kc_per_cpu_base();

	kc_store64(kc_pointer(base + current_at), kc_address(next));
	kc_store64(kc_pointer(base + top_at), kc_load64(next + stack_offset) + KERNEL_STACK);
	return previous;
}

void kc_tasks_init(void)
{
	per_cpu_offset = kc_needed("__per_cpu_offset");
	do_exit_at = kc_needed("do_exit");
	system_calls = kc_needed("sys_call_table");
	stack_offset = kc_offset("task_struct", "stack");
	current_at = kc_symbol("pcpu_hot");
	if (current_at) {
		top_at = current_at + kc_offset("pcpu_hot", "top_of_stack");
	} else {
		current_at = kc_needed("current_task");
		top_at = kc_needed("cpu_current_top_of_stack");
	}
}

uint64_t kc_task_stack(void)
{
	uint8_t *stack = kc_map_new(STACK_SIZE);

	if (!stack || mprotect(stack, GUARD, PROT_NONE))
		kc_machine_end(KC_EXIT_DIED, "no memory is left for a stack");
	return kc_address(stack + STACK_SIZE - 64);
}

static uint64_t spare_stacks; /* tops; each holds the next one */

uint64_t kc_take_stack(void)
{
	uint64_t stack = spare_stacks;

	if (!stack)
		return kc_task_stack();
	spare_stacks = kc_load64(kc_pointer(stack));
	return stack;
}

void kc_give_stack(uint64_t stack)
{
	kc_store64(kc_pointer(stack), spare_stacks);
	spare_stacks = stack;
}

/* ---- tasks with work for the host ---- */

/* The task's first function, on its own stack: an oops's trace begins here. */
__attribute__((force_align_arg_pointer, no_stack_protector)) static int
do_work(const struct kc_work *work)
{
	work->function(work->argument);
	kc_call(do_exit_at, 0, 0, 0, 0);
	return 0;
}

int kc_start_task(const struct kc_work *work)
{
	return (int)kc_call(kc_needed("user_mode_thread"), (uint64_t)(uintptr_t)do_work,
			    kc_address(work), SIGCHLD_NUMBER, 0);
}

int64_t kc_syscall(unsigned int number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	/* di, si, dx, r10, r8 of struct pt_regs */
	uint64_t regs[ARGUMENTS] = { [14] = a, [13] = b, [12] = c, [7] = d, [9] = e };
	const uint64_t *table = kc_pointer(system_calls);

	regs[15] = number;
	return (int64_t)kc_call(table[number], kc_address(regs), 0, 0, 0);
}

/* ---- programs ---- */

static uint64_t current_task(void)
{
	return kc_load64(kc_pointer(kc_per_cpu_base() + current_at));
}

static bool is_first_task(void)
{
	const uint8_t *task = kc_pointer(current_task());

	return kc_load32(task + kc_offset("task_struct", "pid")) == 1;
}

static bool is_modprobe(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, "modprobe") == 0;
}

int kc_execve(const char *path, const char *const *arguments, const char *const *environment)
{
	const char *name = "";

	(void)environment;
	if (is_first_task()) {
		if (kc_template_finish())
			kc_machine_end(KC_EXIT_DIED, "the booted machine can't be kept");
		kc_machine_end(KC_EXIT_OK, "booted");
	}
	if (!is_modprobe(path) || kc_machine.booting)
		return -ENOENT;
	for (; *arguments; arguments++)
		name = *arguments;
	return kc_guest_modprobe(current_task(), name);
}

/* syscall_exit_to_user_mode() of a task that has executed a program: on the task's stack. */
__attribute__((force_align_arg_pointer, no_stack_protector)) void kc_enter_program(void)
{
	kc_state.irq_flags = KC_INTERRUPTS_ON;
	kc_call(do_exit_at, (uint64_t)kc_guest_program(current_task()) << 8, 0, 0, 0);
}

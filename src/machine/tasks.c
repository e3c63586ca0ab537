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
enum { SIGCHLD_NUMBER = 17, SIGNAL_MASK = 0x7f };

static uint64_t stack_offset, current_at, top_at, per_cpu_offset, do_exit_at, system_calls;

/* The C half of __switch_to(); segments, debug registers and FPU state are nobody's here. */
static void *switch_to(void *previous, uint8_t *next)
{
	uint64_t base = kc_load64(kc_pointer(per_cpu_offset));

	kc_store64(kc_pointer(base + current_at), (uint64_t)(uintptr_t)next);
	kc_store64(kc_pointer(base + top_at), kc_load64(next + stack_offset) + KERNEL_STACK);
	return previous;
}

void kc_tasks_init(void)
{
	uint64_t stub = KC_STUB(switch_to);

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
	if (kc_machine.booting)
		kc_replace(kc_needed("__switch_to"), stub);
}

uint64_t kc_task_stack(void)
{
	uint8_t *stack = kc_map_new(STACK_SIZE);

	if (!stack || mprotect(stack, GUARD, PROT_NONE))
		kc_machine_end(KC_EXIT_DIED, "no memory is left for a stack");
	return (uint64_t)(uintptr_t)(stack + STACK_SIZE - 64);
}

/* ---- tasks with work for the host ---- */

struct work {
	void (*function)(void *);
	void *argument;
};

/* The task's first function, on its own stack: an oops's trace begins here. */
__attribute__((force_align_arg_pointer, no_stack_protector)) static int do_work(struct work *work)
{
	work->function(work->argument);
	kc_call(do_exit_at, 0, 0, 0, 0);
	return 0;
}

int kc_run_task(void (*function)(void *), void *argument)
{
	struct work work = { function, argument };
	int32_t status = 0;
	int pid = (int)kc_call(kc_needed("user_mode_thread"), (uint64_t)(uintptr_t)do_work,
			       (uint64_t)(uintptr_t)&work, SIGCHLD_NUMBER, 0);

	if (pid < 0)
		return pid;
	kc_call(kc_needed("kernel_wait"), (uint64_t)pid, (uint64_t)(uintptr_t)&status, 0, 0);
	return status & SIGNAL_MASK ? 1 : 0;
}

int64_t kc_syscall(unsigned int number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	/* di, si, dx, r10, r8 of struct pt_regs */
	uint64_t regs[ARGUMENTS] = { [14] = a, [13] = b, [12] = c, [7] = d, [9] = e };
	const uint64_t *table = kc_pointer(system_calls);

	regs[15] = number;
	return (int64_t)kc_call(table[number], (uint64_t)(uintptr_t)regs, 0, 0, 0);
}

/* ---- programs ---- */

static int current_pid(void)
{
	uint64_t base = kc_load64(kc_pointer(per_cpu_offset));
	const uint8_t *task = kc_pointer(kc_load64(kc_pointer(base + current_at)));

	return (int)kc_load32(task + kc_offset("task_struct", "pid"));
}

/* modprobe runs in the task that was to become it, which then ends. */
struct modprobe {
	const char *const *arguments;
};

static void run_modprobe(struct modprobe *modprobe)
{
	int status = kc_guest_modprobe(modprobe->arguments);

	kc_call(kc_needed("do_exit"), (uint64_t)status << 8, 0, 0, 0);
}

static bool is_modprobe(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, "modprobe") == 0;
}

int kc_first_execve(const char *path, const char *const *arguments, const char *const *environment)
{
	struct modprobe modprobe = { arguments };

	(void)environment;
	if (current_pid() == 1) {
		if (kc_template_finish())
			kc_machine_end(KC_EXIT_DIED, "the booted machine can't be kept");
		kc_machine_end(KC_EXIT_OK, "booted");
	}
	if (!is_modprobe(path) || kc_machine.booting)
		return -ENOENT;
	/* For good: the stack goes with the process. */
	kc_start((uint64_t)(uintptr_t)run_modprobe, (uint64_t)(uintptr_t)&modprobe,
		 kc_task_stack());
}

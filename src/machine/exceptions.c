/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Exceptions: signals of the host's become what the processor would do. A page that the kernel's
 * tables map is put in place, a privileged instruction is done, and all else is given to the
 * kernel's own handler, on the stack that was interrupted: fix-up tables, WARN, BUG, oopses and
 * their reports are the kernel's.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "arch/x86_64/instruction.h"
#include "kernel/parts.h"
#include "machine/entry.h"
#include "machine/machine.h"

/* entry.S knows these by number. */
_Static_assert(offsetof(struct kc_machine_state, irq_flags) == 24, "KC_STATE_IRQ_FLAGS");
_Static_assert(offsetof(struct kc_machine_state, cr2) == 48, "KC_STATE_CR2");

enum { SIGNAL_STACK = 1 << 17, TICK_USEC = 4000, GAP = 64 /* bytes, for kc_enter_exception() */ };
enum { DOUBLE_FAULT_STACK = 1 << 16, INSTRUCTION_MAX = 15 };
enum { WRITE_ACCESS = 2, USER_ACCESS = 4 /* of an error code of a page fault */ };

/* struct pt_regs */
struct regs {
	uint64_t r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	uint64_t orig_ax, ip, cs, flags, sp, ss;
};

_Static_assert(offsetof(struct regs, ip) == 0x80 && offsetof(struct regs, sp) == 0x98, "entry.S");

static uint64_t text, text_end;
static uint64_t page_fault, protection_fault, invalid_op, divide_error, breakpoint, report_bug;
static uint64_t double_fault, double_fault_stack;
static uint64_t print, show_regs, show_tasks; /* 0: there is none */

static bool is_kernel_code(uint64_t address)
{
	return (address >= text && address < text_end) ||
	       (address >= KC_RAM_BASE + kc_state.ram_size && address < KC_MODULE_END);
}

static struct regs interrupted(const ucontext_t *context)
{
	const greg_t *r = context->uc_mcontext.gregs;

	return (struct regs){
		.r15 = (uint64_t)r[REG_R15],
		.r14 = (uint64_t)r[REG_R14],
		.r13 = (uint64_t)r[REG_R13],
		.r12 = (uint64_t)r[REG_R12],
		.bp = (uint64_t)r[REG_RBP],
		.bx = (uint64_t)r[REG_RBX],
		.r11 = (uint64_t)r[REG_R11],
		.r10 = (uint64_t)r[REG_R10],
		.r9 = (uint64_t)r[REG_R9],
		.r8 = (uint64_t)r[REG_R8],
		.ax = (uint64_t)r[REG_RAX],
		.cx = (uint64_t)r[REG_RCX],
		.dx = (uint64_t)r[REG_RDX],
		.si = (uint64_t)r[REG_RSI],
		.di = (uint64_t)r[REG_RDI],
		.orig_ax = ~UINT64_C(0),
		.ip = (uint64_t)r[REG_RIP],
		.cs = 0x10,
		.flags = ((uint64_t)r[REG_EFL] & ~(uint64_t)KC_INTERRUPTS_ON) | kc_state.irq_flags,
		.sp = (uint64_t)r[REG_RSP],
		.ss = 0x18,
	};
}

/* The third argument of the kernel's own handler is the address. On the stack for it. */
__attribute__((no_stack_protector)) static void on_double_fault(struct regs *regs, uint64_t error)
{
	kc_call(double_fault, kc_address(regs), error, kc_state.cr2, 0);
}

/*
 * What a handler gets; and where the interrupted code goes on once it has returned. Where a stack
 * has no room for that, a processor has a double fault, which it handles on another.
 */
static void enter(ucontext_t *context, uint64_t handler, uint64_t error)
{
	greg_t *r = context->uc_mcontext.gregs;
	struct regs regs = interrupted(context);
	uint64_t at = (regs.sp - GAP - sizeof(regs)) & ~UINT64_C(15);

	if (!kc_mmu_alias(at) || !kc_mmu_alias(at + sizeof(regs) + GAP)) {
		at = double_fault_stack;
		handler = (uint64_t)(uintptr_t)on_double_fault;
		error = 0;
	}
	memcpy(kc_pointer(at), &regs, sizeof(regs));
	kc_state.irq_flags = 0;
	r[REG_RDI] = (greg_t)at;
	r[REG_RSI] = (greg_t)error;
	r[REG_RDX] = (greg_t)handler;
	r[REG_RSP] = (greg_t)at;
	r[REG_RIP] = (greg_t)(uintptr_t)kc_enter_exception;
}

/*
 * An invalid opcode may be a WARN or a BUG. The kernel's own handler would not look for one below
 * its usual addresses. On the kernel's stack.
 */
__attribute__((no_stack_protector)) static void on_invalid_op(struct regs *regs, uint64_t error)
{
	enum { UD2 = 0x0b0f, UD2_SIZE = 2, TYPE_WARN = 1 };

	(void)error;
	if (kc_load16(kc_pointer(regs->ip)) == UD2 &&
	    kc_call(report_bug, regs->ip, kc_address(regs), 0, 0) == TYPE_WARN)
		regs->ip += UD2_SIZE;
	else
		kc_call(invalid_op, kc_address(regs), 0, 0, 0);
}

/* ---- privileged instructions ---- */

static greg_t *general(ucontext_t *context, unsigned int number)
{
	static const int order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				       REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
				       REG_R12, REG_R13, REG_R14, REG_R15 };

	return &context->uc_mcontext.gregs[order[number & 15]];
}

/* 0F xx: bytes of the instruction, or 0 where it is none of these. */
static size_t emulate_two_bytes(ucontext_t *context, const uint8_t *code, bool rex_b)
{
	greg_t *r = context->uc_mcontext.gregs;
	greg_t *operand = general(context, (code[2] & 7) | (unsigned int)rex_b << 3);

	switch (code[1]) {
	case 0x20: /* mov from a control register */
		*operand = (greg_t)((code[2] >> 3 & 7) == 4 ? kc_state.cr4 : kc_state.cr0);
		return 3;
	case 0x21: /* mov from a debug register */
		*operand = 0;
		return 3;
	case 0x22: /* mov to them */
	case 0x23:
		return 3;
	case 0x32: /* rdmsr, rdpmc */
	case 0x33:
		r[REG_RAX] = r[REG_RDX] = 0;
		return 2;
	case 0x30: /* wrmsr */
	case 0x06: /* clts */
	case 0x08: /* invd */
	case 0x09: /* wbinvd */
		return 2;
	case 0x00: /* lldt, ltr, with a register */
		return 3;
	case 0x01:
		/* swapgs, xsetbv, clac, stac; invlpg of a register's address */
		if (code[2] == 0xf8 || code[2] == 0xd1 || code[2] == 0xca || code[2] == 0xcb ||
		    ((code[2] & 0xc0) != 0xc0 && (code[2] >> 3 & 7) == 7))
			return 3;
		return 0;
	default:
		return 0;
	}
}

/* Absent hardware reads as all ones. */
static size_t emulate_port(greg_t *r, uint8_t code, bool narrow)
{
	switch (code) {
	case 0xe4: /* in al, imm8 */
	case 0xec: /* in al, dx */
		r[REG_RAX] |= 0xff;
		return code == 0xec ? 1 : 2;
	case 0xe5:
	case 0xed:
		r[REG_RAX] = narrow ? r[REG_RAX] | 0xffff : 0xffffffff;
		return code == 0xed ? 1 : 2;
	case 0xe6: /* out imm8 */
	case 0xe7:
		return 2;
	case 0xee: /* out dx */
	case 0xef:
	case 0x6c: /* ins, outs */
	case 0x6d:
	case 0x6e:
	case 0x6f:
		return 1;
	default:
		return 0;
	}
}

static size_t emulate_one_byte(ucontext_t *context, const uint8_t *code, bool narrow)
{
	switch (code[0]) {
	case 0xfa: /* cli */
		kc_state.irq_flags = 0;
		return 1;
	case 0xfb: /* sti */
		kc_state.irq_flags = KC_INTERRUPTS_ON;
		return 1;
	case 0xf4: /* hlt */
		return 1;
	case 0x8e: /* mov to a segment register */
		return 2;
	default:
		return emulate_port(context->uc_mcontext.gregs, code[0], narrow);
	}
}

/* True: it was a privileged instruction, and is done. */
static bool emulate(ucontext_t *context)
{
	greg_t *r = context->uc_mcontext.gregs;
	const uint8_t *start = kc_pointer((uint64_t)r[REG_RIP]), *code = start;
	bool narrow = false, rex_b = false;
	size_t len;

	while (*code == 0x66 || *code == 0xf3 || *code == 0x3e || *code == 0x2e)
		narrow |= *code++ == 0x66;
	if ((*code & 0xf0) == 0x40)
		rex_b = *code++ & 1;
	len = code[0] == 0x0f ? emulate_two_bytes(context, code, rex_b)
			      : emulate_one_byte(context, code, narrow);
	if (!len)
		return false;
	r[REG_RIP] += code + len - start;
	return true;
}

/*
 * A write to a device that isn't there is lost. True: it was one, and is done. What the instruction
 * would read there it has not read, which only one that does both can tell.
 */
static bool lose_write(ucontext_t *context)
{
	enum { MOVS = 0xa4, STOS = 0xaa };
	greg_t *r = context->uc_mcontext.gregs;
	const uint8_t *code = kc_pointer((uint64_t)r[REG_RIP]);
	struct kc_instruction is;
	greg_t size, bytes;

	if (!kc_instruction_decode(kc_span(code, INSTRUCTION_MAX), &is))
		return false;
	size = !(is.opcode & 1) ? 1 : is.wide ? 8 : is.narrow ? 2 : 4;
	bytes = is.repeated ? r[REG_RCX] * size : size;
	if ((is.opcode & 0xfe) == MOVS || (is.opcode & 0xfe) == STOS) {
		r[REG_RDI] += bytes;
		r[REG_RSI] += (is.opcode & 0xfe) == MOVS ? bytes : 0;
		r[REG_RCX] = is.repeated ? 0 : r[REG_RCX];
	}
	r[REG_RIP] += is.length;
	return true;
}

/* ---- signals ---- */

static void on_fault(int signal, siginfo_t *info, void *opaque)
{
	ucontext_t *context = opaque;
	const greg_t *r = context->uc_mcontext.gregs;
	bool has_address = signal == SIGSEGV && info->si_code > 0 && info->si_code != SI_KERNEL;

	if (has_address && kc_mmu_fault(kc_address(info->si_addr)))
		return;
	if (has_address && r[REG_ERR] & WRITE_ACCESS &&
	    kc_mmu_is_absent(kc_address(info->si_addr)) && lose_write(context))
		return;
	/* Where the fault is the fetch, kernel code has jumped there. */
	if ((uint64_t)r[REG_RIP] > KC_MODULE_END &&
	    !(has_address && kc_address(info->si_addr) == (uint64_t)r[REG_RIP]))
		kc_machine_end(KC_EXIT_DIED, "kocoon itself: signal %d at %#llx, address %p",
			       signal, r[REG_RIP], info->si_addr);
	if (has_address) {
		kc_state.cr2 = kc_address(info->si_addr);
		enter(context, page_fault, (uint64_t)r[REG_ERR] & ~(uint64_t)USER_ACCESS);
	} else if (signal == SIGSEGV) {
		if (!emulate(context))
			enter(context, protection_fault, (uint64_t)r[REG_ERR]);
	} else if (signal == SIGILL) {
		enter(context, (uint64_t)(uintptr_t)on_invalid_op, 0);
	} else if (signal == SIGFPE) {
		enter(context, divide_error, 0);
	} else if (signal == SIGTRAP) {
		enter(context, breakpoint, 0);
	} else {
		kc_machine_end(KC_EXIT_DIED, "no memory is left for the machine");
	}
}

static void on_tick(int signal, siginfo_t *info, void *opaque)
{
	ucontext_t *context = opaque;

	(void)signal;
	(void)info;
	kc_state.now += (uint64_t)TICK_USEC * 1000;
	if (is_kernel_code((uint64_t)context->uc_mcontext.gregs[REG_RIP]) && kc_state.irq_flags &&
	    kc_event_due())
		enter(context, (uint64_t)(uintptr_t)kc_timer_interrupt, 0);
}

/* Of the sandbox. */
static void on_system_call(int signal, siginfo_t *info, void *opaque)
{
	(void)signal;
	(void)opaque;
	kc_machine_end(KC_EXIT_DIED, "code at %p made system call %d of the host's",
		       info->si_call_addr, info->si_syscall);
}

/* The parent has waited for long enough. Who runs is known only by what is interrupted here. */
static void on_time_out(int signal, siginfo_t *info, void *opaque)
{
	struct regs regs = interrupted(opaque);

	(void)signal;
	(void)info;
	if (print && show_regs && is_kernel_code(regs.ip)) {
		kc_call(print, kc_address("\0010" KC_OOPS_HANG_TEXT "\n"), 0, 0, 0);
		kc_call(show_regs, kc_address(&regs), 0, 0, 0);
	}
	kc_show_tasks_and_end("it takes longer than it may");
}

void kc_show_tasks_and_end(const char *why)
{
	if (show_tasks)
		kc_call(show_tasks, 0, 0, 0, 0);
	kc_machine_end(KC_EXIT_STUCK, "%s", why);
}

static int handle(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK | flags };

	return sigaction(signal, &action, NULL) ? -errno : 0;
}

int kc_take_exceptions(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	stack_t stack = { .ss_size = SIGNAL_STACK };
	int err = 0;

	text = kc_needed("_text");
	text_end = kc_needed("_end");
	page_fault = kc_needed("exc_page_fault");
	protection_fault = kc_needed("exc_general_protection");
	invalid_op = kc_needed("exc_invalid_op");
	report_bug = kc_needed("report_bug");
	divide_error = kc_needed("exc_divide_error");
	breakpoint = kc_needed("exc_int3");
	double_fault = kc_needed("exc_double_fault");
	print = kc_symbol("_printk");
	show_regs = kc_symbol("show_regs");
	show_tasks = kc_symbol("show_state_filter");
	double_fault_stack = kc_address(kc_map_new(DOUBLE_FAULT_STACK));
	if (!double_fault_stack)
		return -ENOMEM;
	double_fault_stack += DOUBLE_FAULT_STACK - GAP - sizeof(struct regs);
	double_fault_stack &= ~UINT64_C(15);
	stack.ss_sp = kc_map_new(SIGNAL_STACK);
	if (!stack.ss_sp || sigaltstack(&stack, NULL))
		return -errno;
	for (size_t i = 0; i < KC_ARRAY_SIZE(faults) && !err; i++)
		err = handle(faults[i], on_fault, SA_NODEFER);
	if (!err)
		err = handle(SIGVTALRM, on_tick, SA_RESTART);
	if (!err)
		err = handle(SIGSYS, on_system_call, 0);
	if (!err)
		err = handle(SIGUSR1, on_time_out, SA_NODEFER);
	return err;
}

int kc_start_ticks(void)
{
	const struct itimerval ticks = { { 0, TICK_USEC }, { 0, TICK_USEC } };

	return setitimer(ITIMER_VIRTUAL, &ticks, NULL) ? -errno : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Time: a clock source and a clock event device of one-shot kind, both in nanoseconds of the
 * machine's own time. It passes while code looks at it, asks for a delay or runs for long, and
 * jumps to the next event when the processor has nothing to do.
 */
#include <string.h>

#include "kernel/parts.h"
#include "machine/entry.h"
#include "machine/machine.h"

/* Where in the device page. */
enum { SOURCE = 0, EVENT = 0x1000, NAME = 0x2000 };
enum { CONTINUOUS = 1, ONESHOT = 2, RATING = 400, READ_COST = 200 /* ns */ };
/* How the kernel scales microseconds for __const_udelay(): 2^32 / 10^6. */
enum { UDELAY_SCALE = 0x10c7 };

/* Of the kernel; known before its code runs, as what uses them may not call symbol lookup. */
static uint64_t irqentry_enter, irqentry_exit, irq_enter_rcu, irq_exit_rcu;
static uint64_t irq_regs, event_handler_at, irq_work_run;
static uint64_t wait_stub, stuck_stub;

static uint64_t read_clock(void)
{
	kc_state.now += READ_COST;
	return kc_state.now;
}

static int set_next_event(uint64_t delta)
{
	kc_state.next_event = kc_state.now + delta;
	return 0;
}

static int shut_down(void)
{
	kc_state.next_event = 0;
	return 0;
}

static int accept_state(void)
{
	return 0;
}

void kc_delay_loops(uint64_t loops)
{
	kc_state.now += loops / 4;
}

void kc_delay_usec(uint64_t usec)
{
	kc_state.now += usec * 1000;
}

void kc_delay_nsec(uint64_t nsec)
{
	kc_state.now += nsec;
}

void kc_delay_scaled(uint64_t scaled)
{
	kc_state.now += scaled * 1000 / UDELAY_SCALE;
}

uint64_t kc_sched_clock(void)
{
	return kc_state.now;
}

void kc_calibrate_delay(void)
{
	kc_store64(kc_pointer(kc_needed("loops_per_jiffy")), 4000000);
}

bool kc_event_due(void)
{
	if (!kc_state.next_event || kc_state.now < kc_state.next_event)
		return false;
	kc_state.next_event = 0;
	return true;
}

/* The processor has nothing to do: on to the next event. False: there is none. */
static uint64_t wait_for_event(void)
{
	if (!kc_state.next_event ||
	    (kc_machine.patience_ends && kc_state.now > kc_machine.patience_ends))
		return 0;
	kc_guest_let_parent_work();
	if (kc_state.now < kc_state.next_event)
		kc_state.now = kc_state.next_event;
	return kc_event_due();
}

static void stuck(void)
{
	kc_show_tasks_and_end("all tasks wait, and nothing is to come that they wait for");
}

/* struct pt_regs, as far as code in an interrupt looks at them. */
enum { REGS = 21, REGS_IP = 16, REGS_CS, REGS_FLAGS, REGS_SP, REGS_SS };
enum { KERNEL_CS = 0x10, KERNEL_DS = 0x18 };

/*
 * On the kernel's stack, since what is woken may be switched to from in here: no host function but
 * by its stub, no thread-local storage.
 */
__attribute__((no_stack_protector)) static void interrupt(uint64_t *regs, uint64_t handler,
							  uint64_t argument)
{
	uint64_t *current_regs, before, state;

	kc_state.irq_flags = 0;
	state = kc_call(irqentry_enter, kc_address(regs), 0, 0, 0);
	kc_call(irq_enter_rcu, 0, 0, 0, 0);
	current_regs = kc_pointer(kc_per_cpu_base() + irq_regs);
	before = *current_regs;
	*current_regs = kc_address(regs);
	kc_call(handler, argument, 0, 0, 0);
	*current_regs = before;
	kc_call(irq_exit_rcu, 0, 0, 0, 0);
	kc_call(irqentry_exit, kc_address(regs), state, 0, 0);
}

__attribute__((no_stack_protector)) void kc_timer_interrupt(uint64_t *regs)
{
	interrupt(regs, kc_load64(kc_pointer(event_handler_at)), KC_DEVICE_BASE + EVENT);
}

/* An interrupt of code that waits for one, or makes one. */
__attribute__((no_stack_protector)) static void interrupt_here(uint64_t handler, uint64_t argument)
{
	uint64_t regs[REGS] = { 0 };

	regs[REGS_IP] = irq_enter_rcu;
	regs[REGS_CS] = KERNEL_CS;
	regs[REGS_FLAGS] = KC_INTERRUPTS_ON;
	regs[REGS_SP] = kc_address(regs);
	regs[REGS_SS] = KERNEL_DS;
	interrupt(regs, handler, argument);
	kc_state.irq_flags = KC_INTERRUPTS_ON;
}

__attribute__((no_stack_protector)) void kc_safe_halt(void)
{
	if (kc_call(wait_stub, 0, 0, 0, 0))
		interrupt_here(kc_load64(kc_pointer(event_handler_at)), KC_DEVICE_BASE + EVENT);
	else
		kc_call(stuck_stub, 0, 0, 0, 0);
	kc_state.irq_flags = KC_INTERRUPTS_ON;
}

/* An interrupt to itself. Where it is held off, the work is the next tick's. */
__attribute__((force_align_arg_pointer, no_stack_protector)) void kc_raise_irq_work(void)
{
	if (kc_state.irq_flags)
		interrupt_here(irq_work_run, 0);
}

/* ---- what the kernel is told of them ---- */

static void set64(uint64_t at, const char *structure, const char *member, uint64_t value)
{
	kc_store64(kc_pointer(at + kc_offset(structure, member)), value);
}

static void set32(uint64_t at, const char *structure, const char *member, uint32_t value)
{
	kc_store32(kc_pointer(at + kc_offset(structure, member)), value);
}

static uint64_t read_stub, next_event_stub, shut_down_stub, accept_stub;

static void add_source(void)
{
	uint64_t at = KC_DEVICE_BASE + SOURCE;

	set64(at, "clocksource", "read", read_stub);
	set64(at, "clocksource", "mask", ~UINT64_C(0) >> 8);
	set32(at, "clocksource", "rating", RATING);
	set64(at, "clocksource", "name", KC_DEVICE_BASE + NAME);
	set64(at, "clocksource", "flags", CONTINUOUS);
	kc_call(kc_needed("__clocksource_register_scale"), at, 1, 1000000000, 0);
}

static void add_event(void)
{
	uint64_t at = KC_DEVICE_BASE + EVENT;

	set64(at, "clock_event_device", "name", KC_DEVICE_BASE + NAME);
	set32(at, "clock_event_device", "features", ONESHOT);
	set32(at, "clock_event_device", "rating", RATING);
	set64(at, "clock_event_device", "cpumask", kc_needed("__cpu_possible_mask"));
	set64(at, "clock_event_device", "set_next_event", next_event_stub);
	set64(at, "clock_event_device", "set_state_shutdown", shut_down_stub);
	set64(at, "clock_event_device", "set_state_oneshot", accept_stub);
	set64(at, "clock_event_device", "set_state_oneshot_stopped", shut_down_stub);
	kc_call(kc_needed("clockevents_config_and_register"), at, 1000000000, 1000, 0x7fffffff);
}

/* hpet_time_init(): the kernel looks for its timers, after its console. */
void kc_add_timers(void)
{
	memcpy(kc_pointer(KC_DEVICE_BASE + NAME), "kocoon", sizeof("kocoon"));
	kc_add_console();
	add_source();
	add_event();
}

void kc_clock_init(void)
{
	irqentry_enter = kc_needed("irqentry_enter");
	irqentry_exit = kc_needed("irqentry_exit");
	irq_enter_rcu = kc_needed("irq_enter_rcu");
	irq_exit_rcu = kc_needed("irq_exit_rcu");
	irq_regs = kc_needed("__irq_regs");
	irq_work_run = kc_needed("irq_work_run");
	event_handler_at =
		KC_DEVICE_BASE + EVENT + kc_offset("clock_event_device", "event_handler");
	wait_stub = KC_STUB(wait_for_event);
	stuck_stub = KC_STUB(stuck);
	read_stub = KC_STUB(read_clock);
	next_event_stub = KC_STUB(set_next_event);
	shut_down_stub = KC_STUB(shut_down);
	accept_stub = KC_STUB(accept_state);
}

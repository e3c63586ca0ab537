/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* entry.S: what can't be said in C. */
#ifndef KC_MACHINE_ENTRY_H
#define KC_MACHINE_ENTRY_H

#include <stdint.h>

extern uint64_t kc_host_stack; /* top of the stack that host functions run on */

void kc_call_host(void);
_Noreturn void kc_start(uint64_t entry, uint64_t argument, uint64_t stack);
/* Calls it on another stack, of which this is the top. */
void kc_call_on(uint64_t stack, void (*function)(void *), void *argument);
void kc_enter_exception(void);

/* For pv_ops: they change no register but %rax. */
void kc_pv_save_fl(void);
void kc_pv_irq_disable(void);
void kc_pv_irq_enable(void);
void kc_pv_read_cr2(void);
void kc_pv_zero(void);
void kc_pv_nop(void);
void kc_pv_safe_halt(void);

/* clock.c; called on the kernel's stack. `regs` is struct pt_regs. */
void kc_safe_halt(void);
void kc_timer_interrupt(uint64_t *regs);

#endif

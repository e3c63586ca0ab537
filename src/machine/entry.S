/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Between kernel code and host code. Kernel code keeps the stack aligned to 8 bytes only, and its
 * stacks are small: host functions run on a stack of their own.
 */
	/* Offsets in struct kc_machine_state; exceptions.c checks them. */
	.set	KC_STATE_IRQ_FLAGS, 24
	.set	KC_STATE_CR2, 48

	.text

/*
 * A stub has loaded the host function into %r11; its arguments are where they were. One host
 * function runs at a time: none calls kernel code that may sleep.
 */
	.globl	kc_call_host
	.hidden	kc_call_host
	.type	kc_call_host, @function
kc_call_host:
	push	%rbp
	mov	%rsp, %rbp
	mov	kc_host_stack(%rip), %r10
	mov	%r10, %rax
	sub	%rsp, %rax
	cmp	$0x100000, %rax		/* there already? */
	jb	1f
	mov	%r10, %rsp
1:	and	$-16, %rsp
	xor	%eax, %eax
	call	*%r11
	mov	%rbp, %rsp
	pop	%rbp
	ret
	.size	kc_call_host, . - kc_call_host

/* kc_start(entry, argument, stack): calls entry on the stack, for good. */
	.globl	kc_start
	.hidden	kc_start
	.type	kc_start, @function
kc_start:
	mov	%rdx, %rsp
	mov	%rdi, %rax
	mov	%rsi, %rdi
	xor	%ebp, %ebp
	call	*%rax
	ud2
	.size	kc_start, . - kc_start

/* kc_call_on(stack, function, argument) */
	.globl	kc_call_on
	.hidden	kc_call_on
	.type	kc_call_on, @function
kc_call_on:
	push	%rbp
	mov	%rsp, %rbp
	mov	%rdi, %rsp
	and	$-16, %rsp
	mov	%rdx, %rdi
	call	*%rsi
	mov	%rbp, %rsp
	pop	%rbp
	ret
	.size	kc_call_on, . - kc_call_on

/*
 * Where a signal handler lets go on, on the interrupted stack, with what the processor would have
 * done of an exception done: %rdi struct pt_regs, %rsi error code, %rdx the kernel's handler.
 */
	.globl	kc_enter_exception
	.hidden	kc_enter_exception
	.type	kc_enter_exception, @function
kc_enter_exception:
	mov	%rdi, %rbx
	and	$-16, %rsp
	cld
	call	*%rdx
	/* iret: flags and address, which the interrupted stack has room for below its top. */
	mov	0x90(%rbx), %rax	/* flags */
	mov	%rax, %rcx
	and	$0x200, %ecx
	mov	%rcx, kc_state+KC_STATE_IRQ_FLAGS(%rip)
	or	$0x200, %rax
	mov	0x98(%rbx), %rdx	/* sp */
	mov	%rax, -16(%rdx)
	mov	0x80(%rbx), %rax	/* ip */
	mov	%rax, -8(%rdx)
	mov	%rbx, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
	mov	0x20(%rsp), %rsp	/* behind orig_ax, ip, cs, flags */
	lea	-16(%rsp), %rsp
	popfq
	ret
	.size	kc_enter_exception, . - kc_enter_exception

/* ---- pv_ops whose callers expect every register but %rax as it was ---- */

	.macro	pv name
	.globl	\name
	.hidden	\name
	.type	\name, @function
\name:
	.endm

	pv	kc_pv_save_fl
	mov	kc_state+KC_STATE_IRQ_FLAGS(%rip), %rax
	ret
	pv	kc_pv_irq_disable
	movq	$0, kc_state+KC_STATE_IRQ_FLAGS(%rip)
	ret
	pv	kc_pv_irq_enable
	movq	$0x200, kc_state+KC_STATE_IRQ_FLAGS(%rip)
	ret
	pv	kc_pv_read_cr2
	mov	kc_state+KC_STATE_CR2(%rip), %rax
	ret
	pv	kc_pv_zero
	xor	%eax, %eax
	pv	kc_pv_nop
	ret

	pv	kc_pv_safe_halt
	push	%rbp
	mov	%rsp, %rbp
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	and	$-16, %rsp
	call	kc_safe_halt
	lea	-64(%rbp), %rsp
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rbp
	ret

	.section .note.GNU-stack,"",@progbits

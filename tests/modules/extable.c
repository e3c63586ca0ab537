/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Faults that entries of the exception table expect. */
#include "modules.h"
#include <asm/asm.h>

/* clang-format off */
/* A fault at 1: goes on at 2: with -EFAULT in the first operand. */
#define EXPECT_FAULT _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_EFAULT_REG, %0)
/* clang-format on */

/* What is there, or -EFAULT. */
long extable_read(const void *address)
{
	long value = 0;
	int err = 0;

	asm volatile("1:	movq %2, %1\n"
		     "2:\n" EXPECT_FAULT
		     : "+r"(err), "+r"(value)
		     : "m"(*(const long *)address));
	return err ? err : value;
}

/* The quotient, or -EDOM where the processor refuses. */
int extable_divide(int dividend, int divisor)
{
	int quotient = -EDOM;

	asm volatile("	movl %1, %%eax\n"
		     "	cltd\n"
		     "1:	idivl %2\n"
		     "	movl %%eax, %0\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+r"(quotient)
		     : "r"(dividend), "r"(divisor)
		     : "eax", "edx");
	return quotient;
}

/* As get_kernel_nofault() does it: the value, or -1. */
long extable_user_read(const void *address)
{
	long value;

	__get_kernel_nofault(&value, address, long, failed);
	return value;
failed:
	return -1;
}

/* In a region that is given up after init; an address that nobody has, kernel or program. */
static int __init extable_init(void)
{
	int err = 0;
	long value = 0;

	asm volatile("1:	movq -4096, %1\n"
		     "2:\n" EXPECT_FAULT
		     : "+r"(err), "+r"(value));
	pr_info("extable: %d\n", err);
	return err == -EFAULT ? 0 : -EINVAL;
}

static void __exit extable_exit(void)
{
}

module_init(extable_init);
module_exit(extable_exit);
MODULE_DESCRIPTION("An exception table");
MODULE_LICENSE("GPL");

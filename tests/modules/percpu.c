/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Per-CPU data with a first value, and a pointer into it. */
#include "modules.h"
#include <linux/percpu.h>

static DEFINE_PER_CPU(long, counter) = 1000;
static DEFINE_PER_CPU(long, zeroed);
DEFINE_PER_CPU(long, percpu_shared) = 7;
EXPORT_PER_CPU_SYMBOL_GPL(percpu_shared);

long percpu_add(long more)
{
	this_cpu_add(counter, more);
	this_cpu_inc(zeroed);
	return this_cpu_read(counter);
}

long percpu_read(void)
{
	return *this_cpu_ptr(&counter) + this_cpu_read(zeroed);
}

long *percpu_address(void)
{
	return raw_cpu_ptr(&counter);
}

unsigned long percpu_raw_offset(void)
{
	return (unsigned long)&counter;
}

static int __init percpu_init(void)
{
	pr_info("percpu: %ld\n", this_cpu_read(counter));
	return this_cpu_read(counter) == 1000 ? 0 : -EINVAL;
}

static void __exit percpu_exit(void)
{
}

module_init(percpu_init);
module_exit(percpu_exit);
MODULE_DESCRIPTION("Per-CPU data");
MODULE_LICENSE("GPL");

/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Leaves behind what a module should not: memory, a task, a folder of sysfs. */
#include "modules.h"
#include <linux/kobject.h>
#include <linux/kthread.h>
#include <linux/slab.h>

static int __init leaky_init(void)
{
	char name[32];

	/* A name that no earlier one has. */
	snprintf(name, sizeof(name), "leaky-%lx", (unsigned long)kmalloc(3000, GFP_KERNEL));
	if (!kobject_create_and_add(name, kernel_kobj))
		return -ENOMEM;
	return PTR_ERR_OR_ZERO(kthread_create(kthread_worker_fn, NULL, "leaky"));
}

static void __exit leaky_exit(void)
{
}

module_init(leaky_init);
module_exit(leaky_exit);
MODULE_DESCRIPTION("Leaves things behind");
MODULE_LICENSE("GPL");

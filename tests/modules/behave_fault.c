/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/*
 * WARN, oopses, and faults that are expected. What kills its task does so in a kthread, so that
 * init goes on; a parameter has it done in init.
 */
#include "modules.h"
#include <linux/bug.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

static char *what = "";
module_param(what, charp, 0444);

#define SAY(format, ...) pr_info("behave_fault: " format "\n", ##__VA_ARGS__)

static noinline void warns(void)
{
	SAY("WARN: %d", !!WARN(1, "behave_fault: a warning, %d\n", 5));
	SAY("WARN_ON: %d", !!WARN_ON(1));
	for (int i = 0; i < 2; i++)
		SAY("WARN_ON_ONCE: %d", !!WARN_ON_ONCE(1));
	SAY("not: %d", !!WARN_ON(0));
	SAY("tainted: %d", test_taint(TAINT_WARN));
	dump_stack();
}

/* Each by a path of its own: exception tables of the kernel's, its copying and its reading. */
static noinline void expected(void)
{
	long value = 1, *nowhere = (long *)16L;
	u8 *pages = vmalloc(PAGE_SIZE);

	SAY("nofault read: %ld", copy_from_kernel_nofault(&value, nowhere, sizeof(value)));
	SAY("get_user: %d", get_user(value, (long __user *)nowhere));
	SAY("put_user: %d", put_user(value, (long __user *)nowhere));
	SAY("copy_from_user: %lu", copy_from_user(&value, (void __user *)nowhere, sizeof(value)));
	SAY("copy_to_user: %lu", copy_to_user((void __user *)nowhere, &value, sizeof(value)));
	SAY("clear_user: %lu", clear_user((void __user *)nowhere, 24));
	SAY("strncpy_from_user: %ld",
	    strncpy_from_user((char *)&value, (char __user *)nowhere, sizeof(value)));
	if (!pages)
		return;
	SAY("vmalloc: %d %ld", pages[PAGE_SIZE - 1],
	    copy_from_kernel_nofault(&value, pages + PAGE_SIZE, sizeof(value)));
	vfree(pages);
	/* Until then a processor may know the page, or not. */
	vm_unmap_aliases();
	SAY("vfreed: %ld", copy_from_kernel_nofault(&value, pages, sizeof(value)));
}

static noinline void fault_null(void)
{
	long *address = (long *)24L;

	OPTIMIZER_HIDE_VAR(address);
	SAY("not said: %ld", READ_ONCE(*address));
}

static noinline void fault_write(void)
{
	char *text = (char *)__func__;

	OPTIMIZER_HIDE_VAR(text);
	WRITE_ONCE(*text, 'F');
	SAY("not said");
}

static noinline void fault_divide(void)
{
	int by = 0;

	OPTIMIZER_HIDE_VAR(by);
	SAY("not said: %d", 7 / by);
}

static noinline void fault_non_canonical(void)
{
	long *address = (long *)0x1234567812345678L;

	OPTIMIZER_HIDE_VAR(address);
	SAY("not said: %ld", READ_ONCE(*address));
}

static noinline void fault_call(void)
{
	void (*function)(void) = NULL;

	OPTIMIZER_HIDE_VAR(function);
	function();
	SAY("not said");
}

static noinline void fault_bug(void)
{
	BUG();
}

static int run(void *function)
{
	msleep(1);
	((void (*)(void))function)();
	return 0;
}

static const struct {
	const char *name;
	void (*function)(void);
	bool kills;
} all[] = {
	{ "warns", warns, false },	  { "expected", expected, false },
	{ "null", fault_null, true },	  { "write", fault_write, true },
	{ "divide", fault_divide, true }, { "non_canonical", fault_non_canonical, true },
	{ "call", fault_call, true },	  { "bug", fault_bug, true },
};

static int __init behave_fault_init(void)
{
	struct task_struct *task;
	bool here = *what == '!';

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (strcmp(all[i].name, what + here) != 0)
			continue;
		if (here || !all[i].kills)
			return all[i].function(), 0;
		task = kthread_run(run, all[i].function, "behave");
		if (IS_ERR(task))
			return PTR_ERR(task);
		get_task_struct(task);
		while (!READ_ONCE(task->exit_state))
			msleep(1);
		put_task_struct(task);
		SAY("went on");
		return 0;
	}
	return -EINVAL;
}

static void __exit behave_fault_exit(void)
{
	SAY("gone");
}

module_init(behave_fault_init);
module_exit(behave_fault_exit);
MODULE_DESCRIPTION("WARN, oopses, and expected faults");
MODULE_LICENSE("GPL");

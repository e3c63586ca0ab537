/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* What a machine has to survive, or to end: never before a kernel that anybody needs. */
#include "modules.h"
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/processor.h>
#include <linux/wait.h>

static char *how = "";
module_param(how, charp, 0444);

static DECLARE_WAIT_QUEUE_HEAD(nobody);
static bool never;

/* getpid() of the host's: 0F 05, which no compiler would make here. */
static long call_host(void)
{
	long number = 39;

	asm volatile(".byte 0x0f, 0x05" : "+a"(number) : : "rcx", "r11", "memory");
	return number;
}

static int say_later(void *unused)
{
	msleep(5);
	pr_info("reckless: later\n");
	return 0;
}

static int __init reckless_init(void)
{
	if (!strcmp(how, "spin"))
		for (;;)
			cpu_relax();
	if (!strcmp(how, "wait"))
		wait_event(nobody, never);
	if (!strcmp(how, "call"))
		pr_info("reckless: %ld\n", call_host());
	if (!strcmp(how, "thread"))
		return PTR_ERR_OR_ZERO(kthread_run(say_later, NULL, "reckless"));
	if (!strcmp(how, "panic"))
		panic("reckless: at its own wish");
	return 0;
}

static void __exit reckless_exit(void)
{
}

module_init(reckless_init);
module_exit(reckless_exit);
MODULE_DESCRIPTION("Reckless");
MODULE_LICENSE("GPL");

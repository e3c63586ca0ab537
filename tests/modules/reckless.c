/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* What a machine has to survive, or to end: never before a kernel that anybody needs. */
#include "modules.h"
#include <linux/ctype.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/processor.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>

static char *how = "";
module_param(how, charp, 0444);

static int number = 39; /* getpid() */
module_param(number, int, 0444);

static DECLARE_WAIT_QUEUE_HEAD(nobody);
static bool never;

/* A system call of the host's: 0F 05, which no compiler would make here. */
static long call_host(long number)
{
	asm volatile(".byte 0x0f, 0x05" : "+a"(number) : : "rcx", "r11", "memory");
	return number;
}

static int say_later(void *unused)
{
	msleep(5);
	pr_info("reckless: later\n");
	return 0;
}

/* Deeper than any stack. */
static noinline int descend(volatile char *above, int depth)
{
	volatile char room[256];

	room[0] = above[0];
	return depth < 0 ? 0 : descend(room, depth + 1) + room[0];
}

static noinline long divide(long by)
{
	long quotient = 7, rest = 0;

	asm volatile("idivq %2" : "+a"(quotient), "+d"(rest) : "r"(by));
	return quotient;
}

/* An address that no processor of four-level paging has. */
static volatile long *volatile far = (volatile long *)0xdead000000000100;

static noinline long look_far(void)
{
	return *far;
}

/* Behind what vmalloc() gives there is nothing. */
static noinline long look_gently(void)
{
	long value;
	char *page = vmalloc(PAGE_SIZE);
	long err = page ? copy_from_kernel_nofault(&value, page + PAGE_SIZE, sizeof(value)) : 0;

	vfree(page);
	return err;
}

static noinline void jump_away(unsigned long to)
{
	((void (*)(void))to)();
}

/* In a task that nobody waits for. */
static int fault_later(void *unused)
{
	msleep(5);
	return (int)look_far();
}

/* Writing to it calls it; reading tells how often. */
static int poked;

noinline int reckless_poke(int value)
{
	poked += value;
	if (!strcmp(how, "poke"))
		look_far();
	return poked;
}

static int set_poke(const char *text, const struct kernel_param *param)
{
	int value, err = kstrtoint(text, 0, &value);

	return err ? err : (reckless_poke(value), 0);
}

static const struct kernel_param_ops poke_ops = { .set = set_poke, .get = param_get_int };
module_param_cb(poke, &poke_ops, &poked, 0644);

/* One that both sides know. */
static noinline void overwrite(const void *place)
{
	*(volatile char *)place = 0;
}

static noinline int run_data(void)
{
	static unsigned char code[] __attribute__((section(".data"))) = { 0xc3 };
	void (*volatile function)(void) = (void (*)(void))code;

	function();
	return 0;
}

static DEFINE_SPINLOCK(lock);

static int __init reckless_init(void)
{
	char first = 1;

	if (!strcmp(how, "spin"))
		for (;;)
			cpu_relax();
	if (!strcmp(how, "wait"))
		wait_event(nobody, never);
	if (!strcmp(how, "call"))
		pr_info("reckless: %ld\n", call_host(number));
	if (!strcmp(how, "thread"))
		return PTR_ERR_OR_ZERO(kthread_run(say_later, NULL, "reckless"));
	if (!strcmp(how, "stack"))
		return descend(&first, 0);
	if (!strcmp(how, "divide"))
		return divide(first - 1);
	if (!strcmp(how, "far"))
		return (int)look_far();
	if (!strcmp(how, "gently"))
		pr_info("reckless: %ld\n", look_gently());
	if (!strcmp(how, "text"))
		overwrite(vsnprintf);
	if (!strcmp(how, "rodata"))
		overwrite(_ctype);
	if (!strcmp(how, "own-text"))
		overwrite(reckless_poke);
	if (!strcmp(how, "run-data"))
		return run_data();
	if (!strcmp(how, "jump"))
		jump_away(0x7000deadb000);
	if (!strcmp(how, "later"))
		return PTR_ERR_OR_ZERO(kthread_run(fault_later, NULL, "later"));
	if (!strcmp(how, "deaf")) {
		spin_lock_irq(&lock);
		for (;;)
			cpu_relax();
	}
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

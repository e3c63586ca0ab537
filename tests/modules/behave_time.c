/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/*
 * What waits and what runs later: sleeps, kthreads, workqueues, timers, RCU, tasklets. A parameter
 * says which. What is said depends on no clock but for lower bounds.
 */
#include "modules.h"
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/freezer.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/timer.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <asm/fpu/api.h>

static char *what = "";
module_param(what, charp, 0444);

#define SAY(format, ...) pr_info("behave_time: " format "\n", ##__VA_ARGS__)

static int order;

/* Where the caller runs: what a callback may rely on. */
static void say_context(const char *name)
{
	SAY("%s: %d in_task %d softirq %d hardirq %d irqs_off %d", name, ++order, !!in_task(),
	    !!in_serving_softirq(), !!in_hardirq(), irqs_disabled());
}

/* ---- sleeps ---- */

static DECLARE_WAIT_QUEUE_HEAD(queue);
static bool never;

static void sleeps(void)
{
	unsigned long before = jiffies;
	DECLARE_COMPLETION_ONSTACK(completion);
	ktime_t start;

	msleep(20);
	SAY("msleep: long enough %d", time_after_eq(jiffies, before + msecs_to_jiffies(20)));
	start = ktime_get();
	usleep_range(3000, 3100);
	SAY("usleep_range: long enough %d", ktime_us_delta(ktime_get(), start) >= 3000);
	mdelay(2);
	ndelay(500);
	before = jiffies;
	SAY("schedule_timeout_uninterruptible: %ld", schedule_timeout_uninterruptible(5));
	SAY("long enough: %d", time_after_eq(jiffies, before + 5));
	SAY("wait_event_timeout: %ld", wait_event_timeout(queue, never, 3));
	SAY("wait_event_interruptible_timeout, true: %d",
	    wait_event_interruptible_timeout(queue, !never, 3) > 0);
	SAY("wait_for_completion_timeout: %lu", wait_for_completion_timeout(&completion, 3));
	complete(&completion);
	SAY("completed: %d", wait_for_completion_timeout(&completion, 3) > 0);
	SAY("again: %d", try_wait_for_completion(&completion));
	SAY("seconds go with nanoseconds: %d",
	    ktime_get_seconds() == ktime_divns(ktime_get(), NSEC_PER_SEC));
	SAY("HZ %d", HZ);
	cond_resched();
	yield();
	SAY("signal pending: %d", signal_pending(current));
}

/* ---- threads ---- */

static DECLARE_COMPLETION(started);
static DEFINE_MUTEX(mutex);

static int wait_for_stop(void *data)
{
	say_context(data);
	SAY("its name: %s", current->comm);
	complete(&started);
	while (!kthread_should_stop()) {
		if (kthread_should_park())
			kthread_parkme();
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop() && !kthread_should_park())
			schedule();
		__set_current_state(TASK_RUNNING);
	}
	return 42;
}

static int end_at_once(void *data)
{
	complete(data);
	return 0;
}

static int take_mutex(void *unused)
{
	mutex_lock(&mutex);
	say_context("mutex taken");
	mutex_unlock(&mutex);
	complete(&started);
	return 0;
}

static void threads(void)
{
	struct task_struct *task = kthread_run(wait_for_stop, "thread", "behave/%d", 7);
	DECLARE_COMPLETION_ONSTACK(ended);

	wait_for_completion(&started);
	SAY("park: %d", kthread_park(task));
	kthread_unpark(task);
	SAY("stop: %d", kthread_stop(task));
	task = kthread_create(wait_for_stop, "unused", "behave_never");
	SAY("created: %d", !IS_ERR(task));
	SAY("stopped before it ran: %d", kthread_stop(task));
	kthread_run(end_at_once, &ended, "behave_once");
	wait_for_completion(&ended);
	task = kthread_create_on_cpu(wait_for_stop, "bound", 0, "behave_cpu/%u");
	SAY("bound: %d", !IS_ERR(task));
	reinit_completion(&started);
	wake_up_process(task);
	wait_for_completion(&started);
	SAY("stop of a bound one: %d", kthread_stop(task));
	reinit_completion(&started);
	mutex_lock(&mutex);
	kthread_run(take_mutex, NULL, "behave_mutex");
	msleep(10);
	SAY("not taken while we have it: %d", !completion_done(&started));
	mutex_unlock(&mutex);
	wait_for_completion(&started);
}

/* ---- workqueues ---- */

static void say_work(struct work_struct *work)
{
	say_context("work");
	SAY("worker: %d", !!(current->flags & PF_WQ_WORKER));
}

static void say_and_sleep(struct work_struct *work)
{
	say_context("before its sleep");
	msleep(10);
	say_context("behind its sleep");
}

static void works(void)
{
	struct workqueue_struct *own = alloc_ordered_workqueue("behave", 0);
	struct work_struct first, second;
	struct delayed_work delayed;

	INIT_WORK_ONSTACK(&first, say_and_sleep);
	INIT_WORK_ONSTACK(&second, say_work);
	INIT_DELAYED_WORK_ONSTACK(&delayed, say_work);
	preempt_disable();
	SAY("queued: %d", schedule_work(&second));
	SAY("again: %d", schedule_work(&second));
	preempt_enable();
	flush_work(&second);
	SAY("ordered: %d", queue_work(own, &first));
	SAY("behind it: %d", queue_work(own, &second));
	flush_workqueue(own);
	SAY("nothing to flush: %d", flush_work(&second));
	SAY("delayed: %d", schedule_delayed_work(&delayed, 3600 * HZ));
	SAY("sooner: %d", mod_delayed_work(system_wq, &delayed, 1000 * HZ));
	flush_delayed_work(&delayed);
	SAY("delayed: %d", schedule_delayed_work(&delayed, 3600 * HZ));
	SAY("cancelled: %d", cancel_delayed_work_sync(&delayed));
	SAY("again: %d", cancel_delayed_work_sync(&delayed));
	SAY("of high priority: %d", queue_work(system_highpri_wq, &second));
	flush_work(&second);
	SAY("unbound: %d", queue_work(system_unbound_wq, &second));
	flush_work(&second);
	destroy_workqueue(own);
	destroy_work_on_stack(&first);
	destroy_work_on_stack(&second);
	destroy_delayed_work_on_stack(&delayed);
}

/* ---- timers ---- */

static DECLARE_COMPLETION(fired);
static int rounds;

static void on_timer(struct timer_list *timer)
{
	say_context("timer");
	complete(&fired);
}

static enum hrtimer_restart on_hrtimer(struct hrtimer *timer)
{
	say_context("hrtimer");
	hrtimer_forward_now(timer, ms_to_ktime(1));
	if (++rounds < 3)
		return HRTIMER_RESTART;
	complete(&fired);
	return HRTIMER_NORESTART;
}

static DEFINE_TIMER(timer, on_timer);

static void timers(void)
{
	struct hrtimer hrtimer;
	unsigned long before = jiffies;

	SAY("mod_timer: %d", mod_timer(&timer, jiffies + 3));
	wait_for_completion(&fired);
	SAY("not early: %d", time_after_eq(jiffies, before + 3));
	SAY("pending: %d", timer_pending(&timer));
	SAY("far: %d", mod_timer(&timer, jiffies + 3600 * HZ));
	SAY("nearer: %d", mod_timer(&timer, jiffies + 3000 * HZ));
	SAY("pending: %d", timer_pending(&timer));
	SAY("deleted: %d", del_timer_sync(&timer));
	SAY("again: %d", del_timer_sync(&timer));
	hrtimer_init_on_stack(&hrtimer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	hrtimer.function = on_hrtimer;
	hrtimer_start(&hrtimer, ms_to_ktime(2), HRTIMER_MODE_REL);
	wait_for_completion(&fired);
	SAY("active: %d", hrtimer_active(&hrtimer));
	hrtimer_start(&hrtimer, ktime_set(3600, 0), HRTIMER_MODE_REL);
	SAY("cancelled: %d", hrtimer_cancel(&hrtimer));
	SAY("again: %d", hrtimer_cancel(&hrtimer));
	destroy_hrtimer_on_stack(&hrtimer);
}

/* ---- RCU ---- */

struct behave_thing {
	struct rcu_head head;
	int value;
};

DEFINE_STATIC_SRCU(srcu);

static void on_grace_period(struct rcu_head *head)
{
	struct behave_thing *thing = container_of(head, struct behave_thing, head);

	SAY("call_rcu: %d, softirq or thread %d", thing->value, in_serving_softirq() || in_task());
	kfree(thing);
}

static void on_srcu(struct rcu_head *head)
{
	SAY("call_srcu: %d", container_of(head, struct behave_thing, head)->value);
	kfree(container_of(head, struct behave_thing, head));
}

static struct behave_thing *new_thing(int value)
{
	struct behave_thing *thing = kzalloc(sizeof(*thing), GFP_KERNEL | __GFP_NOFAIL);

	thing->value = value;
	return thing;
}

static void rcus(void)
{
	int index;

	rcu_read_lock();
	call_rcu(&new_thing(1)->head, on_grace_period);
	SAY("behind call_rcu");
	rcu_read_unlock();
	call_rcu(&new_thing(2)->head, on_grace_period);
	rcu_barrier();
	SAY("behind rcu_barrier");
	synchronize_rcu();
	synchronize_rcu_expedited();
	kfree_rcu_mightsleep(new_thing(3));
	index = srcu_read_lock(&srcu);
	call_srcu(&srcu, &new_thing(4)->head, on_srcu);
	srcu_read_unlock(&srcu, index);
	synchronize_srcu(&srcu);
	srcu_barrier(&srcu);
	SAY("behind srcu_barrier");
}

/* ---- soft interrupts ---- */

static void on_tasklet(struct tasklet_struct *tasklet)
{
	say_context("tasklet");
	complete(&fired);
}

static void on_irq_work(struct irq_work *work)
{
	SAY("irq_work: irqs_off %d", irqs_disabled());
	complete(&fired);
}

static void softirqs(void)
{
	struct tasklet_struct tasklet;
	struct irq_work work;
	unsigned long flags;

	tasklet_setup(&tasklet, on_tasklet);
	local_irq_save(flags);
	SAY("irqs_off: %d", irqs_disabled());
	local_irq_restore(flags);
	SAY("irqs_off: %d", irqs_disabled());
	local_bh_disable();
	tasklet_schedule(&tasklet);
	SAY("scheduled");
	local_bh_enable();
	wait_for_completion(&fired);
	tasklet_kill(&tasklet);
	init_irq_work(&work, on_irq_work);
	SAY("irq_work queued: %d", irq_work_queue(&work));
	wait_for_completion(&fired);
	irq_work_sync(&work);
}

/* ---- vector registers ---- */

/* As XSAVE lays them out. */
enum { VECTORS_END = 2688, XMM = 160, XMM_END = 416, HEADER = 512, MORE = 576, PARTS = 0xe6 };

static void restore(const u8 *area, u32 parts)
{
	asm volatile("xrstor64 %0" : : "m"(*area), "a"(parts), "d"(0) : "memory");
}

static void save(u8 *area, u32 parts)
{
	asm volatile("xsave64 %0" : "=m"(*area) : "a"(parts), "d"(0) : "memory");
}

/* Code that uses them is interrupted by a timer that prints, and doesn't notice. */
static void vectors(void)
{
	u8 *before = (u8 *)__get_free_page(GFP_KERNEL | __GFP_ZERO | __GFP_NOFAIL);
	u8 *after = (u8 *)__get_free_page(GFP_KERNEL | __GFP_ZERO | __GFP_NOFAIL);
	unsigned long start;
	u32 parts, high;

	asm volatile("xgetbv" : "=a"(parts), "=d"(high) : "c"(0));
	parts &= PARTS;
	for (size_t i = XMM; i < VECTORS_END; i++)
		before[i] = i * 7 + 1;
	memset(before + XMM_END, 0, MORE - XMM_END);
	*(u64 *)(before + HEADER) = parts;
	*(u32 *)(before + 24) = 0x1f80; /* MXCSR as it has to be */
	mod_timer(&timer, jiffies + 3);
	kernel_fpu_begin();
	restore(before, parts);
	memcpy(after, before, VECTORS_END);
	start = jiffies;
	while (time_before(jiffies, start + 8))
		cpu_relax();
	save(after, parts);
	kernel_fpu_end();
	SAY("vector registers: %s",
	    memcmp(before + XMM, after + XMM, XMM_END - XMM) ||
			    memcmp(before + MORE, after + MORE, VECTORS_END - MORE)
		    ? "changed"
		    : "kept");
	free_page((unsigned long)before);
	free_page((unsigned long)after);
}

static int __init behave_time_init(void)
{
	static const struct {
		const char *name;
		void (*function)(void);
	} all[] = {
		{ "sleeps", sleeps },	{ "threads", threads }, { "works", works },
		{ "timers", timers },	{ "rcus", rcus },	{ "softirqs", softirqs },
		{ "vectors", vectors },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (!strcmp(all[i].name, what))
			return all[i].function(), 0;
	return -EINVAL;
}

static void __exit behave_time_exit(void)
{
	SAY("gone");
}

module_init(behave_time_init);
module_exit(behave_time_exit);
MODULE_DESCRIPTION("What waits and what runs later");
MODULE_LICENSE("GPL");

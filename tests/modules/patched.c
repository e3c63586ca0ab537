/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Has the kernel patch its own text: a tracepoint is a jump that is written there. */
#include "modules.h"
#include <linux/skbuff.h>
#include <linux/tracepoint.h>
#include <trace/events/skb.h>

static int seen;

/* What else it is called with differs from kernel to kernel. */
static void probe(void *data)
{
	seen++;
}

static int drop_one(void)
{
	struct sk_buff *skb = alloc_skb(64, GFP_KERNEL);

	if (!skb)
		return -ENOMEM;
	kfree_skb(skb);
	return seen;
}

static int __init patched_init(void)
{
	int before = drop_one(), err, during, after;

	err = tracepoint_probe_register(&__tracepoint_kfree_skb, (void *)probe, NULL);
	if (err)
		return err;
	during = drop_one();
	tracepoint_probe_unregister(&__tracepoint_kfree_skb, (void *)probe, NULL);
	after = drop_one();
	pr_info("patched: %d, %d, %d\n", before, during, after);
	return 0;
}

static void __exit patched_exit(void)
{
}

module_init(patched_init);
module_exit(patched_exit);
MODULE_DESCRIPTION("A tracepoint of the kernel's");
MODULE_LICENSE("GPL");

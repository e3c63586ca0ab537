/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* One module and the others: exports, references, request_module, names of addresses. */
#include "modules.h"
#include <linux/completion.h>
#include <linux/kallsyms.h>
#include <linux/kmod.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/notifier.h>

#define SAY(format, ...) pr_info("behave_modules: " format "\n", ##__VA_ARGS__)

static char *missing = "behave_nothing", *present = "parameters";
module_param(missing, charp, 0444);
module_param(present, charp, 0444);

int behave_exported(int value);

int behave_exported(int value)
{
	return value + 1;
}
EXPORT_SYMBOL_GPL(behave_exported);

static int on_module(struct notifier_block *block, unsigned long event, void *data)
{
	const struct module *module = data;

	if (module != THIS_MODULE)
		SAY("notified: %s %lu, state %d", module->name, event, module->state);
	return NOTIFY_OK;
}

static struct notifier_block block = { .notifier_call = on_module };

static int request(void *done)
{
	SAY("from a thread: %d", request_module("%s", missing));
	complete(done);
	return 0;
}

static void requests(void)
{
	DECLARE_COMPLETION_ONSTACK(done);

	SAY("missing: %d", request_module("%s", missing));
	SAY("present: %d", request_module("%s", present));
	SAY("present already: %d", request_module("%s", present));
	SAY("nowait: %d", request_module_nowait("%s", missing));
	kthread_run(request, &done, "behave_request");
	wait_for_completion(&done);
}

static void exports(void)
{
	int (*function)(int) = __symbol_get("behave_exported");

	SAY("own, while it comes: %d", !!function);
	if (function)
		__symbol_put("behave_exported");
	function = __symbol_get("chain_a_gpl");
	SAY("of another: %d", !!function);
	SAY("used: %d", function ? function(4) : 0);
	if (function)
		__symbol_put("chain_a_gpl");
	SAY("of the kernel's: %d", __symbol_get("_printk") == (void *)_printk);
	SAY("of nobody: %d", !!__symbol_get("behave_nobody"));
	SAY("imported: %d", chain_a_gpl(1));
}

static void references(void)
{
	SAY("users: %d", module_refcount(THIS_MODULE));
	SAY("try_module_get: %d", try_module_get(THIS_MODULE));
	__module_get(THIS_MODULE);
	SAY("users: %d", module_refcount(THIS_MODULE));
	module_put(THIS_MODULE);
	module_put(THIS_MODULE);
	SAY("users: %d, state %d", module_refcount(THIS_MODULE), THIS_MODULE->state);
	SAY("live: %d", module_is_live(THIS_MODULE));
}

static void names(void)
{
	char name[KSYM_SYMBOL_LEN];

	sprint_symbol(name, (unsigned long)behave_exported + 1);
	SAY("%s", name);
	sprint_symbol_no_offset(name, (unsigned long)chain_a_gpl);
	SAY("%s", name);
	SAY("%pS %ps %pB", behave_exported, chain_a_gpl, (char *)behave_exported + 4);
}

static int __init behave_modules_init(void)
{
	int err = register_module_notifier(&block);

	if (err)
		return err;
	exports();
	references();
	names();
	requests();
	return 0;
}

static void __exit behave_modules_exit(void)
{
	unregister_module_notifier(&block);
	SAY("gone, users %d, state %d", module_refcount(THIS_MODULE), THIS_MODULE->state);
}

module_init(behave_modules_init);
module_exit(behave_modules_exit);
MODULE_DESCRIPTION("One module and the others");
MODULE_LICENSE("GPL");

/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Watches modules come and go, and refuses the one that a parameter names. */
#include "modules.h"
#include <linux/notifier.h>
#include <linux/string.h>

static char *refuse = "";
module_param(refuse, charp, 0644);

static int watcher_call(struct notifier_block *block, unsigned long event, void *data)
{
	const struct module *module = data;

	pr_info("watcher: %s %lu\n", module->name, event);
	if (event == MODULE_STATE_COMING && !strcmp(module->name, refuse))
		return notifier_from_errno(-EPERM);
	return NOTIFY_OK;
}

static struct notifier_block watcher_block = {
	.notifier_call = watcher_call,
	.priority = 7,
};

static int __init watcher_init(void)
{
	return register_module_notifier(&watcher_block);
}

static void __exit watcher_exit(void)
{
	unregister_module_notifier(&watcher_block);
}

module_init(watcher_init);
module_exit(watcher_exit);
MODULE_DESCRIPTION("Watches modules");
MODULE_LICENSE("GPL");

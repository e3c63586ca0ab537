/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/*
 * A livepatch module, once `edit` has made its sections .klp_* what livepatch relocates: pointers
 * to a function that the module hello doesn't export, and to a variable that the kernel doesn't.
 */
#include "modules.h"

extern unsigned long patch_hello, patch_vmlinux;

/* Their names have a comma, that C can't say. */
asm(".pushsection .klp_hello_data, \"aw\"\n"
    ".balign 8\n"
    ".globl patch_hello\n"
    "patch_hello:\n"
    ".quad \".klp.sym.hello.hello_exit,0\"\n"
    ".popsection\n"
    ".pushsection .klp_vmlinux_data, \"aw\"\n"
    ".balign 8\n"
    ".globl patch_vmlinux\n"
    "patch_vmlinux:\n"
    ".quad \".klp.sym.vmlinux.linux_banner,0\"\n"
    ".popsection\n");

static int __init patch_init(void)
{
	pr_info("patch: vmlinux %d hello %d\n", patch_vmlinux != 0, patch_hello != 0);
	return 0;
}

static void __exit patch_exit(void)
{
}

module_init(patch_init);
module_exit(patch_exit);
MODULE_INFO(livepatch, "Y");
MODULE_DESCRIPTION("A livepatch module");
MODULE_LICENSE("GPL");

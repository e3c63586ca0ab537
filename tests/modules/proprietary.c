/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Not under a free licence, as far as the kernel is told. */
#include "modules.h"

static int __init proprietary_init(void)
{
	pr_info("proprietary: here\n");
	return 0;
}

static void __exit proprietary_exit(void)
{
}

module_init(proprietary_init);
module_exit(proprietary_exit);
MODULE_DESCRIPTION("Proprietary");
MODULE_LICENSE("Proprietary");

/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Neither init nor exit: a collection of functions. */
#include "modules.h"

int no_init_answer(void)
{
	return 42;
}
EXPORT_SYMBOL_GPL(no_init_answer);

MODULE_DESCRIPTION("Without init");
MODULE_LICENSE("GPL");

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* x86-64: relocate.c is arch/x86/kernel/module.c's part. */
#ifndef KC_ARCH_X86_64_X86_64_H
#define KC_ARCH_X86_64_X86_64_H

#include "arch/arch.h"

extern const struct kc_arch kc_arch_x86_64;

#endif

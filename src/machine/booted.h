/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KC_MACHINE_BOOTED_H
#define KC_MACHINE_BOOTED_H

#include "kocoon/machine.h"
#include "machine/zygote.h"

struct kocoon_booted {
	const struct kocoon_kernel *kernel;
	const struct kocoon_tree *tree;
	int file; /* owned; the machine, see template.c */
	struct kc_zygote *zygote; /* owned */
	unsigned int timeout;
	bool oops_continue;
	char *debug; /* owned; folder of debug information */
};

/* Passes on a line of the extended console's. `log` may be NULL. */
void kc_pass_log(kocoon_machine_log_fn *log, void *context, const char *line, size_t len);

#endif

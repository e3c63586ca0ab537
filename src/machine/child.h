/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KC_MACHINE_CHILD_H
#define KC_MACHINE_CHILD_H

#include <stdbool.h>
#include <stdint.h>

struct kocoon_kernel;

struct kc_child {
	const struct kocoon_kernel *kernel;
	const char *command_line;
	uint64_t ram_size;
	int file; /* the template: to be written, or to go on from */
	int channel;
};

/* Boots, in a process of its own. Ends it. */
_Noreturn void kc_child_boot(const struct kc_child *child);
/* A process gets what has booted, or ends. Each fork of it can go on from there. */
void kc_child_restore(const struct kc_child *child);
_Noreturn void kc_child_go_on(int channel);

#endif

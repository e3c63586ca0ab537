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
	bool boot;
};

/* In a process of its own. Ends it. */
_Noreturn void kc_child(const struct kc_child *child);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KC_MACHINE_SANDBOX_H
#define KC_MACHINE_SANDBOX_H

#include "base/span.h"

/*
 * Gives up what a machine doesn't need: privileges, descriptors but these two, namespaces where the
 * host allows that, and all system calls but those that its own code makes. 0; -errno.
 */
KC_MUST_CHECK int kc_sandbox_enter(int channel, int file);
/*
 * The same in two steps, for a process that forks in between: privileges, descriptors, namespaces;
 * then, in each child, limits and system calls.
 */
KC_MUST_CHECK int kc_sandbox_leave(int channel, int file);
KC_MUST_CHECK int kc_sandbox_close(void);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory that the oracle's machine shares with the host: qemu's ivshmem device, a PCI device
 * whose third BAR is a file of the host's. In it, in this order: this header, in a page of its own;
 * the input (modules, the helper module, the plan); the output, records as of record.h.
 *
 * `ask` fills in all of it but for `written` and `current`. Offsets are from its start. The process
 * of init.c and, while it is in finit_module, the helper module (witness.c) write records, one at a
 * time.
 */
#ifndef KC_ORACLE_MACHINE_H
#define KC_ORACLE_MACHINE_H

#include <stdint.h>

#define SHARED_MAGIC UINT64_C(0x6f636f6f6e6b6f63)
#define SHARED_INPUT 4096u /* where modules' offsets in the plan count from */

struct shared_memory {
	uint64_t magic;
	uint64_t plan, plan_size;
	uint64_t output, output_size;
	volatile uint64_t written; /* bytes of whole records in the output */
	volatile uint64_t current; /* index of the module that is being loaded */
};

/* In the helper module; init.c puts the physical address of the shared memory there. */
#define SHARED_ADDRESS_MARK UINT64_C(0x4b4f434f4f4e4d41)
/* And its size there. */
#define SHARED_SIZE_MARK UINT64_C(0x4b4f434f4f4e5349)

#endif

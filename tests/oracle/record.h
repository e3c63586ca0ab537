/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the oracle's machine tells the host: a stream of records, each a header, `size` bytes, and
 * zeros up to a multiple of eight. Numbers are little-endian; texts have no NUL at their end.
 *
 * `index` is the number of the line of the list that a record belongs to (see `ask`), or
 * RECORD_NO_INDEX. A module's records come in this order: START, MODULE and its REGIONs (it came as
 * far as its own formation; what its memory holds before its init), RESULT, VIEWs, LOGs, UNLOAD.
 */
#ifndef KC_ORACLE_RECORD_H
#define KC_ORACLE_RECORD_H

#include <stdint.h>

#define RECORD_NO_INDEX UINT32_MAX
#define RECORD_KILLED (-1) /* the task that made the call was killed in it */

enum record_kind {
	RECORD_START = 1, /* about to be loaded */
	RECORD_RESULT, /* int32_t: 0, the errno of finit_module, or RECORD_KILLED */
	RECORD_UNLOAD, /* int32_t: of delete_module; then the module's name */
	RECORD_TRIED, /* int32_t: of a file written to */
	RECORD_LOG, /* text: a line of the kernel's log */
	/*
	 * Text: PATH KIND MODE SIZE CONTENTS, tabs between. KIND: d, f, l, or - where there is
	 * nothing. CONTENTS: of a file, or a link's target, or "!ERRNO"; bytes that can't be
	 * printed and backslashes as \xx.
	 */
	RECORD_VIEW,
	RECORD_SYMBOL, /* text: a line of /proc/kallsyms */
	RECORD_MODULE, /* struct record_module */
	RECORD_REGION, /* struct record_region, then its bytes */
	RECORD_MEMORY, /* struct record_memory, then its bytes */
	RECORD_FAILED, /* text: an action of the plan could not be done */
	RECORD_END, /* the plan is through */
};

struct record_header {
	uint32_t kind;
	uint32_t index;
	uint64_t size;
};

struct record_module {
	char name[56]; /* as in struct module: padded with zeros */
	uint64_t address; /* of its struct module */
	uint64_t percpu; /* what it has for a per-CPU address; 0: no per-CPU data */
};

/*
 * One of its regions that isn't empty. Kernels with mod->mem[]: `type` is its index there, which is
 * enum kocoon_region_kind. Kernels before that: 0 core_layout, 4 init_layout.
 */
struct record_region {
	uint64_t type;
	uint64_t address;
	uint64_t size;
};

/* Memory of the kernel's own, from the symbol `start` on, as it was at the end of the list. */
struct record_memory {
	char start[40];
	uint64_t address;
	uint64_t size;
};

#endif

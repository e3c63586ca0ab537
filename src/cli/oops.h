/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a machine's kernel reported: as JSON, and in one line. */
#ifndef CLI_OOPS_H
#define CLI_OOPS_H

#include "kocoon/machine.h"

#include "cli/json.h"

/* Whether a task was killed, or the kernel ended. */
bool oops_is_fatal(const struct kocoon_oops *oops);

/* Index of the report that matters most; false: there is none but warnings. */
bool oops_find_worst(const struct kocoon_machine *machine, size_t *index_ret);

/* An object; source lines are looked up. */
struct json_object *oops_make_json(const struct kocoon_machine *machine,
				   const struct kocoon_oops *oops);

/* "page-fault at traps_init+0x52/0xff0 [traps] (traps.c:26)"; to be freed. */
char *oops_make_text(const struct kocoon_machine *machine, const struct kocoon_oops *oops);

#endif

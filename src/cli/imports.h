/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The symbols that a module imports and exports, for `kocoon info`.
 */
#ifndef CLI_IMPORTS_H
#define CLI_IMPORTS_H

#include "kocoon/kocoon.h"

#include "cli/json.h"
#include "cli/text.h"

/* A line with counts by provider; all of them below it with `verbose`. */
void imports_print(struct text *out, const struct kocoon_module *module, bool verbose);
void imports_json(struct json_object *object, const struct kocoon_module *module);

void exports_print(struct text *out, const struct kocoon_module *module, bool verbose);
void exports_json(struct json_object *object, const struct kocoon_module *module);

#endif

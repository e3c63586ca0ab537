/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Verdicts and their findings, as text and as JSON.
 */
#ifndef CLI_FINDINGS_H
#define CLI_FINDINGS_H

#include "kocoon/kocoon.h"

#include "cli/json.h"
#include "cli/text.h"

/*
 * Lines below a verdict: what was expected, found, and what to do. Of a refused module the first
 * few findings and of an accepted one none, unless `all` are asked for.
 */
void findings_print(struct text *text, const struct kocoon_verdict *verdict, bool all);

/* Array of all findings. */
void findings_json(struct json_object *object, const char *key, const struct kocoon_report *report);
void signature_json(struct json_object *object, const char *key,
		    const struct kocoon_signature *signature);
/* Its state: for people. */
const char *signature_words(const struct kocoon_signature *signature);

#endif

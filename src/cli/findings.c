// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Verdicts and their findings. See findings.h.
 */
#include "cli/findings.h"

#include <stdlib.h>
#include <string.h>

/* Where the columns of a finding begin. */
enum { FINDING_INDENT = 8, DETAIL_INDENT = 12, DETAIL_COLUMN = 10 };

/* Findings besides the deciding one that are printed unless all are asked for. */
enum { FEW_FINDINGS = 5 };

static void print_detail(struct text *text, const char *name, const char *value)
{
	if (!value)
		return;
	fprintf(text->file, "%*s", DETAIL_INDENT, "");
	text_put_color(text, TEXT_DIM, "%-*s", DETAIL_COLUMN, name);
	text_line(text, "%s", value);
}

/* Characters up to the first that differs. */
static size_t common_columns(const char *a, const char *b)
{
	size_t columns = 0;

	for (; *a && *a == *b; a++, b++)
		columns += ((unsigned char)a[1] & 0xc0) != 0x80;
	return columns;
}

/* A mark under the first character in which the two lines above it differ. */
static void print_difference(struct text *text, const char *expected, const char *found)
{
	char *clean_expected = text_clean(expected);
	char *clean_found = text_clean(found);

	if (strcmp(clean_expected, clean_found) != 0) {
		fprintf(text->file, "%*s",
			DETAIL_INDENT + DETAIL_COLUMN +
				(int)common_columns(clean_expected, clean_found),
			"");
		text_put_color(text, TEXT_YELLOW, "^");
		text_line(text, " first difference");
	}
	free(clean_expected);
	free(clean_found);
}

static void print_details(struct text *text, const struct kocoon_finding *finding)
{
	print_detail(text, "expected", finding->expected);
	print_detail(text, "found", finding->found);
	if (finding->stage == KOCOON_STAGE_VERMAGIC && finding->expected && finding->found)
		print_difference(text, finding->expected, finding->found);
}

static void print_heading(struct text *text, const struct kocoon_finding *finding)
{
	fprintf(text->file, "%*s", FINDING_INDENT, "");
	if (finding->err)
		text_put_color(text, TEXT_BOLD, "%s", kocoon_errno_name(finding->err));
	else
		text_put_color(text, TEXT_YELLOW, "warning");
	text_line(text, "  %s: %s", kocoon_stage_name(finding->stage), finding->what);
}

/* The finding that decided: the line of the verdict is its heading. NULL: there is none. */
static const struct kocoon_finding *find_reason(const struct kocoon_verdict *verdict)
{
	const struct kocoon_finding *finding;

	for (size_t i = 0; (finding = kocoon_report_get(verdict->report, i)); i++) {
		if (finding->err && finding->err == verdict->err &&
		    finding->stage == verdict->stage)
			return finding;
	}
	return NULL;
}

/* What helps against several findings in a row is said once, below the last of them. */
static void print_hint(struct text *text, const char *hint, const struct kocoon_finding *next)
{
	if (!next || !hint || !next->hint || strcmp(hint, next->hint) != 0)
		print_detail(text, "hint", hint);
}

void findings_print(struct text *text, const struct kocoon_verdict *verdict, bool all)
{
	const struct kocoon_finding *reason = find_reason(verdict);
	const struct kocoon_finding *last = reason;
	const struct kocoon_finding *finding;
	size_t printed = 0;
	size_t left = 0;

	if (reason)
		print_details(text, reason);
	for (size_t i = 0; (finding = kocoon_report_get(verdict->report, i)); i++) {
		if (finding == reason || (!verdict->err && !all))
			continue;
		if (printed == FEW_FINDINGS && !all) {
			left++;
			continue;
		}
		if (last)
			print_hint(text, last->hint, finding);
		print_heading(text, finding);
		print_details(text, finding);
		last = finding;
		printed++;
	}
	if (last)
		print_hint(text, last->hint, NULL);
	if (left)
		text_line(text, "%*s%zu findings more: --verbose", FINDING_INDENT, "", left);
}

void findings_json(struct json_object *object, const char *key, const struct kocoon_report *report)
{
	struct json_object *array = json_new_array(object, key);
	const struct kocoon_finding *finding;

	for (size_t i = 0; (finding = kocoon_report_get(report, i)); i++) {
		struct json_object *entry = json_make_object();

		json_text(entry, "stage", kocoon_stage_name(finding->stage));
		json_text(entry, "errno", kocoon_errno_name(finding->err));
		json_text(entry, "what", finding->what);
		json_text(entry, "expected", finding->expected);
		json_text(entry, "found", finding->found);
		json_text(entry, "hint", finding->hint);
		json_append(array, entry);
	}
}

void signature_json(struct json_object *object, const char *key,
		    const struct kocoon_signature *signature)
{
	struct json_object *entry = json_new_object(object, key);

	json_text(entry, "state", kocoon_signature_state_name(signature->state));
	json_text(entry, "signer", signature->signer);
	json_text(entry, "key_id", signature->key_id);
	json_text(entry, "hash", signature->hash);
}

const char *signature_words(const struct kocoon_signature *signature)
{
	static const char *const words[] = {
		[KOCOON_SIGNATURE_NONE] = "not signed",
		[KOCOON_SIGNATURE_OK] = "verified",
		[KOCOON_SIGNATURE_UNKNOWN_KEY] = "made with a key that this kernel doesn't trust",
		[KOCOON_SIGNATURE_BAD] = "BAD: damaged, or of other bytes than these",
		[KOCOON_SIGNATURE_UNSUPPORTED] = "of a kind that this kernel can't check",
		[KOCOON_SIGNATURE_UNCHECKED] = "not checked",
	};

	if ((size_t)signature->state < sizeof(words) / sizeof(words[0]))
		return words[signature->state];
	return kocoon_signature_state_name(signature->state);
}

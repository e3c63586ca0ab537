/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/oops.h"

#include <ctype.h>
#include <stdlib.h>

#include "machine/box.h"

enum { TEXT_MAX = 1024, REGISTERS_MAX = 64, TRACE_MAX = 256, LINKED_MAX = 8192, TAINTS_MAX = 32 };

static const char *const kind_names[] = {
	[KOCOON_OOPS_OTHER] = "other",
	[KOCOON_OOPS_PAGE_FAULT] = "page-fault",
	[KOCOON_OOPS_PROTECTION] = "general-protection",
	[KOCOON_OOPS_DIVIDE] = "divide-error",
	[KOCOON_OOPS_OPCODE] = "invalid-opcode",
	[KOCOON_OOPS_STACK] = "stack-overflow",
	[KOCOON_OOPS_BUG] = "bug",
	[KOCOON_OOPS_WARN] = "warn",
	[KOCOON_OOPS_SOFT_LOCKUP] = "soft-lockup",
	[KOCOON_OOPS_HUNG_TASK] = "hung-task",
	[KOCOON_OOPS_HANG] = "hang",
	[KOCOON_OOPS_PANIC] = "panic",
};

const char *kocoon_oops_kind_name(enum kocoon_oops_kind kind)
{
	return (size_t)kind < KC_ARRAY_SIZE(kind_names) ? kind_names[kind] : "other";
}

/* ---- memory ---- */

static void free_text(const char *text)
{
	free((char *)(uintptr_t)text); /* NOLINT: const for those who read it */
}

static void place_deinit(struct kocoon_place *place)
{
	free_text(place->symbol);
	free_text(place->module);
}

static void oops_free(struct kocoon_oops *oops)
{
	free_text(oops->what);
	free_text(oops->task);
	free_text(oops->tainted);
	free_text(oops->code);
	free_text(oops->file);
	place_deinit(&oops->at);
	for (size_t i = 0; i < oops->register_count; i++)
		free_text(oops->registers[i].name);
	free(oops->registers);
	for (size_t i = 0; i < oops->trace_count; i++)
		place_deinit(&oops->trace[i]);
	free(oops->trace);
	for (size_t i = 0; i < oops->linked_count; i++) {
		free_text(oops->linked[i].name);
		free_text(oops->linked[i].taints);
	}
	free(oops->linked);
	free(oops);
}

void kc_oops_reader_deinit(struct kc_oops_reader *reader)
{
	for (size_t i = 0; i < reader->count; i++)
		oops_free(reader->oopses[i]);
	*reader = (struct kc_oops_reader){ 0 };
}

/* Room for one more of an array; NULL: there is none, or the bound is reached. */
static void *one_more(void *array, size_t count, size_t max, size_t size)
{
	return count < max ? reallocarray(array, count + 1, size) : NULL;
}

/* Keeps the first that is said. */
static void keep_text(const char **text, const char *from, size_t len)
{
	if (!*text)
		*text = strndup(from, len);
}

/* ---- parts of a line ---- */

static bool begins(const char *line, const char *prefix)
{
	return strncmp(line, prefix, strlen(prefix)) == 0;
}

/* What follows a text in a line; NULL: it is not there. */
static const char *behind(const char *line, const char *text)
{
	const char *at = strstr(line, text);

	return at ? at + strlen(text) : NULL;
}

/* Hexadecimal digits; false: there are none. */
static bool take_hex(const char **at, uint64_t *value_ret)
{
	char *end;

	if (!isxdigit((unsigned char)**at))
		return false;
	*value_ret = strtoull(*at, &end, 16);
	*at = end;
	return true;
}

/* SYMBOL+0xOFFSET/0xSIZE [MODULE], or an address. Texts are the caller's to free. */
static bool take_place(const char *at, struct kocoon_place *place_ret)
{
	size_t len = strcspn(at, "+ ");
	struct kocoon_place place = { .sure = true };
	const char *name = at;

	at += len;
	if (!len || (*at != '+' && !begins(name, "0x")))
		return false;
	if (*at == '+') {
		at++;
		if (!take_hex(&at, &place.offset) || *at++ != '/' || !take_hex(&at, &place.size))
			return false;
	}
	place.symbol = strndup(name, len);
	if (!place.symbol)
		return false;
	if (begins(at, " ["))
		place.module = strndup(at + 2, strcspn(at + 2, " ]"));
	*place_ret = place;
	return true;
}

/* "FILE:LINE", with something behind it. */
static void take_source(struct kocoon_oops *oops, const char *at)
{
	size_t len = strcspn(at, " !");
	const char *colon = memrchr(at, ':', len);

	if (!colon || colon == at || oops->file || !isdigit((unsigned char)colon[1]))
		return;
	oops->file = strndup(at, (size_t)(colon - at));
	oops->line = (unsigned int)strtoul(colon + 1, NULL, 10);
}

/* ---- the lines of a report ---- */

/* "CPU: 0 PID: 12 Comm: NAME Tainted: G   OE   6.12.1 #1"; newer ones have UID before PID. */
static void take_task(struct kocoon_oops *oops, const char *line)
{
	const char *pid = behind(line, "PID: "), *name = behind(line, " Comm: ");
	const char *end = name ? strstr(name, " Tainted: ") : NULL;

	if (name && !end)
		end = strstr(name, " Not tainted");
	if (!pid || !end || oops->task)
		return;
	oops->pid = (unsigned int)strtoul(pid, NULL, 10);
	keep_text(&oops->task, name, (size_t)(end - name));
}

/* One letter a taint, blanks for those that there are not, and then the release. */
static void take_taints(struct kocoon_oops *oops, const char *line)
{
	const char *at = behind(line, "Tainted: ");
	char letters[TAINTS_MAX];
	size_t count = 0;

	for (; at && (isupper((unsigned char)*at) || *at == ' '); at++)
		if (*at != ' ' && count < sizeof(letters))
			letters[count++] = *at;
	if (count)
		keep_text(&oops->tainted, letters, count);
}

static bool has_register(const struct kocoon_oops *oops, const char *name, size_t len)
{
	for (size_t i = 0; i < oops->register_count; i++)
		if (!strncmp(oops->registers[i].name, name, len) && !oops->registers[i].name[len])
			return true;
	return false;
}

static void add_register(struct kocoon_oops *oops, const char *name, size_t len, uint64_t value)
{
	struct kocoon_register *more;

	if (has_register(oops, name, len))
		return;
	more = one_more(oops->registers, oops->register_count, REGISTERS_MAX, sizeof(*more));
	if (!more)
		return;
	oops->registers = more;
	more[oops->register_count] = (struct kocoon_register){ strndup(name, len), value };
	oops->register_count += more[oops->register_count].name != NULL;
}

static bool is_of_registers(const char *line)
{
	static const char *const first[] = { "RSP: ", "RAX: ", "RDX: ", "RBP: ", "R10: ",
					     "R13: ", "FS: ",  "CS: ",	"CR2: " };

	for (size_t i = 0; i < KC_ARRAY_SIZE(first); i++)
		if (begins(line, first[i]))
			return true;
	return false;
}

/* "RSP: 0018:00002000005f3c88 EFLAGS: 00010246", "GS:000000002fc00000(0000)" */
static void take_registers(struct kocoon_oops *oops, const char *at)
{
	while (*at) {
		size_t len = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					"0123456789");
		const char *name = at;
		uint64_t value;

		at += len;
		if (!len || *at++ != ':')
			return;
		at += strspn(at, " ");
		if (!take_hex(&at, &value))
			return;
		/* A selector comes first. */
		if (*at == ':') {
			at++;
			if (!take_hex(&at, &value))
				return;
		}
		if (*at == '(')
			at += strcspn(at, " ");
		add_register(oops, name, len, value);
		at += strspn(at, " ");
	}
}

static void take_frame(struct kocoon_oops *oops, const char *line)
{
	struct kocoon_place place, *more;
	bool sure = !begins(line, "? ");

	if (!take_place(sure ? line : line + 2, &place))
		return;
	place.sure = sure;
	more = one_more(oops->trace, oops->trace_count, TRACE_MAX, sizeof(*more));
	if (!more) {
		place_deinit(&place);
		return;
	}
	oops->trace = more;
	more[oops->trace_count++] = place;
}

/* "NAME(TAINTS) NAME ... [last unloaded: NAME]" */
static void take_linked(struct kocoon_oops *oops, const char *at)
{
	for (at += strspn(at, " "); *at && *at != '['; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ("), taints = 0;
		struct kocoon_linked *more;
		const char *name = at;

		at += len;
		if (*at == '(') {
			taints = strcspn(++at, ") ");
			at += taints;
		}
		more = one_more(oops->linked, oops->linked_count, LINKED_MAX, sizeof(*more));
		if (!more)
			return;
		oops->linked = more;
		more += oops->linked_count++;
		more->name = strndup(name, len);
		more->taints = strndup(at - taints, taints);
		at += strcspn(at, " ");
	}
}

/* ---- where reports begin and end ---- */

static struct kocoon_oops *begin(struct kc_oops_reader *reader, enum kocoon_oops_kind kind,
				 const char *line)
{
	struct kocoon_oops *oops = NULL;

	reader->open = reader->in_trace = false;
	if (reader->count < KC_OOPS_MAX)
		oops = calloc(1, sizeof(*oops));
	if (!oops)
		return NULL;
	oops->kind = kind;
	keep_text(&oops->what, line, strlen(line));
	reader->oopses[reader->count++] = oops;
	reader->open = true;
	return oops;
}

/* Of what is the text that die() was called with. */
static enum kocoon_oops_kind kind_of_death(const char *line)
{
	static const struct {
		const char *text;
		enum kocoon_oops_kind kind;
	} deaths[] = {
		{ "general protection fault", KOCOON_OOPS_PROTECTION },
		{ "divide error", KOCOON_OOPS_DIVIDE },
		{ "invalid opcode", KOCOON_OOPS_OPCODE },
		{ "stack guard page", KOCOON_OOPS_STACK },
	};

	for (size_t i = 0; i < KC_ARRAY_SIZE(deaths); i++)
		if (strstr(line, deaths[i].text))
			return deaths[i].kind;
	return KOCOON_OOPS_OTHER;
}

/* "Oops: divide error: 0000 [#1] PREEMPT"; behind a line that says more, or alone. */
static bool take_death(struct kc_oops_reader *reader, const char *line)
{
	const char *number = behind(line, " [#");
	struct kocoon_oops *oops = reader->open ? reader->oopses[reader->count - 1] : NULL;

	if (!number || !isdigit((unsigned char)*number))
		return false;
	if (!oops || oops->number || oops->trace_count || oops->kind == KOCOON_OOPS_WARN)
		oops = begin(reader, kind_of_death(line), line);
	reader->fatal++;
	if (oops)
		oops->number = (unsigned int)strtoul(number, NULL, 10);
	return true;
}

static bool take_first(struct kc_oops_reader *reader, const char *line)
{
	static const struct {
		const char *prefix, *text;
		enum kocoon_oops_kind kind;
	} firsts[] = {
		{ "BUG: kernel NULL pointer dereference", "", KOCOON_OOPS_PAGE_FAULT },
		{ "BUG: unable to handle ", "", KOCOON_OOPS_PAGE_FAULT },
		{ "BUG: ", "stack guard page was hit", KOCOON_OOPS_STACK },
		{ "BUG: soft lockup", "", KOCOON_OOPS_SOFT_LOCKUP },
		{ "watchdog: BUG: soft lockup", "", KOCOON_OOPS_SOFT_LOCKUP },
		{ "BUG: ", "", KOCOON_OOPS_OTHER },
		{ "kernel BUG at ", "", KOCOON_OOPS_BUG },
		{ "WARNING: ", " at ", KOCOON_OOPS_WARN },
		{ "INFO: task ", " blocked for more than ", KOCOON_OOPS_HUNG_TASK },
		{ KC_OOPS_HANG_TEXT, "", KOCOON_OOPS_HANG },
		{ "Kernel panic - not syncing", "", KOCOON_OOPS_PANIC },
	};
	struct kocoon_oops *oops;
	size_t i = 0;

	while (i < KC_ARRAY_SIZE(firsts) &&
	       (!begins(line, firsts[i].prefix) || !strstr(line, firsts[i].text)))
		i++;
	if (i == KC_ARRAY_SIZE(firsts))
		return false;
	oops = begin(reader, firsts[i].kind, line);
	reader->fatal += firsts[i].kind == KOCOON_OOPS_PANIC;
	if (oops && strstr(line, " at "))
		take_source(oops, behind(line, " at "));
	return true;
}

/* "INFO: task NAME:PID blocked" */
static void take_hung_task(struct kocoon_oops *oops)
{
	const char *name = oops->what ? behind(oops->what, "INFO: task ") : NULL;
	const char *end = name ? strstr(name, " blocked for ") : NULL;
	const char *colon = end ? memrchr(name, ':', (size_t)(end - name)) : NULL;

	if (!colon)
		return;
	oops->pid = (unsigned int)strtoul(colon + 1, NULL, 10);
	keep_text(&oops->task, name, (size_t)(colon - name));
}

/* Whether the report ends with its trace. */
static bool ends_with_trace(const struct kocoon_oops *oops)
{
	return !oops->number && oops->kind != KOCOON_OOPS_WARN && oops->kind != KOCOON_OOPS_PANIC;
}

static void take_more(struct kc_oops_reader *reader, struct kocoon_oops *oops, const char *line)
{
	const char *trimmed = line + strspn(line, " ");

	if (begins(line, "---[ end ")) {
		reader->open = false;
	} else if (reader->in_trace && *line == ' ') {
		take_frame(oops, trimmed);
		reader->in_trace = !begins(trimmed, "</TASK>");
		reader->open = reader->in_trace || !ends_with_trace(oops);
	} else if (begins(line, "Call Trace:")) {
		reader->in_trace = true;
	} else if (begins(line, "RIP: ")) {
		const char *place = strchr(line + 5, ':');

		if (!oops->at.symbol && place)
			(void)take_place(place + 1, &oops->at);
	} else if (begins(line, "Code: ")) {
		keep_text(&oops->code, line + 6, strlen(line + 6));
	} else if (begins(line, "Modules linked in:")) {
		if (!oops->linked)
			take_linked(oops, behind(line, ":"));
	} else if (begins(line, "CPU: ")) {
		take_task(oops, line);
		take_taints(oops, line);
	} else if (begins(trimmed, "Tainted: ")) {
		take_taints(oops, line);
	} else if (is_of_registers(line)) {
		take_registers(oops, line);
	}
}

void kc_oops_read_line(struct kc_oops_reader *reader, const char *text, size_t len)
{
	char line[TEXT_MAX];

	len = strnlen(text, len < sizeof(line) - 1 ? len : sizeof(line) - 1);
	memcpy(line, text, len);
	line[len] = 0;
	if (take_first(reader, line)) {
		if (reader->open &&
		    reader->oopses[reader->count - 1]->kind == KOCOON_OOPS_HUNG_TASK)
			take_hung_task(reader->oopses[reader->count - 1]);
	} else if (!take_death(reader, line) && reader->open) {
		take_more(reader, reader->oopses[reader->count - 1], line);
	}
}

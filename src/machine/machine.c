/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public functions: machines, and modprobe's part of loading a module. */
#include "kocoon/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/elf.h"
#include "kernel/kernel.h"
#include "machine/alias.h"
#include "machine/booted.h"
#include "machine/parent.h"

enum { FINDINGS_MAX = 256 };

int kocoon_machine_start(const struct kocoon_booted *booted, kocoon_machine_log_fn *log,
			 void *log_context, struct kocoon_machine **machine_ret)
{
	struct kocoon_machine *machine = calloc(1, sizeof(*machine));
	int err;

	if (!machine)
		return -ENOMEM;
	machine->booted = booted;
	machine->log = log;
	machine->log_context = log_context;
	kc_report_init(&machine->report);
	machine->process = (struct kc_process){ .channel = -1, .timeout = booted->timeout };
	machine->bytes = malloc(KC_TELL_MAX + 1);
	err = machine->bytes ? kc_process_start(&machine->process, booted->zygote) : -ENOMEM;
	if (err) {
		kocoon_machine_free(machine);
		return err;
	}
	*machine_ret = machine;
	return 0;
}

void kocoon_machine_free(struct kocoon_machine *machine)
{
	if (!machine)
		return;
	kc_process_stop(&machine->process);
	for (size_t i = 0; i < machine->loaded_count; i++)
		free(machine->loaded[i]);
	free(machine->loaded);
	free(machine->bytes);
	kc_report_deinit(&machine->report);
	kc_oops_reader_deinit(&machine->oopses);
	kc_free_files(machine);
	free(machine);
}

const char *kocoon_machine_end(const struct kocoon_machine *machine)
{
	return *machine->process.end ? machine->process.end : NULL;
}

const struct kocoon_report *kocoon_machine_report(const struct kocoon_machine *machine)
{
	return &machine->report;
}

int kocoon_machine_error(const struct kocoon_machine *machine)
{
	if (!*machine->process.end)
		return 0;
	return machine->process.late ? -ETIMEDOUT : -EHOSTDOWN;
}

const char *kocoon_machine_loaded(const struct kocoon_machine *machine, size_t index)
{
	return index < machine->loaded_count ? machine->loaded[index] : NULL;
}

const struct kocoon_oops *kocoon_machine_oops(const struct kocoon_machine *machine, size_t index)
{
	return index < machine->oopses.count ? machine->oopses.oopses[index] : NULL;
}

bool kc_machine_refuses(const struct kocoon_machine *machine)
{
	return machine->oopses.fatal && !machine->booted->oops_continue;
}

/* ---- which are loaded ---- */

static bool is_loaded(const struct kocoon_machine *machine, const char *name)
{
	for (size_t i = 0; i < machine->loaded_count; i++)
		if (!strcmp(machine->loaded[i], name))
			return true;
	return false;
}

static int note_loaded(struct kocoon_machine *machine, const char *name)
{
	char **more = reallocarray(machine->loaded, machine->loaded_count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	machine->loaded = more;
	more[machine->loaded_count] = strdup(name);
	if (!more[machine->loaded_count])
		return -ENOMEM;
	machine->loaded_count++;
	return 0;
}

static void note_removed(struct kocoon_machine *machine, const char *name)
{
	for (size_t i = 0; i < machine->loaded_count; i++) {
		if (strcmp(machine->loaded[i], name) != 0)
			continue;
		free(machine->loaded[i]);
		machine->loaded_count--;
		memmove(&machine->loaded[i], &machine->loaded[i + 1],
			(machine->loaded_count - i) * sizeof(*machine->loaded));
		return;
	}
}

/* ---- answers ---- */

static int insert(struct kocoon_machine *machine, const char *path, const char *args,
		  struct kocoon_machine_result *result_ret);

/* What modprobe was called for, and how it went. */
struct request {
	struct kocoon_machine *machine;
	bool found;
	struct kocoon_machine_result result;
};

static int serve_module(void *context, const char *name)
{
	struct request *request = context;
	const char *path = kocoon_tree_find(request->machine->booted->tree, name);

	if (!path)
		return 0;
	request->found = true;
	if (is_loaded(request->machine, name))
		return 0;
	return insert(request->machine, path, NULL, &request->result);
}

/* By a module's name, or by an alias, as modprobe looks it up. */
static int serve_name(struct request *request, const char *name)
{
	const struct kocoon_tree *tree = request->machine->booted->tree;
	int err = tree ? serve_module(request, name) : 0;

	return err || !tree || request->found ? err
					      : kc_each_alias(tree, name, serve_module, request);
}

/* The kernel calls modprobe. */
static int serve_request(struct kocoon_machine *machine, const struct kc_want *want)
{
	struct request request = { .machine = machine };
	struct kc_ask end = { .kind = KC_ASK_END, .id = want->id };
	uint64_t before = machine->request;
	int err = 0;

	machine->request = want->id;
	if (!kc_machine_refuses(machine))
		err = serve_name(&request, want->name);
	machine->request = before;
	if (err)
		return err;
	end.status = !request.found || request.result.err || request.result.oops;
	return kc_process_ask(&machine->process, end, kc_span("", 0), kc_span("", 0));
}

static bool take_early(struct kocoon_machine *machine, uint64_t id, struct kc_done *done_ret)
{
	for (size_t i = 0; i < machine->early_count; i++) {
		if (machine->early[i].id != id)
			continue;
		*done_ret = machine->early[i];
		machine->early[i] = machine->early[--machine->early_count];
		return true;
	}
	return false;
}

static int keep_early(struct kocoon_machine *machine, const struct kc_done *done)
{
	if (machine->early_count == KC_EARLY_MAX)
		return -EHOSTDOWN;
	machine->early[machine->early_count++] = *done;
	return 0;
}

static void hear_line(void *context, int level, uint64_t usec, const char *text, size_t len)
{
	struct kocoon_machine *machine = context;

	kc_oops_read_line(&machine->oopses, text, len);
	if (machine->log)
		machine->log(machine->log_context, level, usec, text, len);
}

/* The text that is asked for may come while a module is asked for because of it. */
static int take_text(struct kocoon_machine *machine, size_t len)
{
	struct kc_buffer *text = machine->text;

	if (!text)
		return 0;
	if (text->len + len > KC_TEXT_MAX) {
		kc_process_give_up(&machine->process, "the machine says more than was asked for");
		return -EHOSTDOWN;
	}
	return kc_buffer_append(text, machine->bytes, len);
}

/* Five texts, however they may be damaged. */
static void take_finding(struct kocoon_machine *machine, uint32_t len)
{
	const char *texts[KC_FINDING_TEXTS], *at = machine->bytes, *end = at + len;
	struct kocoon_report *report = &machine->report;
	struct kc_told_finding told;

	if (len < sizeof(told) || kocoon_report_count(report) >= FINDINGS_MAX)
		return;
	memcpy(&told, at, sizeof(told));
	at += sizeof(told);
	for (size_t i = 0; i < KC_FINDING_TEXTS; i++) {
		texts[i] = at < end ? at : "";
		at += strlen(texts[i]) + 1;
	}
	if (told.stage < 0 || told.stage > KOCOON_STAGE_KERNEL || told.err > 0)
		return;
	/* Of what is loaded for another it is no fault to be there. */
	if (told.stage == KOCOON_STAGE_DUPLICATE && told.err == -EEXIST && machine->depth > 1)
		return;
	kc_finding(report, (enum kocoon_stage)told.stage, told.err, "%s: %s", texts[0], texts[1]);
	if (*texts[2])
		kc_expected(report, "%s", texts[2]);
	if (*texts[3])
		kc_found(report, "%s", texts[3]);
	if (*texts[4])
		kc_hint(report, "%s", texts[4]);
}

/* What is no answer to what was asked last. */
static int take_other(struct kocoon_machine *machine, const struct kc_tell *tell)
{
	struct kc_want want;

	if (tell->kind == KC_TELL_LOG)
		kc_pass_log(hear_line, machine, machine->bytes, tell->len);
	else if (tell->kind == KC_TELL_TEXT)
		return take_text(machine, tell->len);
	else if (tell->kind == KC_TELL_FINDING)
		take_finding(machine, tell->len);
	if (tell->kind != KC_TELL_WANT || tell->len != sizeof(want))
		return 0;
	memcpy(&want, machine->bytes, sizeof(want));
	want.name[sizeof(want.name) - 1] = 0;
	return serve_request(machine, &want);
}

/* Hears until the answer is there. */
static int wait_for_answer(struct kocoon_machine *machine, uint64_t id, struct kc_done *done_ret)
{
	while (!take_early(machine, id, done_ret)) {
		struct kc_tell tell;
		struct kc_done done;
		int err = kc_process_hear(&machine->process, &tell, machine->bytes);

		if (err)
			return err;
		if (tell.kind == KC_TELL_DONE && tell.len == sizeof(done)) {
			memcpy(&done, machine->bytes, sizeof(done));
			err = keep_early(machine, &done);
		} else {
			err = take_other(machine, &tell);
		}
		if (err)
			return err;
	}
	return 0;
}

int kc_ask(struct kocoon_machine *machine, enum kc_ask_kind kind, struct kc_span first,
	   struct kc_span second, struct kc_done *done_ret)
{
	const struct kc_ask question = { .kind = kind,
					 .id = ++machine->last_id,
					 .request = machine->request };
	int err = kc_process_ask(&machine->process, question, first, second);

	return err ? err : wait_for_answer(machine, question.id, done_ret);
}

static struct kocoon_machine_result result_of(const struct kc_done *done)
{
	return (struct kocoon_machine_result){ .err = done->status,
					       .oops = done->died != 0,
					       .nsec = done->nsec };
}

/* ---- modprobe ---- */

/* A copy of a text of .modinfo; NULL: there is none, or no memory. */
static char *modinfo(struct kc_span image, const char *tag)
{
	size_t len = strlen(tag);
	struct kc_span texts;
	struct kc_elf elf;
	Elf64_Shdr shdr;

	if (kc_elf_open(image, &elf) || !kc_elf_find_section(&elf, ".modinfo", &shdr, &texts))
		return NULL;
	for (uint64_t at = 0; at < texts.len; at++) {
		const char *text = kc_span_string(texts, at);

		if (!text)
			return NULL;
		if (!strncmp(text, tag, len) && text[len] == '=')
			return strdup(text + len + 1);
		at += strlen(text);
	}
	return NULL;
}

/* Those of a list with commas, in its order; missing ones are for the kernel to miss. */
static int insert_dependencies(struct kocoon_machine *machine, char *list,
			       struct kocoon_machine_result *result_ret)
{
	char *rest = NULL;
	int err = 0;

	*result_ret = (struct kocoon_machine_result){ 0 };
	for (char *name = strtok_r(list, ",", &rest); name && !err;
	     name = strtok_r(NULL, ",", &rest)) {
		const char *path = kocoon_tree_find(machine->booted->tree, name);

		if (is_loaded(machine, name) || !path)
			continue;
		err = insert(machine, path, NULL, result_ret);
		if (result_ret->err == -EEXIST)
			result_ret->err = 0;
		if (result_ret->err || result_ret->oops)
			break;
	}
	return err;
}

static bool is_under_way(const struct kocoon_machine *machine, const char *name)
{
	for (unsigned int i = 0; i < machine->depth; i++)
		if (machine->under_way[i] && !strcmp(machine->under_way[i], name))
			return true;
	return false;
}

/* Whether it can be loaded counts for nothing, only whether the machine goes on. */
static int insert_soft(struct kocoon_machine *machine, const char *name)
{
	struct request request = { .machine = machine };
	int err = is_under_way(machine, name) ? 0 : serve_name(&request, name);

	return err == -ETIMEDOUT || err == -EHOSTDOWN || err == -ENOMEM ? err : 0;
}

/*
 * Soft dependencies: "pre: NAME... post: NAME...", of which those behind `kind` are meant; what
 * stands before either is passed over. Of several such texts modprobe takes the first.
 */
static int insert_softdeps(struct kocoon_machine *machine, struct kc_span image, const char *kind)
{
	char *text = modinfo(image, "softdep"), *rest = NULL;
	const char *current = "";
	int err = 0;

	for (char *at = text; at && *at; at++)
		if (*at == '-')
			*at = '_';
	for (char *word = text ? strtok_r(text, " \t", &rest) : NULL; word && !err;
	     word = strtok_r(NULL, " \t", &rest)) {
		if (!strcmp(word, "pre:") || !strcmp(word, "post:"))
			current = word;
		else if (!strcmp(current, kind))
			err = insert_soft(machine, word);
	}
	free(text);
	return err;
}

static int insert_image(struct kocoon_machine *machine, struct kc_span image, const char *args,
			struct kocoon_machine_result *result_ret)
{
	char *depends = modinfo(image, "depends"), *name = modinfo(image, "name");
	struct kocoon_machine_result first = { 0 };
	struct kc_done done;
	int err = 0;

	machine->under_way[machine->depth - 1] = name;
	if (depends && machine->booted->tree)
		err = insert_dependencies(machine, depends, &first);
	*result_ret = first;
	if (!err && !first.err && !first.oops)
		err = insert_softdeps(machine, image, "pre:");
	/* A dependency's init may have asked for this one. */
	if (!err && !first.err && !first.oops && !(name && is_loaded(machine, name))) {
		err = kc_ask(machine, KC_ASK_LOAD, image,
			     kc_span(args ? args : "", args ? strlen(args) : 0), &done);
		if (!err)
			*result_ret = result_of(&done);
		if (!err && !result_ret->err && !result_ret->oops && name)
			err = note_loaded(machine, name);
	}
	if (!err && !result_ret->err && !result_ret->oops)
		err = insert_softdeps(machine, image, "post:");
	machine->under_way[machine->depth - 1] = NULL;
	free(depends);
	free(name);
	return err;
}

static int insert(struct kocoon_machine *machine, const char *path, const char *args,
		  struct kocoon_machine_result *result_ret)
{
	static const struct kc_decompressor none = { .format = KC_FORMAT_NONE };
	struct kc_unpacker unpacker = { 0 };
	struct kc_buffer file = { 0 }, unpacked = { 0 };
	enum kc_format format;
	struct kc_span image = kc_span(NULL, 0);
	int err;

	if (machine->depth == KC_DEPTH_MAX)
		return -ELOOP;
	machine->depth++;
	err = kc_note_file(machine, path);
	if (!err)
		err = kc_read_file(path, KC_MODULE_IMAGE_MAX, &file, NULL);
	if (!err)
		err = kc_module_decompress(&none, kc_buffer_span(&file), &unpacker, &unpacked, NULL,
					   &format, &image);
	if (!err)
		err = insert_image(machine, image, args, result_ret);
	machine->depth--;
	kc_unpacker_deinit(&unpacker);
	kc_buffer_deinit(&unpacked);
	kc_buffer_deinit(&file);
	return err;
}

int kocoon_machine_insert(struct kocoon_machine *machine, const char *path, const char *args,
			  struct kocoon_machine_result *result_ret)
{
	size_t before = machine->oopses.fatal;
	int err;

	if (kc_machine_refuses(machine))
		return -EIO;
	kc_process_start_clock(&machine->process);
	kc_report_deinit(&machine->report);
	err = insert(machine, path, args, result_ret);
	if (!err)
		result_ret->oops |= machine->oopses.fatal > before;
	return err;
}

int kocoon_machine_remove(struct kocoon_machine *machine, const char *name,
			  struct kocoon_machine_result *result_ret)
{
	size_t before = machine->oopses.fatal;
	struct kc_done done;
	int err;

	if (kc_machine_refuses(machine))
		return -EIO;
	kc_process_start_clock(&machine->process);
	err = kc_ask(machine, KC_ASK_UNLOAD, kc_span(name, strlen(name)), kc_span("", 0), &done);
	if (err)
		return err;
	*result_ret = result_of(&done);
	if (!done.status && !done.died)
		note_removed(machine, name);
	result_ret->oops |= machine->oopses.fatal > before;
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public functions that look inside a machine. What it answers is checked, not believed. */
#include "kocoon/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "machine/parent.h"

static struct kc_span span_of(const char *text)
{
	return kc_span(text, strlen(text));
}

/* A question whose answer is a text, which gets a NUL behind it. */
static int ask_for_text(struct kocoon_machine *machine, enum kc_ask_kind kind, const char *path,
			struct kc_span bytes, struct kc_buffer *text)
{
	struct kc_done done = { 0 };
	int err;

	kc_process_start_clock(&machine->process);
	machine->text = text;
	err = kc_ask(machine, kind, span_of(path), bytes, &done);
	machine->text = NULL;
	/* A positive number is no errno: it is said by who may say anything. */
	if (!err)
		err = done.died ? -EIO : done.status > 0 ? -EPROTO : done.status;
	return err ? err : kc_buffer_append(text, "", 1);
}

static int get_text(struct kocoon_machine *machine, enum kc_ask_kind kind, const char *path,
		    char **text_ret, size_t *len_ret)
{
	struct kc_buffer text = { 0 };
	int err = ask_for_text(machine, kind, path, kc_span("", 0), &text);

	if (err) {
		kc_buffer_deinit(&text);
		return err;
	}
	*text_ret = (char *)text.data;
	*len_ret = text.len - 1;
	return 0;
}

int kocoon_machine_read(struct kocoon_machine *machine, const char *path, char **text_ret,
			size_t *len_ret)
{
	return get_text(machine, KC_ASK_READ, path, text_ret, len_ret);
}

int kocoon_machine_write(struct kocoon_machine *machine, const char *path, const void *bytes,
			 size_t len)
{
	struct kc_buffer none = { 0 };
	int err = -EIO;

	if (!kc_machine_refuses(machine))
		err = ask_for_text(machine, KC_ASK_WRITE, path, kc_span(bytes, len), &none);
	kc_buffer_deinit(&none);
	return err;
}

int kocoon_machine_link(struct kocoon_machine *machine, const char *path, char **target_ret)
{
	size_t len;

	return get_text(machine, KC_ASK_LINK, path, target_ret, &len);
}

int kocoon_machine_status(struct kocoon_machine *machine, const char *path,
			  struct kocoon_machine_status *status_ret)
{
	struct kc_status told;
	size_t len;
	char *text;
	int err = get_text(machine, KC_ASK_STATUS, path, &text, &len);

	if (err)
		return err;
	if (len == sizeof(told)) {
		memcpy(&told, text, sizeof(told));
		*status_ret = (struct kocoon_machine_status){ .mode = told.mode,
							      .uid = told.uid,
							      .gid = told.gid,
							      .inode = told.inode,
							      .links = told.links,
							      .size = told.size,
							      .modified = told.modified };
	} else {
		err = -EPROTO;
	}
	free(text);
	return err;
}

int kocoon_machine_log(struct kocoon_machine *machine, char **text_ret, size_t *len_ret)
{
	return get_text(machine, KC_ASK_LOG, "", text_ret, len_ret);
}

/* A name in a folder, and nothing else that a path could be. */
static bool is_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

int kocoon_machine_list(struct kocoon_machine *machine, const char *path,
			kocoon_machine_entry_fn *entry, void *context)
{
	char *text;
	size_t len;
	int err = get_text(machine, KC_ASK_LIST, path, &text, &len);

	if (err)
		return err;
	for (size_t at = 0; at < len && !err;) {
		const char *name = text + at + 1;

		if (is_name(name))
			err = entry(context, text[at], name);
		at += strlen(name) + 2;
	}
	free(text);
	return err;
}

long kocoon_machine_pid(const struct kocoon_machine *machine)
{
	return machine->process.pid;
}

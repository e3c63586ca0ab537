/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Views as data: what one would find at a path of sysfs, procfs or debugfs, had the subsystem a
 * kernel of its own around it.
 *
 * Consumes the tables of entries (views.h). Produces stat, listing, contents, link targets.
 *
 * Folders are listed in the order of the tables, sections in that of the module's file. Differs
 * from Linux: sysfs sorts by hash. "." and ".." are no names here.
 */
#include "live/views.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the tree above the files ---- */

static const struct kc_node debug = {
	.name = "debug",
	.kind = KOCOON_VIEW_FOLDER,
	.mode = 0700,
	.children = (const struct kc_node *const[]){ &kc_node_debug_modules, NULL },
};

static const struct kc_node sys_kernel = {
	.name = "kernel",
	.kind = KOCOON_VIEW_FOLDER,
	.mode = 0755,
	.children = (const struct kc_node *const[]){ &debug, NULL },
};

static const struct kc_node sys = {
	.name = "sys",
	.kind = KOCOON_VIEW_FOLDER,
	.mode = 0555,
	.children = (const struct kc_node *const[]){ &sys_kernel, &kc_node_sys_module, NULL },
};

static const struct kc_node proc_sys = {
	.name = "sys",
	.kind = KOCOON_VIEW_FOLDER,
	.mode = 0555,
	.children = (const struct kc_node *const[]){ &kc_node_sysctl_kernel, NULL },
};

static const struct kc_node proc = {
	.name = "proc",
	.kind = KOCOON_VIEW_FOLDER,
	.mode = 0555,
	.children = (const struct kc_node *const[]){ &kc_node_proc_kallsyms, &kc_node_proc_modules,
						     &proc_sys, NULL },
};

static const struct kc_node root = {
	.name = "",
	.kind = KOCOON_VIEW_FOLDER,
	.mode = 0755,
	.children = (const struct kc_node *const[]){ &proc, &sys, NULL },
};

/* ---- texts ---- */

int kc_view_print(struct kc_buffer *text, const char *format, ...)
{
	char *line;
	va_list values;
	int len, err;

	va_start(values, format);
	len = vasprintf(&line, format, values);
	va_end(values);
	if (len < 0)
		return -ENOMEM;
	err = kc_buffer_append(text, line, (size_t)len);
	free(line);
	return err;
}

/* ---- walking ---- */

static void put(struct kc_view_place *place)
{
	if (place->module)
		kc_sysfs_put_active(place->module);
	place->module = NULL;
}

static bool is_there(const struct kc_view_place *folder, const struct kc_node *node)
{
	return !node->there || node->there(folder);
}

struct wanted {
	const char *name;
	struct kc_view_place *place_ret;
};

static int compare(void *context, const struct kc_view_place *member)
{
	struct wanted *wanted = context;

	if (strcmp(member->name, wanted->name))
		return 0;
	*wanted->place_ret = *member;
	return 1;
}

static int find_member(struct kc_view_place *place, const char *name)
{
	const struct kc_members *members = place->node->members;
	struct kc_view_place found;
	struct wanted wanted = { name, &found };

	if (!members)
		return -ENOENT;
	if (members->find)
		return members->find(place, name, place);
	if (!members->each(place, compare, &wanted))
		return -ENOENT;
	*place = found;
	return 0;
}

static int enter(struct kc_view_place *place, const char *name)
{
	const struct kc_node *const *child = place->node->children;

	for (; child && *child; child++) {
		if (!strcmp((*child)->name, name) && is_there(place, *child)) {
			place->node = *child;
			return 0;
		}
	}
	return find_member(place, name);
}

/* Links lead to modules, and bear their names. */
static int follow(struct kc_view_place *place)
{
	char name[sizeof(place->name)];

	memcpy(name, place->name, sizeof(name));
	put(place);
	place->node = &kc_node_sys_module;
	return find_member(place, name);
}

static int step(struct kc_view_place *place, const char *name, size_t len)
{
	char copy[sizeof(place->name)];
	int err = 0;

	if (len >= sizeof(copy))
		return -ENAMETOOLONG;
	memcpy(copy, name, len);
	copy[len] = 0;
	if (place->node->kind == KOCOON_VIEW_LINK)
		err = follow(place);
	if (err)
		return err;
	return place->node->kind == KOCOON_VIEW_FOLDER ? enter(place, copy) : -ENOTDIR;
}

/* What `place_ret` has, has to be put. */
static int walk(struct kocoon *kocoon, const char *path, struct kc_view_place *place_ret)
{
	struct kc_view_place place = { .kocoon = kocoon, .node = &root };
	int err = *path == '/' ? 0 : -ENOENT;

	while (!err && *path) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len)
			err = step(&place, path, len);
		else if (place.node->kind == KOCOON_VIEW_LINK)
			err = follow(&place);
		else if (place.node->kind == KOCOON_VIEW_FILE)
			err = -ENOTDIR;
		path += len;
	}
	if (err)
		put(&place);
	else
		*place_ret = place;
	return err;
}

/* The same for open(2), which goes through a link at the end. */
static int walk_through(struct kocoon *kocoon, const char *path, struct kc_view_place *place_ret)
{
	int err = walk(kocoon, path, place_ret);

	if (!err && place_ret->node->kind == KOCOON_VIEW_LINK) {
		err = follow(place_ret);
		if (err)
			put(place_ret);
	}
	return err;
}

/* ---- stat, list ---- */

static struct kocoon_view look(const struct kc_view_place *place)
{
	struct kocoon_view view = {
		.kind = place->node->kind,
		.mode = place->node->mode,
		.size = place->node->size,
	};

	if (place->node->look)
		place->node->look(place, &view);
	return view;
}

int kocoon_view_stat(struct kocoon *kocoon, const char *path, struct kocoon_view *view_ret)
{
	struct kc_view_place place;
	int err = walk(kocoon, path, &place);

	if (err)
		return err;
	*view_ret = look(&place);
	put(&place);
	return 0;
}

struct listed {
	char name[sizeof(((struct kc_view_place *)0)->name)];
	struct kocoon_view view;
};

static int note(void *context, const struct kc_view_place *member)
{
	struct listed listed = { .view = look(member) };

	memcpy(listed.name, member->name, sizeof(listed.name));
	return kc_buffer_append(context, &listed, sizeof(listed));
}

static int note_child(struct kc_buffer *notes, const struct kc_view_place *folder,
		      const struct kc_node *node)
{
	struct kc_view_place child = *folder;

	if (!is_there(folder, node))
		return 0;
	child.node = node;
	snprintf(child.name, sizeof(child.name), "%s", node->name);
	return note(notes, &child);
}

static int note_all(struct kc_buffer *notes, const struct kc_view_place *folder)
{
	const struct kc_node *const *child = folder->node->children;
	int err = 0;

	for (; child && *child && !err; child++)
		err = note_child(notes, folder, *child);
	if (!err && folder->node->members)
		err = folder->node->members->each(folder, note, notes);
	return err;
}

/* The caller's function may do anything, so nothing is held while it is called. */
static int tell(const struct kc_buffer *notes, kocoon_view_fn *fn, void *context)
{
	const struct listed *listed = (const void *)notes->data;
	int result = 0;

	for (size_t i = 0; i < notes->len / sizeof(*listed) && !result; i++)
		result = fn(context, listed[i].name, &listed[i].view);
	return result;
}

int kocoon_view_list(struct kocoon *kocoon, const char *path, kocoon_view_fn *fn, void *context)
{
	struct kc_buffer notes = { 0 };
	struct kc_view_place place;
	int err = walk_through(kocoon, path, &place);

	if (err)
		return err;
	err = place.node->kind == KOCOON_VIEW_FOLDER ? note_all(&notes, &place) : -ENOTDIR;
	put(&place);
	if (!err)
		err = tell(&notes, fn, context);
	kc_buffer_deinit(&notes);
	return err;
}

/* ---- read, write, readlink ---- */

static int hand_out(struct kc_buffer *text, char **data_ret, size_t *len_ret)
{
	size_t len = text->len;
	char *data;

	if (kc_buffer_append(text, "", 1))
		return -ENOMEM;
	data = malloc(text->len);
	if (!data)
		return -ENOMEM;
	memcpy(data, text->data, text->len);
	*data_ret = data;
	*len_ret = len;
	return 0;
}

static int show(const struct kc_view_place *place, char **data_ret, size_t *len_ret)
{
	struct kc_buffer text = { 0 };
	int err = place->node->show ? place->node->show(place, &text) : -EIO;

	if (!err)
		err = hand_out(&text, data_ret, len_ret);
	kc_buffer_deinit(&text);
	return err;
}

int kocoon_view_read(struct kocoon *kocoon, const char *path, const struct kocoon_reader *reader,
		     char **data_ret, size_t *len_ret)
{
	struct kc_view_place place;
	int err = walk_through(kocoon, path, &place);

	if (err)
		return err;
	place.reader = reader ? *reader : (struct kocoon_reader){ 0 };
	err = place.node->kind == KOCOON_VIEW_FILE ? show(&place, data_ret, len_ret) : -EISDIR;
	put(&place);
	return err;
}

/* As a program that writes it all does: sysfs takes a page at a time. */
static int store(const struct kc_view_place *place, const char *data, size_t len)
{
	char page[KC_SYSFS_TEXT + 1];
	int result = 0;

	if (!place->node->store)
		return -EIO;
	for (size_t at = 0, part; at < len && !result; at += part) {
		part = len - at < KC_SYSFS_TEXT ? len - at : KC_SYSFS_TEXT;
		memcpy(page, data + at, part);
		page[part] = 0;
		result = place->node->store(place, page, part);
	}
	return result;
}

int kocoon_view_write(struct kocoon *kocoon, const char *path, const char *data, size_t len)
{
	struct kc_view_place place;
	int err = walk_through(kocoon, path, &place);

	if (err)
		return err;
	err = place.node->kind == KOCOON_VIEW_FILE ? store(&place, data, len) : -EISDIR;
	put(&place);
	return err;
}

int kocoon_view_readlink(struct kocoon *kocoon, const char *path, char **target_ret)
{
	struct kc_view_place place;
	size_t len;
	int err = walk(kocoon, path, &place);

	if (err)
		return err;
	err = place.node->kind == KOCOON_VIEW_LINK ? show(&place, target_ret, &len) : -EINVAL;
	put(&place);
	return err;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What kocoon shows, a line an entry, as the machine's init writes it down (RECORD_VIEW). */
#include "texts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"

enum { PATH_LEN = 1024 };

void texts_lines_add(struct texts_lines *lines, const char *bytes, size_t len)
{
	char *line;

	if (lines->count == lines->room) {
		size_t room = lines->room ? lines->room * 2 : 256;
		char **more = reallocarray(lines->lines, room, sizeof(*more));

		if (!more) {
			lines->failed = true;
			return;
		}
		lines->lines = more;
		lines->room = room;
	}
	line = strndup(bytes, len);
	if (!line)
		lines->failed = true;
	else
		lines->lines[lines->count++] = line;
}

void texts_lines_deinit(struct texts_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		free(lines->lines[i]);
	free(lines->lines);
	*lines = (struct texts_lines){ 0 };
}

int texts_compare_paths(const char *a, const char *b)
{
	size_t of_a = strcspn(a, "\t"), of_b = strcspn(b, "\t");
	int order = memcmp(a, b, of_a < of_b ? of_a : of_b);

	if (order || of_a == of_b)
		return order;
	return of_a < of_b ? -1 : 1;
}

static int compare_lines(const void *a, const void *b)
{
	return texts_compare_paths(*(char *const *)a, *(char *const *)b);
}

void texts_lines_sort(struct texts_lines *lines)
{
	qsort(lines->lines, lines->count, sizeof(*lines->lines), compare_lines);
}

/* ---- one entry ---- */

struct showing {
	struct texts_lines *lines;
	struct kocoon *kocoon;
	const char *path;
	bool user;
};

KC_PRINTF(2, 3) static int put(struct kc_buffer *text, const char *format, ...)
{
	char some[PATH_LEN + 64];
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(some, sizeof(some), format, arguments);
	va_end(arguments);
	if (len < 0 || (size_t)len >= sizeof(some))
		return -ENAMETOOLONG;
	return kc_buffer_append(text, some, (size_t)len);
}

static int put_escaped(struct kc_buffer *text, const char *bytes, size_t len)
{
	int err = 0;

	for (size_t i = 0; i < len && !err; i++) {
		unsigned char byte = (unsigned char)bytes[i];
		bool plain = byte >= 32 && byte < 127 && byte != '\\';

		err = plain ? kc_buffer_append(text, &byte, 1) : put(text, "\\%02x", byte);
	}
	return err;
}

/* Permissions are told, not enforced: opening a file is up to us. */
static int put_contents(struct kc_buffer *text, const struct showing *showing, unsigned int mode)
{
	const struct kocoon_reader reader = { .show_addresses = !showing->user };
	char *data;
	size_t len;
	int err = mode & (showing->user ? 0004 : 0444) ? 0 : -EACCES;

	if (!err)
		err = kocoon_view_read(showing->kocoon, showing->path, &reader, &data, &len);
	if (err)
		return put(text, "!%d", -err);
	err = put_escaped(text, data, len);
	free(data);
	return err;
}

static int put_target(struct kc_buffer *text, const struct showing *showing)
{
	char *target;
	int err = kocoon_view_readlink(showing->kocoon, showing->path, &target);

	if (err)
		return put(text, "!%d", -err);
	err = put_escaped(text, target, strlen(target));
	free(target);
	return err;
}

static void show(const struct showing *showing, const struct kocoon_view *view);

static int show_below(void *context, const char *name, const struct kocoon_view *view)
{
	const struct showing *folder = context;
	char path[PATH_LEN];
	struct showing below = *folder;
	struct kocoon_view again;

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	below.path = path;
	/* What a folder lists has to be what is there, or the line is none that a kernel gives. */
	if (kocoon_view_stat(folder->kocoon, path, &again) || again.kind != view->kind ||
	    again.mode != view->mode || again.size != view->size)
		texts_lines_add(folder->lines, "/listed otherwise than it is", 28);
	show(&below, view);
	return 0;
}

static void show(const struct showing *showing, const struct kocoon_view *view)
{
	static const char kinds[] = {
		[KOCOON_VIEW_FOLDER] = 'd', [KOCOON_VIEW_FILE] = 'f', [KOCOON_VIEW_LINK] = 'l'
	};
	struct showing folder = *showing;
	struct kc_buffer text = { 0 };
	int err = put(&text, "%s\t%c\t%04o\t%llu\t", showing->path, kinds[view->kind], view->mode,
		      (unsigned long long)view->size);

	if (!err && view->kind == KOCOON_VIEW_FILE)
		err = put_contents(&text, showing, view->mode);
	else if (!err && view->kind == KOCOON_VIEW_LINK)
		err = put_target(&text, showing);
	showing->lines->failed |= err;
	texts_lines_add(showing->lines, (const char *)text.data, text.len);
	kc_buffer_deinit(&text);
	if (view->kind == KOCOON_VIEW_FOLDER &&
	    kocoon_view_list(showing->kocoon, showing->path, show_below, &folder))
		showing->lines->failed = true;
}

void texts_lines_show(struct texts_lines *lines, struct kocoon *kocoon, const char *path, bool user)
{
	const struct showing showing = { lines, kocoon, path, user };
	struct kocoon_view view;
	char line[PATH_LEN];
	int err = kocoon_view_stat(kocoon, path, &view);

	if (!err) {
		show(&showing, &view);
		return;
	}
	snprintf(line, sizeof(line), "%s\t-\t0\t0\t!%d", path, -err);
	texts_lines_add(lines, line, strlen(line));
}

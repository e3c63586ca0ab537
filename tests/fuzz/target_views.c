/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What /sys/module, /proc/modules and the others show and take, of a subsystem with some modules.
 *
 * The input is a list of requests, one a line: a letter, a path, and for a write a tab and what is
 * written, in which \n is an end of line. r and R read (R with addresses), w writes, l lists, s
 * stats, k reads a link, t reads all that is below.
 */
#include "fuzz.h"

#include <string.h>

#include "../live/supplies.h"

enum { REQUESTS_MAX = 64, DEPTH_MAX = 8, PATH_ROOM = 1024 };

static struct kocoon_kernel *kernel;
static struct kocoon *kocoon;

static const char *const modules[] = { "hello", "parameters", "chain_a", "chain_b", "percpu" };

static void start(void)
{
	const struct kocoon_options options = { .cpus = 2, .space = 16 << 20 };

	kocoon = live_new(kernel, &options);
	FUZZ_CHECK(kocoon);
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		FUZZ_CHECK(!live_load(kocoon, modules[i], NULL));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	kernel = live_kernel();
	FUZZ_CHECK(kernel);
	start();
	return 0;
}

struct folder {
	const char *path;
	int depth;
};

static void read_file(const char *path, bool show_addresses)
{
	const struct kocoon_reader reader = { .show_addresses = show_addresses };
	char *text;
	size_t len;

	if (kocoon_view_read(kocoon, path, &reader, &text, &len))
		return;
	FUZZ_CHECK(!text[len]);
	fuzz_use(text, len + 1);
	free(text);
}

static void read_link(const char *path)
{
	char *target;

	if (kocoon_view_readlink(kocoon, path, &target))
		return;
	fuzz_use_text(target);
	free(target);
}

static void read_tree(const char *path, int depth);

/* What a folder lists is there, and is what it is listed as. */
static int look(void *context, const char *name, const struct kocoon_view *view)
{
	const struct folder *folder = context;
	struct kocoon_view again;
	char path[PATH_ROOM];

	if (snprintf(path, sizeof(path), "%s/%s", folder->path, name) >= PATH_ROOM)
		return 0;
	FUZZ_CHECK(!kocoon_view_stat(kocoon, path, &again));
	FUZZ_CHECK(again.kind == view->kind && again.mode == view->mode &&
		   again.size == view->size);
	if (view->kind == KOCOON_VIEW_LINK)
		read_link(path);
	else if (view->kind == KOCOON_VIEW_FILE && folder->depth)
		read_file(path, true);
	else if (view->kind == KOCOON_VIEW_FOLDER && folder->depth)
		read_tree(path, folder->depth - 1);
	return 0;
}

static void read_tree(const char *path, int depth)
{
	struct folder folder = { path, depth };

	FUZZ_CHECK(kocoon_view_list(kocoon, path, look, &folder) <= 0);
}

/* "\n" in place, and its new length. */
static size_t unescape(char *text, size_t len)
{
	size_t to = 0;

	for (size_t from = 0; from < len; from++) {
		if (text[from] == '\\' && from + 1 < len && text[from + 1] == 'n') {
			text[to++] = '\n';
			from++;
		} else {
			text[to++] = text[from];
		}
	}
	return to;
}

static void write_file(const char *path, struct fuzz_bytes bytes)
{
	char *text = fuzz_text(bytes);

	(void)kocoon_view_write(kocoon, path, text, unescape(text, bytes.len));
	free(text);
}

static void obey(char request, const char *path, struct fuzz_bytes bytes)
{
	struct kocoon_view view;

	switch (request) {
	case 'r':
	case 'R':
		read_file(path, request == 'R');
		break;
	case 'w':
		write_file(path, bytes);
		break;
	case 'l':
		read_tree(path, 0);
		break;
	case 't':
		read_tree(path, DEPTH_MAX);
		break;
	case 'k':
		read_link(path);
		break;
	default:
		(void)kocoon_view_stat(kocoon, path, &view);
		break;
	}
}

static void reset(uint64_t taints)
{
	static const struct {
		const char *name, *value;
	} values[] = { { "byte", "1" },	   { "short", "-2" },	{ "ushort", "3" },
		       { "int", "-4" },	   { "uint", "5" },	{ "long", "-6" },
		       { "ulong", "7" },   { "ullong", "8" },	{ "hexint", "9" },
		       { "charp", "ten" }, { "bool", "0" },	{ "invbool", "1" },
		       { "bint", "0" },	   { "string", "str" }, { "fixed", "1,2,3" },
		       { "percent", "50" } };

	if (kocoon_modules_disabled(kocoon) || kocoon_tainted(kocoon) != taints) {
		kocoon_free(kocoon);
		start();
		return;
	}
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		FUZZ_CHECK(!kocoon_set_parameter(kocoon, "parameters", values[i].name,
						 values[i].value));
	FUZZ_CHECK(!kocoon_set_modprobe_path(kocoon, "/sbin/modprobe"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_bytes rest = { data, len };
	uint64_t taints = kocoon_tainted(kocoon);
	bool written = false;

	for (int i = 0; i < REQUESTS_MAX && rest.len; i++) {
		struct fuzz_bytes bytes = fuzz_next(&rest, '\n'), before;
		char *path;

		if (!bytes.len)
			continue;
		before = fuzz_next(&bytes, '\t');
		path = fuzz_text(
			(struct fuzz_bytes){ before.data + 1, before.len - (before.len != 0) });
		if (before.len) {
			obey((char)before.data[0], path, bytes);
			written |= before.data[0] == 'w';
		}
		free(path);
	}
	if (written)
		reset(taints);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A folder of modules: see tree.h. Consumes file names and depmod's text files. */
#include "module/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/image.h"

enum { HINT_SIZE_MAX = 256 << 20, DEPTH_MAX = 64 /* of folders */ };

/* ".ko", alone or before the suffix of a compression. */
static const char *module_suffix(const char *file)
{
	static const char *const endings[] = { "", ".gz", ".xz", ".zst" };
	const char *suffix = NULL;

	for (const char *at = strstr(file, ".ko"); at; at = strstr(at + 1, ".ko"))
		suffix = at;
	for (size_t i = 0; suffix && i < KC_ARRAY_SIZE(endings); i++)
		if (strcmp(suffix + 3, endings[i]) == 0)
			return suffix;
	return NULL;
}

char *kc_tree_module_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *file = slash ? slash + 1 : path;
	const char *suffix = module_suffix(file);
	char *name = strndup(file, suffix ? (size_t)(suffix - file) : strlen(file));

	for (char *at = name; at && *at; at++)
		if (*at == '-')
			*at = '_';
	return name;
}

static int add_module(struct kocoon_tree *tree, const char *path, uint32_t *capacity)
{
	struct kc_tree_module *module;

	if (tree->count == *capacity) {
		uint32_t larger = *capacity ? *capacity * 2 : 1024;
		struct kc_tree_module *modules =
			reallocarray(tree->modules, larger, sizeof(*modules));

		if (!modules)
			return -ENOMEM;
		tree->modules = modules;
		*capacity = larger;
	}
	module = &tree->modules[tree->count];
	*module =
		(struct kc_tree_module){ .path = strdup(path), .name = kc_tree_module_name(path) };
	tree->count++;
	return module->path && module->name ? 0 : -ENOMEM;
}

static int compare_paths(const void *a, const void *b)
{
	const struct kc_tree_module *left = a;
	const struct kc_tree_module *right = b;

	return strcmp(left->path, right->path);
}

static int list_open_folder(struct kocoon_tree *tree, int folder, const char *path,
			    uint32_t *capacity, int depth);

/* What the folder's entry says is enough, mostly: thousands of files are only named. */
static unsigned char type_of(int folder, const struct dirent *entry)
{
	struct stat status;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	if (fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW))
		return DT_UNKNOWN;
	return S_ISDIR(status.st_mode) ? DT_DIR : S_ISREG(status.st_mode) ? DT_REG : DT_UNKNOWN;
}

/* A folder in it that can't be read has no modules. */
static int list_entry(struct kocoon_tree *tree, int folder, const char *path,
		      const struct dirent *entry, uint32_t *capacity, int depth)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	unsigned char type = type_of(folder, entry);
	bool is_module = type == DT_REG && module_suffix(entry->d_name);
	const char *slash = *path && path[strlen(path) - 1] == '/' ? "" : "/";
	char *inside;
	int err = 0, fd;

	if ((type != DT_DIR && !is_module) || !strcmp(entry->d_name, ".") ||
	    !strcmp(entry->d_name, ".."))
		return 0;
	if (asprintf(&inside, "%s%s%s", path, slash, entry->d_name) < 0)
		return -ENOMEM;
	fd = is_module || depth == DEPTH_MAX ? -1 : openat(folder, entry->d_name, flags);
	if (is_module)
		err = add_module(tree, inside, capacity);
	else if (fd >= 0)
		err = list_open_folder(tree, fd, inside, capacity, depth + 1);
	free(inside);
	return err;
}

/* Closes it. */
static int list_open_folder(struct kocoon_tree *tree, int folder, const char *path,
			    uint32_t *capacity, int depth)
{
	DIR *stream = fdopendir(folder);
	const struct dirent *entry;
	int err = 0;

	if (!stream) {
		close(folder);
		return -ENOMEM;
	}
	/* cppcheck-suppress readdirCalled */ /* the stream is this thread's alone */
	while (!err && (entry = readdir(stream)))
		err = list_entry(tree, folder, path, entry, capacity, depth);
	closedir(stream);
	return err;
}

/* Symbolic links (build, source) are not followed. */
static int list_folder(struct kocoon_tree *tree)
{
	int folder = open(tree->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint32_t capacity = 0;
	int err = folder < 0 ? -errno : list_open_folder(tree, folder, tree->folder, &capacity, 0);

	if (!err && tree->count)
		qsort(tree->modules, tree->count, sizeof(*tree->modules), compare_paths);
	return err;
}

static int index_names(struct kocoon_tree *tree)
{
	int err = kc_index_init(&tree->by_name, tree->count);

	/* Of several of one name the first is found; the others would only make lookups slow. */
	for (uint32_t i = 0; i < tree->count && !err; i++)
		if (kc_tree_find(tree, tree->modules[i].name) == KC_INDEX_NONE)
			err = kc_index_add(&tree->by_name, kc_hash(tree->modules[i].name), i);
	return err;
}

uint32_t kc_tree_find(const struct kocoon_tree *tree, const char *name)
{
	uint32_t hash = kc_hash(name);
	uint32_t cursor = 0;
	uint32_t found;

	while ((found = kc_index_next(&tree->by_name, hash, &cursor)) != KC_INDEX_NONE)
		if (strcmp(tree->modules[found].name, name) == 0)
			return found;
	return KC_INDEX_NONE;
}

/* depmod's files are hints: one that can't be read, or is no file, is as good as none. */
static int read_hint(const struct kocoon_tree *tree, const char *file, struct kc_buffer *text)
{
	char *path;
	int err;

	if (asprintf(&path, "%s/%s", tree->folder, file) < 0)
		return -ENOMEM;
	err = kc_read_text(path, HINT_SIZE_MAX, text, NULL);
	free(path);
	return err;
}

static uint32_t find_by_path(const struct kocoon_tree *tree, const char *path)
{
	char *name = kc_tree_module_name(path);
	uint32_t found = name ? kc_tree_find(tree, name) : KC_INDEX_NONE;

	free(name);
	return found;
}

/* "path: path path ...": those behind the colon are all that the first needs, nearest first. */
static int read_depend_line(struct kocoon_tree *tree, char *line)
{
	char *rest = strchr(line, ':');
	struct kc_tree_module *module;
	uint32_t count = 0;
	uint32_t index;
	char *word;

	if (!rest)
		return 0;
	*rest++ = 0;
	index = find_by_path(tree, line);
	if (index == KC_INDEX_NONE || tree->modules[index].depends)
		return 0;
	module = &tree->modules[index];
	for (const char *at = rest; *at; at++)
		count += *at == ' ';
	if (!count)
		return 0;
	module->depends = calloc(count, sizeof(*module->depends));
	if (!module->depends)
		return -ENOMEM;
	while ((word = strsep(&rest, " "))) {
		uint32_t depend = *word ? find_by_path(tree, word) : KC_INDEX_NONE;

		if (depend != KC_INDEX_NONE && depend != index && module->depend_count < count)
			module->depends[module->depend_count++] = depend;
	}
	return 0;
}

static int read_depends(struct kocoon_tree *tree)
{
	struct kc_buffer text = { 0 };
	int err = read_hint(tree, "modules.dep", &text);
	char *rest = err ? NULL : (char *)text.data;
	char *line;

	tree->has_depends = !err;
	err = err == -ENOMEM ? err : 0;
	while (!err && (line = strsep(&rest, "\n")))
		err = read_depend_line(tree, line);
	kc_buffer_deinit(&text);
	return err;
}

int kocoon_tree_open(const char *folder, struct kocoon_report *report,
		     struct kocoon_tree **tree_ret)
{
	struct kocoon_tree *tree = calloc(1, sizeof(*tree));
	int err = -ENOMEM;

	if (tree && (tree->folder = strdup(folder)))
		err = list_folder(tree);
	if (!err)
		err = index_names(tree);
	if (!err)
		err = read_depends(tree);
	if (err) {
		kocoon_tree_free(tree);
		kc_finding(report, KOCOON_STAGE_READ, err, "%s: %s", folder, strerror(-err));
		return err;
	}
	*tree_ret = tree;
	return 0;
}

void kocoon_tree_free(struct kocoon_tree *tree)
{
	if (!tree)
		return;
	for (uint32_t i = 0; i < tree->count; i++) {
		free(tree->modules[i].path);
		free(tree->modules[i].name);
		free(tree->modules[i].depends);
	}
	free(tree->modules);
	free(tree->folder);
	kc_index_deinit(&tree->by_name);
	free(tree);
}

size_t kocoon_tree_count(const struct kocoon_tree *tree)
{
	return tree->count;
}

const char *kocoon_tree_path(const struct kocoon_tree *tree, size_t index)
{
	return index < tree->count ? tree->modules[index].path : NULL;
}

const char *kocoon_tree_find(const struct kocoon_tree *tree, const char *name)
{
	uint32_t found = find_by_path(tree, name);

	return found == KC_INDEX_NONE ? NULL : tree->modules[found].path;
}

/*
 * The list of a module in modules.dep is complete, nearest first: its members, last first, are in
 * loading order.
 */
int kc_tree_order(const struct kocoon_tree *tree, uint32_t *order_ret)
{
	bool *placed = calloc(tree->count ? tree->count : 1, sizeof(*placed));
	uint32_t next = 0;

	if (!placed)
		return -ENOMEM;
	for (uint32_t i = 0; i < tree->count; i++) {
		const struct kc_tree_module *module = &tree->modules[i];

		for (uint32_t d = module->depend_count; d-- > 0;) {
			if (!placed[module->depends[d]])
				order_ret[next++] = module->depends[d];
			placed[module->depends[d]] = true;
		}
		if (!placed[i])
			order_ret[next++] = i;
		placed[i] = true;
	}
	free(placed);
	return 0;
}

struct kc_tree_symbols {
	struct kc_buffer text; /* modules.symbols, cut into words */
	size_t capacity;
	struct exporter {
		const char *name;
		uint32_t module;
	} * exporters; /* owned */
	uint32_t count;
	struct kc_index by_name;
};

/* "alias symbol:NAME MODULE" */
static int add_exporter(struct kc_tree_symbols *symbols, const struct kocoon_tree *tree, char *line)
{
	static const char prefix[] = "alias symbol:";
	char *name = line + sizeof(prefix) - 1;
	char *module;
	uint32_t index, hash;

	if (strncmp(line, prefix, sizeof(prefix) - 1) != 0 || !(module = strchr(name, ' ')))
		return 0;
	*module++ = 0;
	index = find_by_path(tree, module);
	hash = kc_hash(name);
	if (index == KC_INDEX_NONE || kc_tree_symbol(symbols, name, hash) != KC_INDEX_NONE)
		return 0;
	if (symbols->count == symbols->capacity) {
		size_t capacity = symbols->capacity ? symbols->capacity * 2 : 4096;
		struct exporter *exporters =
			reallocarray(symbols->exporters, capacity, sizeof(*exporters));

		if (!exporters)
			return -ENOMEM;
		symbols->exporters = exporters;
		symbols->capacity = capacity;
	}
	symbols->exporters[symbols->count] = (struct exporter){ name, index };
	return kc_index_add(&symbols->by_name, hash, symbols->count++);
}

static int read_symbols(struct kc_tree_symbols *symbols, const struct kocoon_tree *tree)
{
	int err = kc_index_init(&symbols->by_name, 16384);
	char *rest;
	char *line;

	if (!err)
		err = read_hint(tree, "modules.symbols", &symbols->text);
	rest = (char *)symbols->text.data;
	while (!err && (line = strsep(&rest, "\n")))
		err = add_exporter(symbols, tree, line);
	return err;
}

struct kc_tree_symbols *kc_tree_symbols_open(const struct kocoon_tree *tree)
{
	struct kc_tree_symbols *symbols = calloc(1, sizeof(*symbols));
	int err = symbols ? read_symbols(symbols, tree) : -ENOMEM;

	if (err) {
		kc_tree_symbols_free(symbols);
		return NULL;
	}
	return symbols;
}

void kc_tree_symbols_free(struct kc_tree_symbols *symbols)
{
	if (!symbols)
		return;
	kc_buffer_deinit(&symbols->text);
	free(symbols->exporters);
	kc_index_deinit(&symbols->by_name);
	free(symbols);
}

uint32_t kc_tree_symbol(const struct kc_tree_symbols *symbols, const char *name, uint32_t hash)
{
	uint32_t cursor = 0;
	uint32_t found;

	while ((found = kc_index_next(&symbols->by_name, hash, &cursor)) != KC_INDEX_NONE)
		if (strcmp(symbols->exporters[found].name, name) == 0)
			return symbols->exporters[found].module;
	return KC_INDEX_NONE;
}

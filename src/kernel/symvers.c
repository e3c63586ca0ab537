/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Module.symvers: what a kernel exports, where its image is not at hand, or to compare the image
 * with.
 *
 * A line is CRC, name, provider, type of export and namespace, separated by tabs; older ones have
 * no namespace. Of the providers only `vmlinux` is the kernel; the others are modules.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "kernel/parts.h"

enum {
	SYMVERS_SIZE_MAX = 256 << 20,
	DIFFERENCES_SHOWN = 3,
	FIELDS = 5,
};

enum field {
	FIELD_CRC,
	FIELD_NAME,
	FIELD_PROVIDER,
	FIELD_TYPE,
	FIELD_NAMESPACE,
};

static bool parse_crc(const char *text, uint32_t *crc_ret)
{
	char *end;
	unsigned long long crc;

	if (strncmp(text, "0x", 2) != 0 || !isxdigit((unsigned char)text[2]))
		return false;
	crc = strtoull(text, &end, 16);
	if (*end || crc > UINT32_MAX)
		return false;
	*crc_ret = (uint32_t)crc;
	return true;
}

/* Cuts a line up. False: it isn't one of this file. */
static bool parse_line(char *line, const char *fields[FIELDS], uint32_t *crc_ret)
{
	size_t count = 0;
	char *field;

	while ((field = strsep(&line, "\t")) && count < FIELDS)
		fields[count++] = field;
	if (field || count <= FIELD_TYPE)
		return false;
	if (count == FIELD_NAMESPACE)
		fields[FIELD_NAMESPACE] = "";
	return *fields[FIELD_NAME] && !strncmp(fields[FIELD_TYPE], "EXPORT", 6) &&
	       parse_crc(fields[FIELD_CRC], crc_ret);
}

static int compare_exports(const void *left, const void *right)
{
	const struct kocoon_export *a = left, *b = right;

	if (a->gpl_only != b->gpl_only)
		return a->gpl_only ? 1 : -1;
	return strcmp(a->name, b->name);
}

static size_t count_lines(const char *text)
{
	size_t count = 1;

	while ((text = strchr(text, '\n'))) {
		text++;
		count++;
	}
	return count;
}

static int parse(char *text, const struct kc_symbols *symbols, struct kc_exports *exports)
{
	char *rest = text, *line;

	exports->array = calloc(count_lines(text), sizeof(*exports->array));
	if (!exports->array)
		return -ENOMEM;
	while ((line = strsep(&rest, "\n"))) {
		const struct kocoon_symbol *symbol;
		const char *fields[FIELDS];
		uint32_t crc;

		if (!*line)
			continue;
		if (!parse_line(line, fields, &crc))
			return -EINVAL;
		if (strcmp(fields[FIELD_PROVIDER], "vmlinux") != 0)
			continue;
		if (exports->count == KC_EXPORTS_MAX)
			return -EINVAL;
		symbol = symbols ? kc_symbols_find_global(symbols, fields[FIELD_NAME]) : NULL;
		exports->array[exports->count++] = (struct kocoon_export){
			.name = fields[FIELD_NAME],
			.ns = *fields[FIELD_NAMESPACE] ? fields[FIELD_NAMESPACE] : NULL,
			.address = symbol ? symbol->address : 0,
			.crc = crc,
			/* Without CONFIG_MODVERSIONS all CRCs are written as 0. */
			.has_crc = crc != 0,
			.gpl_only = strstr(fields[FIELD_TYPE], "_GPL") != NULL,
		};
	}
	qsort(exports->array, exports->count, sizeof(*exports->array), compare_exports);
	return kc_exports_index(exports);
}

int kc_exports_from_symvers(const char *path, const struct kc_symbols *symbols,
			    struct kocoon_report *report, struct kc_exports *exports_ret)
{
	struct kc_exports exports = { 0 };
	struct kc_buffer buffer = { 0 };
	int err = kc_read_text(path, SYMVERS_SIZE_MAX, &buffer, report);

	if (err) {
		kc_buffer_deinit(&buffer);
		return err;
	}
	exports.names = (char *)buffer.data;
	err = parse(exports.names, symbols, &exports);
	if (!err && !exports.count)
		err = -EINVAL;
	if (err) {
		kc_exports_deinit(&exports);
		kc_finding(report, KOCOON_STAGE_KERNEL, err,
			   "%s: not the Module.symvers of a kernel", path);
		kc_expected(report,
			    "lines of a CRC, a name, `vmlinux` or a module, and EXPORT_SYMBOL...");
		return err;
	}
	*exports_ret = exports;
	return 0;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool differs(const struct kocoon_export *image, const struct kocoon_export *symvers)
{
	return image->gpl_only != symvers->gpl_only || !same_text(image->ns, symvers->ns) ||
	       (image->has_crc && symvers->has_crc && image->crc != symvers->crc);
}

/* Says that `total` exports differ so, and the names of the first ones. */
static void say(struct kocoon_report *report, const char *path, const char *what, size_t total,
		const char *const names[DIFFERENCES_SHOWN])
{
	if (!total)
		return;
	kc_finding(report, KOCOON_STAGE_KERNEL, 0, "%s: %zu exports %s", path, total, what);
	kc_found(report, "%s%s%s%s%s%s", names[0], names[1] ? ", " : "", names[1] ?: "",
		 names[2] ? ", " : "", names[2] ?: "", total > DIFFERENCES_SHOWN ? ", ..." : "");
	kc_hint(report, "it is of another build than the image; the image's exports are used");
}

struct differences {
	const char *names[DIFFERENCES_SHOWN];
	size_t total;
};

static void note(struct differences *differences, const char *name)
{
	if (differences->total < DIFFERENCES_SHOWN)
		differences->names[differences->total] = name;
	differences->total++;
}

void kc_exports_compare(const struct kc_exports *image, const struct kc_exports *symvers,
			const char *path, struct kocoon_report *report)
{
	struct differences differ = { 0 }, only_image = { 0 }, only_symvers = { 0 };

	for (size_t i = 0; i < image->count; i++) {
		const struct kocoon_export *here = &image->array[i];
		const struct kocoon_export *there =
			kc_exports_find(symvers, here->name, kc_hash(here->name));

		if (!there)
			note(&only_image, here->name);
		else if (differs(here, there))
			note(&differ, here->name);
	}
	for (size_t i = 0; i < symvers->count; i++) {
		const char *name = symvers->array[i].name;

		if (!kc_exports_find(image, name, kc_hash(name)))
			note(&only_symvers, name);
	}
	say(report, path, "differ from the image's", differ.total, differ.names);
	say(report, path, "of the image are missing", only_image.total, only_image.names);
	say(report, path, "are not in the image", only_symvers.total, only_symvers.names);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many modules out of one: see variants.h. */
#include "variants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *path)
{
	perror(path);
	exit(2);
}

struct module_file module_file_read(const char *path)
{
	struct module_file file = { 0 };
	FILE *stream = fopen(path, "re");

	if (!stream || fseek(stream, 0, SEEK_END) < 0)
		die(path);
	file.len = (size_t)ftell(stream);
	file.bytes = malloc(file.len);
	if (!file.bytes || fseek(stream, 0, SEEK_SET) < 0 ||
	    fread(file.bytes, 1, file.len, stream) != file.len)
		die(path);
	fclose(stream);
	return file;
}

void module_file_free(struct module_file *file)
{
	free(file->bytes);
	*file = (struct module_file){ 0 };
}

void module_file_rename(struct module_file *file, const char *from, const char *to)
{
	size_t len = strlen(from);
	char *at = file->bytes;
	char *end = file->bytes + file->len;

	if (strlen(to) != len) {
		fprintf(stderr, "%s and %s are not of one length\n", from, to);
		exit(2);
	}
	while ((at = memmem(at, (size_t)(end - at), from, len + 1))) {
		if (at > file->bytes && (at[-1] == 0 || at[-1] == '='))
			memcpy(at, to, len);
		at += len;
	}
}

void variant_name(unsigned int number, char name_ret[6])
{
	name_ret[0] = 'm';
	for (int i = 4; i > 0; i--, number /= 26)
		name_ret[i] = (char)('a' + number % 26);
	name_ret[5] = 0;
}

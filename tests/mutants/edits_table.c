/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Edits of the tables that a loader reads: module information, versions, struct module, BTF. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mutant.h"

enum { MODULE_NAME = 24, MODULE_NAME_LEN = 56 };

/* ---- .modinfo */

/* A text of the base's .modinfo, by its offset there. False: there is none. */
static bool pick_text(struct mutant *mutant, unsigned int *section_ret, size_t *at_ret,
		      size_t *len_ret)
{
	unsigned int section = stock_find(mutant, ".modinfo");
	size_t size = section ? stock_shdr(mutant, section)->sh_size : 0, at, start;
	const char *text;

	if (size < 2)
		return false;
	text = (const char *)mutant->base->stock.data + stock_shdr(mutant, section)->sh_offset;
	at = below(mutant, size);
	while (at && !text[at])
		at--;
	start = at;
	while (start && text[start - 1])
		start--;
	*section_ret = section;
	*at_ret = start;
	*len_ret = strnlen(text + start, size - start);
	return *len_ret > 0;
}

static char *text_at(struct mutant *mutant, unsigned int section, size_t at)
{
	return (char *)section_bytes(mutant, section) + at;
}

bool modinfo_value(struct mutant *mutant)
{
	unsigned int section;
	size_t at, len, change;
	char *text;

	if (!pick_text(mutant, &section, &at, &len))
		return false;
	text = text_at(mutant, section, at);
	change = below(mutant, len);
	note(mutant, ".modinfo %.*s, byte %zu", (int)len, text, change);
	text[change] = "x =."[below(mutant, 4)];
	return true;
}

bool modinfo_drop(struct mutant *mutant)
{
	static const char *const tags[] = { "license", "vermagic", "name",
					    "intree",  "depends",  "retpoline" };
	const char *tag = PICK(mutant, tags);
	char *value;

	if (!edit_find(&mutant->edit, ".modinfo"))
		return false;
	value = edit_modinfo(&mutant->edit, tag);
	if (!value)
		return false;
	value[-1 - (ptrdiff_t)strlen(tag)] = '?';
	note(mutant, ".modinfo without %s", tag);
	return true;
}

bool modinfo_add(struct mutant *mutant)
{
	static const char *const texts[] = {
		"license=Proprietary",
		"license=GPL v2",
		"license",
		"livepatch=Y",
		"staging=Y",
		"test=Y",
		"intree=N",
		"import_ns=CRYPTO_INTERNAL",
		"import_ns=",
		"vermagic=6.0.0 SMP ",
		"name=vmlinux",
		"name=",
		"=",
		"retpoline=N",
		"softdep=pre: x",
		"async_probe=1",
		"parm=x:y",
		"alias",
	};
	static const char *const first[] = {
		"license=Proprietary", "license=GPL", "vermagic=", "vermagic", "name=x",
		"name=kernel",	       "livepatch=1"
	};
	unsigned int section = stock_find(mutant, ".modinfo");
	const char *text = PICK(mutant, texts);
	Elf64_Shdr *shdr;
	size_t size;
	char *start;

	if (!section)
		return false;
	if (one_in(mutant, 2)) {
		edit_add_modinfo(&mutant->edit, text);
		note(mutant, ".modinfo has %s behind the others", text);
		return true;
	}
	text = PICK(mutant, first);
	size = strlen(text) + 1;
	shdr = edit_grow(&mutant->edit, section, size);
	start = (char *)mutant->edit.data + shdr->sh_offset;
	memmove(start + size, start, shdr->sh_size - size);
	memcpy(start, text, size);
	note(mutant, ".modinfo has %s before the others", text);
	return true;
}

bool modinfo_repeat(struct mutant *mutant)
{
	unsigned int section;
	size_t at, len;
	char text[256];

	if (!pick_text(mutant, &section, &at, &len))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)len, text_at(mutant, section, at));
	if (one_in(mutant, 2) && strchr(text, '='))
		strcpy(strchr(text, '=') + 1, one_in(mutant, 2) ? "x" : "");
	edit_add_modinfo(&mutant->edit, text);
	note(mutant, ".modinfo has %s again", text);
	return true;
}

/* A NUL that is missing or one too many. */
bool modinfo_zeros(struct mutant *mutant)
{
	unsigned int section;
	size_t at, len;
	Elf64_Shdr *shdr;

	if (!pick_text(mutant, &section, &at, &len))
		return false;
	switch (below(mutant, 4)) {
	case 0:
		shdr = edit_shdr(&mutant->edit, section);
		shdr->sh_size -= 1 + below(mutant, shdr->sh_size - 1);
		note(mutant, ".modinfo is cut to %llu bytes", (unsigned long long)shdr->sh_size);
		break;
	case 1:
		*text_at(mutant, section, at + below(mutant, len)) = 0;
		note(mutant, ".modinfo: a NUL in the text at %zu", at);
		break;
	case 2:
		*text_at(mutant, section, at) = 0;
		note(mutant, ".modinfo: the text at %zu begins with a NUL", at);
		break;
	default:
		if (at + len >= stock_shdr(mutant, section)->sh_size)
			return false;
		*text_at(mutant, section, at + len) = 'x';
		note(mutant, ".modinfo: no NUL behind the text at %zu", at);
	}
	return true;
}

/* ---- __versions */

static struct edit_version *versions(struct mutant *mutant, uint64_t *count_ret)
{
	unsigned int section = stock_find(mutant, "__versions");

	if (!section)
		return NULL;
	*count_ret = stock_shdr(mutant, section)->sh_size / sizeof(struct edit_version);
	return *count_ret ? (void *)section_bytes(mutant, section) : NULL;
}

static struct edit_version *pick_version(struct mutant *mutant)
{
	uint64_t count;
	struct edit_version *all = versions(mutant, &count);

	return all ? all + below(mutant, count) : NULL;
}

static void note_version(struct mutant *mutant, const struct edit_version *version,
			 const char *what)
{
	note(mutant, "version of %.55s: %s", version->name, what);
}

bool version_crc(struct mutant *mutant)
{
	struct edit_version *version = pick_version(mutant);

	if (!version)
		return false;
	version->crc ^= UINT64_C(1) << below(mutant, 64);
	note_version(mutant, version, "a bit of its CRC");
	return true;
}

bool version_name(struct mutant *mutant)
{
	struct edit_version *version = pick_version(mutant);

	if (!version)
		return false;
	note_version(mutant, version, "its name");
	if (one_in(mutant, 3))
		memset(version->name, 'a', sizeof(version->name));
	else
		version->name[below(mutant, strnlen(version->name, 55) + 1)] ^=
			(char)(1 << below(mutant, 7));
	return true;
}

bool version_drop(struct mutant *mutant)
{
	uint64_t count;
	struct edit_version *all = versions(mutant, &count), *version = pick_version(mutant);

	if (!version)
		return false;
	note_version(mutant, version, "dropped");
	if (one_in(mutant, 2))
		*version = all[0];
	else
		memset(version, 0, sizeof(*version));
	return true;
}

/* A second version of a symbol, before or behind the first one. */
bool version_repeat(struct mutant *mutant)
{
	struct edit_version *from = pick_version(mutant), *to = pick_version(mutant);

	if (!from)
		return false;
	note_version(mutant, to, "is another's");
	*to = *from;
	if (one_in(mutant, 2))
		to->crc ^= 1;
	return true;
}

bool version_size(struct mutant *mutant)
{
	unsigned int section = stock_find(mutant, "__versions");
	Elf64_Shdr *shdr = section ? edit_shdr(&mutant->edit, section) : NULL;

	if (!shdr || !shdr->sh_size)
		return false;
	if (one_in(mutant, 3))
		shdr = edit_grow(&mutant->edit, section, 1 + below(mutant, 130));
	else
		shdr->sh_size -= 1 + below(mutant, shdr->sh_size);
	note(mutant, "__versions' size: %#llx", (unsigned long long)shdr->sh_size);
	return true;
}

bool version_layout(struct mutant *mutant)
{
	uint64_t count;
	struct edit_version *all = versions(mutant, &count);

	for (uint64_t i = 0; all && i < count; i++) {
		if (strcmp(all[i].name, "module_layout") != 0)
			continue;
		if (one_in(mutant, 2))
			all[i].crc ^= UINT64_C(1) << below(mutant, 64);
		else
			all[i].name[below(mutant, 14)] ^= 1;
		note(mutant, "the version of module_layout");
		return true;
	}
	return false;
}

/* The form that has names of any length: two sections beside __versions or in its place. */
bool version_extended(struct mutant *mutant)
{
	uint64_t count;
	const struct edit_version *all = versions(mutant, &count);
	unsigned int keep = 0, spoilt;
	uint32_t crcs[256];
	char names[256 * 57];
	size_t len = 0;

	if (!all || count > 256)
		return false;
	spoilt = (unsigned int)below(mutant, 2 * count);
	for (; keep < count; keep++) {
		crcs[keep] = (uint32_t)all[keep].crc ^ (keep == spoilt);
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%.55s", all[keep].name) +
		       1;
	}
	if (one_in(mutant, 2) && edit_find(&mutant->edit, "__versions"))
		edit_rename_section(&mutant->edit, "__versions", "no_versions");
	if (one_in(mutant, 6))
		len -= 1 + below(mutant, 8);
	if (one_in(mutant, 6))
		keep -= one_in(mutant, 2) && keep;
	if (!one_in(mutant, 8))
		edit_add_section(&mutant->edit, "__version_ext_crcs", SHT_PROGBITS, SHF_ALLOC, crcs,
				 keep * sizeof(crcs[0]));
	if (!one_in(mutant, 8))
		edit_add_section(&mutant->edit, "__version_ext_names", SHT_PROGBITS, SHF_ALLOC,
				 names, len);
	note(mutant, "extended versions, %s of them wrong", spoilt < count ? "one" : "none");
	return true;
}

/* ---- struct module */

static const char this_module[] = ".gnu.linkonce.this_module";

bool module_name(struct mutant *mutant)
{
	static const char *const names[] = { "",	 "x",	      "kernel",	      "printk",
					     "..",	 "a/b",	      "module",	      "x-y",
					     ".",	 "workqueue", "driverloader", "lve",
					     "tcp_cubic" };
	unsigned int section = stock_find(mutant, this_module);
	const char *text = PICK(mutant, names);
	char *name;

	if (!section)
		return false;
	name = (char *)section_bytes(mutant, section) + MODULE_NAME;
	if (one_in(mutant, 2)) {
		strncpy(name, text, MODULE_NAME_LEN);
		note(mutant, "the module's name is '%s'", text);
		return true;
	}
	/* A name with a blank can't be found in /proc/modules to be unloaded. */
	name[below(mutant, strnlen(name, MODULE_NAME_LEN))] = "zZ_-.9"[below(mutant, 6)];
	note(mutant, "the module's name is '%.56s'", name);
	return true;
}

/* What a loader has to fill in, whatever is there: a small number in an aligned place. */
bool module_bytes(struct mutant *mutant)
{
	unsigned int section = stock_find(mutant, this_module);
	uint64_t size = section ? stock_shdr(mutant, section)->sh_size : 0, at, value;

	if (size < 128)
		return false;
	at = 8 * (10 + below(mutant, size / 8 - 10));
	value = UINT64_C(1) << below(mutant, 12);
	memcpy(section_bytes(mutant, section) + at, &value, sizeof(value));
	note(mutant, "struct module, %#llx at %#llx", (unsigned long long)value,
	     (unsigned long long)at);
	return true;
}

bool module_size(struct mutant *mutant)
{
	unsigned int section = stock_find(mutant, this_module);
	Elf64_Shdr *shdr;

	if (!section)
		return false;
	if (one_in(mutant, 2) || !mutant->decompresses) {
		shdr = edit_grow(&mutant->edit, section, 1 + below(mutant, 128));
	} else {
		shdr = edit_shdr(&mutant->edit, section);
		shdr->sh_size -= 1 + below(mutant, shdr->sh_size);
	}
	note(mutant, "struct module's size: %#llx", (unsigned long long)shdr->sh_size);
	return true;
}

/* ---- BTF */

static unsigned int btf(const struct mutant *mutant)
{
	unsigned int section = stock_find(mutant, ".BTF");

	return section && stock_shdr(mutant, section)->sh_size > 64 ? section : 0;
}

bool btf_header(struct mutant *mutant)
{
	unsigned int section = btf(mutant);
	size_t at;

	if (!section)
		return false;
	at = below(mutant, 24);
	section_bytes(mutant, section)[at] ^= (uint8_t)(1 + below(mutant, 255));
	note(mutant, "byte %zu of BTF's header", at);
	return true;
}

bool btf_bytes(struct mutant *mutant)
{
	unsigned int section = btf(mutant);
	uint64_t at;

	if (!section)
		return false;
	at = 24 + below(mutant, stock_shdr(mutant, section)->sh_size - 24);
	section_bytes(mutant, section)[at] ^= (uint8_t)(1 + below(mutant, 255));
	note(mutant, "byte %llu of BTF", (unsigned long long)at);
	return true;
}

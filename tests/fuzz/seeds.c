/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seeds OUT STAMP
 *
 * Writes what the targets begin with, OUT/TARGET/NAME, from the stock kernels in the cache, their
 * modules, and what the unit tests' builders make, and the file STAMP when all are there. Nothing
 * of it is kept in the repository.
 */
#include "seeds.h"

#include <bpf/btf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "../corpus/edit.h"
#include "../corpus/place.h"
#include "../live/supplies.h"

enum {
	PACKED_MAX = 4000, /* bytes of a small module's file */
	PLAIN_MAX = 14000,
	SMALL_MODULES = 24,
	SETTINGS = EI_PAD + 2, /* see target_module.c, target_live.c */
};

static const char *out;

static void write_file(const char *path, const void *data, size_t len)
{
	FILE *file = fopen(path, "wbe");

	if (!file || fwrite(data, 1, len, file) != len || fclose(file)) {
		perror(path);
		exit(2);
	}
}

void save(const char *target, const char *name, const void *data, size_t len)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", out, target);
	if (mkdir(path, 0777) && errno != EEXIST) {
		perror(path);
		exit(2);
	}
	snprintf(path, sizeof(path), "%s/%s/%s", out, target, name);
	for (char *c = path + strlen(path) - strlen(name); *c; c++)
		if (*c == ' ' || *c == '/' || *c == ',')
			*c = '_';
	write_file(path, data, len);
}

void save_behind(const char *target, const char *name, uint8_t first, const void *data, size_t len)
{
	uint8_t *all = malloc(len + 1);

	FUZZ_CHECK(all);
	all[0] = first;
	if (len)
		memcpy(all + 1, data, len);
	save(target, name, all, len + 1);
	free(all);
}

/* ---- modules */

static void save_module(const char *target, const char *name, struct edit *edit, uint8_t settings)
{
	edit->data[SETTINGS] = settings;
	save(target, name, edit->data, edit->len);
}

/* Paths of small modules, every so many of them, in modules.dep's order. */
static void save_small_modules(const struct place *place, off_t most, uint8_t settings)
{
	unsigned int found = 0, saved = 0;

	for (const char *line = place->dependencies; *line && saved < SMALL_MODULES;
	     line = strchrnul(line, '\n'), line += *line == '\n') {
		int len = (int)(strcspn(line, ":\n") & 511);
		char path[sizeof(place->modules) + 512], name[64];
		struct stat status;
		struct edit edit;

		snprintf(path, sizeof(path), "%s/%.*s", place->modules, len, line);
		if (stat(path, &status) || status.st_size > most || found++ % 6)
			continue;
		edit = edit_open(path, path);
		edit_strip_signature(&edit);
		snprintf(name, sizeof(name), "stock-%02x-%u", settings, saved++);
		save_module("module", name, &edit, settings | (uint8_t)(saved % 4 << 2));
		edit_close(&edit);
	}
}

/* As it is: compressed and signed; and with what a message is taken from. */
static void save_signed(const struct place *place)
{
	char path[4096];
	struct edit edit;
	FILE *file;
	char whole[1 << 16];
	size_t len;

	if (!place_module(place, "crc7", path))
		exit(2);
	file = fopen(path, "rbe");
	FUZZ_CHECK(file);
	len = fread(whole, 1, sizeof(whole), file);
	fclose(file);
	save("module", "stock-packed", whole, len);
	save_behind("decompress", "stock-xz", 0, whole, len);
	edit = edit_open(path, path);
	save("module", "stock-signed", edit.data, edit.len);
	save_behind("signature", "stock-file", 0, edit.data, edit.len);
	save_behind("signature", "stock-end", 4, edit.data + edit.signature,
		    edit.len - edit.signature);
	save_behind("signature", "stock-message", 1, edit.data + edit.signature,
		    edit.len - edit.signature - 40);
	if (edit_find(&edit, ".BTF")) {
		const Elf64_Shdr *shdr = edit_section(&edit, ".BTF");

		save_behind("btf", "stock-module", 1, edit.data + shdr->sh_offset, shdr->sh_size);
	}
	edit_close(&edit);
}

static void save_own_modules(void)
{
	static const char *const names[] = { "hello",	"parameters", "chain_a",     "chain_b",
					     "percpu",	"keys",	      "patch",	     "extable",
					     "traps",	"weak",	      "proprietary", "constructor",
					     "no_init", "no_versions" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct edit edit = edit_open(live_path(names[i]), names[i]);
		char name[64];

		snprintf(name, sizeof(name), "own-%s", names[i]);
		save_module("module", name, &edit, 0xc);
		save_module("live", name, &edit, 0);
		snprintf(name, sizeof(name), "own-%s-stock", names[i]);
		save_module("live", name, &edit, 1);
		edit_close(&edit);
	}
}

/* ---- kernels that are only texts */

static void save_symvers(const struct kocoon_kernel *kernel)
{
	const struct kocoon_export *exports;
	const struct kocoon_symbol *symbols;
	size_t count = kocoon_kernel_exports(kernel, &exports), size, all;
	char *text = NULL;
	FILE *file = open_memstream(&text, &size);

	FUZZ_CHECK(file);
	for (size_t i = 0; i < count; i += count / 20)
		fprintf(file, "0x%08x\t%s\t%s\tEXPORT_SYMBOL%s\t%s\n", exports[i].crc,
			exports[i].name, i % 7 ? "vmlinux" : "drivers/a",
			exports[i].gpl_only ? "_GPL" : "", exports[i].ns ? exports[i].ns : "");
	fprintf(file, "0x12345678\talpha\tvmlinux\tEXPORT_SYMBOL\t\n");
	fflush(file);
	save("symvers", "symvers", text, size);
	fputc('\f', file);
	all = kocoon_kernel_symbols(kernel, &symbols);
	for (size_t i = 0; i < all; i += all / 20)
		fprintf(file, "%016llx %c %s\n", (unsigned long long)symbols[i].address,
			symbols[i].type, symbols[i].name);
	fclose(file);
	save("symvers", "both", text, size);
	free(text);
}

/* ---- BTF: structures that layouts are made of, as in the stock kernel, members as numbers ---- */

static void add_struct(struct btf *to, int number, const struct btf *from, const char *name)
{
	int id = btf__find_by_name_kind(from, name, BTF_KIND_STRUCT);
	const struct btf_type *type = id > 0 ? btf__type_by_id(from, (uint32_t)id) : NULL;

	if (!type)
		return;
	btf__add_struct(to, name, type->size);
	for (uint32_t i = 0; i < btf_vlen(type); i++)
		btf__add_field(to, btf__name_by_offset(from, btf_members(type)[i].name_off), number,
			       btf_member_bit_offset(type, i), 0);
}

static void save_btf(const struct kocoon_kernel *kernel)
{
	static const char *const names[] = {
		"module",	   "kernel_param",  "modversion_info", "exception_table_entry",
		"mod_kallsyms",	   "module_memory", "module_layout",   "mod_arch_specific",
		"module_kobject",  "kobject",	    "kernel_symbol",   "jump_entry",
		"static_call_site"
	};
	struct btf *btf = btf__new_empty();
	const void *raw;
	uint32_t size;
	int number = btf__add_int(btf, "int", 4, 0);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		add_struct(btf, number, kc_kernel_btf(kernel), names[i]);
	raw = btf__raw_data(btf, &size);
	save_behind("btf", "stock-structs", 0, raw, size);
	save_behind("btf", "stock-structs-live", 2, raw, size);
	save_behind("btf", "stock-structs-module", 1, raw, size);
	btf__free(btf);
}

/* ---- texts */

static void save_args(void)
{
	static const char *const lines[] = {
		"ai=5 under-score=\"a b\" b arr=1,2,3 s=text",
		"a\"i=0x10\" inv=N bi=1 u=1 hw=07 -- ret=1",
		"aasync_probe=1 line.dyndbg=\"+p\" unknown=1 ullong=18446744073709551615",
		"a  byte=255   short=-32768 uint=4294967295 hexint=0xdead",
		"\0015",
	};
	static const char *const values[] = { "1,2,3", "y", "on", "-1", "0x7f", "text\n", "1,,2" };
	char name[32];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(name, sizeof(name), "line-%zu", i);
		save("args", name, lines[i], strlen(lines[i]));
	}
	for (uint8_t i = 0; i < 15; i++) {
		const char *value = values[i % (sizeof(values) / sizeof(values[0]))];

		snprintf(name, sizeof(name), "value-%u", i);
		save_behind("args", name, i, value, strlen(value));
	}
}

static void save_views(void)
{
	static const char *const lists[] = {
		"t/sys/module\nl/sys/module/hello\nr/proc/modules\nR/proc/kallsyms\n",
		"w/sys/module/parameters/parameters/int\t5\\n\nr/sys/module/parameters/parameters/"
		"int\n",
		"w/sys/module/parameters/parameters/charp\ttext\nw/sys/module/parameters/"
		"parameters/"
		"string\tlong text\\n\nr/sys/module/parameters/parameters/charp\n",
		"w/sys/module/parameters/parameters/fixed\t1,2,3\nr/sys/module/parameters/"
		"parameters/"
		"fixed\ns/sys/module/parameters/parameters/percent\n",
		"w/proc/sys/kernel/tainted\t4096\\n\nr/proc/sys/kernel/tainted\n",
		"w/proc/sys/kernel/modprobe\t/bin/true\\n\nr/proc/sys/kernel/modprobe\n",
		"w/proc/sys/kernel/modules_disabled\t1\\n\nr/proc/sys/kernel/modules_disabled\n",
		"w/sys/module/hello/uevent\tadd\\n\nr/sys/module/hello/refcnt\nr/sys/module/hello/"
		"taint\n",
		"k/sys/module/chain_a/holders/chain_b\nl/sys/module/chain_a/holders/chain_b/notes\n"
		"s/sys/module/chain_a/holders/chain_b\n",
		"t/sys/kernel/debug/modules\nl/\nl/proc\ns/sys/module/nothing\nr/proc\n",
		"R/sys/module/hello/sections/.text\nr/sys/module/hello/notes/.note.gnu.build-id\n",
	};
	char name[32];

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		snprintf(name, sizeof(name), "list-%zu", i);
		save("views", name, lists[i], strlen(lists[i]));
	}
}

int main(int argc, char **argv)
{
	struct place new, old;
	struct kocoon_kernel *kernel;

	if (argc != 3) {
		fputs("usage: seeds OUT STAMP\n", stderr);
		return 2;
	}
	out = argv[1];
	if (mkdir(out, 0777) && errno != EEXIST) {
		perror(out);
		return 2;
	}
	if (!place_find(&new, "6.12-cloud-amd64") || !place_find(&old, "6.1-cloud-amd64"))
		return 2;
	save_small_modules(&new, PACKED_MAX, 0);
	save_small_modules(&old, PLAIN_MAX, 0x10);
	save_signed(&new);
	save_own_modules();
	kernel = fuzz_kernel("6.12-cloud-amd64");
	save_symvers(kernel);
	save_btf(kernel);
	save_stock_kernel(kernel);
	save_built();
	save_args();
	save_views();
	save_machine();
	save_findings();
	kocoon_kernel_free(kernel);
	write_file(argv[2], "", 0);
	place_deinit(&new);
	place_deinit(&old);
	return 0;
}

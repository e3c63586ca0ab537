/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GNU ld as a second opinion: stock modules of all sizes are linked by ld at the addresses that
 * kocoon chose, with the symbol values that kocoon found, and every byte of every section in memory
 * is compared.
 *
 * 	link_with_ld VMLINUZ TREE COUNT
 *
 * ld merges equal strings of SHF_MERGE sections and drops notes with build ids, which no module
 * loader does: the object that it gets has neither. Prints TAP, one test a module.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "module/module.h"

struct candidate {
	const char *path;
	off_t size;
};

struct files {
	char object[64], script[64], linked[64], log[64];
};

static int compare_sizes(const void *a, const void *b)
{
	const struct candidate *left = a;
	const struct candidate *right = b;

	return left->size < right->size ? -1 : left->size > right->size;
}

static const struct kc_load *load_of(const struct kocoon_module *module)
{
	return &module->session.entries[0]->job->load;
}

static int write_file(const char *path, struct kc_span bytes)
{
	FILE *file = fopen(path, "we");
	size_t done = file ? fwrite(bytes.data, 1, bytes.len, file) : 0;

	return file && fclose(file) == 0 && done == bytes.len ? 0 : -EIO;
}

static bool is_compared(const struct kc_load *load, uint32_t index)
{
	return load->sections[index].placed && load->sections[index].shdr.sh_size &&
	       index != load->index.sym && index != load->index.str;
}

/* ld knows notes by name: theirs start with another letter there. */
enum { NOTE_INITIAL = 'x' };

static const char *ld_name(const struct kc_load *load, uint32_t index, char name_ret[128])
{
	snprintf(name_ret, 128, "%s", load->sections[index].name);
	if (load->sections[index].shdr.sh_type == SHT_NOTE)
		name_ret[0] = NOTE_INITIAL;
	return name_ret;
}

/* Where each section stands, and what each import is. Names in a script may be quoted. */
static int write_script(const struct kc_load *load, const char *path)
{
	FILE *file = fopen(path, "we");
	char name[128];

	if (!file)
		return -errno;
	for (size_t i = 0; i < load->import_count; i++) {
		const struct kc_import *import = &load->imports[i];

		fprintf(file, "\"%s\" = %#" PRIx64 ";\n", import->name,
			import->state == KOCOON_IMPORT_OK ? import->export->address : 0);
	}
	fprintf(file, "SECTIONS\n{\n");
	for (uint32_t i = 1; i < load->ehdr.shnum; i++)
		if (is_compared(load, i))
			fprintf(file, "\"%s\" %#" PRIx64 " : { *(\"%s\") }\n",
				ld_name(load, i, name), kc_section_address(load, i), name);
	if (load->index.pcpu)
		fprintf(file, ".data..percpu %#" PRIx64 " : { *(.data..percpu) }\n",
			load->percpu_address);
	fprintf(file, "}\n");
	return fclose(file) ? -EIO : 0;
}

/*
 * The object for ld: without SHF_MERGE, with build ids as ordinary data. Both are fields of section
 * headers, of the same size as before.
 */
static int write_object(const struct kc_load *load, const char *path)
{
	const Elf64_Shdr *names = &load->sections[load->ehdr.shstrndx].shdr;
	struct kc_buffer object = { 0 };
	int err = kc_buffer_append(&object, load->image.data, load->image.len);

	for (uint32_t i = 1; i < load->ehdr.shnum && !err; i++) {
		uint8_t *header = object.data + load->ehdr.shoff + i * sizeof(Elf64_Shdr);

		if (load->sections[i].shdr.sh_type == SHT_NOTE) {
			kc_store32(header + offsetof(Elf64_Shdr, sh_type), SHT_PROGBITS);
			object.data[names->sh_offset + load->sections[i].shdr.sh_name] =
				NOTE_INITIAL;
		}
		kc_store64(header + offsetof(Elf64_Shdr, sh_flags),
			   load->sections[i].file_flags & ~(uint64_t)(SHF_MERGE | SHF_STRINGS));
	}
	if (!err)
		err = write_file(path, kc_buffer_span(&object));
	kc_buffer_deinit(&object);
	return err;
}

static int link_module(const struct files *files)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "ld -m elf_x86_64 -static -nostdlib --no-relax --no-check-sections "
		 "--no-warn-rwx-segments -z noexecstack -e 0 -T %s -o %s %s 2>%s",
		 files->script, files->linked, files->object, files->log);
	return system(command);
}

/* Differing bytes of one section, or -1 where ld's file has no such section. */
static long compare_section(const struct kc_load *load, uint32_t index, const struct kc_elf *linked)
{
	const uint8_t *ours = kc_section_memory(load, index);
	uint64_t size = load->sections[index].shdr.sh_size;
	struct kc_span theirs;
	Elf64_Shdr shdr;
	char name[128];
	long differing = 0;

	if (!kc_elf_find_section(linked, ld_name(load, index, name), &shdr, &theirs))
		return -1;
	if (shdr.sh_addr != kc_section_address(load, index))
		return -1;
	if (shdr.sh_type == SHT_NOBITS)
		return load->sections[index].shdr.sh_type == SHT_NOBITS ? 0 : -1;
	if (theirs.len < size)
		return -1;
	for (uint64_t i = 0; i < size; i++)
		differing += ours[i] != theirs.data[i];
	return differing;
}

static bool has_twin_sections(const struct kc_load *load)
{
	for (uint32_t i = 1; i < load->ehdr.shnum; i++)
		for (uint32_t j = i + 1; j < load->ehdr.shnum && is_compared(load, i); j++)
			if (is_compared(load, j) &&
			    strcmp(load->sections[i].name, load->sections[j].name) == 0)
				return true;
	return false;
}

static bool compare_module(const struct kc_load *load, const char *linked_path, uint64_t *bytes_ret)
{
	struct kc_buffer file = { 0 };
	struct kc_elf linked;
	bool equal = kc_read_file(linked_path, UINT64_MAX / 2, &file, NULL) == 0 &&
		     kc_elf_open(kc_buffer_span(&file), &linked) == 0;

	for (uint32_t i = 1; equal && i < load->ehdr.shnum; i++) {
		long differing = is_compared(load, i) ? compare_section(load, i, &linked) : 0;

		if (differing)
			printf("# %s: %ld bytes differ\n", load->sections[i].name, differing);
		equal = differing == 0;
		if (is_compared(load, i))
			*bytes_ret += load->sections[i].shdr.sh_size;
	}
	kc_buffer_deinit(&file);
	return equal;
}

/* 1: equal, 0: not, -1: not a module that ld can be asked about. */
static int check_module(const struct kocoon_module *module, const struct files *files,
			uint64_t *bytes_ret)
{
	const struct kc_load *load = load_of(module);

	if (load->err || has_twin_sections(load))
		return load->err ? 0 : -1;
	if (write_object(load, files->object) || write_script(load, files->script) ||
	    link_module(files))
		return 0;
	return compare_module(load, files->linked, bytes_ret);
}

static struct candidate *list_candidates(const struct kocoon_tree *tree, size_t *count_ret)
{
	size_t count = kocoon_tree_count(tree);
	struct candidate *candidates = calloc(count ? count : 1, sizeof(*candidates));

	for (size_t i = 0; candidates && i < count; i++) {
		struct stat status;

		candidates[i].path = kocoon_tree_path(tree, i);
		if (stat(candidates[i].path, &status) == 0)
			candidates[i].size = status.st_size;
	}
	if (candidates)
		qsort(candidates, count, sizeof(*candidates), compare_sizes);
	*count_ret = count;
	return candidates;
}

int main(int argc, char **argv)
{
	struct kocoon_kernel *kernel;
	struct kocoon_tree *tree;
	struct candidate *candidates;
	struct files files;
	char folder[] = "/tmp/kocoon-ld.XXXXXX";
	size_t count;
	unsigned long wanted = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
	unsigned long tested = 0;
	unsigned long failed = 0;
	uint64_t bytes = 0;
	char command[128];

	if (!wanted || kocoon_kernel_open(argv[1], NULL, NULL, &kernel) ||
	    kocoon_tree_open(argv[2], NULL, &tree) || !mkdtemp(folder)) {
		fprintf(stderr, "usage: link_with_ld VMLINUZ TREE COUNT\n");
		return 2;
	}
	snprintf(files.object, sizeof(files.object), "%s/module.ko", folder);
	snprintf(files.script, sizeof(files.script), "%s/script", folder);
	snprintf(files.linked, sizeof(files.linked), "%s/linked", folder);
	snprintf(files.log, sizeof(files.log), "%s/log", folder);
	candidates = list_candidates(tree, &count);
	if (!candidates || count < wanted)
		return 2;
	for (unsigned long i = 0; i < count && tested < wanted; i++) {
		struct kocoon_module *module;
		size_t left = count - i;
		int result;

		/* Spread over all sizes, the largest included. */
		if (left > wanted - tested && i * wanted / count < tested)
			continue;
		if (kocoon_module_load(kernel, tree, NULL, candidates[i].path, NULL, &module))
			return 2;
		result = check_module(module, &files, &bytes);
		if (result >= 0) {
			tested++;
			failed += result == 0;
			printf("%s %lu - %s\n", result ? "ok" : "not ok", tested,
			       kocoon_module_verdict(module)->module);
			fflush(stdout);
		}
		kocoon_module_free(module);
	}
	printf("1..%lu\n# %" PRIu64 " bytes compared\n", wanted, bytes);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	if (system(command) != 0)
		failed++;
	free(candidates);
	kocoon_tree_free(tree);
	kocoon_kernel_free(kernel);
	return failed || tested < wanted;
}

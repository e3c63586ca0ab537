/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module through the whole pipeline of link space, against a stock kernel: from the file to
 * relocated code that is patched for a CPU, all that the accessors show of it, and the ELF file
 * written from it.
 *
 * The input is the module's file. Unused bytes of its ELF header (EI_PAD) are the settings.
 */
#include "fuzz.h"

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

static struct kocoon_kernel *kernels[2];
static const char *const cpus[] = { NULL, "host", "qemu64", "qemu64,+avx2" };
static int output;

/* Of a region or a written file: a module of a few bytes can ask for 1 GiB of zeros. */
enum { LOOKED_AT = 1 << 20 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	kernels[0] = fuzz_kernel("6.12-cloud-amd64");
	kernels[1] = fuzz_kernel("6.1-cloud-amd64");
	/* What is made when first asked for is no part of an input's time. */
	fuzz_use_kernel(kernels[0]);
	fuzz_use_kernel(kernels[1]);
	output = memfd_create("output", MFD_CLOEXEC);
	return 0;
}

/* Bytes in all. */
static uint64_t use_memory(const struct kocoon_module *module)
{
	const struct kocoon_section *section;
	const struct kocoon_region *region;
	uint64_t total = 0;

	for (size_t i = 0; (region = kocoon_module_region(module, i)); i++) {
		total += region->size;
		if (region->bytes && region->size <= LOOKED_AT)
			fuzz_use(region->bytes, region->size);
		else if (region->bytes)
			fuzz_use(region->bytes + region->size - LOOKED_AT, LOOKED_AT);
		fuzz_use_text(region->permissions);
	}
	for (size_t i = 0; (section = kocoon_module_section(module, i)); i++)
		fuzz_use_text(section->name);
	return total;
}

static void use_symbols(const struct kocoon_module *module)
{
	const struct kocoon_relocation_count *relocations;
	const struct kocoon_import *import;
	const struct kocoon_export *export;

	for (size_t i = 0; (import = kocoon_module_import(module, i)); i++) {
		fuzz_use_text(import->name);
		fuzz_use_text(import->provider);
		fuzz_use_text(import->ns);
	}
	for (size_t i = 0; (export = kocoon_module_export(module, i)); i++) {
		fuzz_use_text(export->name);
		fuzz_use_text(export->ns);
	}
	for (size_t i = 0; (relocations = kocoon_module_relocations(module, i)); i++)
		fuzz_use_text(relocations->type);
}

static void use_verdict(const struct kocoon_module *module)
{
	const struct kocoon_verdict *verdict = kocoon_module_verdict(module);

	FUZZ_CHECK(verdict->err <= 0);
	/* A refusal always says why. */
	FUZZ_CHECK(!verdict->err || verdict->reason);
	fuzz_use_text(verdict->module);
	fuzz_use_text(verdict->signature.signer);
	fuzz_use_text(verdict->signature.key_id);
	fuzz_use_text(verdict->signature.hash);
	for (size_t i = 0; i < verdict->depend_count; i++)
		fuzz_use_text(verdict->depends[i]);
	fuzz_use_report(verdict->report);
}

static void use(const struct kocoon_module *module)
{
	const char *tag, *value;
	struct kocoon_abi abi;
	uint64_t total;

	use_verdict(module);
	total = use_memory(module);
	use_symbols(module);
	for (size_t i = 0; kocoon_module_modinfo(module, i, &tag, &value); i++) {
		fuzz_use_text(tag);
		fuzz_use_text(value);
	}
	kocoon_module_abi(module, &abi);
	fuzz_use_text(abi.compression);
	if (total > LOOKED_AT)
		return;
	FUZZ_CHECK(!ftruncate(output, 0) && !lseek(output, 0, SEEK_SET));
	(void)kocoon_module_write_elf(module, output);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t settings = len > EI_NIDENT ? data[EI_PAD + 2] : 0;
	struct kocoon_policy policy = { .size = sizeof(policy),
					.force_vermagic = settings & 1,
					.force_modversions = settings & 2,
					.blacklist = "vfio,crc7-x" };
	struct kocoon_module_options options = { .size = sizeof(options),
						 .cpu = cpus[settings >> 2 & 3] };
	const char *path = fuzz_file(0, data, len);
	struct kocoon_module *module;

	policy.compressed_file = settings & 0x20;
	if (!kocoon_module_load(kernels[settings >> 4 & 1], NULL, &policy, path, &options,
				&module)) {
		use(module);
		kocoon_module_free(module);
	}
	return 0;
}

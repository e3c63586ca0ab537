/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * BTF. The first byte says whose: bit 0, a module's, checked against a small kernel's; else a
 * kernel's own, with which layouts are made, and a module is linked and, bit 1, loaded to live.
 */
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include "../live/supplies.h"
#include "../unit/build_vmlinux.h"
#include "module/load.h"

enum { NAMES = 32, HEADERS = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr) };

static struct kocoon_kernel *base;
static unsigned char *hello;
static size_t hello_len;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct vmlinux_recipe recipe = { 0 };
	struct kc_buffer file = build_vmlinux(&recipe);

	(void)argc;
	(void)argv;
	FUZZ_CHECK(!open_kernel_bytes(kc_buffer_span(&file), NULL, NULL, &base));
	kc_buffer_deinit(&file);
	FUZZ_CHECK(kc_kernel_btf(base));
	hello = live_image("hello", &hello_len);
	FUZZ_CHECK(hello);
	return 0;
}

static void check_module(struct kc_span btf, bool mismatch_allowed)
{
	struct kc_behaviour behaviour = { .btf_modules = true,
					  .btf_mismatch_allowed = mismatch_allowed };
	struct kc_section sections[2] = { { .name = "" }, { .name = ".BTF", .file = btf } };
	struct kocoon_policy policy = { .size = sizeof(policy) };
	struct kocoon_report report;
	struct kc_load load;

	kc_report_init(&report);
	kc_load_init(&load, base, &policy, &report);
	load.behaviour = &behaviour;
	load.sections = sections;
	load.ehdr.shnum = KC_ARRAY_SIZE(sections);
	FUZZ_CHECK(kc_check_btf(&load) <= 0);
	load.sections = NULL;
	fuzz_use_report(&report);
	kc_load_deinit(&load);
	kc_report_deinit(&report);
}

/* A kernel that is nothing but its BTF. */
static int open_kernel(struct kc_span btf, struct kocoon_kernel **kernel_ret)
{
	static const char names[NAMES] = "\0.BTF\0.shstrtab";
	const Elf64_Ehdr ehdr = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_phoff = sizeof(ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shoff = HEADERS + NAMES,
		.e_shnum = 3,
		.e_shstrndx = 2,
	};
	const size_t place = HEADERS + NAMES + 3 * sizeof(Elf64_Shdr);
	const Elf64_Phdr phdr = { .p_type = PT_LOAD, .p_vaddr = TEXT_ADDRESS, .p_filesz = HEADERS };
	const Elf64_Shdr shdrs[3] = {
		{ 0 },
		{ .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_offset = place, .sh_size = btf.len },
		{ .sh_name = 6, .sh_type = SHT_STRTAB, .sh_offset = HEADERS, .sh_size = NAMES },
	};
	uint8_t *file = malloc(place + btf.len), *end = file;
	int err;

	FUZZ_CHECK(file);
	end = mempcpy(end, &ehdr, sizeof(ehdr));
	end = mempcpy(end, &phdr, sizeof(phdr));
	end = mempcpy(end, names, sizeof(names));
	end = mempcpy(end, shdrs, sizeof(shdrs));
	if (btf.len)
		memcpy(end, btf.data, btf.len);
	err = kocoon_kernel_open(fuzz_file(0, file, place + btf.len), NULL, NULL, kernel_ret);
	free(file);
	return err;
}

static int refuse(void *context, enum kocoon_module_state event, struct kocoon_loaded *module)
{
	(void)context;
	(void)module;
	return event == KOCOON_STATE_COMING ? -EPERM : 0;
}

/* Up to its init: structures in its memory are filled in by these layouts. */
static void load_to_live(const struct kocoon_kernel *kernel)
{
	const struct kocoon_options options = { .cpus = 1, .space = 4 << 20 };
	struct kocoon *kocoon = live_new(kernel, &options);

	FUZZ_CHECK(kocoon);
	FUZZ_CHECK(!kocoon_register_notifier(kocoon, refuse, NULL, 0));
	FUZZ_CHECK(kocoon_init_module(kocoon, hello, hello_len, NULL, NULL) < 0);
	kocoon_free(kocoon);
}

static void link_module(const struct kocoon_kernel *kernel)
{
	const struct kocoon_policy policy = { .size = sizeof(policy),
					      .force_vermagic = true,
					      .force_modversions = true };
	struct kocoon_module *module;

	if (kocoon_module_load(kernel, NULL, &policy, LIVE_MODULES "/hello.ko", NULL, &module))
		return;
	fuzz_use_report(kocoon_module_verdict(module)->report);
	kocoon_module_free(module);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct kocoon_kernel *kernel;
	uint32_t offset;

	if (!len)
		return 0;
	if (data[0] & 1) {
		check_module(kc_span(data + 1, len - 1), data[0] & 2);
		return 0;
	}
	if (open_kernel(kc_span(data + 1, len - 1), &kernel))
		return 0;
	fuzz_use_kernel(kernel);
	(void)kc_kernel_abi(kernel);
	(void)!kc_kernel_member(kernel, "module", "mem", &offset);
	if (kc_kernel_btf(kernel))
		link_module(kernel);
	if (kc_kernel_btf(kernel) && data[0] & 2)
		load_to_live(kernel);
	kocoon_kernel_free(kernel);
	return 0;
}

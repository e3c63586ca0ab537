/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * .modinfo: the module's tag=value texts, and the checks and taints that follow from them
 * (check_modinfo(), module_augment_kernel_taints() of kernel/module/main.c).
 */
#include "module/load.h"

#include <errno.h>

bool kc_blacklisted(const char *list, const char *name)
{
	size_t name_len = strlen(name);

	while (list && *list) {
		size_t len = strcspn(list, ",");

		if (len == name_len && memcmp(list, name, len) == 0)
			return true;
		list += len + (list[len] == ',');
	}
	return false;
}

/* Where the next text begins, behind the one at `at`; false: that was the last. */
static bool next_text(struct kc_span texts, uint64_t *at)
{
	while (*at < texts.len && texts.data[*at])
		++*at;
	while (*at < texts.len && !texts.data[*at])
		++*at;
	return *at < texts.len;
}

/*
 * The texts stand one behind the other, each ended by one or more NULs. A cursor is the offset,
 * plus 1, of the text that was returned last. As in the kernel, the first text counts even where
 * the section is empty, and a text runs to its NUL even where that lies behind the section.
 */
const char *kc_get_next_modinfo(const struct kc_load *load, const char *tag, uint64_t *cursor)
{
	const Elf64_Shdr *shdr = &load->sections[load->index.info].shdr;
	size_t tag_len = strlen(tag);
	struct kc_span texts, rest;
	uint64_t at = *cursor ? *cursor - 1 : 0;

	if (!kc_span_sub(load->whole, shdr->sh_offset, shdr->sh_size, &texts))
		return NULL;
	rest = kc_span(texts.data, load->whole.len - shdr->sh_offset);
	if (*cursor && !next_text(texts, &at))
		return NULL;
	do {
		if (rest.len - at > tag_len && memcmp(rest.data + at, tag, tag_len) == 0 &&
		    rest.data[at + tag_len] == '=') {
			*cursor = at + 1;
			return kc_span_string(rest, at + tag_len + 1);
		}
	} while (next_text(texts, &at));
	return NULL;
}

const char *kc_get_modinfo(const struct kc_load *load, const char *tag)
{
	uint64_t cursor = 0;
	const char *text = load->index.info ? kc_get_next_modinfo(load, tag, &cursor) : NULL;

	/* Differs from Linux: a text that the file's end cuts is empty, not what lies behind. */
	return !text && cursor ? "" : text;
}

/* Behind the release where the module has symbol versions: they say more than the release does. */
static bool same_magic(const char *module, const char *kernel, bool has_crcs)
{
	if (has_crcs) {
		module += strcspn(module, " ");
		kernel += strcspn(kernel, " ");
	}
	return strcmp(module, kernel) == 0;
}

static void explain_vermagic(struct kc_load *load, const char *module, const char *kernel)
{
	size_t release = strcspn(module, " ");

	kc_expected(load->report, "%s", kernel);
	kc_found(load->report, "%s", module);
	if (release == strcspn(kernel, " ") && memcmp(module, kernel, release) == 0)
		kc_hint(load->report,
			"same release, other configuration: build against the headers "
			"of the kernel that is to load it");
	else
		kc_hint(load->report,
			"built for %.*s: rebuild it for %s, or boot the kernel that it "
			"was built for",
			(int)release, module, kocoon_kernel_release(load->kernel));
}

int kc_check_modinfo(struct kc_load *load)
{
	const char *kernel = kocoon_kernel_vermagic(load->kernel);
	const char *module = load->policy->force_vermagic ? NULL : kc_get_modinfo(load, "vermagic");

	if (!module) {
		if (kc_try_to_force_load(load) == 0)
			return 0;
		kc_finding(load->report, KOCOON_STAGE_VERMAGIC, -ENOEXEC,
			   "the module has no version magic, and this kernel can't be forced");
		return -ENOEXEC;
	}
	if (!*kernel || same_magic(module, kernel, load->index.vers != 0))
		return 0;
	kc_finding(load->report, KOCOON_STAGE_VERMAGIC, -ENOEXEC,
		   "the version magic is not this kernel's");
	explain_vermagic(load, module, kernel);
	return -ENOEXEC;
}

int kc_check_modinfo_livepatch(struct kc_load *load)
{
	if (!kc_get_modinfo(load, "livepatch"))
		return 0;
	/* Where there is no kernel but the program, the subsystem's own support counts. */
	if (load->behaviour->livepatch || (load->live && !kc_kernel_has_image(load->kernel))) {
		load->livepatch = true;
		return 0;
	}
	kc_finding(load->report, KOCOON_STAGE_LIVEPATCH, -ENOEXEC,
		   "a livepatch module, but this kernel has no livepatch support");
	kc_hint(load->report, "use a kernel with CONFIG_LIVEPATCH");
	return -ENOEXEC;
}

static bool license_is_gpl_compatible(const char *license)
{
	static const char *const compatible[] = {
		"GPL",		"GPL v2",	"GPL and additional rights",
		"Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL",
	};

	for (size_t i = 0; i < KC_ARRAY_SIZE(compatible); i++)
		if (strcmp(license, compatible[i]) == 0)
			return true;
	return false;
}

void kc_add_taint(struct kc_load *load, enum kc_taint taint)
{
	load->taints |= UINT64_C(1) << taint;
}

/* Modules that are treated as proprietary by name, whatever they say. */
static bool is_known_proprietary(const char *name)
{
	return strcmp(name, "driverloader") == 0 || strcmp(name, "lve") == 0;
}

static void license_taint(struct kc_load *load)
{
	const char *license = kc_get_modinfo(load, "license");

	if (license && license_is_gpl_compatible(license))
		return;
	kc_add_taint(load, KC_TAINT_PROPRIETARY_MODULE);
	kc_finding(
		load->report, KOCOON_STAGE_LAYOUT, 0,
		"the licence '%s' is not GPL-compatible: GPL-only symbols can't be used, and the "
		"kernel is tainted",
		license ? license : "unspecified");
}

void kc_augment_taints(struct kc_load *load)
{
	if (!kc_get_modinfo(load, "intree"))
		kc_add_taint(load, KC_TAINT_OOT_MODULE);
	if (kc_get_modinfo(load, "staging"))
		kc_add_taint(load, KC_TAINT_CRAP);
	if (load->livepatch)
		kc_add_taint(load, KC_TAINT_LIVEPATCH);
	license_taint(load);
	if (kc_get_modinfo(load, "test"))
		kc_add_taint(load, KC_TAINT_TEST);
	if (load->behaviour->signatures && !load->signature.sig_ok)
		kc_add_taint(load, KC_TAINT_UNSIGNED_MODULE);
	if (is_known_proprietary(load->struct_name))
		kc_add_taint(load, KC_TAINT_PROPRIETARY_MODULE);
}

void kocoon_taint_letters(uint64_t taints, char letters_ret[32])
{
	static const struct {
		enum kc_taint bit;
		char letter;
	} table[] = {
		{ KC_TAINT_PROPRIETARY_MODULE, 'P' },
		{ KC_TAINT_FORCED_MODULE, 'F' },
		{ KC_TAINT_CRAP, 'C' },
		{ KC_TAINT_OOT_MODULE, 'O' },
		{ KC_TAINT_UNSIGNED_MODULE, 'E' },
		{ KC_TAINT_LIVEPATCH, 'K' },
		{ KC_TAINT_TEST, 'N' },
	};
	size_t count = 0;

	for (size_t i = 0; i < KC_ARRAY_SIZE(table); i++)
		if (kc_has_taint(taints, table[i].bit))
			letters_ret[count++] = table[i].letter;
	letters_ret[count] = 0;
}

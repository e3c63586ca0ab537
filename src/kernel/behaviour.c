/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a kernel checks, and how: probed for in its image.
 *
 * Consumes read-only data (one pass for the messages that the kernel's own code would print),
 * symbol names, the parameters' table. A message starts with SOH and its level, so the pass stops
 * at SOH bytes only. Why each piece of evidence tells what it is taken for stands beside it.
 */
#include <stddef.h>

#include "kernel/parts.h"

enum {
	SOH = 1, /* what a message's level stands behind */
	OID_TABLE_MAX = 8192,
};

#define MEMBER(name) offsetof(struct kc_behaviour, name)

/* Starts of messages; `level` 0: any. */
static const struct {
	size_t member;
	char level;
	const char *text;
} messages[] = {
	{ MEMBER(signatures), 0, "%s: module verification failed: signature" },
	{ MEMBER(force_load), 0, "%s: %s: kernel tainted.\n" },
	{ MEMBER(strict_rwx), 0, "%s: section %s (index %d) has invalid WRITE|EXEC flags" },
	{ MEMBER(constructors), 0, "%s: has both .ctors and .init_array" },
	{ MEMBER(btf_modules), 0, "failed to validate module [%s] BTF" },
	{ MEMBER(btf_modules), 0, "Kernel module BTF mismatch detected" },
	/* Only compiled in where a mismatch is let pass. */
	{ MEMBER(btf_mismatch_allowed), 0, "Kernel module BTF mismatch detected" },
	/* An error where the import is missing for good, a warning where it is let pass. */
	{ MEMBER(missing_namespace_allowed), '4', "%s: module uses symbol (%s) from namespace" },
	{ MEMBER(validity_split), 0, "Only one .modinfo section must exist" },
	{ MEMBER(validity_this_module), 0,
	  "module %s: .gnu.linkonce.this_module section size must match" },
	{ MEMBER(validity_name_type), 0, "Invalid ELF section name table type" },
	{ MEMBER(validity_symtab_type), 0, "Invalid ELF symbol string table type" },
	{ MEMBER(symbol_index_checked), 0, "%s: Symbol %s has an invalid section index" },
};

/* The module decompressors' own messages: a kernel has one of them at most. */
static const struct {
	enum kc_format format;
	const char *text;
} decompressors[] = {
	{ KC_FORMAT_GZIP, "not a gzip compressed module" },
	{ KC_FORMAT_XZ, "not an xz compressed module" },
	{ KC_FORMAT_ZSTD, "not a zstd compressed module" },
};

static bool starts_with(struct kc_span bytes, const char *text)
{
	size_t len = strlen(text);

	return bytes.len >= len && !memcmp(bytes.data, text, len);
}

static void set(struct kc_behaviour *behaviour, size_t member)
{
	*(bool *)((char *)behaviour + member) = true;
}

static void probe_message(struct kc_behaviour *behaviour, char level, struct kc_span text)
{
	for (size_t i = 0; i < KC_ARRAY_SIZE(messages); i++)
		if ((!messages[i].level || messages[i].level == level) &&
		    starts_with(text, messages[i].text))
			set(behaviour, messages[i].member);
	for (size_t i = 0; i < KC_ARRAY_SIZE(decompressors); i++)
		if (starts_with(text, decompressors[i].text))
			behaviour->decompressor.format = decompressors[i].format;
}

static void probe_messages(struct kc_behaviour *behaviour, struct kc_span bytes)
{
	const uint8_t *end = bytes.data + bytes.len, *place = bytes.data;

	while ((place = memchr(place, SOH, (size_t)(end - place)))) {
		place++;
		if (end - place < 2)
			return;
		if (place[0] >= '0' && place[0] <= '7')
			probe_message(behaviour, (char)place[0],
				      kc_span(place + 1, (size_t)(end - place) - 1));
	}
}

static bool find_bytes(struct kc_span area, const void *bytes, size_t len)
{
	return memmem(area.data, area.len, bytes, len) != NULL;
}

/* A string with the NUL before and behind it: nothing else's part. */
static bool find_whole_string(struct kc_span area, const char *text)
{
	size_t len = strlen(text) + 1;
	const uint8_t *found = memmem(area.data, area.len, text, len);

	while (found && found > area.data && found[-1]) {
		found++;
		found = memmem(found, (size_t)(area.data + area.len - found), text, len);
	}
	return found != NULL;
}

static void probe_rodata(const struct kocoon_kernel *kernel, struct kc_behaviour *behaviour)
{
	struct kc_span bytes;
	uint64_t address;

	for (size_t i = 0; kc_vmlinux_rodata(&kernel->vmlinux, i, &address, &bytes); i++) {
		probe_messages(behaviour, bytes);
		behaviour->extended_modversions |= find_whole_string(bytes, "__version_ext_crcs");
		behaviour->module_namespaces |= find_whole_string(bytes, "module:");
	}
	/* Exports that carry the prefix don't tell: stable kernels have some and don't know it. */
	behaviour->module_namespaces |= kc_kernel_has_symbol(kernel, "verify_module_namespace");
}

/*
 * Value of the variable behind the parameter module.sig_enforce. Not by the variable's name: kexec
 * has one of the same. In .bss it is false.
 */
static bool probe_sig_enforce(const struct kocoon_kernel *kernel)
{
	uint32_t size = kc_kernel_abi(kernel)->kernel_param_size;
	struct kc_span table, value;
	uint64_t address;

	if (size < 2 * sizeof(uint64_t) || !kc_kernel_section(kernel, "__param", "__start___param",
							      "__stop___param", &address, &table))
		return false;
	for (size_t place = 0; kc_span_contains(table, place, size); place += size) {
		const uint8_t *entry = table.data + place;
		const char *name =
			kc_vmlinux_string(&kernel->vmlinux, kc_load64(entry), KC_NAME_MAX);

		if (name && !strcmp(name, "module.sig_enforce"))
			return kc_vmlinux_bytes(&kernel->vmlinux,
						kc_load64(entry + size - sizeof(uint64_t)), 1,
						&value) &&
			       value.data[0];
	}
	return false;
}

/*
 * The object identifiers that the kernel's ASN.1 parsers know are one table; a parser can only take
 * a digest that the table has, and digests are added to and removed from both together.
 */
static struct kc_span find_oid_table(const struct kocoon_kernel *kernel)
{
	struct kc_span bytes = { 0 };
	uint64_t address;

	if (kc_kernel_find_symbol(kernel, "oid_data", &address) &&
	    kc_vmlinux_rest(&kernel->vmlinux, address, &bytes)) {
		if (bytes.len > OID_TABLE_MAX)
			bytes.len = OID_TABLE_MAX;
		return bytes;
	}
	(void)!kc_vmlinux_rodata(&kernel->vmlinux, 0, &address, &bytes);
	return bytes;
}

static void probe_digests(const struct kocoon_kernel *kernel, struct kc_behaviour *behaviour)
{
	static const uint8_t sha1[] = { 0x2b, 0x0e, 0x03, 0x02, 0x1a };
	static const uint8_t sha3_256[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x08 };
	static const uint8_t ecdsa_sha256[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 };
	struct kc_span table = find_oid_table(kernel);

	behaviour->signature_sha1 = find_bytes(table, sha1, sizeof(sha1));
	behaviour->signature_sha3 = find_bytes(table, sha3_256, sizeof(sha3_256));
	/* The parser may know the identifiers of an algorithm that isn't built in. */
	behaviour->signature_ecdsa = find_bytes(table, ecdsa_sha256, sizeof(ecdsa_sha256)) &&
				     kc_kernel_has_symbol(kernel, "ecdsa_set_pub_key");
}

static bool has_section(const struct kocoon_kernel *kernel, const char *name, const char *start,
			const char *stop)
{
	uint64_t address;
	struct kc_span bytes;

	return kc_kernel_section(kernel, name, start, stop, &address, &bytes);
}

static void probe_symbols(const struct kocoon_kernel *kernel, struct kc_behaviour *behaviour)
{
	behaviour->signatures |= kc_kernel_has_symbol(kernel, "module_sig_check");
	/* The hook is there in kernels without the lockdown module too. */
	behaviour->lockdown = kc_kernel_has_symbol(kernel, "security_locked_down") &&
			      kc_kernel_has_symbol(kernel, "lockdown_is_locked_down");
	behaviour->livepatch = kc_kernel_has_symbol(kernel, "klp_module_coming");
	/*
	 * A data symbol that every kernel has. Types don't tell: some marks of sections are always
	 * in the table.
	 */
	behaviour->kallsyms_all = kc_kernel_has_symbol(kernel, "linux_banner");
	behaviour->btf_modules |= kc_kernel_has_symbol(kernel, "btf_module_notify");
	/* The function became one of its own when the early check became its second caller. */
	behaviour->early_mod_check = kc_kernel_has_symbol(kernel, "early_mod_check") ||
				     kc_kernel_has_symbol(kernel, "module_patient_check_exists");
	/* Older kernels go on without these files, and what isn't missed isn't undone. */
	behaviour->sysfs_sections_needed =
		kc_kernel_calls(kernel, "mod_sysfs_setup", "sysfs_remove_group");
	/* The variable, or where there are functions only, the one that sets it. */
	behaviour->platform_keyring = kc_kernel_has_symbol(kernel, "platform_trusted_keys") ||
				      kc_kernel_has_symbol(kernel, "set_platform_trusted_keys");
	/* x86's filter is built in wherever any is, in a kernel for x86. */
	behaviour->decompressor.xz_bcj_x86 = kc_kernel_has_symbol(kernel, "xz_dec_bcj_run");
}

/* Without an image: what stock kernels do today. */
static const struct kc_behaviour today = {
	.force_load = true,
	.strict_rwx = true,
	.livepatch = true,
	.kallsyms_all = true,
	.smp = true,
	.validity_split = true,
	.validity_this_module = true,
	.validity_name_type = true,
	.validity_symtab_type = true,
	.symbol_index_checked = true,
	.early_mod_check = true,
	.sysfs_sections_needed = true,
};

static void probe_symvers(const struct kocoon_kernel *kernel, struct kc_behaviour *behaviour)
{
	*behaviour = today;
	for (size_t i = 0; i < kernel->exports.count; i++)
		behaviour->modversions |= kernel->exports.array[i].has_crc;
}

void kc_kernel_probe_behaviour(struct kocoon_kernel *kernel)
{
	struct kc_behaviour *behaviour = &kernel->behaviour;

	if (!kc_kernel_has_image(kernel)) {
		probe_symvers(kernel, behaviour);
		return;
	}
	probe_rodata(kernel, behaviour);
	probe_symbols(kernel, behaviour);
	probe_digests(kernel, behaviour);
	behaviour->sig_enforce = behaviour->signatures && probe_sig_enforce(kernel);
	behaviour->modversions =
		has_section(kernel, "__kcrctab", "__start___kcrctab", "__stop___kcrctab") ||
		has_section(kernel, "__kcrctab_gpl", "__start___kcrctab_gpl",
			    "__stop___kcrctab_gpl");
	behaviour->btf_mismatch_allowed |= kc_kernel_btf_mismatch_passes(kernel);
	behaviour->smp = strstr(kernel->vermagic, " SMP ") != NULL;
}

const struct kc_behaviour *kc_kernel_behaviour(const struct kocoon_kernel *kernel)
{
	kc_once_run(&((struct kocoon_kernel *)(uintptr_t)kernel)->behaviour_once, kernel,
		    kc_kernel_probe_behaviour);
	return &kernel->behaviour;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small kernels; see build_vmlinux.h. One segment holds all that is loaded, text first. */
#include "unit.h"

#include <bpf/btf.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "build_vmlinux.h"

enum {
	FILE_OFFSET = 4096,
	SYMBOLS_MAX = FUNCTIONS + 64,
	SECTIONS_MAX = 16,
	TEXT_SIZE = FUNCTIONS * 16,
};

struct symbol {
	char name[400];
	uint64_t address;
	char type;
};

struct section {
	const char *name;
	uint64_t offset, size; /* in the segment */
};

struct build {
	const struct vmlinux_recipe *recipe;
	struct kc_buffer bytes; /* the segment */
	struct section sections[SECTIONS_MAX];
	size_t section_count;
	struct symbol symbols[SYMBOLS_MAX];
	size_t symbol_count;
};

static void append(struct kc_buffer *buffer, const void *data, size_t len)
{
	assert_int_equal(kc_buffer_append(buffer, data, len), 0);
}

static void append32(struct kc_buffer *buffer, uint64_t value)
{
	append(buffer, &value, 4);
}

static void append64(struct kc_buffer *buffer, uint64_t value)
{
	append(buffer, &value, 8);
}

static void pad(struct kc_buffer *buffer, size_t alignment)
{
	while (buffer->len % alignment)
		append(buffer, "", 1);
}

static uint64_t here(const struct build *build)
{
	return TEXT_ADDRESS + build->bytes.len;
}

static uint64_t add_string(struct build *build, const char *text)
{
	uint64_t address = here(build);

	append(&build->bytes, text, strlen(text) + 1);
	return address;
}

static void add_symbol(struct build *build, char type, uint64_t address, const char *name)
{
	struct symbol *symbol = &build->symbols[build->symbol_count++];

	assert_true(build->symbol_count <= SYMBOLS_MAX);
	*symbol = (struct symbol){ .address = address, .type = type };
	snprintf(symbol->name, sizeof(symbol->name), "%s", name);
}

static void start_section(struct build *build, const char *name)
{
	pad(&build->bytes, 16);
	build->sections[build->section_count++] = (struct section){ name, build->bytes.len, 0 };
}

/* Ends the section, and marks its ends by symbols as the linker script does. */
static void end_section(struct build *build)
{
	struct section *section = &build->sections[build->section_count - 1];
	const char *stem = section->name + strspn(section->name, "._");
	char name[64];

	section->size = build->bytes.len - section->offset;
	snprintf(name, sizeof(name), "__start_%s%s", section->name[0] == '_' ? "__" : "", stem);
	add_symbol(build, 'R', TEXT_ADDRESS + section->offset, name);
	snprintf(name, sizeof(name), "__stop_%s%s", section->name[0] == '_' ? "__" : "", stem);
	add_symbol(build, 'R', here(build), name);
}

/* -------------------------------------------------------------------------------------------------
 * exports */

static const struct {
	const char *name, *ns;
	unsigned int function;
	uint32_t crc;
	bool gpl_only;
} exports[] = {
	{ "alpha", "", 1, 0x11111111, false },	    { "beta", "SPACE", 2, 0x22222222, false },
	{ "gamma", "", 3, 0xdeadbeef, false },	    { "delta_gpl", "", 4, 0x44444444, true },
	{ "epsilon_gpl", "", 5, 0x55555555, true },
};

static void add_export_entries(struct build *build, bool gpl_only, const uint64_t names[],
			       const uint64_t namespaces[])
{
	const struct vmlinux_recipe *recipe = build->recipe;

	start_section(build, gpl_only ? "__ksymtab_gpl" : "__ksymtab");
	for (size_t i = 0; i < KC_ARRAY_SIZE(exports); i++) {
		const uint64_t fields[] = { TEXT_ADDRESS + exports[i].function * 16, names[i],
					    namespaces[i] };

		for (size_t j = 0; j < (recipe->no_namespaces ? 2 : 3); j++) {
			if (exports[i].gpl_only != gpl_only)
				continue;
			if (recipe->pointers)
				append64(&build->bytes, fields[j]);
			else
				append32(&build->bytes, fields[j] - here(build));
		}
	}
	end_section(build);
}

static void add_crcs(struct build *build, bool gpl_only)
{
	start_section(build, gpl_only ? "__kcrctab_gpl" : "__kcrctab");
	for (size_t i = 0; i < KC_ARRAY_SIZE(exports); i++) {
		if (exports[i].gpl_only != gpl_only)
			continue;
		append32(&build->bytes, exports[i].crc);
		if (build->recipe->wide_crcs)
			append32(&build->bytes, 0);
	}
	end_section(build);
}

static void add_exports(struct build *build)
{
	uint64_t names[KC_ARRAY_SIZE(exports)], namespaces[KC_ARRAY_SIZE(exports)];

	start_section(build, "__ksymtab_strings");
	for (size_t i = 0; i < KC_ARRAY_SIZE(exports); i++) {
		names[i] = add_string(build, exports[i].name);
		namespaces[i] = add_string(build, exports[i].ns);
	}
	end_section(build);
	for (int gpl_only = 0; gpl_only < 2; gpl_only++) {
		add_export_entries(build, gpl_only, names, namespaces);
		if (!build->recipe->no_crcs)
			add_crcs(build, gpl_only);
	}
}

/* -------------------------------------------------------------------------------------------------
 * kallsyms: tokens are all single characters, and some pairs in the place of characters that names
 * don't have */

static const char *const pairs[] = { "Tf", "f_", "__", "st", "ar", "_s" };

static void token(uint8_t code, char text_ret[3])
{
	if (code < KC_ARRAY_SIZE(pairs))
		snprintf(text_ret, 3, "%s", pairs[code]);
	else
		snprintf(text_ret, 3, "%c", code >= ' ' && code < 127 ? code : '.');
}

static void compress(const char *text, struct kc_buffer *out)
{
	while (*text) {
		uint8_t code = (uint8_t)*text;
		size_t taken = 1;

		for (size_t i = 0; i < KC_ARRAY_SIZE(pairs); i++)
			if (!strncmp(text, pairs[i], 2)) {
				code = (uint8_t)i;
				taken = 2;
			}
		append(out, &code, 1);
		text += taken;
	}
}

static int compare_addresses(const void *left, const void *right)
{
	const struct symbol *a = left, *b = right;

	return a->address < b->address ? -1 : a->address > b->address;
}

static const struct build *sorted;

static int compare_names(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;
	int order = strcmp(sorted->symbols[*a].name, sorted->symbols[*b].name);

	return order ? order : (int)*a - (int)*b;
}

static void add_names(struct build *build, struct kc_buffer *markers)
{
	size_t start = build->bytes.len;

	for (size_t i = 0; i < build->symbol_count; i++) {
		char text[512];
		struct kc_buffer packed = { 0 };
		uint8_t len[2];

		if (i % 256 == 0)
			append32(markers, build->bytes.len - start);
		snprintf(text, sizeof(text), "%c%s", build->symbols[i].type,
			 build->symbols[i].name);
		compress(text, &packed);
		len[0] = (uint8_t)(packed.len & 0x7f);
		len[1] = (uint8_t)(packed.len >> 7);
		if (len[1])
			len[0] |= 0x80;
		append(&build->bytes, len, len[1] ? 2 : 1);
		append(&build->bytes, packed.data, packed.len);
		kc_buffer_deinit(&packed);
	}
}

static void add_tokens(struct build *build)
{
	struct kc_buffer index = { 0 };
	uint16_t place = 0;

	for (unsigned int code = 0; code < 256; code++) {
		char text[3];

		token((uint8_t)code, text);
		append(&index, &place, sizeof(place));
		append(&build->bytes, text, strlen(text) + 1);
		place = (uint16_t)(place + strlen(text) + 1);
	}
	pad(&build->bytes, 8);
	append(&build->bytes, index.data, index.len);
	kc_buffer_deinit(&index);
}

static void add_addresses(struct build *build)
{
	for (size_t i = 0; i < build->symbol_count; i++) {
		uint64_t address = build->symbols[i].address;

		switch (build->recipe->form) {
		case KC_KALLSYMS_SIGNED:
			append32(&build->bytes,
				 address < TEXT_ADDRESS ? address : TEXT_ADDRESS - 1 - address);
			break;
		case KC_KALLSYMS_UNSIGNED:
			append32(&build->bytes, address - TEXT_ADDRESS);
			break;
		case KC_KALLSYMS_ABSOLUTE:
			append64(&build->bytes, address);
			break;
		}
	}
	pad(&build->bytes, 8);
	if (build->recipe->form != KC_KALLSYMS_ABSOLUTE)
		append64(&build->bytes, TEXT_ADDRESS);
}

static void add_by_name(struct build *build)
{
	uint32_t order[SYMBOLS_MAX];

	if (build->recipe->no_by_name)
		return;
	for (size_t i = 0; i < build->symbol_count; i++)
		order[i] = (uint32_t)i;
	sorted = build;
	qsort(order, build->symbol_count, sizeof(order[0]), compare_names);
	for (size_t i = 0; i < build->symbol_count; i++) {
		uint8_t entry[] = { (uint8_t)(order[i] >> 16), (uint8_t)(order[i] >> 8),
				    (uint8_t)order[i] };

		append(&build->bytes, entry, sizeof(entry));
	}
	pad(&build->bytes, 8);
}

static void drop_data_symbols(struct build *build)
{
	size_t kept = 0;

	for (size_t i = 0; i < build->symbol_count; i++)
		if (strchr("tTR", build->symbols[i].type))
			build->symbols[kept++] = build->symbols[i];
	build->symbol_count = kept;
}

static void add_kallsyms(struct build *build)
{
	struct kc_buffer markers = { 0 };

	if (build->recipe->functions_only)
		drop_data_symbols(build);
	qsort(build->symbols, build->symbol_count, sizeof(build->symbols[0]), compare_addresses);
	pad(&build->bytes, 8);
	if (build->recipe->old_order)
		add_addresses(build);
	append64(&build->bytes, build->symbol_count);
	add_names(build, &markers);
	pad(&build->bytes, 8);
	append(&build->bytes, markers.data, markers.len);
	pad(&build->bytes, 8);
	if (build->recipe->old_order)
		add_by_name(build);
	add_tokens(build);
	if (!build->recipe->old_order) {
		add_addresses(build);
		add_by_name(build);
	}
	kc_buffer_deinit(&markers);
}

/* -------------------------------------------------------------------------------------------------
 * the rest of read-only data */

struct kc_span test_certificate(void)
{
	static unsigned char *der;
	static int len;

	if (!der) {
		EVP_PKEY *key = EVP_EC_gen("P-256");
		X509 *certificate = X509_new();
		X509_NAME *name = X509_get_subject_name(certificate);

		ASN1_INTEGER_set(X509_get_serialNumber(certificate), 0x1234);
		X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
		X509_gmtime_adj(X509_getm_notAfter(certificate), 1000000);
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					   (const unsigned char *)"test key", -1, -1, 0);
		X509_set_issuer_name(certificate, name);
		X509_set_pubkey(certificate, key);
		assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
		len = i2d_X509(certificate, &der);
		X509_free(certificate);
		EVP_PKEY_free(key);
	}
	assert_true(len > 0);
	return kc_span(der, (size_t)len);
}

static void add_certificates(struct build *build)
{
	struct kc_span certificate = test_certificate();

	pad(&build->bytes, 8);
	add_symbol(build, 'D', here(build), "system_certificate_list");
	append(&build->bytes, certificate.data, certificate.len);
	append(&build->bytes, certificate.data, certificate.len);
	pad(&build->bytes, 8);
	add_symbol(build, 'D', here(build), "system_certificate_list_size");
	append64(&build->bytes, 2 * certificate.len);
}

static void add_parameter(struct build *build)
{
	uint64_t name = add_string(build, "module.sig_enforce"), value = here(build);
	uint8_t enforced = build->recipe->sig_enforce;

	append(&build->bytes, &enforced, 1);
	start_section(build, "__param");
	append64(&build->bytes, name);
	for (int i = 0; i < 3; i++)
		append64(&build->bytes, 0);
	append64(&build->bytes, value);
	end_section(build);
}

static void add_strings(struct build *build)
{
	static const char *const known[] = {
		"\0015%s: module verification failed: signature and/or key missing\n",
		"\0013%s: section %s (index %d) has invalid WRITE|EXEC flags\n",
		"\0013not a zstd compressed module\n",
	};

	pad(&build->bytes, 16);
	add_symbol(build, 'D', here(build), "linux_banner");
	add_string(build, "Linux version 9.9.9-test (a@b) #1 SMP");
	add_symbol(build, 'd', here(build), "vermagic");
	add_string(build, "9.9.9-test SMP mod_unload modversions ");
	for (size_t i = 0; i < KC_ARRAY_SIZE(known); i++)
		add_string(build, known[i]);
	for (size_t i = 0; build->recipe->messages && build->recipe->messages[i]; i++)
		add_string(build, build->recipe->messages[i]);
}

static void add_notes(struct build *build)
{
	static const uint8_t id[] = { 0xab, 0xcd, 0xef, 0x01 };

	start_section(build, ".notes");
	append32(&build->bytes, 4);
	append32(&build->bytes, sizeof(id));
	append32(&build->bytes, 3);
	append(&build->bytes, "GNU", 4);
	append(&build->bytes, id, sizeof(id));
	end_section(build);
}

static void add_btf(struct build *build)
{
	struct btf *btf = btf__new_empty();
	const void *raw;
	__u32 size;
	int character, build_id, array;

	assert_non_null(btf);
	character = btf__add_int(btf, "char", 1, 0);
	array = btf__add_array(btf, character, character, 56);
	build_id = btf__add_array(btf, character, character, 20);
	assert_true(btf__add_struct(btf, "module", 1344) > 0);
	assert_int_equal(btf__add_field(btf, "name", array, 24 * 8, 0), 0);
	assert_int_equal(btf__add_field(btf, "mem", character, 640 * 8, 0), 0);
	assert_int_equal(btf__add_field(btf, "build_id", build_id, 1300 * 8, 0), 0);
	assert_true(btf__add_struct(btf, "kernel_param", 40) > 0);
	raw = btf__raw_data(btf, &size);
	start_section(build, ".BTF");
	append(&build->bytes, raw, size);
	end_section(build);
	btf__free(btf);
}

static void add_functions(struct build *build)
{
	for (unsigned int i = 0; i < TEXT_SIZE; i++)
		append(&build->bytes, "\xcc", 1);
	add_symbol(build, 'T', TEXT_ADDRESS, "_text");
	for (unsigned int i = 0; i < FUNCTIONS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "f_%u", i);
		add_symbol(build, i % 3 ? 'T' : 't', TEXT_ADDRESS + i * 16, name);
	}
	add_symbol(build, 't', TEXT_ADDRESS + 800, LONG_NAME);
	add_symbol(build, 't', TEXT_ADDRESS + 160, "module_patient_check_exists.constprop.0");
	add_symbol(build, 't', TEXT_ADDRESS + 320, "f_twin");
	add_symbol(build, 't', TEXT_ADDRESS + 480, "f_twin");
	if (build->recipe->form != KC_KALLSYMS_UNSIGNED) {
		add_symbol(build, 'A', 0, "percpu_start");
		add_symbol(build, 'A', 0x1000, "percpu_value");
	}
}

/* -------------------------------------------------------------------------------------------------
 * the file */

static uint32_t add_section_name(struct kc_buffer *names, const char *name)
{
	uint32_t place = (uint32_t)names->len;

	append(names, name, strlen(name) + 1);
	return place;
}

static void write_sections(struct build *build, struct kc_buffer *file)
{
	Elf64_Shdr headers[SECTIONS_MAX + 3] = { 0 };
	struct kc_buffer names = { 0 };
	size_t count = 1;
	Elf64_Ehdr ehdr;

	append(&names, "", 1);
	for (size_t i = 0; i < build->section_count; i++, count++) {
		const struct section *section = &build->sections[i];
		const char *name = build->recipe->no_section_names ? ".data" : section->name;

		headers[count] = (Elf64_Shdr){
			.sh_name = add_section_name(&names, name),
			.sh_type = SHT_PROGBITS,
			.sh_flags = SHF_ALLOC,
			.sh_addr = TEXT_ADDRESS + section->offset,
			.sh_offset = FILE_OFFSET + section->offset,
			.sh_size = section->size,
		};
	}
	headers[count++] = (Elf64_Shdr){ .sh_name = add_section_name(&names, ".shstrtab"),
					 .sh_type = SHT_STRTAB,
					 .sh_offset = file->len,
					 .sh_size = names.len };
	append(file, names.data, names.len);
	pad(file, 8);
	memcpy(&ehdr, file->data, sizeof(ehdr));
	ehdr.e_shoff = file->len;
	ehdr.e_shnum = (Elf64_Half)count;
	ehdr.e_shstrndx = (Elf64_Half)(count - 1);
	memcpy(file->data, &ehdr, sizeof(ehdr));
	append(file, headers, count * sizeof(headers[0]));
	kc_buffer_deinit(&names);
}

static struct kc_buffer write_file(struct build *build)
{
	struct kc_buffer file = { 0 };
	Elf64_Ehdr ehdr = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(ehdr),
		.e_ehsize = sizeof(ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
		.e_shentsize = sizeof(Elf64_Shdr),
	};
	Elf64_Phdr phdr = {
		.p_type = PT_LOAD,
		.p_offset = FILE_OFFSET,
		.p_vaddr = TEXT_ADDRESS,
		.p_filesz = build->bytes.len,
		.p_memsz = build->bytes.len + 4096,
	};

	append(&file, &ehdr, sizeof(ehdr));
	append(&file, &phdr, sizeof(phdr));
	pad(&file, FILE_OFFSET);
	append(&file, build->bytes.data, build->bytes.len);
	write_sections(build, &file);
	for (int i = 0; i < RELOCATIONS; i++)
		append(&file, "R", 1);
	return file;
}

struct kc_buffer build_vmlinux(const struct vmlinux_recipe *recipe)
{
	struct build *build = calloc(1, sizeof(*build));
	struct section *rodata;
	struct kc_buffer file;

	assert_non_null(build);
	build->recipe = recipe;
	add_functions(build);
	start_section(build, ".rodata");
	rodata = &build->sections[build->section_count - 1];
	add_strings(build);
	add_certificates(build);
	add_exports(build);
	add_parameter(build);
	add_notes(build);
	if (!recipe->no_btf)
		add_btf(build);
	if (!recipe->no_kallsyms)
		add_kallsyms(build);
	/* All of it is read-only data: the other sections lie inside. */
	rodata->size = build->bytes.len - rodata->offset;
	file = write_file(build);
	kc_buffer_deinit(&build->bytes);
	free(build);
	return file;
}

struct kc_buffer build_bzimage(struct kc_span packed, uint32_t unpacked_size)
{
	enum { SETUP_SECTS = 1, SETUP_SIZE = (SETUP_SECTS + 1) * 512, PAYLOAD = 0x40 };
	uint8_t setup[SETUP_SIZE + PAYLOAD] = { 0 };
	struct kc_buffer file = { 0 };

	setup[0x1f1] = SETUP_SECTS;
	setup[0x1fe] = 0x55;
	setup[0x1ff] = 0xaa;
	memcpy(setup + 0x202, "HdrS", 4);
	setup[0x206] = 0x0f;
	setup[0x207] = 0x02;
	setup[0x20e] = 0x80;
	kc_store32(setup + 0x248, PAYLOAD);
	kc_store32(setup + 0x24c, (uint32_t)packed.len + 4);
	memcpy(setup + 0x280, "9.9.9-boot (a@b) #1", 20);
	append(&file, setup, sizeof(setup));
	append(&file, packed.data, packed.len);
	append32(&file, unpacked_size);
	append(&file, "behind", 6);
	return file;
}

int open_kernel_bytes(struct kc_span bytes, const struct kocoon_kernel_options *options,
		      struct kocoon_report *report, struct kocoon_kernel **kernel_ret)
{
	int fd = memfd_create("kernel", 0), err;
	char path[32];

	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(write(fd, bytes.data, bytes.len), (ssize_t)bytes.len);
	err = kocoon_kernel_open(path, options, report, kernel_ret);
	close(fd);
	return err;
}

static volatile size_t used;

static void use_text(const char *text)
{
	used += text ? strlen(text) : 0;
}

static void use_lists(const struct kocoon_kernel *kernel)
{
	const struct kocoon_symbol *symbols;
	const struct kocoon_export *array;
	const struct kocoon_fact *facts;
	const struct kocoon_key *keys;

	for (size_t i = 0, n = kocoon_kernel_symbols(kernel, &symbols); i < n; i++)
		use_text(symbols[i].name);
	for (size_t i = 0, n = kocoon_kernel_exports(kernel, &array); i < n; i++) {
		use_text(array[i].name);
		use_text(array[i].ns);
	}
	for (size_t i = 0, n = kocoon_kernel_facts(kernel, &facts); i < n; i++)
		use_text(facts[i].value);
	for (size_t i = 0, n = kocoon_kernel_keys(kernel, &keys); i < n; i++) {
		use_text(keys[i].subject);
		use_text(keys[i].key_id);
		use_text(keys[i].algorithm);
	}
}

void use_kernel(const struct kocoon_kernel *kernel)
{
	X509 *const *certificates;
	struct kc_span bytes;
	uint64_t address;

	use_lists(kernel);
	use_text(kocoon_kernel_release(kernel));
	use_text(kocoon_kernel_vermagic(kernel));
	use_text(kocoon_kernel_build_id(kernel));
	for (size_t i = 0; kocoon_kernel_gap(kernel, i); i++)
		use_text(kocoon_kernel_gap(kernel, i));
	used += kc_kernel_abi(kernel)->module_size;
	used += kc_kernel_behaviour(kernel)->signatures;
	used += kc_kernel_certificates(kernel, &certificates);
	used += kocoon_kernel_export(kernel, "alpha") != NULL;
	used += kocoon_kernel_struct_size(kernel, "module");
	if (kc_kernel_find_symbol(kernel, LONG_NAME, &address) &&
	    kc_kernel_bytes(kernel, address, 16, &bytes))
		used += bytes.data[15];
	bytes = kc_kernel_btf_bytes(kernel);
	for (size_t i = 0; i < bytes.len; i++)
		used += bytes.data[i];
}

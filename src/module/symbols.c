/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Symbols: every symbol's value becomes an address (simplify_symbols(), resolve_symbol() of
 * kernel/module/main.c).
 *
 * Consumes the symbol table that move_module() put into init data, and imports that have been bound
 * to exports by whoever knows all providers. Produces final values in place. The errno is that of
 * the last symbol that fails, as in the kernel, which goes on to the end of the table.
 */
#include "module/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* So many symbols are named one by one; the rest is counted. */
enum { NAMED_FAILURES = 16 };

struct failures {
	int err; /* of the last one */
	unsigned int count;
	unsigned int by_state[KOCOON_IMPORT_UNUSABLE + 1];
	unsigned int versioned; /* imports that were compared by CRC */
	unsigned int named;
};

const char *kc_symbol_name(const struct kc_load *load, uint32_t st_name)
{
	const Elf64_Shdr *strtab = &load->sections[load->index.str].shdr;

	if (strtab->sh_offset > load->whole.len)
		return NULL;
	return kc_span_string(load->whole, strtab->sh_offset + st_name);
}

static size_t count_undefined(struct kc_span symbols)
{
	size_t count = 0;
	Elf64_Sym symbol;

	for (uint64_t i = 1; kc_elf_sym(symbols, i, &symbol); i++)
		count += symbol.st_shndx == SHN_UNDEF;
	return count;
}

int kc_collect_imports(struct kc_load *load)
{
	struct kc_span symbols = load->sections[load->index.sym].file;
	size_t count = count_undefined(symbols);
	uint64_t names = 0;
	Elf64_Sym symbol;

	if (count > KC_SYMBOLS_MAX)
		return kc_too_much(load, KOCOON_STAGE_SYMBOLS, "undefined symbols");
	load->imports = calloc(count ? count : 1, sizeof(*load->imports));
	if (!load->imports)
		return kc_finding(load->report, KOCOON_STAGE_SYMBOLS, -ENOMEM, "out of memory");
	for (uint64_t i = 1; kc_elf_sym(symbols, i, &symbol); i++) {
		struct kc_import *import = &load->imports[load->import_count];
		const char *name;

		if (symbol.st_shndx != SHN_UNDEF)
			continue;
		name = kc_symbol_name(load, symbol.st_name);
		/* Differs from Linux: a name behind the end of the file is refused, not read. */
		if (!name)
			return kc_finding(load->report, KOCOON_STAGE_SYMBOLS, -ENOEXEC,
					  "the name of symbol %" PRIu64 " is outside of the file",
					  i);
		names += strlen(name) + 1;
		if (names > KC_NAMES_MAX)
			return kc_too_much(load, KOCOON_STAGE_SYMBOLS,
					   "names of undefined symbols");
		*import = (struct kc_import){
			.name = name,
			.hash = kc_hash(name),
			.weak = ELF64_ST_BIND(symbol.st_info) == STB_WEAK,
			.provider = KC_PROVIDER_NONE,
		};
		if (!load->live)
			import->export = kc_kernel_find_export(load->kernel, name, import->hash);
		if (import->export) {
			import->provider = KC_PROVIDER_KERNEL;
			import->provider_name = "";
		}
		load->import_count++;
	}
	return 0;
}

/* x86 assemblers leave it behind, unreferenced. */
static bool is_ignored(const struct kc_load *load, const char *name)
{
	return load->ehdr.machine == EM_X86_64 && strcmp(name, "_GLOBAL_OFFSET_TABLE_") == 0;
}

/*
 * A module that uses a proprietary one's symbols becomes proprietary, unless it has used GPL-only
 * ones: refused then.
 */
static bool inherit_taint(struct kc_load *load, const struct kc_import *import)
{
	if (import->provider < 0 ||
	    !kc_has_taint(import->provider_taints, KC_TAINT_PROPRIETARY_MODULE))
		return true;
	if (load->uses_gpl_only)
		return false;
	kc_add_taint(load, KC_TAINT_PROPRIETARY_MODULE);
	return true;
}

/* Namespaces "module:a,b*" are open to the modules that they name, and to no others. */
static bool is_for_module(const char *list, const char *module)
{
	size_t module_len = strlen(module);

	while (*list) {
		size_t len = strcspn(list, ",");
		bool prefix = len && list[len - 1] == '*';
		size_t compared = prefix ? len - 1 : len;

		if ((prefix ? compared <= module_len : compared == module_len) &&
		    memcmp(list, module, compared) == 0)
			return true;
		list += len + (list[len] == ',');
	}
	return false;
}

static bool find_namespace(const struct kc_load *load, const char *ns, uint32_t hash)
{
	uint32_t cursor = 0;
	uint32_t place;

	while ((place = kc_index_next(&load->namespaces, hash, &cursor)) != KC_INDEX_NONE)
		if (strcmp((const char *)load->whole.data + place, ns) == 0)
			return true;
	return false;
}

/* Differs from Linux: of the namespaces that a module imports, so many are looked at. */
static int index_namespaces(struct kc_load *load)
{
	struct kc_index *index = &load->namespaces;
	const char *imported;
	uint64_t cursor = 0;
	uint32_t place;
	int err = load->namespaces_known ? 0 : kc_index_init(index, 0);

	if (err || load->namespaces_known)
		return err;
	while (!err && load->index.info && index->count < KC_NAMESPACES_MAX &&
	       (imported = kc_get_next_modinfo(load, "import_ns", &cursor))) {
		uint32_t hash = kc_hash(imported);

		place = (uint32_t)((const uint8_t *)imported - load->whole.data);
		if (!find_namespace(load, imported, hash))
			err = kc_index_add(index, hash, place);
	}
	if (err)
		kc_index_deinit(index);
	load->namespaces_known = !err;
	return err;
}

static enum kocoon_import_state check_namespace(struct kc_load *load, struct kc_import *import)
{
	const char *ns = import->export->ns;

	if (load->behaviour->module_namespaces && strncmp(ns, "module:", 7) == 0)
		return is_for_module(ns + 7, load->struct_name) ? KOCOON_IMPORT_OK
								: KOCOON_IMPORT_NAMESPACE;
	import->err = index_namespaces(load);
	if (import->err)
		return KOCOON_IMPORT_UNUSABLE;
	return find_namespace(load, ns, kc_hash(ns)) ? KOCOON_IMPORT_OK : KOCOON_IMPORT_NAMESPACE;
}

enum kocoon_import_state kc_resolve_symbol(struct kc_load *load, struct kc_import *import)
{
	enum kocoon_import_state state;

	if (!import->export)
		return KOCOON_IMPORT_UNKNOWN;
	if (import->export->gpl_only && kc_has_taint(load->taints, KC_TAINT_PROPRIETARY_MODULE))
		return KOCOON_IMPORT_GPL_ONLY;
	if (import->export->gpl_only)
		load->uses_gpl_only = true;
	if (!inherit_taint(load, import))
		return KOCOON_IMPORT_PROPRIETARY;
	state = kc_check_version(load, import);
	if (state == KOCOON_IMPORT_OK && import->export->ns)
		state = check_namespace(load, import);
	if (state == KOCOON_IMPORT_NAMESPACE && load->behaviour->missing_namespace_allowed)
		state = KOCOON_IMPORT_OK;
	return state;
}

void kc_keep_provider(struct kc_load *load, struct kc_import *import)
{
	const struct kocoon_export *export = import->export;
	const char *ns = export ? export->ns : NULL;
	size_t ns_size = ns ? strlen(ns) + 1 : 0;
	struct kc_kept *kept;

	if (!export || !import->provider_name || !*import->provider_name)
		return; /* the kernel side stays */
	kept = malloc(sizeof(*kept) + ns_size);
	import->export = NULL;
	if (kept) {
		kept->export = *export;
		kept->export.name = import->name;
		kept->export.ns = ns ? memcpy(kept->ns, ns, ns_size) : NULL;
		memset(kept->provider, 0, sizeof(kept->provider));
		strncpy(kept->provider, import->provider_name, sizeof(kept->provider) - 1);
		kept->next = load->kept;
		load->kept = kept;
		import->export = &kept->export;
	}
	import->provider_name = kept ? kept->provider : NULL;
}

static int import_errno(const struct kc_import *import)
{
	switch (import->state) {
	case KOCOON_IMPORT_UNUSABLE:
		return import->err;
	case KOCOON_IMPORT_CRC:
	case KOCOON_IMPORT_NO_VERSION:
	case KOCOON_IMPORT_NAMESPACE:
		return -EINVAL;
	default:
		return -ENOENT;
	}
}

static const char *provider_text(const struct kc_import *import)
{
	return import->provider_name && *import->provider_name ? import->provider_name
							       : "the kernel";
}

static void explain_unknown(struct kc_load *load, const struct kc_import *import)
{
	kc_finding(load->report, KOCOON_STAGE_SYMBOLS, -ENOENT, "unknown symbol %s", import->name);
	if (import->candidate)
		kc_hint(load->report,
			"%s exports it, but is itself refused or not loaded: see its "
			"verdict",
			import->candidate);
	else
		kc_hint(load->report,
			"neither %s nor a module that was looked at exports it: is a module "
			"missing, "
			"is it not exported by this version, or is CONFIG_TRIM_UNUSED_KSYMS on?",
			*kocoon_kernel_release(load->kernel) ? kocoon_kernel_release(load->kernel)
							     : "the kernel");
}

static void explain_crc(struct kc_load *load, const struct kc_import *import)
{
	kc_finding(load->report, KOCOON_STAGE_SYMBOLS, -EINVAL,
		   "disagrees about version of symbol %s", import->name);
	kc_expected(load->report, "CRC %#010x, of %s", import->export->crc, provider_text(import));
	kc_found(load->report, "%#010" PRIx64, import->wanted);
	kc_hint(load->report, "a type in its signature differs: rebuild against the headers and "
			      "Module.symvers of the kernel that is to load it");
}

static void explain(struct kc_load *load, const struct kc_import *import)
{
	struct kocoon_report *report = load->report;

	switch (import->state) {
	case KOCOON_IMPORT_CRC:
		explain_crc(load, import);
		break;
	case KOCOON_IMPORT_NO_VERSION:
		kc_finding(report, KOCOON_STAGE_SYMBOLS, -EINVAL, "no symbol version for %s",
			   import->name);
		kc_expected(report, "CRC %#010x, of %s", import->export->crc,
			    provider_text(import));
		kc_hint(report, "build with the Module.symvers of all modules that it uses "
				"(KBUILD_EXTRA_SYMBOLS)");
		break;
	case KOCOON_IMPORT_GPL_ONLY:
		kc_finding(report, KOCOON_STAGE_SYMBOLS, -ENOENT,
			   "symbol %s is for GPL-compatible modules only", import->name);
		kc_hint(report, "the module's MODULE_LICENSE is not GPL-compatible");
		break;
	case KOCOON_IMPORT_NAMESPACE:
		kc_finding(report, KOCOON_STAGE_SYMBOLS, -EINVAL,
			   "uses symbol %s of namespace %s, but does not import that", import->name,
			   import->export->ns);
		kc_hint(report, "add MODULE_IMPORT_NS(%s) to the module", import->export->ns);
		break;
	case KOCOON_IMPORT_PROPRIETARY:
		kc_finding(report, KOCOON_STAGE_SYMBOLS, -ENOENT,
			   "uses GPL-only symbols and %s of the proprietary module %s",
			   import->name, provider_text(import));
		break;
	case KOCOON_IMPORT_UNUSABLE:
		kc_finding(report, KOCOON_STAGE_SYMBOLS, import->err,
			   import->err == -EBUSY
				   ? "symbol %s is %s's, which has not finished its init in time"
				   : "symbol %s is %s's, which can't be used: it goes away, or no "
				     "memory is left",
			   import->name, provider_text(import));
		break;
	default:
		explain_unknown(load, import);
	}
}

static void add_failure(struct failures *failures, int err)
{
	failures->err = err;
	failures->count++;
}

static void resolve_undefined(struct kc_load *load, struct kc_import *import,
			      struct failures *failures)
{
	import->state = load->live
				? load->neighbours->resolve(load->neighbours->context, load, import)
				: kc_resolve_symbol(load, import);
	failures->versioned += import->has_wanted && import->export && import->export->has_crc;
	if (import->state == KOCOON_IMPORT_OK)
		return;
	/* Ok if weak or ignored, where there is no such symbol for this module. */
	if (import->state != KOCOON_IMPORT_UNUSABLE && import_errno(import) == -ENOENT &&
	    (import->weak || is_ignored(load, import->name))) {
		import->state = KOCOON_IMPORT_WEAK;
		return;
	}
	failures->by_state[import->state]++;
	add_failure(failures, import_errno(import));
}

/* Without looking for the name's end, which may be far away: there may be many. */
static bool is_lto_mark(const struct kc_load *load, uint32_t st_name)
{
	static const char mark[] = "__gnu_lto";
	const Elf64_Shdr *strtab = &load->sections[load->index.str].shdr;
	struct kc_span name;

	return strtab->sh_offset <= load->whole.len &&
	       kc_span_sub(load->whole, strtab->sh_offset + st_name, sizeof(mark) - 1, &name) &&
	       memcmp(name.data, mark, name.len) == 0;
}

static const char *name_text(const struct kc_load *load, const Elf64_Sym *symbol)
{
	const char *name = kc_symbol_name(load, symbol->st_name);

	return name ? name : "";
}

/* What is wrong with a symbol that is defined, or claims to be. 0: nothing. */
static int check_defined(struct kc_load *load, const Elf64_Sym *symbol, uint64_t index,
			 struct failures *failures)
{
	if (symbol->st_shndx == SHN_COMMON) {
		if (is_lto_mark(load, symbol->st_name))
			return 0;
		add_failure(failures, -ENOEXEC);
		if (failures->named++ < NAMED_FAILURES) {
			kc_finding(load->report, KOCOON_STAGE_SYMBOLS, -ENOEXEC, "common symbol %s",
				   name_text(load, symbol));
			kc_hint(load->report, "compile with -fno-common");
		}
		return -ENOEXEC;
	}
	if (symbol->st_shndx < load->ehdr.shnum)
		return 0;
	add_failure(failures, -ENOEXEC);
	if (failures->named++ < NAMED_FAILURES) {
		kc_finding(load->report, KOCOON_STAGE_SYMBOLS, -ENOEXEC,
			   "symbol %" PRIu64 " (%s) has an invalid section index", index,
			   name_text(load, symbol));
		kc_expected(load->report, "at most %u", load->ehdr.shnum - 1);
		kc_found(load->report, "%u", symbol->st_shndx);
	}
	return -ENOEXEC;
}

static uint64_t section_base(const struct kc_load *load, uint32_t section)
{
	if (section == load->index.pcpu)
		return load->percpu_address;
	if (load->sections[section].placed)
		return kc_section_address(load, section);
	return load->arch->image_base + load->sections[section].shdr.sh_offset;
}

/* Walks the table in memory; imports stand in the same order. */
static void simplify(struct kc_load *load, uint8_t *table, struct failures *failures)
{
	uint64_t count = load->sections[load->index.sym].file.len / sizeof(Elf64_Sym);
	struct kc_import *import = load->imports;

	for (uint64_t i = 1; i < count; i++) {
		uint8_t *place = table + i * sizeof(Elf64_Sym);
		Elf64_Sym symbol;

		memcpy(&symbol, place, sizeof(symbol));
		if (symbol.st_shndx == SHN_UNDEF) {
			resolve_undefined(load, import, failures);
			if (import->state == KOCOON_IMPORT_OK)
				symbol.st_value = import->export->address;
			import++;
		} else if (symbol.st_shndx == SHN_ABS || symbol.st_shndx == KC_SHN_LIVEPATCH) {
			continue;
		} else if (check_defined(load, &symbol, i, failures) == 0 &&
			   symbol.st_shndx != SHN_COMMON) {
			symbol.st_value += section_base(load, symbol.st_shndx);
		}
		memcpy(place + offsetof(Elf64_Sym, st_value), &symbol.st_value, sizeof(uint64_t));
	}
}

/* "3 unknown, 18 of another version": the kinds that there are. */
static void count_kinds(const struct failures *failures, char *text, size_t size)
{
	static const struct {
		enum kocoon_import_state state;
		const char *name;
	} kinds[] = {
		{ KOCOON_IMPORT_UNKNOWN, "unknown" },
		{ KOCOON_IMPORT_CRC, "of another version" },
		{ KOCOON_IMPORT_NO_VERSION, "without version" },
		{ KOCOON_IMPORT_GPL_ONLY, "GPL-only" },
		{ KOCOON_IMPORT_NAMESPACE, "of namespaces that are not imported" },
		{ KOCOON_IMPORT_PROPRIETARY, "of proprietary modules" },
		{ KOCOON_IMPORT_UNUSABLE, "of modules that come or go" },
	};
	size_t len = 0;

	*text = 0;
	for (size_t i = 0; i < KC_ARRAY_SIZE(kinds) && len < size; i++)
		if (failures->by_state[kinds[i].state])
			len += (size_t)snprintf(text + len, size - len, "%s%u %s", len ? ", " : "",
						failures->by_state[kinds[i].state], kinds[i].name);
}

/* One line that says how much is wrong: one type, or everything. */
static void summarize(struct kc_load *load, const struct failures *failures)
{
	unsigned int crc = failures->by_state[KOCOON_IMPORT_CRC];
	char kinds[256];

	count_kinds(failures, kinds, sizeof(kinds));
	kc_finding(load->report, KOCOON_STAGE_SYMBOLS, failures->err, "%u symbols fail%s%s",
		   failures->count, *kinds ? ": " : "", kinds);
	if (!crc)
		return;
	kc_found(load->report, "%u of the %u versions that could be compared differ", crc,
		 failures->versioned);
	if (crc * 4 >= failures->versioned)
		kc_hint(load->report,
			"so much differs that the module is of another build: other "
			"configuration, compiler or source; rebuild it for this kernel");
	else
		kc_hint(load->report,
			"few differ: one or two types changed between the two builds");
}

int kc_simplify_symbols(struct kc_load *load)
{
	struct failures failures = { 0 };
	uint8_t *table = kc_section_memory(load, load->index.sym);

	if (!table)
		return 0;
	simplify(load, table, &failures);
	if (!failures.err)
		return 0;
	if (failures.count > 1)
		summarize(load, &failures);
	for (size_t i = 0; i < load->import_count; i++) {
		const struct kc_import *import = &load->imports[i];

		if (import->state == KOCOON_IMPORT_OK || import->state == KOCOON_IMPORT_WEAK)
			continue;
		if (failures.named++ < NAMED_FAILURES)
			explain(load, import);
	}
	if (failures.count > NAMED_FAILURES)
		kc_finding(load->report, KOCOON_STAGE_SYMBOLS, failures.err, "and %u symbols more",
			   failures.count - NAMED_FAILURES);
	return failures.err;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can be said of a loaded module beside its bytes: where sections are (sysfs), what it
 * exports, by the tables that the kernel has in its struct module, per-CPU data, taints, its lines
 * of /proc/kallsyms where the records have them.
 */
#include "judge.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void compare_numbers(struct judge_report *report, enum judge_category category,
			    const char *place, uint64_t theirs, uint64_t ours)
{
	char of_kernel[32], of_kocoon[32];

	snprintf(of_kernel, sizeof(of_kernel), "%#" PRIx64, theirs);
	snprintf(of_kocoon, sizeof(of_kocoon), "%#" PRIx64, ours);
	judge_report_item(report, category, theirs == ours, place, of_kernel, of_kocoon);
}

/* ---- sections and taints, as sysfs shows them */

/* What is behind "/sys/module/NAME/FOLDER/" and in that file, ended. False: another view. */
static bool take_view(const struct kc_record *record, const char *folder, char name_ret[256],
		      char contents_ret[64])
{
	const char *text = (const char *)record->bytes.data;
	const char *end = text + record->bytes.len, *tab = memchr(text, '\t', record->bytes.len);
	const char *at = text, *last = text;

	for (int slashes = 0; tab && at < tab; at++)
		if (*at == '/' && ++slashes == 4)
			break;
	if (!tab || (size_t)(tab - at) <= strlen(folder) || memcmp(at, folder, strlen(folder)) != 0)
		return false;
	at += strlen(folder);
	for (const char *c = text; c < end; c++)
		if (*c == '\t')
			last = c + 1;
	snprintf(name_ret, 256, "%.*s", (int)(tab - at), at);
	snprintf(contents_ret, 64, "%.*s", (int)(end - last), last);
	contents_ret[strcspn(contents_ret, "\\")] = 0;
	return true;
}

static bool is_shown(const struct kc_section *section)
{
	return (section->shdr.sh_flags & SHF_ALLOC) && section->shdr.sh_size;
}

static uint64_t section_named(const struct kc_load *load, const char *name)
{
	for (uint32_t i = 1; i < load->ehdr.shnum; i++)
		if (is_shown(&load->sections[i]) && !strcmp(load->sections[i].name, name))
			return kc_section_address(load, i);
	return 0;
}

static void compare_views(const struct kc_load *load, const struct judge_real *real,
			  struct judge_report *report)
{
	const struct kc_record *record;
	uint64_t shown = 0, expected = 0;
	char name[256], contents[64], place[300], letters[32];
	size_t at = 0;

	while ((record = kc_records_next(real->records, RECORD_VIEW, &at))) {
		if (take_view(record, "/sections/", name, contents)) {
			shown++;
			snprintf(place, sizeof(place), "address of %s", name);
			compare_numbers(report, JUDGE_SECTIONS, place, strtoull(contents, NULL, 16),
					section_named(load, name));
		} else if (take_view(record, "/tain", name, contents) && !strcmp(name, "t")) {
			kocoon_taint_letters(load->taints, letters);
			judge_report_item(report, JUDGE_TAINTS, !strcmp(contents, letters), "taint",
					  contents, letters);
		}
	}
	for (uint32_t i = 1; i < load->ehdr.shnum; i++)
		expected += is_shown(&load->sections[i]);
	if (shown)
		compare_numbers(report, JUDGE_SECTIONS, "number of sections", shown, expected);
}

/* ---- what the kernel itself has in struct module */

static const uint8_t *real_at(const struct kc_load *load, const struct judge_real *real,
			      uint64_t address, uint64_t size, uint64_t *room_ret)
{
	for (int i = 0; i < KOCOON_REGION_COUNT; i++) {
		uint64_t offset = address - load->memory.regions[i].address;

		if (!kc_span_contains(real->regions[i], offset, size))
			continue;
		if (room_ret)
			*room_ret = real->regions[i].len - offset;
		return real->regions[i].data + offset;
	}
	return NULL;
}

static uint64_t member_of(const struct kc_load *load, const struct judge_real *real,
			  enum kc_module_member member, uint32_t size)
{
	uint32_t offset = load->abi->members.offset[member];
	const uint8_t *place =
		offset == KC_NO_MEMBER
			? NULL
			: real_at(load, real, real->module.address + offset, size, NULL);

	if (!place)
		return 0;
	return size == 4 ? kc_load32(place) : kc_load64(place);
}

struct symbol {
	uint64_t value;
	const char *name, *ns;
};

static const char *real_string(const struct kc_load *load, const struct judge_real *real,
			       uint64_t address)
{
	uint64_t room;
	const uint8_t *text = real_at(load, real, address, 1, &room);

	return text && memchr(text, 0, room) ? (const char *)text : NULL;
}

/* struct kernel_symbol: value, name, namespace; offsets from themselves, or pointers. */
static bool real_export(const struct kc_load *load, const struct judge_real *real, uint64_t address,
			struct symbol *symbol_ret)
{
	const uint8_t *entry = real_at(load, real, address, load->abi->kernel_symbol_size, NULL);
	uint64_t words[3];

	for (uint64_t i = 0; entry && i < 3; i++) {
		if (!load->abi->kernel_symbol_relative)
			words[i] = kc_load64(entry + 8 * i);
		else if (kc_load32(entry + 4 * i))
			words[i] = address + 4 * i + (uint64_t)(int32_t)kc_load32(entry + 4 * i);
		else
			words[i] = 0;
	}
	if (!entry)
		return false;
	*symbol_ret = (struct symbol){ words[0], real_string(load, real, words[1]),
				       words[2] ? real_string(load, real, words[2]) : NULL };
	if (symbol_ret->ns && !*symbol_ret->ns)
		symbol_ret->ns = NULL;
	return symbol_ret->name;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void compare_export(const struct kc_load *load, const struct judge_real *real,
			   uint64_t address, uint64_t crc_at, bool gpl, size_t number,
			   struct judge_report *report)
{
	const struct kocoon_export *ours =
		number < load->export_count ? &load->exports[number] : NULL;
	const uint8_t *crc = crc_at ? real_at(load, real, crc_at, 4, NULL) : NULL;
	char of_kernel[160], of_kocoon[160];
	struct symbol theirs = { 0 };
	bool equal = real_export(load, real, address, &theirs) && ours &&
		     !strcmp(theirs.name, ours->name) && theirs.value == ours->address &&
		     same_text(theirs.ns, ours->ns) && gpl == ours->gpl_only &&
		     !crc == !ours->has_crc && (!crc || kc_load32(crc) == ours->crc);

	snprintf(of_kernel, sizeof(of_kernel), "%#" PRIx64 " %s %s%s", theirs.value,
		 theirs.name ? theirs.name : "?", theirs.ns ? theirs.ns : "", gpl ? " GPL" : "");
	snprintf(of_kocoon, sizeof(of_kocoon), "%#" PRIx64 " %s %s%s", ours ? ours->address : 0,
		 ours ? ours->name : "none", ours && ours->ns ? ours->ns : "",
		 ours && ours->gpl_only ? " GPL" : "");
	judge_report_item(report, JUDGE_EXPORTS, equal, "export", of_kernel, of_kocoon);
}

static void compare_exports(const struct kc_load *load, const struct judge_real *real,
			    struct judge_report *report)
{
	static const enum kc_module_member members[2][3] = {
		{ KC_MEMBER_SYMS, KC_MEMBER_CRCS, KC_MEMBER_NUM_SYMS },
		{ KC_MEMBER_GPL_SYMS, KC_MEMBER_GPL_CRCS, KC_MEMBER_NUM_GPL_SYMS },
	};
	size_t number = 0;

	for (int gpl = 0; gpl < 2; gpl++) {
		uint64_t symbols = member_of(load, real, members[gpl][0], 8);
		uint64_t crcs = member_of(load, real, members[gpl][1], 8);
		uint64_t count = member_of(load, real, members[gpl][2], 4);

		for (uint64_t i = 0; i < count; i++)
			compare_export(load, real, symbols + i * load->abi->kernel_symbol_size,
				       crcs ? crcs + 4 * i : 0, gpl, number++, report);
	}
	compare_numbers(report, JUDGE_EXPORTS, "number of exports", number, load->export_count);
}

/* ---- /proc/kallsyms */

/* A line of ours for entry `index` of the core table, as root sees it. False: it has none. */
static bool core_line(const struct kc_load *load, uint32_t index, char line_ret[1024])
{
	const struct kc_kallsyms_layout *tables = &load->kallsyms;
	const uint8_t *data = load->memory.regions[KOCOON_REGION_DATA].bytes;
	const uint8_t *symbol = data + tables->symtab + index * sizeof(Elf64_Sym);
	const char *name = (const char *)data + tables->strtab + kc_load32(symbol);
	uint64_t value = kc_load64(symbol + offsetof(Elf64_Sym, st_value));
	int type = data[tables->typetab + index];

	if (kc_load32(symbol) >= tables->typetab - tables->strtab || !*name)
		return false;
	for (size_t i = 0; i < load->export_count; i++)
		if (load->exports[i].address == value && !strcmp(load->exports[i].name, name))
			type = toupper(type);
	snprintf(line_ret, 1024, "%016" PRIx64 " %c %s\t[%s]", value, type, name,
		 load->struct_name);
	return true;
}

static void compare_symbols(const struct kc_load *load, const struct judge_real *real,
			    struct judge_report *report)
{
	const struct kc_record *record;
	uint32_t next = 0;
	size_t at = 0;
	char line[1024], theirs[160];

	while ((record = kc_records_next(real->records, RECORD_SYMBOL, &at))) {
		bool there = false;

		while (next < load->kallsyms.core_count && !there)
			there = core_line(load, next++, line);
		snprintf(theirs, sizeof(theirs), "%.*s", (int)record->bytes.len,
			 (const char *)record->bytes.data);
		judge_report_item(report, JUDGE_SYMBOLS,
				  there && strlen(line) == record->bytes.len &&
					  !memcmp(line, record->bytes.data, record->bytes.len),
				  "line", theirs, there ? line : "none");
	}
}

void judge_facts(const struct kc_load *load, const struct judge_real *real,
		 struct judge_report *report)
{
	const Elf64_Shdr *percpu = &load->sections[load->index.pcpu].shdr;
	bool has_percpu = load->index.pcpu && percpu->sh_size;

	compare_numbers(report, JUDGE_PERCPU, "per-CPU data", real->module.percpu != 0, has_percpu);
	compare_numbers(report, JUDGE_PERCPU, "its address", real->module.percpu,
			has_percpu ? load->percpu_address : 0);
	compare_numbers(report, JUDGE_TAINTS, "taints", member_of(load, real, KC_MEMBER_TAINTS, 8),
			load->taints);
	compare_numbers(report, JUDGE_REGIONS, "address of struct module", real->module.address,
			kc_section_address(load, load->index.mod));
	compare_views(load, real, report);
	compare_exports(load, real, report);
	compare_symbols(load, real, report);
}

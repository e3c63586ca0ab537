/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real kernel as the judge of what kocoon makes of modules: the records of a machine that has
 * loaded a list (../record.h) beside the same list in link space, at the same addresses.
 *
 * link.c takes a module through kocoon; facts.c and memory.c compare, objects.c and places.c say
 * what stands at an address; report.c counts, explained.c knows which differences have a reason.
 * One thread. A module's load is gone before the next one starts: what others need of it is kept by
 * neighbours.c (exports) or is in the records (memory).
 */
#ifndef KC_ORACLE_JUDGE_H
#define KC_ORACLE_JUDGE_H

#include "../records.h"
#include "module/load.h"

/* What is compared; the last ones by bytes, the others by items. */
enum judge_category {
	JUDGE_ERRNO,
	JUDGE_REGIONS,
	JUDGE_SECTIONS,
	JUDGE_EXPORTS,
	JUDGE_PERCPU,
	JUDGE_TAINTS,
	JUDGE_SYMBOLS,
	JUDGE_KEYS, /* sites of keys that are the kernel's, by its image */
	JUDGE_CODE,
	JUDGE_DATA,
	JUDGE_RODATA,
	JUDGE_BSS,
	JUDGE_STRUCT_MODULE,
	JUDGE_SYMBOL_TABLES,
	JUDGE_SORTED_TABLES,
	JUDGE_EXPORT_TABLES,
	JUDGE_PADDING,
	JUDGE_CATEGORIES,
};

const char *judge_category_name(enum judge_category category);

/* What the kernel has where the two differ. */
enum judge_value {
	JUDGE_VALUE_ZERO,
	JUDGE_VALUE_INSIDE, /* an address in the module's own regions */
	JUDGE_VALUE_KERNEL, /* another address of the kernel's half */
	JUDGE_VALUE_OTHER,
};

const char *judge_value_name(enum judge_value value);

struct judge_difference {
	enum judge_category category;
	uint64_t units; /* items or bytes that differ */
	enum judge_value value;
	char place[192]; /* what explanations are matched with: "module.list.next" */
	char detail[256]; /* where exactly, for people */
	char kernel[160];
	char kocoon[160];
};

/* ---- report.c, explained.c */

struct judge_report;

/*
 * `explained` is a file of differences that have a reason, `json` one to be written (may be NULL).
 * Errors are printed. NULL: one of the two can't be opened, or is wrong.
 */
struct judge_report *judge_report_new(const char *explained, const char *json);
void judge_report_free(struct judge_report *report);
void judge_report_module(struct judge_report *report, const char *path);
void judge_report_equal(struct judge_report *report, enum judge_category category, uint64_t units);
void judge_report_differs(struct judge_report *report, const struct judge_difference *difference);
void judge_report_end_module(struct judge_report *report, const char *name, int kernel_errno);
/* The table and what differs. True: nothing differs that isn't explained. */
bool judge_report_print(const struct judge_report *report, bool tap);
/* An item: equal, or different with the two texts. */
void judge_report_item(struct judge_report *report, enum judge_category category, bool equal,
		       const char *place, const char *kernel, const char *kocoon);

struct judge_explanation {
	char *category, *place, *value, *reason; /* patterns of fnmatch(3), and why */
	uint64_t units;
	uint32_t modules;
	uint32_t last_module;
};

struct judge_explanations {
	struct judge_explanation *list;
	size_t count;
};

/* 0 or -errno; -EBADMSG: a line that is none (printed). */
int judge_explanations_read(const char *path, struct judge_explanations *explanations_ret);
void judge_explanations_free(struct judge_explanations *explanations);
/* NULL: there is no reason for it. */
struct judge_explanation *judge_explain(const struct judge_explanations *explanations,
					const struct judge_difference *difference);

/* ---- world.c: memory outside of the module that is being loaded */

struct judge_world;

struct judge_world *judge_world_new(const struct kocoon_kernel *kernel,
				    const struct kc_records *records);
void judge_world_free(struct judge_world *world);
/* From now on others see this region; it takes the place of what was at its addresses. */
int judge_world_add(struct judge_world *world, uint64_t address, struct kc_span bytes);
bool judge_world_bytes(const struct judge_world *world, uint64_t address, uint64_t size,
		       struct kc_span *bytes_ret);

/* ---- neighbours.c: the modules before */

struct judge_neighbours;

struct judge_neighbours *judge_neighbours_new(void);
void judge_neighbours_free(struct judge_neighbours *neighbours);
void judge_neighbours_bind(const struct judge_neighbours *neighbours, struct kc_load *load);
/* A module has been loaded. 0 or -ENOMEM. */
int judge_neighbours_add(struct judge_neighbours *neighbours, const struct kc_load *load);
bool judge_neighbours_exists(const struct judge_neighbours *neighbours, const char *name);
const char *judge_neighbours_exported(const struct judge_neighbours *neighbours, const char *name,
				      uint32_t hash);

/* ---- link.c: one module through kocoon */

/* A line of the list: the file, and what finit_module was told. */
struct judge_line {
	const char *path;
	bool compressed; /* the kernel unpacks, or it was unpacked before */
	bool force_vermagic, force_modversions;
};

/* What the machine had of a module. */
struct judge_real {
	struct kc_record_group records;
	bool answered;
	int err; /* 0 or negative */
	bool captured;
	struct record_module module;
	struct kc_span regions[KOCOON_REGION_COUNT]; /* empty: it had none */
	uint64_t addresses[KOCOON_REGION_COUNT];
};

struct judge_linker {
	const struct kocoon_kernel *kernel;
	struct kocoon_policy policy;
	const struct kc_cpu *cpu;
	struct judge_world *world; /* NULL: only what is in the image */
	struct judge_neighbours *neighbours;
	struct kc_unpacker unpacker;
	struct kc_buffer file, image;
	struct kc_arch arch; /* with the place of the kernel's copy of the file */
	struct kc_load load;
	struct kocoon_report report;
	bool loaded;
};

/*
 * Takes the module through the pipeline, at the addresses that it had; linker->load is good until
 * the next call. With a report, the records' regions are split as kocoon has them first, and sizes
 * that differ are reported. The errno that finit_module would have.
 */
int judge_link(struct judge_linker *linker, const struct judge_line *line, struct judge_real *real,
	       struct judge_report *report);
void judge_linker_deinit(struct judge_linker *linker);
/* struct module as of a COMING module; behind it the load is of no use for another link. */
void judge_fill_in(struct kc_load *load);

/* ---- places.c */

/* A run of bytes of a region: a section, a table that the loader adds. */
struct judge_place {
	const char *name;
	enum judge_category category;
	uint32_t section; /* 0: none */
	enum kocoon_region_kind region;
	uint64_t start, size;
};

struct judge_places {
	struct judge_place *list; /* owned; by region, then by start */
	size_t count;
};

int judge_places_make(const struct kc_load *load, struct judge_places *places_ret);
/* "foo+0x12": the closest symbol before; "" where there is none. */
void judge_symbol_at(const struct kc_load *load, uint64_t address, char text_ret[128]);

/* ---- objects.c */

struct judge_object {
	uint64_t start, size;
	uint32_t type; /* of the kernel's BTF; 0: a text */
	const char *name;
};

struct judge_objects {
	struct judge_object *list; /* owned; by start */
	size_t count, room;
};

/* The objects that tables of the module lead to. */
int judge_objects_make(const struct kc_load *load, struct judge_objects *objects_ret);
/*
 * The member at an address, "trace_event_call.event.node.next", and where it is. False: nothing
 * known is there.
 */
bool judge_member_at(const struct kc_load *load, const struct judge_objects *objects,
		     uint64_t address, struct judge_object *member_ret, char path_ret[192]);

/* ---- comparisons */

/* memory.c: every byte of every region. */
int judge_memory(const struct kc_load *load, const struct judge_real *real,
		 struct judge_report *report);
/* memory.c: code by the image only; `exact` is by the kernel's memory, and was compared. */
int judge_keys(const struct kc_load *load, const struct judge_real *real,
	       struct judge_report *report);
/* facts.c: what is said of a module in words and numbers. */
void judge_facts(const struct kc_load *load, const struct judge_real *real,
		 struct judge_report *report);

#endif

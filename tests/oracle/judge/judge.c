/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 *	judge [OPTION...] KERNEL LIST RECORDS
 *
 * Takes the modules of LIST, which a machine has loaded in this order (ask --capture), through
 * kocoon's link space with the machine's addresses, and compares all that RECORDS tells of them.
 * KERNEL: the image. Exit: 0 nothing differs but what is explained, 1 something does, 2 there was
 * nothing to judge by.
 *
 *	--explained=FILE  the differences that have a reason
 *	--json=FILE       the report as JSON, an object a line
 *	--cpu=CPU         the CPU that the machine had, as kocoon names it
 *	--image           code by the kernel's image alone too, but for sites of its keys
 *	--tap             print TAP, a test a category
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "judge.h"

struct options {
	const char *explained, *json, *cpu;
	bool image, tap;
};

struct judging {
	struct judge_linker linker;
	struct judge_report *report;
	struct kc_records records;
	struct kc_cpu cpu;
	bool image;
};

static void take_real(const struct kc_records *records, uint32_t index, struct judge_real *real_ret)
{
	struct kc_record_group group = kc_records_of(records, index);
	const struct kc_record *result = kc_records_first(group, RECORD_RESULT);
	const struct kc_record *module = kc_records_first(group, RECORD_MODULE);

	*real_ret = (struct judge_real){ .records = group };
	if (result) {
		real_ret->answered = true;
		real_ret->err = -kc_record_errno(result);
	}
	if (module && result && !real_ret->err) {
		real_ret->captured = true;
		real_ret->module = kc_record_module(module);
	}
}

static const char *errno_text(int err)
{
	return err ? kocoon_errno_name(err) ? kocoon_errno_name(err) : "?" : "0";
}

/* Whether the module is there on both sides, so that there is more to compare. */
static bool compare_errno(struct judging *judging, const struct judge_real *real, int err)
{
	const struct kocoon_report *report = &judging->linker.report;
	const char *why = report->count ? report->findings[report->count - 1].what : "";
	char ours[160];

	snprintf(ours, sizeof(ours), "%s %s", errno_text(err), err ? why : "");
	judge_report_item(judging->report, JUDGE_ERRNO, real->answered && err == real->err, "errno",
			  real->answered ? errno_text(real->err) : "no answer", ours);
	if (real->answered && !real->err)
		judge_report_item(judging->report, JUDGE_REGIONS, real->captured, "captured",
				  "nothing", "regions");
	return !err && real->captured;
}

static int compare_loaded(struct judging *judging, const struct judge_line *line,
			  struct judge_real *real)
{
	struct kc_load *load = &judging->linker.load;
	struct judge_world *world = judging->linker.world;
	int err;

	judge_fill_in(load);
	judge_facts(load, real, judging->report);
	err = judge_memory(load, real, judging->report);
	for (int i = 0; i < KOCOON_REGION_COUNT && !err; i++)
		if (real->regions[i].len)
			err = judge_world_add(world, real->addresses[i], real->regions[i]);
	if (!err && judging->image) {
		judging->linker.world = NULL;
		err = judge_link(&judging->linker, line, real, NULL);
		judging->linker.world = world;
		if (!err)
			err = judge_keys(load, real, judging->report);
	}
	return err ? err : judge_neighbours_add(judging->linker.neighbours, load);
}

static int judge_module(struct judging *judging, uint32_t index, const struct judge_line *line)
{
	struct judge_linker *linker = &judging->linker;
	struct judge_real real;
	int err = 0, refused;

	take_real(&judging->records, index, &real);
	judge_report_module(judging->report, line->path);
	refused = judge_link(linker, line, &real, judging->report);
	if (compare_errno(judging, &real, refused))
		err = compare_loaded(judging, line, &real);
	else if (!refused)
		err = judge_neighbours_add(linker->neighbours, &linker->load);
	judge_report_end_module(judging->report, linker->loaded ? linker->load.struct_name : "",
				real.err);
	return err;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text);

	return len >= strlen(end) && !strcmp(text + len - strlen(end), end);
}

/* PATH, perhaps FLAGS behind a tab: see ask. */
static struct judge_line take_line(char *text)
{
	enum { IGNORE_MODVERSIONS = 1, IGNORE_VERMAGIC = 2, COMPRESSED_FILE = 4 };
	char *path = strsep(&text, "\t"), *flags = text ? strsep(&text, "\t") : NULL;
	unsigned long given = 0;

	if (flags && *flags && strcmp(flags, "-") != 0)
		given = strtoul(flags, NULL, 0);
	else if (ends_with(path, ".xz") || ends_with(path, ".gz") || ends_with(path, ".zst"))
		given = COMPRESSED_FILE;
	return (struct judge_line){ path, given & COMPRESSED_FILE, given & IGNORE_VERMAGIC,
				    given & IGNORE_MODVERSIONS };
}

static int judge_list(struct judging *judging, FILE *list)
{
	char *line = NULL;
	size_t size = 0;
	int err = 0;

	for (uint32_t index = 0; !err && getline(&line, &size, list) > 0; index++) {
		struct judge_line module;

		line[strcspn(line, "\n")] = 0;
		if (!*line || *line == '!')
			continue;
		module = take_line(line);
		err = judge_module(judging, index, &module);
	}
	free(line);
	return err;
}

static int open_all(struct judging *judging, const struct options *options, char **files)
{
	struct kocoon_kernel *kernel = NULL;
	const struct kc_arch *arch;
	uint64_t where = 0;
	int err = kc_records_open(files[2], &judging->records, &where);

	if (err)
		fprintf(stderr, "judge: %s: %s (at %#" PRIx64 ")\n", files[2], strerror(-err),
			where);
	if (!err && !judging->records.complete) {
		fprintf(stderr, "judge: %s: the machine did not come to its end\n", files[2]);
		err = -EBADMSG;
	}
	if (!err)
		err = kocoon_kernel_open(files[0], NULL, NULL, &kernel);
	if (err)
		return err;
	judging->linker.kernel = kernel;
	judging->linker.policy.size = sizeof(judging->linker.policy);
	arch = kc_arch_find(kocoon_kernel_arch(kernel));
	err = arch ? arch->cpu_find(options->cpu, NULL, &judging->cpu) : -ENOTSUP;
	if (err)
		return err;
	judging->linker.cpu = &judging->cpu;
	judging->linker.world = judge_world_new(kernel, &judging->records);
	judging->linker.neighbours = judge_neighbours_new();
	judging->report = judge_report_new(options->explained, options->json);
	return judging->linker.world && judging->linker.neighbours && judging->report ? 0 : -ENOMEM;
}

static void close_all(struct judging *judging)
{
	judge_linker_deinit(&judging->linker);
	judge_report_free(judging->report);
	judge_neighbours_free(judging->linker.neighbours);
	judge_world_free(judging->linker.world);
	kocoon_kernel_free((struct kocoon_kernel *)(uintptr_t)judging->linker.kernel);
	if (judging->records.map.len)
		kc_records_close(&judging->records);
}

static bool take_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{ "explained", required_argument, NULL, 'e' },
		{ "json", required_argument, NULL, 'j' },
		{ "cpu", required_argument, NULL, 'c' },
		{ "image", no_argument, NULL, 'i' },
		{ "tap", no_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (option) {
		case 'e':
			options->explained = optarg;
			break;
		case 'j':
			options->json = optarg;
			break;
		case 'c':
			options->cpu = optarg;
			break;
		case 'i':
			options->image = true;
			break;
		case 't':
			options->tap = true;
			break;
		default:
			return false;
		}
	}
	return argc - optind == 3 && options->explained;
}

int main(int argc, char **argv)
{
	struct options options = { .cpu = "max,+up" };
	struct judging judging = { .image = false };
	FILE *list;
	int err, status = 2;

	if (!take_options(argc, argv, &options)) {
		fprintf(stderr, "usage: judge --explained=FILE [OPTION...] KERNEL LIST RECORDS\n");
		return 2;
	}
	judging.image = options.image;
	list = fopen(argv[optind + 1], "re");
	err = list ? open_all(&judging, &options, argv + optind) : -errno;
	if (!err)
		err = judge_list(&judging, list);
	if (err)
		fprintf(stderr, "judge: %s\n", strerror(-err));
	else
		status = judge_report_print(judging.report, options.tap) ? 0 : 1;
	if (list)
		fclose(list);
	close_all(&judging);
	return status;
}

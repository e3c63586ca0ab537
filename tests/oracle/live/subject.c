/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kocoon's side: a subsystem that takes modules as the machine does, where the helper module
 * (../witness.c) keeps their code from running. Here a notifier of ours does the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "live/live.h"
#include "texts.h"

#define SPACE (UINT64_C(1) << 30)

static void clear_pointer(const struct kocoon_loaded *module, enum kc_module_member member)
{
	uint32_t offset = module->members.offset[member];

	if (offset != KC_NO_MEMBER)
		kc_store64(module->this_module_bytes + offset, 0);
}

static int keep_from_running(void *context, enum kocoon_module_state event,
			     struct kocoon_loaded *module)
{
	struct texts_subject *subject = context;

	if (event != KOCOON_STATE_COMING)
		return 0;
	snprintf(subject->newest, sizeof(subject->newest), "%s", kocoon_loaded_name(module));
	for (size_t i = 0; i < KOCOON_REGION_COUNT; i++)
		kocoon_loaded_region(module, (enum kocoon_region_kind)i, &subject->addresses[i],
				     &subject->sizes[i]);
	subject->percpu = module->percpu_offset;
	subject->percpu_size = module->percpu_size;
	clear_pointer(module, KC_MEMBER_INIT);
	clear_pointer(module, KC_MEMBER_EXIT);
	return 0;
}

static void print_report(const struct kocoon_report *report)
{
	const struct kocoon_finding *finding;

	for (size_t i = 0; (finding = kocoon_report_get(report, i)); i++)
		fprintf(stderr, "# %s%s%s\n", finding->what, finding->found ? ": " : "",
			finding->found ? finding->found : "");
}

static int make(struct texts_subject *subject, const struct kc_records *records,
		struct kocoon_report *report)
{
	struct kocoon_options options = { .size = sizeof(options), .space = SPACE };
	struct kocoon_supply *supplies = NULL;
	int err =
		texts_supplies(subject->kernel, records->others, &supplies, &options.supply_count);

	options.supplies = supplies;
	if (!err)
		err = kocoon_new(subject->kernel, &options, report, &subject->kocoon);
	free(supplies);
	return err ? err
		   : kocoon_register_notifier(subject->kocoon, keep_from_running, subject, INT_MIN);
}

int texts_subject_init(struct texts_subject *subject, const char *image,
		       const struct kc_records *records)
{
	struct kocoon_report *report = kocoon_report_new();
	int err;

	*subject = (struct texts_subject){ 0 };
	err = kocoon_kernel_open(image, NULL, report, &subject->kernel);
	if (!err)
		err = make(subject, records, report);
	if (err) {
		print_report(report);
		fprintf(stderr, "# no subsystem for %s: %s\n", image, strerror(-err));
	}
	kocoon_report_free(report);
	return err;
}

void texts_subject_deinit(struct texts_subject *subject)
{
	kocoon_free(subject->kocoon);
	kocoon_kernel_free(subject->kernel);
}

static bool ends_in(const char *text, const char *end)
{
	size_t len = strlen(text), of_end = strlen(end);

	return len >= of_end && !strcmp(text + len - of_end, end);
}

int texts_subject_load(struct texts_subject *subject, const char *path, const char *arguments)
{
	bool packed = ends_in(path, ".xz") || ends_in(path, ".gz") || ends_in(path, ".zst");
	struct kocoon_report *report = kocoon_report_new();
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	subject->newest[0] = 0;
	if (fd < 0) {
		kocoon_report_free(report);
		return -errno;
	}
	err = kocoon_finit_module(subject->kocoon, fd, arguments,
				  packed ? KOCOON_COMPRESSED_FILE : 0, report);
	close(fd);
	if (err) {
		print_report(report);
		subject->newest[0] = 0;
	}
	kocoon_report_free(report);
	return err;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* init_module(2) and finit_module(2), up to where both are load_module(). */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "live/lifecycle.h"

enum { FLAGS = KOCOON_IGNORE_MODVERSIONS | KOCOON_IGNORE_VERMAGIC | KOCOON_COMPRESSED_FILE };

static int may_init_module(const struct kocoon *kocoon)
{
	return kc_capable(kocoon) && !kocoon_modules_disabled(kocoon) ? 0 : -EPERM;
}

void kocoon_disable_modules(struct kocoon *kocoon)
{
	atomic_store(&kocoon->modules_disabled, true);
}

bool kocoon_modules_disabled(const struct kocoon *kocoon)
{
	return atomic_load(&kocoon->modules_disabled);
}

/* The kernel's log has what the report has: refusals, and warnings. */
static void log_findings(const struct kocoon *kocoon, const char *name,
			 const struct kocoon_report *report)
{
	const struct kocoon_finding *finding;

	for (size_t i = 0; (finding = kocoon_report_get(report, i)); i++)
		kc_log(kocoon, finding->err ? KOCOON_LOG_ERROR : KOCOON_LOG_WARNING, "%s%s%s%s%s",
		       name, *name ? ": " : "", finding->what, finding->found ? ": " : "",
		       finding->found ? finding->found : "");
}

/* Somebody's report says why it failed, even where that is only the errno of the module's own. */
static void explain(struct kocoon_report *report, enum kocoon_stage stage, int err)
{
	const struct kocoon_finding *finding;

	for (size_t i = 0; (finding = kocoon_report_get(report, i)); i++)
		if (finding->err)
			return;
	if (err == -ENOMEM)
		kc_finding(report, stage, err, "out of memory");
	else if (stage == KOCOON_STAGE_INIT)
		kc_finding(report, stage, err, "the module's init returned %d (%s)", err,
			   kocoon_errno_name(err) ? kocoon_errno_name(err) : "?");
	else
		kc_finding(report, stage, err, "refused by a notifier or a hook");
}

static int load(struct kocoon *kocoon, struct kc_span image, const char *args, int flags,
		struct kocoon_report *report)
{
	struct kocoon_policy policy = kocoon->policy;
	struct kc_load_request request = {
		.image = image,
		.args = args,
		.policy = &policy,
		.report = report,
	};
	int err;

	policy.force_modversions |= (flags & KOCOON_IGNORE_MODVERSIONS) != 0;
	policy.force_vermagic |= (flags & KOCOON_IGNORE_VERMAGIC) != 0;
	err = kc_load_module(kocoon, &request);
	if (err)
		explain(report, request.stage, err);
	log_findings(kocoon, request.name, report);
	if (err)
		kc_stats_failed(kocoon, request.stage, *request.name ? request.name : NULL,
				image.len);
	return err;
}

/* What a file has: read, and unpacked where the caller wants the kernel to. */
struct file {
	struct kc_buffer packed;
	struct kc_buffer unpacked;
	struct kc_unpacker unpacker;
	struct kc_span image;
};

/*
 * A file that can be written to while it is read is refused. Differs from Linux: only what the
 * caller's own descriptor could write is seen, not those of others.
 */
static int deny_write_access(int fd, struct kocoon_report *report)
{
	int mode = fcntl(fd, F_GETFL);
	struct stat status;

	if (mode < 0 || (mode & O_ACCMODE) != O_RDWR || fstat(fd, &status) < 0 ||
	    !S_ISREG(status.st_mode))
		return 0;
	return kc_finding(report, KOCOON_STAGE_READ, -ETXTBSY,
			  "the file is open for writing: open it for reading only");
}

static int read_file(struct kocoon *kocoon, int fd, struct file *file, struct kocoon_report *report)
{
	int err = deny_write_access(fd, report);

	if (!err)
		err = kc_read_open_file(fd, "the file", KC_MODULE_IMAGE_MAX, &file->packed, report);
	if (!err && !file->packed.len)
		err = kc_finding(report, KOCOON_STAGE_READ, -EINVAL, "the file is empty");
	if (err)
		kc_stats_failed(kocoon, KOCOON_STAGE_READ, NULL, file->packed.len);
	file->image = kc_buffer_span(&file->packed);
	return err;
}

/* Nothing is known of a kernel without an image: every format that the library knows will do. */
static int decompress(struct kocoon *kocoon, struct file *file, struct kocoon_report *report)
{
	struct kc_decompressor decompressor = kc_kernel_behaviour(kocoon->kernel)->decompressor;
	enum kc_format format;
	int err;

	if (!kc_kernel_has_image(kocoon->kernel))
		decompressor = (struct kc_decompressor){ kc_format_detect(file->image), true };
	err = kc_module_check_compressed(&decompressor, file->image, report);
	if (!err)
		err = kc_module_decompress(&decompressor, kc_buffer_span(&file->packed),
					   &file->unpacker, &file->unpacked, report, &format,
					   &file->image);
	if (err)
		kc_stats_failed(kocoon, KOCOON_STAGE_DECOMPRESS, NULL, file->packed.len);
	return err;
}

static int init_module_from_file(struct kocoon *kocoon, int fd, const char *args, int flags,
				 struct kocoon_report *report)
{
	struct file file = { 0 };
	int err = read_file(kocoon, fd, &file, report);

	if (!err && flags & KOCOON_COMPRESSED_FILE)
		err = decompress(kocoon, &file, report);
	if (err) {
		explain(report, KOCOON_STAGE_DECOMPRESS, err);
		log_findings(kocoon, "", report);
	} else {
		err = load(kocoon, file.image, args, flags, report);
	}
	kc_unpacker_deinit(&file.unpacker);
	kc_buffer_deinit(&file.packed);
	kc_buffer_deinit(&file.unpacked);
	return err;
}

/* A report of our own for the log; the caller, if it wants one, gets it afterwards. */
static void hand_over(struct kocoon_report *own, struct kocoon_report *report)
{
	if (report)
		kc_report_move(report, own);
	kc_report_deinit(own);
}

int kocoon_init_module(struct kocoon *kocoon, const void *image, size_t len, const char *args,
		       struct kocoon_report *report)
{
	struct kocoon_report own;
	struct kc_cpu_pause pause;
	int err = may_init_module(kocoon);

	if (err)
		return err;
	kc_per_cpu_pause(&kocoon->per_cpu, &pause);
	kc_report_init(&own);
	/* Looked at before the image is copied, in the kernel. */
	if (len < sizeof(Elf64_Ehdr))
		err = kc_finding(&own, KOCOON_STAGE_READ, -ENOEXEC,
				 "%zu bytes are too few for an ELF header", len);
	else
		err = load(kocoon, kc_span(image, len), args, 0, &own);
	hand_over(&own, report);
	kc_per_cpu_resume(&pause);
	return err;
}

/* A descriptor that can be read from, and its file. O_PATH ones are none, for system calls. */
static int look_at(int fd, struct kc_idempotent_key *key_ret)
{
	int mode = fcntl(fd, F_GETFL);
	struct stat status;

	if (mode < 0 || mode & O_PATH || (mode & O_ACCMODE) == O_WRONLY || fstat(fd, &status) < 0)
		return -EBADF;
	*key_ret = (struct kc_idempotent_key){ status.st_dev, status.st_ino };
	return 0;
}

int kocoon_finit_module(struct kocoon *kocoon, int fd, const char *args, int flags,
			struct kocoon_report *report)
{
	struct kc_idempotent_key key;
	struct kc_idempotent record;
	struct kocoon_report own;
	struct kc_cpu_pause pause;
	int err = may_init_module(kocoon);

	if (err)
		return err;
	if (flags & ~FLAGS)
		return -EINVAL;
	err = look_at(fd, &key);
	if (err)
		return err;
	kc_per_cpu_pause(&kocoon->per_cpu, &pause);
	if (kc_idempotent_begin(kocoon, &record, key, &err)) {
		kc_count(&kocoon->stats.public.merged_loads, 1);
	} else {
		kc_report_init(&own);
		err = init_module_from_file(kocoon, fd, args, flags, &own);
		kc_idempotent_end(kocoon, &record, err);
		hand_over(&own, report);
	}
	kc_per_cpu_resume(&pause);
	return err;
}

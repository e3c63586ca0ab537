/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parent's side of a machine, as its files share it. */
#ifndef KC_MACHINE_PARENT_H
#define KC_MACHINE_PARENT_H

#include "base/buffer.h"
#include "base/report.h"
#include "machine/oops.h"
#include "machine/process.h"

enum { KC_EARLY_MAX = 64, KC_DEPTH_MAX = 64 };

/* Which file a module was loaded from. Both are owned. */
struct kc_module_file {
	char *name, *path;
};

struct kocoon_machine {
	const struct kocoon_booted *booted;
	struct kc_process process;
	char **loaded; /* names, oldest first */
	size_t loaded_count;
	char *bytes; /* KC_TELL_MAX + 1, of what it said last */
	unsigned int depth; /* of dependencies and requests */
	const char *under_way[KC_DEPTH_MAX]; /* names of what is being loaded, by depth; or NULL */
	uint64_t last_id; /* of a question */
	uint64_t request; /* that is being served; 0: none */
	/* Answers that came while another was waited for. */
	struct kc_done early[KC_EARLY_MAX];
	size_t early_count;
	struct kc_buffer *text; /* that is asked for; NULL: none is */
	struct kc_oops_reader oopses;
	struct kocoon_report report; /* of the loader, since kocoon_machine_insert() */
	struct kc_module_file *files; /* owned */
	size_t file_count;
	kocoon_machine_log_fn *log;
	void *log_context;
};

/* Whether it has had an oops that ends its work. */
bool kc_machine_refuses(const struct kocoon_machine *machine);

/* Asks, and waits for the answer. -ETIMEDOUT, -EHOSTDOWN, -ENOMEM. */
KC_MUST_CHECK int kc_ask(struct kocoon_machine *machine, enum kc_ask_kind kind,
			 struct kc_span first, struct kc_span second, struct kc_done *done_ret);

/* ---- source.c ---- */

/* Remembers the file of a module, by the file's name. 0; -ENOMEM. */
KC_MUST_CHECK int kc_note_file(struct kocoon_machine *machine, const char *path);
void kc_free_files(struct kocoon_machine *machine);
/* vmlinux with debug information, perhaps of another build; the caller's. NULL: there is none. */
char *kc_kernel_debug_file(const struct kocoon_booted *booted);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tree of what a subsystem shows, as one table: an entry says its name, its mode and what to
 * call for its text. views.c walks it; the entries are in the files of their concerns.
 *
 * show and store are called with no lock held; what belongs to a module is kept meanwhile by
 * kc_sysfs_get_active(), so that unloading it waits.
 */
#ifndef KC_LIVE_VIEWS_H
#define KC_LIVE_VIEWS_H

#include "live/live.h"

enum {
	KC_SYSFS_TEXT = 4096, /* what a text file of sysfs can hold, and the size it tells */
};

struct kc_node;

/* Where a path has led. */
struct kc_view_place {
	struct kocoon *kocoon;
	const struct kc_node *node;
	struct kocoon_loaded *module; /* whose files it is in; NULL: none's */
	const struct kc_param *param; /* of a parameter's file */
	const struct kc_section_file *section; /* of a file in sections/ or notes/ */
	char name[256]; /* of an entry that isn't in the table by its own name */
	struct kocoon_reader reader;
};

/* Not 0 ends the walk and is returned. */
typedef int kc_member_fn(void *context, const struct kc_view_place *member);

/* Entries of a folder that come and go. */
struct kc_members {
	/* Each of them as a place; locks may be held, `fn` only takes notes. */
	int (*each)(const struct kc_view_place *folder, kc_member_fn *fn, void *context);
	/* One by its name: 0 or -ENOENT; NULL: found by `each`. */
	int (*find)(const struct kc_view_place *folder, const char *name,
		    struct kc_view_place *place_ret);
};

struct kc_node {
	const char *name; /* NULL: each of the folder's members has one */
	enum kocoon_view_kind kind;
	unsigned int mode;
	uint64_t size;
	/* Mode and size where they differ from member to member. */
	void (*look)(const struct kc_view_place *place, struct kocoon_view *view);
	bool (*there)(const struct kc_view_place *place); /* NULL: always */
	/* Appends the contents, or a link's target. NULL: -EIO. */
	int (*show)(const struct kc_view_place *place, struct kc_buffer *text);
	/* At most a page at a time; NUL behind it. NULL: -EIO. */
	int (*store)(const struct kc_view_place *place, const char *data, size_t len);
	const struct kc_node *const *children; /* of a folder; NULL behind the last */
	const struct kc_members *members; /* of a folder */
};

KC_MUST_CHECK int kc_view_print(struct kc_buffer *text, const char *format, ...) KC_PRINTF(2, 3);

extern const struct kc_node kc_node_sys_module; /* sysfs.c */
extern const struct kc_node kc_node_proc_modules; /* procfs.c */
extern const struct kc_node kc_node_proc_kallsyms;
extern const struct kc_node kc_node_sysctl_kernel;
extern const struct kc_node kc_node_debug_modules; /* stats.c */
extern const struct kc_node kc_node_unloaded_tainted; /* tracking.c */

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What parent and machine say to each other, over one stream socket: a header, then its bytes. Both
 * are of one program. The parent trusts nothing of it: a module may have written it.
 */
#ifndef KC_MACHINE_BOX_H
#define KC_MACHINE_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kc_ask_kind {
	KC_ASK_LOAD, /* image, arguments */
	KC_ASK_UNLOAD, /* name */
	KC_ASK_READ, /* path */
	KC_ASK_WRITE, /* path, bytes */
	KC_ASK_LIST, /* path; told: of each entry a letter, a name, a NUL */
	KC_ASK_LINK, /* path; told: what it points to */
	KC_ASK_STATUS, /* path; told: struct kc_status */
	KC_ASK_LOG, /* told: the kernel's log, as syslog(2) has it */
	KC_ASK_SHOW, /* modules, to a debugger */
	KC_ASK_END, /* no question: what KC_TELL_WANT asked for is done; status: modprobe's */
};

struct kc_ask {
	uint32_t kind, status;
	uint64_t id; /* of the question, which its answer has too; of KC_ASK_END: the request's */
	uint64_t request; /* that it is asked for; 0: for none */
	uint64_t first_len, second_len;
};

enum kc_tell_kind {
	KC_TELL_LOG, /* a line of the kernel's log, extended form */
	KC_TELL_TEXT, /* a piece of what is asked for */
	KC_TELL_DONE, /* struct kc_done: the answer to a question */
	KC_TELL_WANT, /* struct kc_want: modprobe was called */
	KC_TELL_FINDING, /* struct kc_told_finding, and its texts */
	KC_TELL_END, /* why the machine ends, in words */
};

/* How a machine's process exits. */
enum kc_machine_exit {
	KC_EXIT_OK = 0,
	KC_EXIT_UNFIT = 2, /* this kernel can't be hosted: the message says why */
	KC_EXIT_DIED = 3, /* panic, triple fault */
	KC_EXIT_STUCK = 4, /* nothing will ever happen, or not in time */
};

enum { KC_TELL_MAX = 1 << 16 };
#define KC_TEXT_MAX (UINT64_C(64) << 20) /* bytes that one question is answered with */

/* In the kernel's log, before the stacks of what takes longer than it may. */
#define KC_OOPS_HANG_TEXT "kocoon: the time is up"

struct kc_tell {
	uint32_t kind, len;
};

struct kc_want {
	uint64_t id;
	char name[128]; /* ends in NULs */
};

/* Behind it: the module's name, what, expected, found, hint; each ends in a NUL, "": none. */
struct kc_told_finding {
	int32_t stage, err;
};

enum { KC_FINDING_TEXTS = 5 };

struct kc_done {
	uint64_t id;
	int32_t status; /* 0 or a negative errno */
	uint32_t died; /* the task was killed: an oops */
	uint64_t nsec; /* of the machine's own time */
};

/* Of lstat(). */
struct kc_status {
	uint64_t inode, size, links;
	int64_t modified; /* s of the machine's time */
	uint32_t mode, uid, gid, zero;
};

/* Whether nothing is changed by it. */
static inline bool kc_asks_to_look(uint32_t kind)
{
	return kind == KC_ASK_READ || kind == KC_ASK_LIST || kind == KC_ASK_LINK ||
	       kind == KC_ASK_STATUS || kind == KC_ASK_LOG || kind == KC_ASK_SHOW;
}

/* Either side's. False: the other one has hung up. */
bool kc_box_send(int channel, const void *bytes, size_t len);

#endif

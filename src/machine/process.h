/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parent's side of a machine's process: its making, its channel, its end. */
#ifndef KC_MACHINE_PROCESS_H
#define KC_MACHINE_PROCESS_H

#include <sys/types.h>

#include "base/span.h"
#include "machine/box.h"
#include "machine/child.h"
#include "machine/zygote.h"

struct kc_process {
	pid_t pid; /* 0: none */
	int channel; /* -1: none */
	char end[512]; /* why it ended; "": it has not */
	int status; /* of waitpid(), once it has ended */
	bool late; /* it has ended for want of an answer */
	unsigned int timeout; /* seconds */
	uint64_t deadline; /* ms of the host's clock */
};

/* 0; -errno. */
KC_MUST_CHECK int kc_process_boot(struct kc_process *process, const struct kc_child *child);
KC_MUST_CHECK int kc_process_start(struct kc_process *process, struct kc_zygote *zygote);
/* Ends it and waits for that. */
void kc_process_stop(struct kc_process *process);

/* Ends it for a reason, in words. */
void kc_process_give_up(struct kc_process *process, const char *why);

/* Starts the time that an answer may take. */
void kc_process_start_clock(struct kc_process *process);
/* 0; -EHOSTDOWN. The lengths of `ask` are set here. */
KC_MUST_CHECK int kc_process_ask(struct kc_process *process, struct kc_ask ask,
				 struct kc_span first, struct kc_span second);
/*
 * The next that it says, into a buffer of KC_TELL_MAX + 1 bytes; a NUL follows it. -ETIMEDOUT,
 * -EHOSTDOWN: it is gone, and `end` says why.
 */
KC_MUST_CHECK int kc_process_hear(struct kc_process *process, struct kc_tell *tell_ret,
				  char *bytes);

#endif

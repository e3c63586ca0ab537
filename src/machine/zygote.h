/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The process that a booted machine's processes are forked from: it has the machine mapped, its
 * namespaces left and OpenSSL started, so none of them does; and who asks for a machine isn't
 * forked itself, with all of its memory.
 */
#ifndef KC_MACHINE_ZYGOTE_H
#define KC_MACHINE_ZYGOTE_H

#include <pthread.h>
#include <sys/types.h>

#include "base/report.h"
#include "machine/child.h"

struct kc_zygote {
	pid_t pid; /* 0: none */
	int channel;
	pthread_mutex_t lock; /* of the channel */
};

/* `child->channel` is not looked at. -ENOTSUP: the report says why; -errno. */
KC_MUST_CHECK int kc_zygote_start(struct kc_zygote *zygote, const struct kc_child *child,
				  struct kocoon_report *report);
/*
 * A new machine, a child of this process, with its end of a channel, which stays the caller's too.
 * From any thread. -EHOSTDOWN: the zygote is gone; -errno.
 */
KC_MUST_CHECK int kc_zygote_fork(struct kc_zygote *zygote, int channel, pid_t *pid_ret);
void kc_zygote_stop(struct kc_zygote *zygote);

#endif

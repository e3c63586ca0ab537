/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that are kept from run to run to save time: each appears whole or not at all, and is
 * believed only where nobody but this user could have made it, and nobody has written to it since.
 * What can't be kept, or isn't believed, costs time and nothing else, so nothing here fails.
 *
 * A file's name tells apart what it depends on; what a name can't hold is for the file's header.
 */
#ifndef KC_BASE_KEPT_H
#define KC_BASE_KEPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Opens it for reading; the caller closes it. -1: there is none, or none to be believed. */
int kc_kept_open(const char *folder, const char *name);

/* 0, or a negative errno: then nothing is kept. The file is empty at first. */
typedef int kc_kept_write_fn(void *context, int file);

/*
 * Keeps what `write` writes. The folder is made where it is missing. Of files whose names are the
 * same but for what follows the last '-', the `rivals` newest stay, and of all in the folder
 * `most`; who has one open keeps it.
 */
struct kc_kept_bounds {
	size_t rivals, most;
};

void kc_kept_write(const char *folder, const char *name, const struct kc_kept_bounds *bounds,
		   kc_kept_write_fn *write, void *context);

/* Writes all bytes. 0; -errno. */
KC_MUST_CHECK int kc_write_all(int file, const void *bytes, size_t len);

/* 64 bits of FNV-1a, the same in every process; `mark` is that of what went before, at first 0. */
uint64_t kc_kept_mark(uint64_t mark, const void *bytes, size_t len);

/*
 * The build id of the object that this code is in. What is kept of addresses and structures of ours
 * is of use to the same code only. Empty: it has none.
 */
struct kc_span kc_own_build_id(void);

#endif

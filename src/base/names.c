/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of small numbers: errnos, and the library's own version. */
#include <string.h>

#include "kocoon/kocoon.h"

const char *kocoon_version(void)
{
	return KOCOON_VERSION;
}

const char *kocoon_errno_name(int err)
{
	const char *name = err ? strerrorname_np(err < 0 ? -err : err) : NULL;

	return err && !name ? "EUNKNOWN" : name;
}

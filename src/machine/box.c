/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/box.h"

#include <errno.h>
#include <sys/socket.h>

bool kc_box_send(int channel, const void *bytes, size_t len)
{
	while (len) {
		ssize_t done = send(channel, bytes, len, MSG_NOSIGNAL);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		bytes = (const uint8_t *)bytes + done;
		len -= (size_t)done;
	}
	return true;
}

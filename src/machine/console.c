/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's log, by a console of the extended kind, which gets each message with its level and
 * time: "LEVEL,NUMBER,USEC,FLAGS;TEXT".
 */
#include <string.h>

#include "kernel/parts.h"
#include "machine/machine.h"

/* Where in the device page, and struct console's flags. */
enum { CONSOLE = 0x3000, PRINT_BUFFER = 1, ENABLED = 4, EXTENDED = 64 };

static uint64_t write_stub;

static void write_line(uint64_t console, const char *line, unsigned int len)
{
	(void)console;
	kc_tell(KC_TELL_LOG, line, len);
}

uint64_t kc_console_stub(void)
{
	write_stub = KC_STUB(write_line);
	return write_stub;
}

void kc_add_console(void)
{
	uint8_t *at = kc_pointer(KC_DEVICE_BASE + CONSOLE);
	uint32_t flags = kc_offset("console", "flags");

	memcpy(at + kc_offset("console", "name"), "kocoon", 7);
	kc_store64(at + kc_offset("console", "write"), write_stub);
	/* A short before 6.4; what follows it is 0. */
	kc_store32(at + flags, PRINT_BUFFER | ENABLED | EXTENDED);
	kc_call(kc_needed("register_console"), KC_DEVICE_BASE + CONSOLE, 0, 0, 0);
}

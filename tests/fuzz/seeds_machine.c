/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What machines say: see target_machine.c. */
#include "seeds.h"

#include <string.h>

#include "machine/box.h"

/* Reports of 6.12 and of 6.1, as the extended console has them. */
static const char *const lines[] = {
	"1,400,1526078,-;BUG: kernel NULL pointer dereference, address: 0000000000000010\n",
	"4,401,1526078,-;Oops: Oops: 0000 [#1] PREEMPT SMP NOPTI\n",
	"4,402,1526078,-;CPU: 0 UID: 0 PID: 126 Comm: modprobe Tainted: G   OE   6.12.1 #1\n",
	"4,403,1526078,-;RIP: 0010:traps_init+0x52/0xff0 [traps]\n",
	"4,404,1526078,-;Code: 50 30 30 48 <48> 8b 04 25 10 00 00 00\n",
	"4,405,1526078,-;RSP: 0018:00002000005ebcc8 EFLAGS: 00010246\n",
	"4,406,1526078,-;RAX: 0000000000000000 RBX: 000000001572c0d0 RCX: 0000000000000000\n",
	"4,407,1526078,-;FS:  0000000000000000(0000) GS:000000002fc00000(0000)\n",
	"4,408,1526078,-;Call Trace:\n",
	"4,409,1526078,-; <TASK>\n",
	"4,410,1526078,-; ? __pfx_traps_init+0x10/0x10 [traps]\n",
	"4,411,1526078,-; do_one_initcall+0x5b/0x320\n",
	"4,412,1526078,-; </TASK>\n",
	"4,413,1526078,-;Modules linked in: traps(OE+) dummy [last unloaded: hello]\n",
	"4,414,1526078,-;---[ end trace 0000000000000000 ]---\n",
	"4,415,1526079,-;WARNING: CPU: 0 PID: 7 at traps.c:11 traps_warn+0x1/0x20 [traps]\n",
	"4,416,1526079,-;general protection fault, maybe for address 0xdead: 0000 [#2]\n",
	"3,417,1526080,-;INFO: task modprobe:12 blocked for more than 120 seconds.\n",
	"0,418,1526081,-;watchdog: BUG: soft lockup - CPU#0 stuck for 23s! [modprobe:12]\n",
	"0,419,1526082,-;Kernel panic - not syncing: at its own wish\n SUBSYSTEM=x\n",
};

struct speech {
	uint8_t bytes[8192];
	size_t len;
};

static void say(struct speech *speech, uint32_t kind, const void *data, size_t len)
{
	const struct kc_tell tell = { kind, (uint32_t)len };

	FUZZ_CHECK(speech->len + sizeof(tell) + len <= sizeof(speech->bytes));
	memcpy(speech->bytes + speech->len, &tell, sizeof(tell));
	memcpy(speech->bytes + speech->len + sizeof(tell), data, len);
	speech->len += sizeof(tell) + len;
}

static void say_done(struct speech *speech, uint64_t id, int32_t status)
{
	const struct kc_done done = { .id = id, .status = status };

	say(speech, KC_TELL_DONE, &done, sizeof(done));
}

void save_machine(void)
{
	static const char entries[] = "dfolder\0-file\0lup/..\0?..";
	/* struct kc_told_finding: symbols, -ENOENT; then its texts. */
	static const char finding[] = "\x0c\0\0\0\xfe\xff\xff\xff"
				      "dummy\0unknown symbol\0one\0none\0build it";
	const struct kc_want want = { .id = 1, .name = "nothing" };
	struct speech reports = { 0 }, files = { 0 }, early = { 0 }, refused = { 0 };

	for (size_t i = 0; i < KC_ARRAY_SIZE(lines); i++)
		say(&reports, KC_TELL_LOG, lines[i], strlen(lines[i]));
	say_done(&reports, 1, 0);
	save_behind("machine", "reports", 4, reports.bytes, reports.len);
	for (uint64_t id = 1; id < 7; id++) {
		say(&files, KC_TELL_TEXT, entries, sizeof(entries));
		say(&files, KC_TELL_WANT, &want, sizeof(want));
		say_done(&files, id, id == 5 ? -2 : 0);
	}
	save_behind("machine", "files", 0, files.bytes, files.len);
	for (uint64_t id = 6; id; id--)
		say_done(&early, id, 1);
	say(&early, KC_TELL_END, "words", 5);
	save_behind("machine", "early", 1, early.bytes, early.len);
	say(&refused, KC_TELL_FINDING, finding, sizeof(finding));
	say(&refused, KC_TELL_FINDING, finding, sizeof(struct kc_told_finding));
	say_done(&refused, 1, -2);
	save_behind("machine", "refused", 4, refused.bytes, refused.len);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine/oops.c: texts as kernels write them, and as nobody does. */
#include "unit.h"

#include <string.h>

#include "machine/oops.h"

static struct kc_oops_reader reader;

static void read_lines(const char *const *lines)
{
	kc_oops_reader_deinit(&reader);
	for (; *lines; lines++)
		kc_oops_read_line(&reader, *lines, strlen(*lines));
}

static void an_oops_of_6_1(void **state)
{
	static const char *const lines[] = {
		"general protection fault, maybe for address 0xdead: 0000 [#3] PREEMPT SMP NOPTI",
		"CPU: 1 PID: 42 Comm: my prog: x Tainted: P        W  O       6.1.0-56 #1",
		"Hardware name: QEMU",
		"RIP: 0010:f.isra.0+0x1/0x20 [a_b]",
		"Code: <0f> 0b",
		"RSP: 0018:ff3b98a040013c80 EFLAGS: 00000246",
		"RAX: dead000000000100 RBX: ff1fad3e42138110 RCX: 0000000000000000",
		"Call Trace:",
		" <TASK>",
		" ? g+0x3/0x4",
		" h+0x5/0x6 [c]",
		" </TASK>",
		"Modules linked in: a_b(PO) c [last unloaded: d]",
		"---[ end trace 0000000000000000 ]---",
		"RIP: 0010:other+0x1/0x2",
		"RAX: 0000000000000001 RDI: 0000000000000001",
		NULL,
	};
	const struct kocoon_oops *oops;

	(void)state;
	read_lines(lines);
	assert_int_equal(reader.count, 1);
	assert_int_equal(reader.fatal, 1);
	oops = reader.oopses[0];
	assert_int_equal(oops->kind, KOCOON_OOPS_PROTECTION);
	assert_int_equal(oops->number, 3);
	assert_string_equal(oops->task, "my prog: x");
	assert_int_equal(oops->pid, 42);
	assert_string_equal(oops->tainted, "PWO");
	assert_string_equal(oops->at.symbol, "f.isra.0");
	assert_string_equal(oops->at.module, "a_b");
	assert_string_equal(oops->code, "<0f> 0b");
	assert_int_equal(oops->register_count, 5);
	assert_string_equal(oops->registers[0].name, "RSP");
	assert_true(oops->registers[0].value == UINT64_C(0xff3b98a040013c80));
	assert_int_equal(oops->trace_count, 2);
	assert_false(oops->trace[0].sure);
	assert_true(oops->trace[1].sure && oops->trace[1].offset == 5 && oops->trace[1].size == 6);
	assert_int_equal(oops->linked_count, 2);
	assert_string_equal(oops->linked[0].taints, "PO");
	assert_string_equal(oops->linked[1].taints, "");
}

static void a_bug_is_one_report_and_a_warning_none_that_kills(void **state)
{
	static const char *const lines[] = {
		"------------[ cut here ]------------",
		"WARNING: CPU: 0 PID: 9 at a/b.c:17 f+0x1/0x2 [m]",
		"RIP: 0010:f+0x1/0x2 [m]",
		"Call Trace:",
		" g+0x1/0x2",
		"---[ end trace 0000000000000000 ]---",
		"------------[ cut here ]------------",
		"kernel BUG at a/b.c:33!",
		"Oops: invalid opcode: 0000 [#1] PREEMPT SMP",
		"RIP: 0010:f+0x1/0x2 [m]",
		"---[ end trace 0000000000000000 ]---",
		"Kernel panic - not syncing: Fatal exception in interrupt",
		NULL,
	};

	(void)state;
	read_lines(lines);
	assert_int_equal(reader.count, 3);
	assert_int_equal(reader.fatal, 2);
	assert_int_equal(reader.oopses[0]->kind, KOCOON_OOPS_WARN);
	assert_int_equal(reader.oopses[0]->line, 17);
	assert_int_equal(reader.oopses[0]->number, 0);
	assert_int_equal(reader.oopses[1]->kind, KOCOON_OOPS_BUG);
	assert_string_equal(reader.oopses[1]->file, "a/b.c");
	assert_int_equal(reader.oopses[1]->number, 1);
	assert_int_equal(reader.oopses[2]->kind, KOCOON_OOPS_PANIC);
}

/* The stacks of all tasks, which come behind, are nobody's report. */
static void a_hung_task_ends_with_its_trace(void **state)
{
	static const char *const lines[] = {
		"INFO: task kworker/0:1:12 blocked for more than 120 seconds.",
		"      Tainted: G           OE      6.12.1 #1",
		"task:kworker/0:1     state:D stack:0     pid:12",
		"Call Trace:",
		" <TASK>",
		" schedule+0x27/0xc0",
		" </TASK>",
		"task:kthreadd        state:S",
		"Call Trace:",
		" <TASK>",
		" kthreadd+0x1/0x2",
		" </TASK>",
		NULL,
	};

	(void)state;
	read_lines(lines);
	assert_int_equal(reader.count, 1);
	assert_int_equal(reader.fatal, 0);
	assert_string_equal(reader.oopses[0]->task, "kworker/0:1");
	assert_int_equal(reader.oopses[0]->pid, 12);
	assert_string_equal(reader.oopses[0]->tainted, "GOE");
	assert_int_equal(reader.oopses[0]->trace_count, 1);
}

static void reports_and_traces_are_bounded(void **state)
{
	static const char *const first[] = { "BUG: unable to handle page fault",
					     "Call Trace:", NULL };
	static const char frame[] = " f+0x1/0x2 [m]", bug[] = "BUG: again [#1]";

	(void)state;
	read_lines(first);
	for (int i = 0; i < 10000; i++)
		kc_oops_read_line(&reader, frame, sizeof(frame) - 1);
	assert_in_range(reader.oopses[0]->trace_count, 100, 1000);
	for (int i = 0; i < 10000; i++)
		kc_oops_read_line(&reader, bug, sizeof(bug) - 1);
	assert_int_equal(reader.count, KC_OOPS_MAX);
	kc_oops_reader_deinit(&reader);
}

static void what_is_cut_short_is_no_harm(void **state)
{
	static const char *const lines[] = {
		"BUG: ",
		"RIP: ",
		"RIP: 0010:",
		"RIP: 0010:f+",
		"RIP: 0010:f+0x",
		"RIP: 0010:f+0x1/",
		"RIP: 0010:f+0x1/0x2 [",
		"RAX: ",
		"RAX: 1 RBX",
		"RSP: 0018:",
		"GS:1(",
		"CPU: 0 PID: Comm: Tainted: ",
		"Modules linked in:",
		"Modules linked in: (",
		"Call Trace:",
		" ",
		" ? ",
		" +0x1/0x2",
		"INFO: task  blocked for more than ",
		"WARNING:  at ",
		"WARNING:  at :",
		"kernel BUG at :1",
		"Oops: [#",
		"---[ end ",
		NULL,
	};
	char line[64];

	(void)state;
	read_lines(lines);
	for (size_t i = 0; lines[i]; i++) {
		/* Not a byte behind the length is looked at, and a NUL ends it. */
		memset(line, 'x', sizeof(line));
		memcpy(line, lines[i], strlen(lines[i]));
		kc_oops_read_line(&reader, line, strlen(lines[i]));
		kc_oops_read_line(&reader, "\0BUG: x", 7);
	}
	kc_oops_reader_deinit(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_oops_of_6_1),
		cmocka_unit_test(a_bug_is_one_report_and_a_warning_none_that_kills),
		cmocka_unit_test(a_hung_task_ends_with_its_trace),
		cmocka_unit_test(reports_and_traces_are_bounded),
		cmocka_unit_test(what_is_cut_short_is_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a machine's process says to its parent: whatever it is. First byte: which question is asked
 * first. The rest comes out of the channel, which is closed then; the process itself has ended.
 */
#include "fuzz.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kocoon/machine.h"
#include "machine/booted.h"
#include "machine/parent.h"

static struct kocoon_booted booted = { .file = -1, .timeout = 1 };

static void use_line(void *context, int level, uint64_t usec, const char *text, size_t len)
{
	(void)context;
	(void)usec;
	FUZZ_CHECK(level >= 0 && level < 8);
	fuzz_use(text, len);
}

static struct kocoon_machine *make_machine(const uint8_t *data, size_t len)
{
	struct kocoon_machine *machine = calloc(1, sizeof(*machine));
	int channels[2];
	pid_t pid;

	FUZZ_CHECK(machine && !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channels));
	machine->bytes = malloc(KC_TELL_MAX + 1);
	FUZZ_CHECK(machine->bytes);
	machine->booted = &booted;
	machine->log = use_line;
	FUZZ_CHECK(send(channels[1], data, len, MSG_DONTWAIT) == (ssize_t)len);
	close(channels[1]);
	/* It ends at once: nothing of this process need be copied. */
	pid = vfork(); /* NOLINT */
	if (!pid)
		_exit(0);
	FUZZ_CHECK(pid > 0);
	machine->process = (struct kc_process){ .pid = pid, .channel = channels[0], .timeout = 1 };
	return machine;
}

static int use_entry(void *context, char type, const char *name)
{
	(void)context;
	fuzz_use(&type, 1);
	fuzz_use_text(name);
	FUZZ_CHECK(*name && !strchr(name, '/') && strcmp(name, "..") != 0);
	return 0;
}

static void use_text(int err, char *text, size_t len)
{
	if (err)
		return;
	fuzz_use(text, len + 1);
	FUZZ_CHECK(!text[len]);
	free(text);
}

static void ask(struct kocoon_machine *machine, unsigned int question)
{
	struct kocoon_machine_result result = { 0 };
	struct kocoon_machine_status status = { 0 };
	char *text = NULL;
	size_t len = 0;
	int err;

	switch (question % 7) {
	case 6:
		err = kocoon_machine_status(machine, "/x", &status);
		if (!err)
			fuzz_use(&status, sizeof(status));
		break;
	case 0:
		err = kocoon_machine_read(machine, "/x", &text, &len);
		use_text(err, text, len);
		break;
	case 1:
		err = kocoon_machine_list(machine, "/x", use_entry, NULL);
		break;
	case 2:
		err = kocoon_machine_link(machine, "/x", &text);
		use_text(err, text, err ? 0 : strlen(text));
		break;
	case 3:
		err = kocoon_machine_write(machine, "/x", "1\n", 2);
		break;
	case 4:
		err = kocoon_machine_remove(machine, "x", &result);
		break;
	default:
		err = kocoon_machine_log(machine, &text, &len);
		use_text(err, text, len);
	}
	FUZZ_CHECK(err <= 0);
}

static void use_place(const struct kocoon_place *place)
{
	fuzz_use_text(place->symbol);
	fuzz_use_text(place->module);
}

static void use_oops(const struct kocoon_oops *oops)
{
	fuzz_use_text(kocoon_oops_kind_name(oops->kind));
	fuzz_use_text(oops->what);
	fuzz_use_text(oops->task);
	fuzz_use_text(oops->tainted);
	fuzz_use_text(oops->code);
	fuzz_use_text(oops->file);
	use_place(&oops->at);
	for (size_t i = 0; i < oops->register_count; i++)
		fuzz_use_text(oops->registers[i].name);
	for (size_t i = 0; i < oops->trace_count; i++)
		use_place(&oops->trace[i]);
	for (size_t i = 0; i < oops->linked_count; i++) {
		fuzz_use_text(oops->linked[i].name);
		fuzz_use_text(oops->linked[i].taints);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct kocoon_machine *machine;
	const struct kocoon_oops *oops;

	if (!len || len > KC_TELL_MAX)
		return 0;
	machine = make_machine(data + 1, len - 1);
	for (unsigned int i = 0; i < 7; i++)
		ask(machine, data[0] + i);
	for (size_t i = 0; (oops = kocoon_machine_oops(machine, i)); i++)
		use_oops(oops);
	fuzz_use_report(kocoon_machine_report(machine));
	fuzz_use_text(kocoon_machine_end(machine));
	FUZZ_CHECK(kocoon_machine_error(machine) <= 0);
	kocoon_machine_free(machine);
	return 0;
}

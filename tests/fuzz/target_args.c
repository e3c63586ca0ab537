/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Argument strings, and the kernel's own kinds of parameters.
 *
 * First byte 'a': the rest is the arguments of a module that has one parameter of each kind. Else
 * the rest is what is written to the parameter of that number.
 */
#include "fuzz.h"

#include <string.h>

#include "../unit/param_fixture.h"

static struct fixture fixture;
static struct kocoon_report report;

/* Kinds that the line doesn't have. */
static union {
	unsigned char byte;
	short number16;
	unsigned short ushort;
	unsigned int uint;
	long number64;
	unsigned long ulong;
	unsigned long long ullong;
} values[RECORDS];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const more[] = { "byte", "uint", "ullong", "hexint", "short" };

	(void)argc;
	(void)argv;
	make_line(&fixture);
	for (size_t i = 0; i < KC_ARRAY_SIZE(more); i++)
		add_param(&fixture, more[i], ops_for(more[i]), &values[i]);
	kc_report_init(&report);
	return 0;
}

static void read_all(void)
{
	for (size_t i = 0; i < fixture.count; i++) {
		char *text;
		size_t len;

		if (kc_param_show(fixture.module, &fixture.params[i], &text, &len))
			continue;
		FUZZ_CHECK(len < KC_PAGE_SIZE && strlen(text) <= len);
		fuzz_use(text, len + 1);
		free(text);
	}
}

/* Every byte of the values is defined, and nothing of one input is there for the next. */
static void reset(void)
{
	FUZZ_CHECK(!parse(&fixture,
			  "i=-1 under_score=none b=0 inv=1 bi=0 arr=1,2,3 s=old u=0 hw=0 ret=0 "
			  "byte=0 uint=0 ullong=0 hexint=0 short=0",
			  &report));
	kc_report_deinit(&report);
	kc_report_init(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text;

	if (!len)
		return 0;
	text = fuzz_text((struct fuzz_bytes){ data + 1, len - 1 });
	if (data[0] == 'a')
		(void)parse(&fixture, text, &report);
	else
		(void)kc_param_store(fixture.module, &fixture.params[data[0] % fixture.count], text,
				     len - 1);
	free(text);
	fuzz_use_report(&report);
	read_all();
	reset();
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module for the oracle's machine: while it is loaded, no other module's code runs.
 *
 * A notifier, called when a module has passed every check up to its formation, and behind all of
 * the kernel's own notifiers, clears the module's `init` and `exit`. The kernel then goes on as
 * with a module that has neither: it becomes LIVE, its exports serve others, and it can be removed.
 * So finit_module's errno is that of the load, never that of a driver which finds no device.
 *
 * With HOLD defined, a module's init is one that sleeps until a signal comes: the memory of the
 * module can then be looked at as its own init would see it (finalize/dump).
 *
 * Built without kernel headers: `ask` takes the size of struct module and the offsets of the two
 * members from a stock module of that kernel, whose relocations fill them in, and defines
 * MODULE_SIZE, INIT_OFFSET and EXIT_OFFSET. Loaded with MODULE_INIT_IGNORE_VERMAGIC and
 * MODULE_INIT_IGNORE_MODVERSIONS, as it carries neither.
 */

typedef int init_fn(void);

struct notifier_block {
	int (*call)(struct notifier_block *block, unsigned long event, void *data);
	struct notifier_block *next;
	int priority;
};

extern int register_module_notifier(struct notifier_block *block);

enum { MODULE_STATE_COMING = 1, LAST = -0x7fffffff };

#ifdef HOLD
extern unsigned long msleep_interruptible(unsigned int msec);

enum { A_DAY = 86400000 };

/* In place of a module's init: until a signal comes. */
static int hold(void)
{
	msleep_interruptible(A_DAY);
	return 0;
}
#define INIT ((void *)hold)
#else
#define INIT ((void *)0)
#endif

static int keep_from_running(struct notifier_block *block, unsigned long event, void *module)
{
	(void)block;
	if (event != MODULE_STATE_COMING)
		return 0;
	*(void **)((char *)module + INIT_OFFSET) = INIT;
	*(void **)((char *)module + EXIT_OFFSET) = 0;
	return 0;
}

static struct notifier_block block = { .call = keep_from_running, .priority = LAST };

static int start(void)
{
	return register_module_notifier(&block);
}

static const char info[] __attribute__((used, section(".modinfo"))) = "license=GPL\0name=noinit";

/* struct module: `state`, a list head and then the name. */
struct module {
	char before_name[24];
	char name[56];
	char up_to_init[INIT_OFFSET - 24 - 56];
	init_fn *init;
	char rest[MODULE_SIZE - INIT_OFFSET - sizeof(init_fn *)];
};

struct module this_module
	__attribute__((used, aligned(64), section(".gnu.linkonce.this_module"))) = {
		.name = "noinit",
		.init = start,
	};

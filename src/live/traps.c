/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Traps in module code: exception tables, WARN, BUG and what else the processor reports; the work
 * of arch/x86/kernel/traps.c, lib/bug.c and kernel/panic.c.
 *
 * Signal handlers belong to the process, so they are taken once, for all subsystems, while there is
 * any, and hand on what isn't of module code. A signal's handler looks for the module without any
 * lock; once it is known that the instruction is a module's, nothing of this process was
 * interrupted in the middle of anything, and what a call from there may do, the handler may.
 *
 * Differs from Linux: a WARN or BUG is logged in the kernel's words, without registers and stack.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "live/traps.h"

/* Flags of struct bug_entry (asm-generic/bug.h); the taint is above them. */
enum {
	BUGFLAG_WARNING = 1,
	BUGFLAG_ONCE = 2,
	BUGFLAG_DONE = 4,
	BUGFLAG_NO_CUT_HERE = 8,
	BUGFLAG_TAINT_SHIFT = 8,
	TAINT_FLAGS_COUNT = 20,
};

/* struct bug_entry: distances from the members themselves. */
struct bug_entry {
	int32_t bug_addr_disp, file_disp;
	uint16_t line, flags;
};

/* Numbers of exceptions. */
enum {
	TRAP_DIVIDE = 0,
	TRAP_BREAKPOINT = 3,
	TRAP_INVALID_OPCODE = 6,
	TRAP_PROTECTION = 13,
	TRAP_PAGE_FAULT = 14,
	TRAP_ALIGNMENT = 17,
};

static const uint8_t ud2[] = { 0x0f, 0x0b };

/* A signal that is ours while there is a subsystem, and whose it was. */
struct taken {
	int signal;
	struct sigaction former; /* written while the signal isn't ours */
	bool ours;
};

/* Of the process, as signal handlers are. */
static struct taken signals[] = {
	{ .signal = SIGSEGV }, { .signal = SIGBUS },  { .signal = SIGILL },
	{ .signal = SIGFPE },  { .signal = SIGTRAP },
};
static pthread_mutex_t register_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct kocoon *) subsystems; /* linked by next_registered */
static atomic_uint searching; /* threads that follow that list */

enum { SIGNAL_COUNT = sizeof(signals) / sizeof(signals[0]) };

/* Whose code is at an address; NULL: no module's. What was found stays, since its code runs. */
static struct kocoon_loaded *module_at(uint64_t address)
{
	struct kocoon_loaded *module = NULL;
	struct kocoon *kocoon;

	atomic_fetch_add(&searching, 1);
	for (kocoon = atomic_load(&subsystems); kocoon && !module;
	     kocoon = atomic_load(&kocoon->next_registered))
		module = kc_live_space_owner(&kocoon->space, address);
	atomic_fetch_sub(&searching, 1);
	return module;
}

/* ---- what is said about it */

/* As %pS prints it. */
static void describe(const struct kocoon *kocoon, uint64_t ip, char *text, size_t size)
{
	struct kocoon_address at;

	if (kocoon_lookup_address(kocoon, ip, &at))
		snprintf(text, size, "%s+%#llx/%#llx [%s]", at.symbol,
			 (unsigned long long)at.offset, (unsigned long long)at.size, at.module);
	else
		snprintf(text, size, "0x%llx", (unsigned long long)ip);
}

static void log_place(const struct kocoon *kocoon, const struct kocoon_trap_info *info)
{
	char place[640];

	describe(kocoon, info->ip, place, sizeof(place));
	kc_log(kocoon, KOCOON_LOG_ERROR, "RIP: 0010:%s", place);
}

static void log_warn(const struct kocoon *kocoon, const struct kocoon_trap_info *info)
{
	char place[640];

	describe(kocoon, info->ip, place, sizeof(place));
	if (info->file)
		kc_log(kocoon, KOCOON_LOG_WARNING, "WARNING: CPU: %d PID: %d at %s:%u %s",
		       kocoon_cpu(kocoon), gettid(), info->file, info->line, place);
	else
		kc_log(kocoon, KOCOON_LOG_WARNING, "WARNING: CPU: %d PID: %d at %s",
		       kocoon_cpu(kocoon), gettid(), place);
	kc_log(kocoon, KOCOON_LOG_WARNING, "---[ end trace 0000000000000000 ]---");
}

static void log_bug(const struct kocoon *kocoon, const struct kocoon_trap_info *info)
{
	if (info->file)
		kc_log(kocoon, KOCOON_LOG_ERROR, "kernel BUG at %s:%u!", info->file, info->line);
	else
		kc_log(kocoon, KOCOON_LOG_ERROR,
		       "Kernel BUG at 0x%llx [verbose debug info unavailable]",
		       (unsigned long long)info->ip);
	log_place(kocoon, info);
}

static const char *exception_name(greg_t number)
{
	switch (number) {
	case TRAP_DIVIDE:
		return "divide error";
	case TRAP_BREAKPOINT:
		return "int3";
	case TRAP_INVALID_OPCODE:
		return "invalid opcode";
	case TRAP_PROTECTION:
		return "general protection fault";
	case TRAP_ALIGNMENT:
		return "alignment check";
	default:
		return "exception";
	}
}

static void log_fault(const struct kocoon *kocoon, const struct kocoon_trap_info *info,
		      const ucontext_t *context)
{
	greg_t number = context->uc_mcontext.gregs[REG_TRAPNO];

	if (number != TRAP_PAGE_FAULT)
		kc_log(kocoon, KOCOON_LOG_ERROR, "Oops: %s", exception_name(number));
	else if (info->address < KC_PAGE_SIZE)
		kc_log(kocoon, KOCOON_LOG_ERROR,
		       "BUG: kernel NULL pointer dereference, address: %016llx",
		       (unsigned long long)info->address);
	else
		kc_log(kocoon, KOCOON_LOG_ERROR,
		       "BUG: unable to handle page fault for address: %016llx",
		       (unsigned long long)info->address);
	log_place(kocoon, info);
}

static void tell(const struct kocoon *kocoon, const struct kocoon_trap_info *info)
{
	if (kocoon->hooks.trap)
		kocoon->hooks.trap(kocoon->hooks.context, info);
}

/* ---- WARN and BUG */

/* The entry of a ud2; NULL: none, or it isn't one. find_bug(): one by one. */
static struct bug_entry *find_bug(const struct kocoon_loaded *module, uint64_t ip)
{
	const uint8_t *code = kc_own_bytes(module, ip, sizeof(ud2));
	uint8_t *table = kc_own_bytes(module, module->bug_table, module->bug_table_size);
	uint64_t i;

	if (!code || memcmp(code, ud2, sizeof(ud2)) != 0 || !table ||
	    module->bug_table % _Alignof(struct bug_entry))
		return NULL;
	for (i = 0; i < module->bug_table_size / sizeof(struct bug_entry); i++) {
		struct bug_entry *entry = (struct bug_entry *)(void *)table + i;
		uint64_t address = module->bug_table + i * sizeof(*entry);

		if (address + (uint64_t)(int64_t)entry->bug_addr_disp == ip)
			return entry;
	}
	return NULL;
}

static const char *file_of(const struct kocoon_loaded *module, const struct bug_entry *entry)
{
	uint64_t offset =
		(uint64_t)((const uint8_t *)&entry->file_disp -
			   kc_live_space_bytes(&module->kocoon->space, module->bug_table));

	if (!entry->file_disp)
		return NULL;
	return kc_module_string(module,
				module->bug_table + offset + (uint64_t)(int64_t)entry->file_disp);
}

static void cut_here(const struct kocoon *kocoon, unsigned int flags)
{
	if (!(flags & BUGFLAG_NO_CUT_HERE))
		kc_log(kocoon, KOCOON_LOG_WARNING, "------------[ cut here ]------------");
}

/* __warn(), and what __report_bug() does before: execution goes on behind the instruction. */
static void warn(struct kocoon *kocoon, struct bug_entry *entry, struct kocoon_trap_info *info)
{
	ucontext_t *context = info->context;
	unsigned int flags = __atomic_load_n(&entry->flags, __ATOMIC_RELAXED);
	unsigned int taint = flags >> BUGFLAG_TAINT_SHIFT;

	if (flags & BUGFLAG_ONCE)
		flags = __atomic_fetch_or(&entry->flags, BUGFLAG_DONE, __ATOMIC_RELAXED);
	if (!(flags & BUGFLAG_ONCE) || !(flags & BUGFLAG_DONE)) {
		cut_here(kocoon, flags);
		log_warn(kocoon, info);
		kocoon_add_taint(kocoon, taint < TAINT_FLAGS_COUNT ? taint : KC_TAINT_WARN);
		tell(kocoon, info);
	}
	context->uc_mcontext.gregs[REG_RIP] += (greg_t)sizeof(ud2);
}

/* A trap of a module's instruction. Whether to go on. */
static bool module_trap(struct kocoon_loaded *module, struct kocoon_trap_info *info,
			const siginfo_t *signal_info)
{
	struct kocoon *kocoon = module->kocoon;
	struct bug_entry *bug = info->signal == SIGILL ? find_bug(module, info->ip) : NULL;

	info->module = module;
	if (bug) {
		info->file = file_of(module, bug);
		info->line = bug->line;
		info->trap = KOCOON_TRAP_BUG;
	}
	if (bug && __atomic_load_n(&bug->flags, __ATOMIC_RELAXED) & BUGFLAG_WARNING) {
		info->trap = KOCOON_TRAP_WARN;
		warn(kocoon, bug, info);
		return true;
	}
	if (kc_fixup_exception(module, info->ip, signal_info, info->context))
		return true;
	if (bug) {
		cut_here(kocoon, bug->flags);
		log_bug(kocoon, info);
	} else {
		log_fault(kocoon, info, info->context);
	}
	kocoon_add_taint(kocoon, KC_TAINT_DIE);
	tell(kocoon, info);
	return false;
}

void kc_trap_stack_corrupted(uint64_t caller)
{
	struct kocoon_trap_info info = {
		.trap = KOCOON_TRAP_BUG,
		.signal = SIGABRT,
		.ip = caller,
		.module = module_at(caller),
	};
	char place[640];

	if (!info.module)
		return;
	describe(info.module->kocoon, caller, place, sizeof(place));
	kc_log(info.module->kocoon, KOCOON_LOG_ERROR,
	       "Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: %s",
	       place);
	tell(info.module->kocoon, &info);
}

/* ---- signals */

static struct taken *taken_of(int signal)
{
	unsigned int i = 0;

	while (i < SIGNAL_COUNT - 1 && signals[i].signal != signal)
		i++;
	return &signals[i];
}

/* What the system would do: mostly, end the process. */
static void default_action(int signal, const siginfo_t *info)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	bool breakpoint = signal == SIGTRAP;

	sigaction(signal, &action, NULL);
	/* An instruction that faulted faults again once the handler returns. */
	if (info->si_code <= 0 || breakpoint)
		raise(signal);
}

/* To whoever had the signal before. */
static void pass_on(int signal, siginfo_t *info, void *context)
{
	const struct sigaction *former = &taken_of(signal)->former;
	sigset_t mask = former->sa_mask, before;

	if (!(former->sa_flags & SA_SIGINFO) && former->sa_handler == SIG_IGN && info->si_code <= 0)
		return;
	if (!(former->sa_flags & SA_SIGINFO) &&
	    (former->sa_handler == SIG_DFL || former->sa_handler == SIG_IGN)) {
		default_action(signal, info);
		return;
	}
	if (!(former->sa_flags & SA_NODEFER))
		sigaddset(&mask, signal);
	pthread_sigmask(SIG_BLOCK, &mask, &before);
	if (former->sa_flags & SA_SIGINFO)
		former->sa_sigaction(signal, info, context);
	else
		former->sa_handler(signal);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* One that stepping or a watchpoint of a debugger causes is no fault. */
static bool is_fault(const siginfo_t *info, const ucontext_t *context)
{
	return info->si_code > 0 && (info->si_signo != SIGTRAP ||
				     context->uc_mcontext.gregs[REG_TRAPNO] == TRAP_BREAKPOINT);
}

static void handle(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *state = context;
	struct kocoon_trap_info trap = {
		.trap = KOCOON_TRAP_FAULT,
		.signal = signal,
		.ip = (uint64_t)state->uc_mcontext.gregs[REG_RIP],
		.context = context,
	};
	struct kocoon_loaded *module = NULL;
	int err = errno;

	if (signal == SIGSEGV || signal == SIGBUS)
		trap.address = (uint64_t)(uintptr_t)info->si_addr;
	if (signal == SIGTRAP)
		trap.ip--; /* the processor is behind it */
	if (is_fault(info, state))
		module = module_at(trap.ip);
	if (!module || !module_trap(module, &trap, info))
		pass_on(signal, info, context);
	errno = err;
}

static bool is_ours(const struct sigaction *action)
{
	return action->sa_flags & SA_SIGINFO && action->sa_sigaction == handle;
}

/*
 * If somebody took the signal after us and has not given it back, whom that one passes it on to is
 * us: it is left so.
 */
static int take(struct taken *taken)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER }, now;

	if (sigaction(taken->signal, NULL, &now))
		return -errno;
	if (is_ours(&now) ||
	    (taken->ours && (now.sa_flags & SA_SIGINFO ||
			     (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN))))
		return 0;
	taken->former = now;
	action.sa_sigaction = handle;
	if (sigaction(taken->signal, &action, NULL))
		return -errno;
	taken->ours = true;
	return 0;
}

static void give_back(struct taken *taken)
{
	struct sigaction now;

	if (!taken->ours || sigaction(taken->signal, NULL, &now) || !is_ours(&now))
		return;
	sigaction(taken->signal, &taken->former, NULL);
	taken->ours = false;
}

int kc_traps_register(struct kocoon *kocoon)
{
	unsigned int i;
	int err = 0;

	pthread_mutex_lock(&register_lock);
	for (i = 0; i < SIGNAL_COUNT && !err && !atomic_load(&subsystems); i++)
		err = take(&signals[i]);
	if (err) {
		while (i--)
			give_back(&signals[i]);
	} else {
		atomic_store(&kocoon->next_registered, atomic_load(&subsystems));
		atomic_store(&subsystems, kocoon);
	}
	pthread_mutex_unlock(&register_lock);
	return err;
}

void kc_traps_unregister(struct kocoon *kocoon)
{
	_Atomic(struct kocoon *) *link = &subsystems;
	unsigned int i;

	pthread_mutex_lock(&register_lock);
	while (atomic_load(link) && atomic_load(link) != kocoon)
		link = &atomic_load(link)->next_registered;
	if (atomic_load(link))
		atomic_store(link, atomic_load(&kocoon->next_registered));
	for (i = 0; i < SIGNAL_COUNT && !atomic_load(&subsystems); i++)
		give_back(&signals[i]);
	while (atomic_load(&searching))
		sched_yield();
	pthread_mutex_unlock(&register_lock);
}

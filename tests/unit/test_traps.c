/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Traps in module code: machine code in live space, with tables made by hand. One page of text, one
 * of data; the offsets below are within them.
 */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "live/live.h"

enum { EXTABLE = 0, BUG_TABLE = 1024, TEXT = 2048, FIXUP = 256, FOREIGN = 64 };

static struct kocoon *kocoon;
static struct kocoon_loaded module;
static struct kc_mod_kallsyms no_symbols;
static uint64_t text, data; /* addresses */

/* What the hooks saw. */
static struct {
	struct kocoon_trap_info info;
	int calls;
	bool leave; /* by longjmp() */
	char log[1024];
} seen;

/* ThreadSanitizer blocks all signals in a handler; of itself nothing is blocked there. */
#ifdef KC_TSAN
enum { SAVE_MASK = 1 };
#else
enum { SAVE_MASK = 0 };
#endif

static sigjmp_buf way_out;

static void on_trap(void *context, const struct kocoon_trap_info *info)
{
	(void)context;
	seen.info = *info;
	seen.calls++;
	if (seen.leave)
		siglongjmp(way_out, 1);
}

static void on_log(void *context, enum kocoon_log_level level, const char *line)
{
	size_t used = strlen(seen.log);

	(void)context;
	(void)level;
	snprintf(seen.log + used, sizeof(seen.log) - used, "%s\n", line);
}

static int set_up(void **state)
{
	struct kocoon_options options = { .size = sizeof(options),
					  .space = 1 << 20,
					  .cpus = 4,
					  .hooks = { .trap = on_trap, .log = on_log } };
	int err;

	(void)state;
	memset(&seen, 0, sizeof(seen));
	memset(&module, 0, sizeof(module));
	if (kocoon_new(NULL, &options, NULL, &kocoon))
		return -1;
	module.kocoon = kocoon;
	strcpy(module.name, "machine");
	atomic_store(&module.kallsyms, &no_symbols);
	err = kc_live_space_allocate(&kocoon->space, 2 * KC_PAGE_SIZE, &text);
	data = text + KC_PAGE_SIZE;
	if (!err)
		err = kc_live_space_protect(&kocoon->space, text, KC_PAGE_SIZE,
					    KC_PROTECTION_EXECUTE);
	if (!err)
		err = kc_live_space_protect(&kocoon->space, data, KC_PAGE_SIZE,
					    KC_PROTECTION_WRITE);
	kc_live_space_set_owner(&kocoon->space, text, 2 * KC_PAGE_SIZE, &module);
	module.memory.regions[KOCOON_REGION_TEXT] =
		(struct kc_region){ text, KC_PAGE_SIZE, KC_PAGE_SIZE,
				    kc_live_space_bytes(&kocoon->space, text) };
	module.memory.regions[KOCOON_REGION_DATA] =
		(struct kc_region){ data, KC_PAGE_SIZE, KC_PAGE_SIZE,
				    kc_live_space_bytes(&kocoon->space, data) };
	atomic_store(&module.region_sizes[KOCOON_REGION_TEXT], KC_PAGE_SIZE);
	atomic_store(&module.region_sizes[KOCOON_REGION_DATA], KC_PAGE_SIZE);
	module.extable = data + EXTABLE;
	module.bug_table = data + BUG_TABLE;
	return err;
}

static int tear_down(void **state)
{
	(void)state;
	kc_live_space_free(&kocoon->space, text, 2 * KC_PAGE_SIZE);
	kocoon_free(kocoon);
	return 0;
}

#define CODE(offset, ...)                                            \
	memcpy(kc_live_space_bytes(&kocoon->space, text + (offset)), \
	       (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

typedef int64_t module_function(const void *rdi, uint64_t rsi);

static int64_t call(uint64_t offset, const void *rdi, uint64_t rsi)
{
	return ((module_function *)(uintptr_t)(text + offset))(rdi, rsi);
}

static void put32(uint64_t address, uint32_t value)
{
	memcpy(kc_live_space_bytes(&kocoon->space, address), &value, sizeof(value));
}

/* To the end of the exception table. */
static void add_fixup(uint64_t insn, uint64_t fixup, uint32_t kind)
{
	uint64_t at = module.extable + 12 * module.extable_count++;

	put32(at, (uint32_t)(insn - at));
	put32(at + 4, (uint32_t)(fixup - (at + 4)));
	put32(at + 8, kind);
}

/* Whether a call ends in the trap hook, which leaves it. */
static bool traps(uint64_t offset, const void *rdi)
{
	seen.leave = true;
	if (sigsetjmp(way_out, SAVE_MASK))
		return true;
	call(offset, rdi, 0);
	return false;
}

/* ---- exception tables */

#define REG(number) ((number) << 8)
#define FLAGS(flags) ((flags) << 12)
#define IMM(value) ((uint32_t)(value) << 16)

/* A load that fails, with 5 in rax, 3 in rcx and 7 in rdx; what is in rax at the fixup. */
static int64_t fix(uint32_t kind)
{
	module.extable_count = 0;
	CODE(0, 0xb8, 5, 0, 0, 0, /* mov $5, %eax */
	     0xb9, 3, 0, 0, 0, /* mov $3, %ecx */
	     0xba, 7, 0, 0, 0, /* mov $7, %edx */
	     0x48, 0x8b, 0x3f, /* mov (%rdi), %rdi */
	     0xcc);
	CODE(FIXUP, 0xc3); /* ret */
	add_fixup(text + 15, text + FIXUP, kind);
	return call(0, NULL, 0);
}

static void goes_on_at_the_fixup(void **state)
{
	(void)state;
	assert_int_equal(fix(1), 5); /* DEFAULT */
	assert_int_equal(fix(1 | FLAGS(1)), 0); /* and clears ax */
	assert_int_equal(fix(1 | FLAGS(2)), 5); /* or dx */
	assert_int_equal(fix(2), 14); /* FAULT: the exception's number */
	assert_int_equal(fix(3), 5); /* UACCESS */
	assert_int_equal(fix(4), 14); /* COPY */
	assert_int_equal(fix(14), 5); /* DEFAULT_MCE_SAFE */
	assert_int_equal(fix(15), 14); /* FAULT_MCE_SAFE */
	assert_int_equal(fix(17 | IMM(-EFAULT)), -EFAULT); /* IMM_REG */
	assert_int_equal(fix(17 | IMM(1) | REG(3)), 5); /* another register: ebx */
	assert_int_equal(fix(18), 0x4000000e); /* FAULT_SGX */
	assert_int_equal(seen.calls, 0);
	assert_string_equal(seen.log, "");
}

static void sets_other_registers(void **state)
{
	(void)state;
	fix(1);
	CODE(FIXUP, 0x48, 0x89, 0xc8, 0xc3); /* mov %rcx, %rax; ret */
	module.extable_count = 0;
	add_fixup(text + 15, text + FIXUP, 19 | REG(2) | IMM(4)); /* UCOPY_LEN: 4 * rcx + rdx */
	assert_int_equal(call(0, NULL, 0), 4 * 3 + 7);
	module.extable_count = 0;
	add_fixup(text + 15, text + FIXUP, 17 | REG(1) | IMM(-9)); /* IMM_REG */
	assert_int_equal(call(0, NULL, 0), -9);
	CODE(FIXUP, 0x4c, 0x89, 0xc8, 0xc3); /* mov %r9, %rax; ret */
	module.extable_count = 0;
	add_fixup(text + 15, text + FIXUP, 17 | REG(9) | IMM(0x7fff));
	assert_int_equal(call(0, NULL, 0), 0x7fff);
	/* push %rax; mov (%rdi), %rdi: POP_REG takes the word from the stack. */
	CODE(0, 0x50, 0x48, 0x8b, 0x3f, 0xcc);
	CODE(FIXUP, 0xc3);
	module.extable_count = 0;
	add_fixup(text + 1, text + FIXUP, 16 | IMM(-77));
	assert_int_equal(call(0, NULL, 0), -77);
}

static void registers_of_the_machine_can_not_be_reached(void **state)
{
	(void)state;
	/* mov $1, %ecx; mov $6, %edx; rdmsr; int3 */
	CODE(0, 0xb9, 1, 0, 0, 0, 0xba, 6, 0, 0, 0, 0x0f, 0x32, 0xcc);
	CODE(FIXUP, 0x01, 0xd0, 0x48, 0x98, 0xc3); /* add %edx, %eax; cltq; ret */
	add_fixup(text + 10, text + FIXUP, 9); /* RDMSR: reads 0 */
	assert_int_equal(call(0, NULL, 0), 0);
	module.extable_count = 0;
	add_fixup(text + 10, text + FIXUP, 11); /* RDMSR_SAFE */
	assert_int_equal(call(0, NULL, 0), -EIO);
	CODE(10, 0x0f, 0x30); /* wrmsr */
	module.extable_count = 0;
	add_fixup(text + 10, text + FIXUP, 10); /* WRMSR_SAFE */
	assert_int_equal(call(0, NULL, 0), -EIO + 6);
}

/* xor %eax, %eax, then a load of the table; rax is what it gives. */
static void loads_words_that_end_in_nowhere(void **state)
{
	uint8_t *pages = mmap(NULL, 2 * KC_PAGE_SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *end = pages + KC_PAGE_SIZE;

	(void)state;
	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(mprotect(end, KC_PAGE_SIZE, PROT_NONE), 0);
	memcpy(end - 8, "\x11\x22\x33\x44\x55\x66\x77\x18", 8);
	CODE(FIXUP, 0xc3);
	CODE(0, 0x48, 0x8b, 0x07, 0xc3); /* mov (%rdi), %rax */
	add_fixup(text, text + FIXUP, 20);
	assert_int_equal(call(0, end - 3, 0), 0x187766);
	assert_int_equal(call(0, end - 7, 0), 0x18776655443322);
	assert_int_equal(call(0, end - 8, 0), 0x1877665544332211);
	CODE(0, 0x48, 0x8b, 0x44, 0x77, 0x05, 0xc3); /* mov 5(%rdi,%rsi,2), %rax */
	assert_int_equal(call(0, end - 3 - 5 - 40, 20), 0x187766);
	CODE(0, 0x48, 0x8b, 0x87, 0, 0xf0, 0xff, 0xff, 0xc3); /* mov -4096(%rdi), %rax */
	assert_int_equal(call(0, end + 4096 - 1, 0), 0x18);
	/* mov (%rdi), %r8, and mov %r8, %rax behind it */
	CODE(0, 0x4c, 0x8b, 0x07, 0xcc);
	CODE(FIXUP, 0x4c, 0x89, 0xc0, 0xc3);
	assert_int_equal(call(0, end - 2, 0), 0x1877);
	/* A page that isn't there at all is a fault, and so is another instruction. */
	assert_true(traps(0, end + 8));
	CODE(0, 0x8b, 0x07, 0xc3); /* mov (%rdi), %eax */
	assert_true(traps(0, end - 2));
	munmap(pages, 2 * KC_PAGE_SIZE);
}

static void finds_one_of_many(void **state)
{
	(void)state;
	/* 21 times mov (%rdi), %rdi; each fixup has its own mov $N, %eax; ret. */
	for (uint32_t i = 0; i < 21; i++) {
		CODE(i * 4, 0x48, 0x8b, 0x3f, 0xcc);
		CODE(FIXUP + i * 8, 0xb8, (uint8_t)i, 0, 0, 0, 0xc3);
		if (i != 13)
			add_fixup(text + i * 4, text + FIXUP + i * 8, 1);
	}
	for (uint32_t i = 0; i < 21; i++)
		if (i != 13)
			assert_int_equal(call(i * 4, NULL, 0), i);
	assert_int_equal(seen.calls, 0);
	assert_true(traps(13 * 4, NULL));
}

static void some_entries_are_no_fixups(void **state)
{
	static const uint32_t kinds[] = { 0, 5, 6, 7, 12, 13, 21, 255 };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		fix(1);
		module.extable_count = 0;
		add_fixup(text + 15, text + FIXUP, kinds[i]);
		assert_true(traps(0, NULL));
	}
}

static void tables_may_lie(void **state)
{
	(void)state;
	fix(1);
	module.extable_count = 0;
	add_fixup(text + 15, text - KC_PAGE_SIZE, 1); /* on to somewhere else */
	assert_true(traps(0, NULL));
	module.extable_count = UINT64_MAX;
	assert_true(traps(0, NULL));
	module.extable_count = KC_PAGE_SIZE; /* ends behind the module */
	assert_true(traps(0, NULL));
	module.extable_count = 1;
	module.extable = UINT64_MAX - 3;
	assert_true(traps(0, NULL));
	module.extable = 0x1000;
	assert_true(traps(0, NULL));
	module.extable = data;
	CODE(0, 0x0f, 0x0b);
	module.bug_table_size = UINT64_MAX;
	assert_true(traps(0, NULL));
	module.bug_table_size = KC_PAGE_SIZE;
	assert_true(traps(0, NULL));
	module.bug_table = 0;
	assert_true(traps(0, NULL));
	assert_int_equal(seen.info.trap, KOCOON_TRAP_FAULT);
}

/* ---- bug tables */

static void add_bug(uint64_t insn, const char *file, uint32_t line, uint32_t flags)
{
	uint64_t at = module.bug_table + module.bug_table_size;

	module.bug_table_size += 12;
	if (file)
		strcpy((char *)kc_live_space_bytes(&kocoon->space, data + TEXT), file);
	put32(at, (uint32_t)(insn - at));
	put32(at + 4, file ? (uint32_t)(data + TEXT - (at + 4)) : 0);
	put32(at + 8, line | flags << 16);
}

/* At 0: ud2; mov $7, %eax; ret */
static void put_ud2(void)
{
	CODE(0, 0x0f, 0x0b, 0xb8, 7, 0, 0, 0, 0xc3);
}

static void warns_and_goes_on(void **state)
{
	(void)state;
	put_ud2();
	add_bug(text + 100, NULL, 1, 0);
	add_bug(text, "drivers/a.c", 321, 1 | 9 << 8);
	assert_int_equal(call(0, NULL, 0), 7);
	assert_int_equal(call(0, NULL, 0), 7);
	assert_int_equal(seen.calls, 2);
	assert_int_equal(seen.info.trap, KOCOON_TRAP_WARN);
	assert_int_equal(seen.info.signal, SIGILL);
	assert_int_equal(seen.info.ip, text);
	assert_ptr_equal(seen.info.module, &module);
	assert_string_equal(seen.info.file, "drivers/a.c");
	assert_int_equal(seen.info.line, 321);
	assert_non_null(seen.info.context);
	assert_int_equal(kocoon_tainted(kocoon), 1 << KC_TAINT_WARN);
	assert_int_equal(
		memcmp(seen.log, "------------[ cut here ]------------\nWARNING: CPU: ", 50), 0);
	assert_non_null(strstr(seen.log, " at drivers/a.c:321 "));
	assert_non_null(strstr(seen.log, "---[ end trace 0000000000000000 ]---\n"));
}

static void warns_once(void **state)
{
	(void)state;
	put_ud2();
	add_bug(text, "drivers/a.c", 5, 1 | 2 | 8 | 9 << 8);
	assert_int_equal(call(0, NULL, 0), 7);
	assert_int_equal(call(0, NULL, 0), 7);
	assert_int_equal(seen.calls, 1);
	/* What was said before by __warn_printk() has the line in it. */
	assert_null(strstr(seen.log, "cut here"));
}

static void taints_as_the_entry_says(void **state)
{
	(void)state;
	put_ud2();
	add_bug(text, NULL, 5, 1 | 4 << 8);
	assert_int_equal(call(0, NULL, 0), 7);
	assert_int_equal(kocoon_tainted(kocoon), 1 << 4);
	assert_null(seen.info.file);
}

static void a_bug_is_the_end(void **state)
{
	char line[64];

	(void)state;
	put_ud2();
	add_bug(text, "fs/b.c", 77, 0);
	assert_true(traps(0, NULL));
	assert_int_equal(seen.info.trap, KOCOON_TRAP_BUG);
	assert_string_equal(seen.info.file, "fs/b.c");
	assert_int_equal(seen.info.line, 77);
	assert_int_equal(kocoon_tainted(kocoon), 1 << KC_TAINT_DIE);
	snprintf(line, sizeof(line), "kernel BUG at fs/b.c:77!\nRIP: 0010:");
	assert_non_null(strstr(seen.log, line));
	/* Once out of it, the next is caught as well. */
	assert_true(traps(0, NULL));
	assert_int_equal(seen.calls, 2);
}

static void a_bug_may_have_a_fixup(void **state)
{
	(void)state;
	put_ud2();
	CODE(FIXUP, 0xb8, 9, 0, 0, 0, 0xc3); /* mov $9, %eax; ret */
	add_bug(text, "fs/b.c", 77, 0);
	add_fixup(text, text + FIXUP, 1);
	assert_int_equal(call(0, NULL, 0), 9);
	assert_int_equal(seen.calls, 0);
}

/* ---- other traps */

static void tells_what_faulted(void **state)
{
	(void)state;
	CODE(0, 0x48, 0x8b, 0x07, 0xc3); /* mov (%rdi), %rax */
	assert_true(traps(0, (void *)0x18));
	assert_int_equal(seen.info.trap, KOCOON_TRAP_FAULT);
	assert_int_equal(seen.info.signal, SIGSEGV);
	assert_int_equal(seen.info.address, 0x18);
	assert_int_equal(seen.info.ip, text);
	assert_ptr_equal(seen.info.module, &module);
	assert_non_null(strstr(
		seen.log, "BUG: kernel NULL pointer dereference, address: 0000000000000018\n"));
	seen.log[0] = '\0';
	assert_true(traps(0, (void *)(uintptr_t)(text - KC_PAGE_SIZE)));
	assert_non_null(strstr(seen.log, "BUG: unable to handle page fault for address: "));
	seen.log[0] = '\0';
	assert_true(traps(0, (void *)0x8000000000000000)); /* not canonical */
	assert_non_null(strstr(seen.log, "Oops: general protection fault\n"));
	CODE(0, 0x31, 0xc9, 0x31, 0xd2, 0xf7, 0xf1, 0xc3); /* xor ecx, edx; div %ecx */
	assert_true(traps(0, NULL));
	assert_int_equal(seen.info.signal, SIGFPE);
	assert_int_equal(seen.info.ip, text + 4);
	CODE(0, 0x90, 0xcc, 0xc3); /* int3 */
	assert_true(traps(0, NULL));
	assert_int_equal(seen.info.signal, SIGTRAP);
	assert_int_equal(seen.info.ip, text + 1);
	CODE(0, 0x0f, 0x0b, 0xc3); /* ud2 that no table knows */
	assert_true(traps(0, NULL));
	assert_int_equal(seen.info.trap, KOCOON_TRAP_FAULT);
	assert_int_equal(seen.info.signal, SIGILL);
}

static void tells_of_a_broken_stack(void **state)
{
	struct kc_own_exports own = kc_own_thunks();
	size_t i = 0;

	(void)state;
	while (strcmp(own.supplies[i].name, "__stack_chk_fail") != 0)
		i++;
	CODE(0, 0x57, 0xff, 0xd7, 0xcc); /* push %rdi; call *%rdi */
	assert_true(traps(0, own.supplies[i].address));
	assert_int_equal(seen.info.trap, KOCOON_TRAP_BUG);
	assert_int_equal(seen.info.signal, SIGABRT);
	assert_int_equal(seen.info.ip, text + 3);
	assert_non_null(strstr(seen.log, "Kernel stack is corrupted in: "));
}

/* ---- signals of the process */

static volatile sig_atomic_t foreign_calls;
static volatile int foreign_code;
static sigjmp_buf foreign_way_out;

static void foreign(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	foreign_calls++;
	foreign_code = info->si_code;
	siglongjmp(foreign_way_out, 1);
}

static void fault_in_the_program(void)
{
	static volatile uintptr_t nowhere = FOREIGN;

	*(volatile int *)nowhere = 1; /* NOLINT(performance-no-int-to-ptr) */
}

static void in_child(void (*function)(void), int signal)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		struct sigaction usual = { .sa_handler = SIG_DFL };

		sigaction(SIGABRT, &usual, NULL);
		function();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), signal);
}

static void call_text(void)
{
	call(0, NULL, 0);
}

static void raise_fault(void)
{
	raise(SIGSEGV);
}

/* cmocka has handlers of its own for some: these get default ones before. */
static int set_up_without_handlers(void **state)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		signal(numbers[i], SIG_DFL);
	return set_up(state);
}

static void what_nobody_handles_ends_the_process(void **state)
{
	(void)state;
	CODE(0, 0x0f, 0x0b, 0xc3);
	in_child(call_text, SIGILL);
	CODE(0, 0xcc, 0xc3);
	in_child(call_text, SIGTRAP);
	CODE(0, 0x48, 0x8b, 0x07, 0xc3);
	in_child(call_text, SIGSEGV);
	in_child(fault_in_the_program, SIGSEGV);
	in_child(raise_fault, SIGSEGV);
}

static int set_up_with_a_handler(void **state)
{
	struct sigaction action = { .sa_sigaction = foreign, .sa_flags = SA_SIGINFO };

	foreign_calls = 0;
	sigaction(SIGSEGV, &action, NULL);
	return set_up(state);
}

static int tear_down_with_a_handler(void **state)
{
	struct sigaction now;
	int err = tear_down(state);

	sigaction(SIGSEGV, NULL, &now);
	if (now.sa_sigaction != foreign)
		return -1;
	signal(SIGSEGV, SIG_DFL);
	return err;
}

static void hands_on_what_is_not_a_module_s(void **state)
{
	(void)state;
	if (!sigsetjmp(foreign_way_out, 1))
		fault_in_the_program();
	assert_int_equal(foreign_calls, 1);
	assert_int_equal(seen.calls, 0);
	if (!sigsetjmp(foreign_way_out, 1))
		raise(SIGSEGV);
	assert_int_equal(foreign_calls, 2);
	assert_true(foreign_code <= 0);
	assert_int_equal(seen.calls, 0);
}

static void hands_on_what_the_hook_did_not_leave(void **state)
{
	(void)state;
	CODE(0, 0x48, 0x8b, 0x07, 0xc3);
	if (!sigsetjmp(foreign_way_out, 1))
		call(0, NULL, 0);
	assert_int_equal(foreign_calls, 1);
	assert_int_equal(seen.calls, 1);
	/* The signal isn't left blocked. */
	if (!sigsetjmp(foreign_way_out, 1))
		call(0, NULL, 0);
	assert_int_equal(foreign_calls, 2);
}

static void knows_subsystems_apart(void **state)
{
	struct kocoon_options options = { .size = sizeof(options), .space = 1 << 20, .cpus = 4 };
	struct kocoon *others[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(kocoon_new(NULL, &options, NULL, &others[i]), 0);
	assert_int_equal(fix(1), 5);
	kocoon_free(others[1]);
	assert_int_equal(fix(1), 5);
	kocoon_free(others[2]);
	kocoon_free(others[0]);
	assert_int_equal(fix(1), 5);
	assert_int_equal(seen.calls, 0);
}

static void *fault_often(void *context)
{
	(void)context;
	for (int i = 0; i < 2000; i++)
		assert_int_equal(call(0, NULL, 0), 5);
	for (int i = 0; i < 100; i++)
		assert_int_equal(call(512, NULL, 0), 7);
	return NULL;
}

static void threads_while_subsystems_come_and_go(void **state)
{
	struct kocoon_options options = { .size = sizeof(options), .space = 1 << 20, .cpus = 4 };
	pthread_t threads[3];

	(void)state;
	assert_int_equal(fix(1), 5);
	CODE(512, 0x0f, 0x0b, 0xb8, 7, 0, 0, 0, 0xc3); /* ud2; mov $7, %eax; ret */
	add_bug(text + 512, NULL, 5, 1 | 2 | 9 << 8);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fault_often, NULL), 0);
	for (int i = 0; i < 50; i++) {
		struct kocoon *other;

		assert_int_equal(kocoon_new(NULL, &options, NULL, &other), 0);
		kocoon_free(other);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(seen.calls, 1);
}

/* Who takes the signals after us keeps them, and gets ours handed on as long as we are there. */
static void signal_taken_after_us(void **state)
{
	struct sigaction action = { .sa_sigaction = foreign, .sa_flags = SA_SIGINFO }, ours, now;

	assert_int_equal(set_up_without_handlers(state), 0);
	sigaction(SIGSEGV, &action, &ours);
	assert_int_equal(tear_down(state), 0);
	sigaction(SIGSEGV, NULL, &now);
	assert_ptr_equal(now.sa_sigaction, foreign);
	/* They give it back: we have it again, and then nobody. */
	sigaction(SIGSEGV, &ours, NULL);
	assert_int_equal(set_up(state), 0);
	assert_int_equal(fix(1), 5);
	assert_int_equal(tear_down(state), 0);
	sigaction(SIGSEGV, NULL, &now);
	assert_ptr_equal(now.sa_handler, SIG_DFL);
}

/*
 * cmocka takes some signals for the time of a test function, and of each fixture: a subsystem that
 * is to have them comes and goes within the test function.
 */
struct trap_test {
	void (*function)(void **state);
	int (*before)(void **state);
	int (*after)(void **state);
};

static void run(void **state)
{
	const struct trap_test *test = *state;

	if (test->before)
		assert_int_equal(test->before(state), 0);
	test->function(state);
	if (test->after)
		assert_int_equal(test->after(state), 0);
}

#define TEST_WITH(name, before, after)                      \
	{                                                   \
#name, run, NULL, NULL, &(struct trap_test) \
		{                                           \
			name, before, after                 \
		}                                           \
	}
#define TEST(name) TEST_WITH(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(goes_on_at_the_fixup),
		TEST(sets_other_registers),
		TEST(registers_of_the_machine_can_not_be_reached),
		TEST(loads_words_that_end_in_nowhere),
		TEST(finds_one_of_many),
		TEST(some_entries_are_no_fixups),
		TEST(tables_may_lie),
		TEST(warns_and_goes_on),
		TEST(warns_once),
		TEST(taints_as_the_entry_says),
		TEST(a_bug_is_the_end),
		TEST(a_bug_may_have_a_fixup),
		TEST(tells_what_faulted),
		TEST(tells_of_a_broken_stack),
		TEST(knows_subsystems_apart),
		TEST(threads_while_subsystems_come_and_go),
		TEST_WITH(what_nobody_handles_ends_the_process, set_up_without_handlers, tear_down),
		TEST_WITH(hands_on_what_is_not_a_module_s, set_up_with_a_handler,
			  tear_down_with_a_handler),
		TEST_WITH(hands_on_what_the_hook_did_not_leave, set_up_with_a_handler,
			  tear_down_with_a_handler),
		TEST_WITH(signal_taken_after_us, NULL, NULL),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

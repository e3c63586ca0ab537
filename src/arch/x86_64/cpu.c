/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CPUs by name, and the one that this process runs on: which features a kernel would find, or set
 * of its own, for them. Flags are those of /proc/cpuinfo; cpu_flags.c has their numbers.
 */
#include "arch/x86_64/patch.h"
#include "arch/x86_64/x86_64.h"

#include <cpuid.h>
#include <errno.h>
#include <stdio.h>

struct model {
	const char *name;
	const char *flags; /* separated by blanks */
	uint32_t bugs[2]; /* words 22 and 23: X86_BUG_* */
};

#define QEMU_BASE                                                                               \
	"fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr " \
	"sse sse2 syscall nx lm k8 syscall32 rep_good nopl always xtopology cpuid extd_apicid " \
	"pni cx16 hypervisor lahf_lm svm 3dnowprefetch rsb_vmexit rsb_ctxsw vmmcall "           \
	"fence_swapgs_kernel retpoline lfence_rdtsc "
#define QEMU_AVX2                                                                                 \
	"mmxext pdpe1gb rdtscp pclmulqdq monitor ssse3 fma sse4_1 sse4_2 movbe popcnt aes xsave " \
	"osxsave avx f16c rdrand cr8_legacy abm sse4a fsgsbase bmi1 avx2 smep bmi2 adx smap "     \
	"clflushopt xsaveopt xgetbv1 arat npt "

/* As stock kernels see qemu's models of these names under its emulator. */
static const struct model models[] = {
	{ "qemu64", QEMU_BASE, { 0x1ad40 } },
	{ "max",
	  QEMU_BASE QEMU_AVX2 "acpi ss 3dnowext 3dnow erms mpx clwb vgif umip pku ospke vaes la57",
	  { 0x1ad40 } },
	{ "EPYC", QEMU_BASE QEMU_AVX2 "ssbd rethunk unret srso", { 0x28038540, 0x3 } },
	/* A CPU of the base architecture that is not known to leak anything. */
	{ "x86-64",
	  "fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr "
	  "sse sse2 syscall nx lm rep_good nopl always cpuid",
	  { 0 } },
};

/*
 * What code outside of the kernel may make use of, as far as it is there. Not here: what needs
 * privilege (smap's clac and stac, invpcid, xsaves, ...), and mitigations, whose thunks the kernel
 * has.
 */
static const char usable[] =
	"fpu tsc cx8 cmov clflush mmx fxsr sse sse2 ht syscall nx mmxext rdtscp lm pni pclmulqdq "
	"ssse3 cx16 sse4_1 sse4_2 movbe popcnt aes rdrand lahf_lm abm sse4a 3dnowprefetch bmi1 "
	"bmi2 erms rdseed adx clflushopt clwb sha_ni fsrm movdiri movdir64b rdpid gfni serialize "
	"clzero";

/* Needs an operating system that saves its registers: bit 2 of XCR0, and of it bits 5 to 7. */
static const char usable_with_ymm[] = "xsave osxsave avx f16c fma avx2 vaes vpclmulqdq avx_vnni";
static const char usable_with_zmm[] =
	"avx512f avx512dq avx512ifma avx512cd avx512bw avx512vl avx512vbmi avx512_vbmi2 "
	"avx512_vnni avx512_bitalg avx512_vpopcntdq";

/*
 * Set whatever the CPU is. xenpv keeps calls through pv_ops: their alternatives are privileged
 * instructions, in place of which a paravirtualized kernel goes on to call.
 */
static const char set_for_user[] = "always nopl rep_good cpuid lfence_rdtsc xenpv";

static void set(struct kc_cpu *cpu, unsigned int number, bool on)
{
	uint32_t bit = UINT32_C(1) << number % 32;

	if (on)
		cpu->capabilities[number / 32] |= bit;
	else
		cpu->capabilities[number / 32] &= ~bit;
}

/* False: no flag of that name. */
static bool set_flag(struct kc_cpu *cpu, const char *name, size_t len, bool on)
{
	const struct kc_cpu_flag *flag;
	bool known = false;

	for (size_t i = 0; (flag = kc_cpu_flag(i)); i++) {
		if (strncmp(flag->name, name, len) != 0 || flag->name[len])
			continue;
		set(cpu, flag->number, on);
		known = true;
	}
	return known;
}

/* Flags separated by blanks: in `from`, or all of them where it is NULL. */
static void add_flags(struct kc_cpu *cpu, const char *names, const struct kc_cpu *from)
{
	for (size_t len; *names; names += len + (names[len] != '\0')) {
		struct kc_cpu one = { 0 };

		len = strcspn(names, " ");
		if (!len)
			continue;
		set_flag(&one, names, len, true);
		for (int i = 0; i < KC_CPU_WORDS; i++)
			cpu->capabilities[i] |=
				one.capabilities[i] & (from ? from->capabilities[i] : UINT32_MAX);
	}
}

/* ---- this machine ---- */

enum { EAX, EBX, ECX, EDX };

/* Words of the kernel's that are a register of a CPUID leaf. */
static const struct {
	uint8_t word;
	uint8_t register_number;
	uint32_t leaf, subleaf;
} leaves[] = {
	{ 0, EDX, 1, 0 },	    { 1, EDX, 0x80000001, 0 },	{ 4, ECX, 1, 0 },
	{ 6, ECX, 0x80000001, 0 },  { 9, EBX, 7, 0 },		{ 10, EAX, 13, 1 },
	{ 12, EAX, 7, 1 },	    { 13, EBX, 0x80000008, 0 }, { 14, EAX, 6, 0 },
	{ 15, EDX, 0x8000000a, 0 }, { 16, ECX, 7, 0 },		{ 17, EBX, 0x80000007, 0 },
	{ 18, EDX, 7, 0 },	    { 19, EAX, 0x8000001f, 0 }, { 20, EAX, 0x80000021, 0 },
};

static void read_cpuid(struct kc_cpu *cpu)
{
	for (size_t i = 0; i < KC_ARRAY_SIZE(leaves); i++) {
		uint32_t registers[4];

		if (__get_cpuid_count(leaves[i].leaf, leaves[i].subleaf, &registers[EAX],
				      &registers[EBX], &registers[ECX], &registers[EDX]))
			cpu->capabilities[leaves[i].word] = registers[leaves[i].register_number];
	}
}

/* XCR0: which registers the operating system saves. */
static uint32_t saved_registers(const struct kc_cpu *cpu)
{
	uint32_t low = 0, high;

	if (cpu->capabilities[4] >> 27 & 1)
		__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

void kc_x86_cpu_host(struct kc_cpu *cpu_ret)
{
	struct kc_cpu found = { 0 };
	uint32_t saved;

	read_cpuid(&found);
	saved = saved_registers(&found);
	*cpu_ret = (struct kc_cpu){ 0 };
	add_flags(cpu_ret, usable, &found);
	if ((saved & 0x6) == 0x6)
		add_flags(cpu_ret, usable_with_ymm, &found);
	if ((saved & 0xe6) == 0xe6)
		add_flags(cpu_ret, usable_with_zmm, &found);
	add_flags(cpu_ret, set_for_user, NULL);
}

/* ---- by name ---- */

static int refuse(struct kocoon_report *report, const char *what, const char *name, size_t len)
{
	char known[256] = "host";

	for (size_t i = 0; i < KC_ARRAY_SIZE(models); i++) {
		size_t end = strlen(known);

		snprintf(known + end, sizeof(known) - end, ", %s", models[i].name);
	}
	kc_finding(report, KOCOON_STAGE_FINALIZE, -EINVAL, "%s: %.*s", what, (int)len, name);
	kc_expected(report, "one of %s, with +flag or -flag behind commas", known);
	kc_hint(report, "flags are those of /proc/cpuinfo: \"qemu64,+erms,-nopl\"");
	return -EINVAL;
}

static bool find_model(const char *name, size_t len, struct kc_cpu *cpu_ret)
{
	*cpu_ret = (struct kc_cpu){ 0 };
	if (len == 4 && memcmp(name, "host", 4) == 0) {
		kc_x86_cpu_host(cpu_ret);
		return true;
	}
	for (size_t i = 0; i < KC_ARRAY_SIZE(models); i++) {
		if (strncmp(models[i].name, name, len) != 0 || models[i].name[len])
			continue;
		add_flags(cpu_ret, models[i].flags, NULL);
		cpu_ret->capabilities[22] = models[i].bugs[0];
		cpu_ret->capabilities[23] = models[i].bugs[1];
		return true;
	}
	return false;
}

int kc_x86_cpu_find(const char *name, struct kocoon_report *report, struct kc_cpu *cpu_ret)
{
	size_t len = strcspn(name, ",");

	if (!find_model(name, len, cpu_ret))
		return refuse(report, "no such CPU", name, len);
	for (const char *at = name + len; *at; at += len) {
		at++;
		len = strcspn(at, ",");
		if (len < 2 || (*at != '+' && *at != '-') ||
		    !set_flag(cpu_ret, at + 1, len - 1, *at == '+'))
			return refuse(report, "no such CPU flag", at, len);
	}
	return 0;
}

bool kc_x86_cpu_is_smp(const struct kc_cpu *cpu)
{
	return !kc_cpu_has(cpu, KC_FEATURE_UP);
}

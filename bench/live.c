/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * live MODULE.ko SHARED.so [KERNEL]
 *
 * What loading, unloading and looking up cost in a living subsystem, beside dlopen() and dlclose()
 * of the same code in the same run. Rounds are interleaved; a figure is the median of them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kocoon/live.h>

#include "../tests/live/supplies.h"

enum { ROUNDS = 15, PER_ROUND = 400, FEW = 10, MANY = 4000, LOOKUPS = 2000000 };

/* Of both: the module's import and the shared object's. */
KOCOON_API int _printk(const char *format, ...);
KOCOON_CALLED_BY_MODULE int _printk(const char *format, ...)
{
	(void)format;
	return 0;
}

static const struct kocoon_supply supplies[] = { { .name = "_printk", .address = _printk } };

static void check(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "bench: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static struct kocoon *subsystem_new(const struct kocoon_kernel *kernel)
{
	const struct kocoon_options options = {
		.size = sizeof(options),
		.supplies = supplies,
		.supply_count = 1,
		.space = 512 << 20,
	};
	struct kocoon *kocoon;

	check(kocoon_new(kernel, &options, NULL, &kocoon), "kocoon_new");
	return kocoon;
}

static double load_and_unload(struct kocoon *kocoon, const char *path)
{
	double start = now();

	for (int i = 0; i < PER_ROUND; i++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		check(fd < 0 ? errno : 0, path);
		check(kocoon_finit_module(kocoon, fd, "", 0, NULL), "finit_module");
		close(fd);
		check(kocoon_delete_module(kocoon, "hello", O_NONBLOCK), "delete_module");
	}
	return (now() - start) / PER_ROUND;
}

static double open_and_close(const char *path)
{
	double start = now();

	for (int i = 0; i < PER_ROUND; i++) {
		void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);

		if (!handle)
			fprintf(stderr, "bench: %s\n", dlerror());
		check(handle ? 0 : ENOENT, path);
		dlclose(handle);
	}
	return (now() - start) / PER_ROUND;
}

static void compare_with_dlopen(struct kocoon *kocoon, const char *module, const char *shared)
{
	double ours[ROUNDS], theirs[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		ours[i] = load_and_unload(kocoon, module);
		theirs[i] = open_and_close(shared);
	}
	printf("%-58s %8.1f us\n", "load and unload of a small module", median(ours, ROUNDS));
	printf("%-58s %8.1f us\n", "dlopen and dlclose of the same code", median(theirs, ROUNDS));
	printf("%-58s %8.2f\n", "ratio (target: at most 1)",
	       median(ours, ROUNDS) / median(theirs, ROUNDS));
}

static void fill(struct kocoon *kocoon, const unsigned char *original, size_t len,
		 unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i < to; i++) {
		unsigned char *copy = malloc(len);
		char name[16];

		check(copy ? 0 : ENOMEM, "malloc");
		memcpy(copy, original, len);
		snprintf(name, sizeof(name), "hello%u", i);
		check(live_rename(copy, len, name) ? 0 : EINVAL, name);
		check(kocoon_init_module(kocoon, copy, len, "", NULL), name);
		free(copy);
	}
}

/* Two subsystems, so that rounds can alternate. */
static void compare_crowds(const struct kocoon_kernel *kernel, const unsigned char *original,
			   size_t len, const char *module)
{
	struct kocoon *few = subsystem_new(kernel), *many = subsystem_new(kernel);
	double with_few[ROUNDS], with_many[ROUNDS];

	fill(few, original, len, 0, FEW);
	fill(many, original, len, 0, MANY);
	for (int i = 0; i < ROUNDS; i++) {
		with_few[i] = load_and_unload(few, module);
		with_many[i] = load_and_unload(many, module);
	}
	printf("%-58s %8.1f us\n", "one more, beside 10 modules", median(with_few, ROUNDS));
	printf("%-58s %8.1f us\n", "one more, beside 4,000 modules", median(with_many, ROUNDS));
	printf("%-58s %8.2f\n", "ratio (target: at most 1.1)",
	       median(with_many, ROUNDS) / median(with_few, ROUNDS));
	kocoon_free(few);
	kocoon_free(many);
}

struct addresses {
	uint64_t of[MANY];
	size_t count;
};

static int collect(struct kocoon_loaded *module, void *context)
{
	struct addresses *addresses = context;
	uint64_t size;

	kocoon_loaded_region(module, KOCOON_REGION_DATA, &addresses->of[addresses->count], &size);
	addresses->count += size != 0;
	return addresses->count == MANY;
}

/* Million lookups a second. */
static double look_up(const struct kocoon *kocoon, const struct addresses *addresses)
{
	double start = now();
	size_t found = 0;

	for (int i = 0; i < LOOKUPS; i++) {
		kocoon_read_lock();
		found +=
			kocoon_module_address(
				kocoon, addresses->of[(size_t)i * 7919 % addresses->count]) != NULL;
		kocoon_read_unlock();
	}
	check(found == LOOKUPS ? 0 : ENOENT, "module_address");
	return LOOKUPS / (now() - start);
}

static double look_up_symbols(const struct kocoon *kocoon, const struct addresses *addresses)
{
	struct kocoon_address address;
	double start = now();

	for (int i = 0; i < LOOKUPS / 10; i++)
		check(kocoon_lookup_address(kocoon,
					    addresses->of[(size_t)i * 7919 % addresses->count] + 64,
					    &address)
			      ? 0
			      : ENOENT,
		      "lookup_address");
	return (double)LOOKUPS / 10 / (now() - start);
}

struct beside {
	struct kocoon *kocoon;
	const char *module;
	atomic_bool stop;
	atomic_ulong loads;
};

static void *load_on(void *context)
{
	struct beside *beside = context;

	while (!atomic_load(&beside->stop)) {
		load_and_unload(beside->kocoon, beside->module);
		atomic_fetch_add(&beside->loads, PER_ROUND);
	}
	return NULL;
}

/* Another process that loads and unloads: what it takes away is the machine's, not ours. */
static pid_t start_neighbour(const struct kocoon_kernel *kernel, const char *module)
{
	pid_t pid = fork();

	check(pid < 0 ? errno : 0, "fork");
	if (pid == 0) {
		struct kocoon *kocoon = subsystem_new(kernel);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			load_and_unload(kocoon, module);
	}
	return pid;
}

static void stop_neighbour(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void measure_lookups(const struct kocoon_kernel *kernel, const unsigned char *original,
			    size_t len, const char *module)
{
	/* Before there is a subsystem here: its memory would be the child's too. */
	pid_t neighbour = start_neighbour(kernel, module);
	struct beside beside = { .kocoon = subsystem_new(kernel), .module = module };
	struct addresses addresses = { 0 };
	double alone[ROUNDS], apart[ROUNDS], busy[ROUNDS], symbols[ROUNDS];
	pthread_t loader;

	fill(beside.kocoon, original, len, 0, 1000);
	check(kocoon_each_module(beside.kocoon, collect, &addresses), "each_module");
	for (int i = 0; i < ROUNDS; i++)
		apart[i] = look_up(beside.kocoon, &addresses);
	stop_neighbour(neighbour);
	for (int i = 0; i < ROUNDS; i++) {
		alone[i] = look_up(beside.kocoon, &addresses);
		symbols[i] = look_up_symbols(beside.kocoon, &addresses);
	}
	check(pthread_create(&loader, NULL, load_on, &beside), "pthread_create");
	for (int i = 0; i < ROUNDS; i++)
		busy[i] = look_up(beside.kocoon, &addresses);
	atomic_store(&beside.stop, true);
	pthread_join(loader, NULL);
	printf("%-58s %8.1f M/s\n", "address to module (target: 10 M/s)", median(alone, ROUNDS));
	printf("%-58s %8.1f M/s\n", "the same, while another process loads and unloads",
	       median(apart, ROUNDS));
	printf("%-58s %8.1f M/s\n", "the same, while modules come and go in this one",
	       median(busy, ROUNDS));
	printf("%-58s %8.2f\n", "ratio of these two (target: 1)",
	       median(busy, ROUNDS) / median(apart, ROUNDS));
	printf("%-58s %8.1f M/s\n", "address to symbol", median(symbols, ROUNDS));
	kocoon_free(beside.kocoon);
}

int main(int argc, char **argv)
{
	struct kocoon_kernel *kernel = NULL;
	unsigned char *original;
	struct kocoon *kocoon;
	size_t len;

	if (argc < 3) {
		fprintf(stderr, "usage: live MODULE.ko SHARED.so [KERNEL]\n");
		return 2;
	}
	if (argc > 3)
		check(kocoon_kernel_open(argv[3], NULL, NULL, &kernel), argv[3]);
	original = live_image("hello", &len);
	check(original ? 0 : ENOENT, "hello.ko");
	kocoon = subsystem_new(kernel);
	compare_with_dlopen(kocoon, argv[1], argv[2]);
	kocoon_free(kocoon);
	compare_crowds(kernel, original, len, argv[1]);
	measure_lookups(kernel, original, len, argv[1]);
	free(original);
	kocoon_kernel_free(kernel);
	return 0;
}

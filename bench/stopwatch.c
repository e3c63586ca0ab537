/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stopwatch RESULT COMMAND...
 *
 * Runs COMMAND with its output thrown away and writes "WALL-MS CPU-MS PEAK-KIB" to the file RESULT:
 * peak is the largest resident set of any one process of it. Exits as the command does.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double ms_of(struct timeval time)
{
	return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

static void run(char **command)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		_exit(127);
	execvp(command[0], command);
	_exit(127);
}

int main(int argc, char **argv)
{
	struct timespec start, end;
	struct rusage usage;
	int status;
	FILE *result;
	pid_t child;

	if (argc < 3)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &start);
	child = fork();
	if (child == 0)
		run(argv + 2);
	if (child < 0 || wait4(child, &status, 0, &usage) < 0) {
		perror("stopwatch");
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	result = fopen(argv[1], "w");
	if (!result) {
		perror(argv[1]);
		return 2;
	}
	fprintf(result, "%.1f %.1f %ld\n",
		(double)(end.tv_sec - start.tv_sec) * 1e3 +
			(double)(end.tv_nsec - start.tv_nsec) / 1e6,
		ms_of(usage.ru_utime) + ms_of(usage.ru_stime), usage.ru_maxrss);
	if (fclose(result))
		return 2;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/*
 * forker - what clone() is measured against: a program of a given size that
 * forks, and whose child writes
 *
 *	forker ANON_KB FILE_KB FILE
 *
 * Fills its resident memory up to ANON_KB of its own (one block, as a long
 * string is) and FILE_KB of mapped files. For each byte on stdin: forks; the
 * child writes "up", looks at the clock and writes "fork NS", the time since
 * before the fork; the parent writes "done" when the child has ended.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static char *volatile block; /* so that the compiler does not spare it */

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* A line of /proc/self/status, in KB. */
static long status_kb(const char *name)
{
	FILE *file = fopen("/proc/self/status", "r");
	size_t len = strlen(name);
	char line[256];
	long kb = 0;

	while (file && fgets(line, sizeof line, file))
		if (strncmp(line, name, len) == 0 && line[len] == ':')
			kb = atol(line + len + 1);
	if (file)
		fclose(file);
	return kb;
}

static void fill_anon(long kb)
{
	long more = kb - status_kb("RssAnon");

	if (more > 0)
		block = malloc((size_t)more * 1024);
	if (block)
		memset(block, 'x', (size_t)more * 1024);
}

/* The file is made as long as is needed. */
static int fill_file(long kb, const char *path)
{
	long i, more = kb - status_kb("RssFile");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	volatile char *map, sum = 0;

	if (fd < 0)
		return -1;
	if (more > 0) {
		if (ftruncate(fd, more * 1024) < 0)
			return -1;
		map = mmap(NULL, (size_t)more * 1024, PROT_READ, MAP_PRIVATE,
			   fd, 0);
		if (map == MAP_FAILED)
			return -1;
		for (i = 0; i < more * 1024; i += PAGE)
			sum += map[i];
	}
	return close(fd);
}

/* In the child. */
static void report(long long since)
{
	long long took;

	if (write(STDOUT_FILENO, "up\n", 3) != 3)
		_exit(1);
	took = now_ns() - since;
	dprintf(STDOUT_FILENO, "fork %lld\n", took);
	_exit(0);
}

int main(int argc, char **argv)
{
	char command;

	if (argc != 4 || fill_file(atol(argv[2]), argv[3]) < 0) {
		fprintf(stderr, "usage: forker ANON_KB FILE_KB FILE\n");
		return 2;
	}
	fill_anon(atol(argv[1]));
	dprintf(STDOUT_FILENO, "ready\n");
	while (read(STDIN_FILENO, &command, 1) == 1) {
		long long since = now_ns();
		pid_t pid = fork();

		if (pid == 0)
			report(since);
		if (pid < 0)
			return 1;
		waitpid(pid, NULL, 0);
		dprintf(STDOUT_FILENO, "done\n");
	}
	return 0;
}

/* machine - see machine.h */
#include "engine/schedule/machine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"

#define CGROUPS "/sys/fs/cgroup"
#define TEXT	8192 /* memory.stat has some 1500 bytes */

int machine_cpus(struct err *err)
{
	const char *given = getenv("GRIDCENTRIC_CPUS");
	cpu_set_t cores;
	char *end;
	long n;

	if (!given || !*given) {
		n = sched_getaffinity(0, sizeof cores, &cores) == 0
			    ? CPU_COUNT(&cores)
			    : sysconf(_SC_NPROCESSORS_ONLN);
		return (int)(n > 0 ? n : 1) * MACHINE_CPUS_PER_CORE;
	}
	n = strtol(given, &end, 10);
	if (*end || n < 1 || n > MACHINE_MAX_CPUS)
		return err_say(err, -EINVAL,
			       "GRIDCENTRIC_CPUS: not a number from 1 to %d: "
			       "%s",
			       MACHINE_MAX_CPUS, given);
	return (int)n;
}

/* Reads the beginning of a file as text[TEXT]. Returns 0 or a negated
 * errno. */
static int read_text(const char *path, char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, TEXT - 1);
	if (n < 0)
		n = -errno;
	else
		text[n] = '\0';
	close(fd);
	return n < 0 ? (int)n : 0;
}

/* The number behind the word at the start of one of the lines; -1: none. */
static int64_t number_after(const char *text, const char *word)
{
	size_t len = strlen(word);

	while (text && strncmp(text, word, len) != 0) {
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return text ? strtoll(text + len, NULL, 10) : -1;
}

static int64_t of_machine(void)
{
	char text[TEXT];
	int64_t kib;

	if (read_text("/proc/meminfo", text))
		return INT64_MAX;
	kib = number_after(text, "MemAvailable:");
	return kib < 0 ? INT64_MAX : kib * 1024;
}

/* A number of the group in folder dir; -1 where it has none, or no limit. */
static int64_t group_number(const char *dir, const char *file, const char *word)
{
	char path[PATH_MAX + 32], text[TEXT];

	snprintf(path, sizeof path, "%s/%s", dir, file);
	if (read_text(path, text) || strncmp(text, "max", 3) == 0)
		return -1;
	return number_after(text, word);
}

/* What the group in folder dir leaves; pages of files that nobody uses are
 * counted as used there, but are given up first. */
static int64_t of_group(const char *dir)
{
	int64_t limit = group_number(dir, "memory.max", "");
	int64_t used, cache;

	if (limit < 0)
		return INT64_MAX;
	used = group_number(dir, "memory.current", "");
	cache = group_number(dir, "memory.stat", "inactive_file ");
	if (cache > 0)
		used -= cache;
	return used > limit ? 0 : limit - used;
}

/* The least that our group and those above it leave. */
static int64_t of_groups(void)
{
	char text[TEXT], dir[PATH_MAX];
	int64_t left = INT64_MAX, here;
	const char *path;
	char *slash;

	if (read_text("/proc/self/cgroup", text))
		return left;
	/* version 2 is the line "0::/path", and the last one */
	path = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	if (!path)
		return left;
	path = strchr(path, '/');
	if (!path ||
	    snprintf(dir, sizeof dir, CGROUPS "%s", path) >= (int)sizeof dir)
		return left;
	dir[strcspn(dir, "\n")] = '\0';
	while (strlen(dir) >= strlen(CGROUPS)) {
		here = of_group(dir);
		if (here < left)
			left = here;
		slash = strrchr(dir, '/');
		*slash = '\0';
	}
	return left;
}

int64_t memory_available(struct memory *memory)
{
	int64_t now = loop_now(), group;

	if (memory->read_ms && now - memory->read_ms < MEMORY_FRESH_MS)
		return memory->available;
	memory->available = of_machine();
	group = of_groups();
	if (group < memory->available)
		memory->available = group;
	memory->read_ms = now;
	assert(memory->available >= 0);
	return memory->available;
}

void memory_changed(struct memory *memory)
{
	memory->read_ms = 0;
}

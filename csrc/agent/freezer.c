/* freezer - see freezer.h */
#include "agent/freezer.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/loop.h"

#define PROGRAMS "gridcentric"

/* ---- where ------------------------------------------------------------- */

static int is_cgroup2(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static int find_root(struct freezer *freezer)
{
	static const char *const places[] = { "/sys/fs/cgroup",
					      "/sys/fs/cgroup/unified" };
	size_t i;

	for (i = 0; i < sizeof places / sizeof places[0]; i++)
		if (is_cgroup2(places[i])) {
			strcpy(freezer->root, places[i]);
			return 0;
		}
	return -ENOENT;
}

/* Reads the agent's own cgroup from the line "0::/path". */
static int find_own(struct freezer *freezer)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[sizeof freezer->own + 3];
	int code = -ENOENT;

	if (!file)
		return -errno;
	while (code && fgets(line, sizeof line, file))
		if (!strncmp(line, "0::/", 4)) {
			line[strcspn(line, "\n")] = '\0';
			strcpy(freezer->own, line + 3);
			code = 0;
		}
	fclose(file);
	return code;
}

int freezer_init(struct freezer *freezer, struct err *err)
{
	int code;

	memset(freezer, 0, sizeof *freezer);
	code = find_root(freezer);
	if (code && mount("cgroup2", "/sys/fs/cgroup", "cgroup2",
			  MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0)
		code = find_root(freezer);
	if (!code)
		code = find_own(freezer);
	if (!code)
		return 0;
	freezer->root[0] = '\0';
	return err_set(err, code, "cgroup v2");
}

/* ---- which ------------------------------------------------------------- */

/* Whether the agent is in the cgroup `path`, or below it. */
static int is_above_agent(const struct freezer *freezer, const char *path)
{
	size_t len = strlen(path);

	return strncmp(freezer->own, path, len) == 0 &&
	       (freezer->own[len] == '\0' || freezer->own[len] == '/');
}

static int add(struct freezer *freezer, const char *path)
{
	char *copy;

	if (freezer->n == FREEZER_MAX)
		return -E2BIG;
	if (asprintf(&copy, "%s%s", freezer->root, path) < 0)
		return -ENOMEM;
	assert(freezer->n >= 0 && freezer->n < FREEZER_MAX);
	freezer->frozen[freezer->n].fd = -1;
	freezer->frozen[freezer->n++].path = copy;
	return 0;
}

static int list_below(struct freezer *freezer, const char *path);

/* Adds the cgroup `path`, below the root, or looks into it. */
static int look_at(struct freezer *freezer, const char *path)
{
	if (is_above_agent(freezer, path))
		return list_below(freezer, path);
	return strcmp(path, "/init.scope") ? add(freezer, path) : 0;
}

/* Adds the cgroups below path that are to be frozen. */
static int list_below(struct freezer *freezer, const char *path)
{
	char full[PATH_MAX];
	struct dirent *entry;
	int code = 0;
	DIR *dir;

	snprintf(full, sizeof full, "%s%s", freezer->root, path);
	dir = opendir(full);
	if (!dir)
		return -errno;
	while (!code && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		snprintf(full, sizeof full, "%s/%s", path, entry->d_name);
		code = look_at(freezer, full);
	}
	closedir(dir);
	return code;
}

/* ---- doing it ---------------------------------------------------------- */

/* Opens a file of a cgroup. Returns the descriptor or a negated errno. */
static int open_of(const char *cgroup, const char *name, int flags)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof path, "%s/%s", cgroup, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Writes into a file of a cgroup. Returns 0 or a negated errno. */
static int write_to(const char *cgroup, const char *name, const char *text)
{
	int fd = open_of(cgroup, name, O_WRONLY), code;

	if (fd < 0)
		return fd;
	code = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return code;
}

static int freeze(struct frozen *frozen)
{
	int fd = open_of(frozen->path, "cgroup.freeze", O_WRONLY);

	if (fd < 0)
		return fd;
	frozen->fd = fd;
	return write(fd, "1", 1) < 0 ? -errno : 0;
}

static int is_frozen(int events)
{
	char text[256];
	ssize_t n = pread(events, text, sizeof text - 1, 0);

	if (n < 0)
		return 0;
	text[n] = '\0';
	return strstr(text, "frozen 1") != NULL;
}

/* Waits until a cgroup is frozen: the file reports changes as events. */
static int wait_frozen(const char *cgroup, int64_t until_ms)
{
	struct pollfd events = { .events = POLLPRI };
	int64_t left;
	int code = 0;

	events.fd = open_of(cgroup, "cgroup.events", O_RDONLY);
	if (events.fd < 0) /* it may have ended */
		return events.fd == -ENOENT ? 0 : events.fd;
	while (!code && !is_frozen(events.fd)) {
		left = until_ms - loop_now();
		if (left <= 0)
			code = -ETIMEDOUT;
		else if (poll(&events, 1, (int)left) < 0 && errno != EINTR)
			code = -errno;
	}
	close(events.fd);
	return code;
}

static int freeze_all(struct freezer *freezer, struct err *err)
{
	int64_t until_ms = loop_now() + FREEZER_MS;
	int i, code;

	for (i = 0; i < freezer->n; i++) {
		code = freeze(&freezer->frozen[i]);
		if (code && code != -ENOENT && code != -ENODEV)
			return err_set(err, code, "freezing %s",
				       freezer->frozen[i].path);
	}
	for (i = 0; i < freezer->n; i++) {
		code = wait_frozen(freezer->frozen[i].path, until_ms);
		if (code)
			return err_set(err, code, "freezing %s",
				       freezer->frozen[i].path);
	}
	return 0;
}

int freezer_freeze(struct freezer *freezer, struct err *err)
{
	int code;

	assert(freezer->n == 0); /* not frozen twice */
	if (!freezer->root[0])
		return err_say(err, -ENOSYS, "freezing: no cgroup v2 here");
	code = find_own(freezer);
	if (!code)
		code = list_below(freezer, "");
	if (code)
		err_set(err, code, "freezing");
	else
		code = freeze_all(freezer, err);
	if (code)
		freezer_thaw(freezer);
	return code;
}

void freezer_thaw(struct freezer *freezer)
{
	ssize_t n = 0;
	int i;

	/* as close together as possible */
	for (i = 0; i < freezer->n; i++)
		if (freezer->frozen[i].fd >= 0)
			n = write(freezer->frozen[i].fd, "0", 1);
	(void)n; /* it fails where the cgroup has ended */
	while (freezer->n > 0) {
		struct frozen *frozen = &freezer->frozen[--freezer->n];

		if (frozen->fd >= 0)
			close(frozen->fd);
		free(frozen->path);
	}
}

/* ---- the programs' cgroup ---------------------------------------------- */

int freezer_enter(struct freezer *freezer, struct err *err)
{
	char path[PATH_MAX];
	int code = 0;

	if (!freezer->root[0])
		return err_say(err, -ENOSYS, "no cgroup v2 here");
	snprintf(path, sizeof path, "%s%s/" PROGRAMS, freezer->root,
		 strcmp(freezer->own, "/") ? freezer->own : "");
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		code = -errno;
	if (!code)
		code = write_to(path, "cgroup.procs", "0");
	return code ? err_set(err, code, "%s", path) : 0;
}

void freezer_leave(struct freezer *freezer)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s%s", freezer->root, freezer->own);
	write_to(path, "cgroup.procs", "0");
}

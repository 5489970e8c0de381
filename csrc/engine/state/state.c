/* state - see state.h */
#include "engine/state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The value of an environment variable; NULL also for an empty one. */
static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/*
 * $XDG_RUNTIME_DIR, if it is what it should be: after su it can be another
 * user's, in a container it can name a folder that nobody made.
 */
static const char *runtime_dir(void)
{
	const char *dir = environment("XDG_RUNTIME_DIR");
	struct stat st;

	if (!dir || dir[0] != '/' || stat(dir, &st) < 0 ||
	    !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return NULL;
	return dir;
}

/* Writes the folder's path to dir[PATH_MAX]: absolute, no trailing slash. */
static int choose(char *dir, struct err *err)
{
	const char *given = environment("GRIDCENTRIC_STATE");
	const char *runtime = runtime_dir();
	char cwd[PATH_MAX];
	int len;

	if (given && given[0] != '/') {
		if (!getcwd(cwd, sizeof cwd))
			return err_set(err, -errno, "state folder %s", given);
		len = snprintf(dir, PATH_MAX, "%s/%s", cwd, given);
	} else if (given) {
		len = snprintf(dir, PATH_MAX, "%s", given);
	} else if (runtime) {
		len = snprintf(dir, PATH_MAX, "%s/gridcentric", runtime);
	} else if (geteuid() == 0) {
		len = snprintf(dir, PATH_MAX, "/run/gridcentric");
	} else {
		len = snprintf(dir, PATH_MAX, "/tmp/gridcentric-%u",
			       (unsigned)geteuid());
	}
	if (len < 0 || len >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "state folder");
	/* behind a slash even O_NOFOLLOW follows a link */
	while (len > 1 && dir[len - 1] == '/')
		dir[--len] = '\0';
	return 0;
}

/* Says why the folder could not be opened; open() has a single error number
 * for a link and for what is no folder at all. */
static int explain(const char *dir, int code, struct err *err)
{
	struct stat st;

	if (lstat(dir, &st) == 0 && S_ISLNK(st.st_mode))
		return err_say(err, -ELOOP, "state folder %s: is a link", dir);
	return err_set(err, code, "state folder %s", dir);
}

/* Refuses a folder in which others could put or replace files. */
static int check(const struct state *state, struct err *err)
{
	const char *dir = state->dir;
	struct stat st;

	if (fstat(state->dirfd, &st) < 0)
		return err_set(err, -errno, "state folder %s", dir);
	if (st.st_uid != geteuid())
		return err_say(err, -EPERM,
			       "state folder %s: belongs to uid %u, not to "
			       "uid %u",
			       dir, (unsigned)st.st_uid, (unsigned)geteuid());
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_say(err, -EPERM,
			       "state folder %s: group or others may write to "
			       "it (mode %04o)",
			       dir, (unsigned)st.st_mode & 07777);
	return 0;
}

int state_open(struct state *state, int create, struct err *err)
{
	int code;

	state->dirfd = -1;
	code = choose(state->dir, err);
	if (code)
		return code;
	if (create && mkdir(state->dir, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "state folder %s: cannot be made",
			       state->dir);
	state->dirfd = open(state->dir,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (state->dirfd < 0)
		return explain(state->dir, -errno, err);
	code = check(state, err);
	if (!code && create &&
	    faccessat(state->dirfd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		code = err_set(err, -errno, "state folder %s: not writable",
			       state->dir);
	if (code)
		state_close(state);
	return code;
}

void state_close(struct state *state)
{
	if (state->dirfd >= 0)
		close(state->dirfd);
	state->dirfd = -1;
}

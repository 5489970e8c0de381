/* guest/launch - see guest/launch.h */
#include "guest/launch.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/process.h"

#define ENGINE	  "gridcentric-engine"
#define ENGINE_FD 3 /* the number of its owner's channel: --owner */

int launch_path(char *path, size_t size, struct err *err)
{
	static const char *const places[] = { "", "gridcentric/" };
	const char *given = getenv("GRIDCENTRIC_ENGINE");
	Dl_info self;
	char *slash;
	size_t i, len;

	if (given && *given) {
		snprintf(path, size, "%s", given);
		if (access(path, X_OK) == 0)
			return 0;
		return err_set(err, -errno, "GRIDCENTRIC_ENGINE=%s", given);
	}
	if (!dladdr((void *)launch_path, &self) || !self.dli_fname)
		return err_say(err, -GC_EENGINE,
			       "engine: cannot tell where "
			       "this library is");
	slash = strrchr(self.dli_fname, '/');
	len = slash ? (size_t)(slash - self.dli_fname) + 1 : 0;
	for (i = 0; i < sizeof places / sizeof places[0]; i++) {
		snprintf(path, size, "%.*s%s" ENGINE, (int)len, self.dli_fname,
			 places[i]);
		if (access(path, X_OK) == 0)
			return 0;
	}
	return err_say(err, -GC_EENGINE, "engine: no " ENGINE " beside %s",
		       self.dli_fname);
}

/* Starts the engine with fd as its owner's channel. Returns 0 or a negated
 * errno. */
static int start_engine(const char *path, const char *name, int fd,
			const int output[2], pid_t *pid)
{
	char *argv[] = { (char *)path, "--owner",    "3",
			 "--name",     (char *)name, NULL };
	struct process_spec spec = { .file = path,
				     .argv = argv,
				     .nfds = 1,
				     .fds = { { fd, ENGINE_FD } } };
	int i;

	for (i = 0; i < 2; i++) {
		if (output[i] < 0)
			continue;
		spec.fds[spec.nfds].from = output[i];
		spec.fds[spec.nfds++].to = STDOUT_FILENO + i;
	}
	return process_start(&spec, pid);
}

int launch_engine(const char *name, const int output[2], pid_t *pid,
		  struct err *err)
{
	char path[PATH_MAX];
	int sv[2], code;

	code = launch_path(path, sizeof path, err);
	if (code)
		return code;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return err_set(err, -errno, "engine: socketpair");
	assert(ENGINE_FD == 3); /* argv says so */
	code = start_engine(path, name, sv[1], output, pid);
	close(sv[1]);
	if (code) {
		close(sv[0]);
		return err_set(err, code, "engine: %s", path);
	}
	return sv[0];
}

/* program - see program.h */
#include "engine/fork/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/process.h"
#include "engine/fork/lifeline.h"

#define CHANNEL_FD  3 /* where the program finds its channel ... */
#define LIFELINE_FD 4 /* ... and its lifeline */

/* Starts the program with a lifeline, and with the limit of descriptors that
 * the engine itself was started with. */
static int start(struct engine *engine, struct process_spec *spec, pid_t *pid)
{
	int code, lifeline = lifeline_open(engine->lifeline[0]);
	struct rlimit raised;

	if (lifeline < 0)
		return lifeline;
	spec->fds[1].from = lifeline;
	spec->fds[1].to = LIFELINE_FD;

	getrlimit(RLIMIT_NOFILE, &raised);
	setrlimit(RLIMIT_NOFILE, &engine->given_files);
	code = process_start(spec, pid);
	setrlimit(RLIMIT_NOFILE, &raised);
	close(lifeline);
	return code;
}

int program_start(struct engine *engine, int port, const char *dir,
		  char *const *argv, struct err *err)
{
	struct domain *domain;
	char where[128];
	struct process_spec spec = {
		.file = argv[0], .argv = argv, .dir = dir, .nfds = 2
	};
	int code;
	pid_t pid;

	if (domain_find(engine, 0))
		return err_say(err, -EALREADY, "the program is running");
	domain = domain_new(engine, 0, NULL, err);
	if (!domain)
		return err->code;
	engine->program_port = port;
	snprintf(where, sizeof where, "%d:%d:%d:%s", CHANNEL_FD, LIFELINE_FD,
		 port, domain->token);
	spec.fds[0].from = domain->far_end;
	spec.fds[0].to = CHANNEL_FD;
	setenv("GRIDCENTRIC_CHANNEL", where, 1);
	if (port) {
		snprintf(where, sizeof where, "%d", port);
		setenv("PORT", where, 1);
	}
	code = start(engine, &spec, &pid);
	unsetenv("GRIDCENTRIC_CHANNEL");
	close(domain->far_end);
	domain->far_end = -1;
	if (code) {
		err_set(err, code, "%s", argv[0]);
		domain_fail(domain, err);
		return code;
	}
	domain_has_pid(domain, pid);
	return 0;
}

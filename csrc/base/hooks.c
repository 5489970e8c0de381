/* hooks - see hooks.h */
#include "base/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"
#include "base/text.h"

#define DEFAULT_DIR	   "/etc/gridcentric"
#define DEFAULT_TIMEOUT_MS 10000
#define MAX_TIMEOUT_S	   86400
#define LAST_READS	   16 /* after its end; a pipe holds 16 of these */
#define READ_SIZE	   4096

extern char **environ;

void hooks_init(struct hooks *hooks, struct loop *loop)
{
	const char *dir = getenv("GRIDCENTRIC_HOOKS");
	const char *limit = getenv("GRIDCENTRIC_HOOK_TIMEOUT");
	double seconds;
	char *end;

	hooks->loop = loop;
	hooks->timeout_ms = DEFAULT_TIMEOUT_MS;
	snprintf(hooks->dir, sizeof hooks->dir, "%s",
		 dir && *dir ? dir : DEFAULT_DIR);
	if (!limit || !*limit)
		return;
	seconds = strtod(limit, &end);
	if (*end || !(seconds >= 0.001 && seconds <= MAX_TIMEOUT_S))
		fprintf(stderr,
			"gridcentric: GRIDCENTRIC_HOOK_TIMEOUT: not a number "
			"of seconds up to %d: %s\n",
			MAX_TIMEOUT_S, limit);
	else
		hooks->timeout_ms = (int)(seconds * 1000);
}

static int path_of(const struct hooks *hooks, const char *name, char *path)
{
	int len = snprintf(path, PATH_MAX, "%s/%s", hooks->dir, name);

	return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int hook_exists(const struct hooks *hooks, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return path_of(hooks, name, path) || lstat(path, &st) == 0 ||
	       (errno != ENOENT && errno != ENOTDIR);
}

/* ---- output ------------------------------------------------------------- */

/* Reads once. Returns whether there may be more. */
static int read_output(struct hook_run *run)
{
	char data[READ_SIZE];
	ssize_t n;

	if (run->output.fd < 0)
		return 0;
	n = read(run->output.fd, data, sizeof data);
	if (n > 0)
		run->len = text_append_tail(run->text, run->len, HOOK_OUTPUT,
					    data, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		loop_close(&run->output, NULL);
	return n > 0;
}

static void on_output(struct loop_source *source, uint32_t events)
{
	read_output(container_of(source, struct hook_run, output));
}

/* Makes a text of it that can be shown and logged. */
static void finish_text(struct hook_run *run)
{
	size_t i;

	for (i = 0; i < run->len; i++)
		if (!run->text[i])
			run->text[i] = '?';
	while (run->len && run->text[run->len - 1] == '\n')
		run->len--;
	run->text[run->len] = '\0';
	text_clean(run->text);
}

/* ---- its end ------------------------------------------------------------ */

/* Both, as a leader can leave its group. The process was not reaped, so that
 * its number is still its own. */
static void kill_group(const struct hook_run *run)
{
	kill(-run->pid, SIGKILL);
	kill(run->pid, SIGKILL);
}

static void free_run(struct loop_source *source)
{
	free(container_of(source, struct hook_run, pidfd));
}

/* The loop is freed before the hook has ended: no handler will reap it. */
static void abandon(struct loop_source *source)
{
	struct hook_run *run = container_of(source, struct hook_run, pidfd);

	kill_group(run);
	free(run);
}

/* Says in words how it ended. */
static void explain(const struct hook_run *run, struct err *err)
{
	const char *last = strrchr(run->text, '\n');
	const char *signal;

	last = last ? last + 1 : run->text;
	if (run->timed_out)
		err_say(err, -GC_EHOOK, "killed after %g s",
			run->limit_ms / 1000.0);
	else if (run->status == -1)
		err_say(err, -GC_EHOOK, "exit status unknown");
	else if (WIFSIGNALED(run->status)) {
		signal = sigabbrev_np(WTERMSIG(run->status));
		err_say(err, -GC_EHOOK, "killed by SIG%s",
			signal ? signal : "?");
	} else if (WEXITSTATUS(run->status))
		err_say(err, -GC_EHOOK, "exit status %d%s%s",
			WEXITSTATUS(run->status), *last ? ": " : "", last);
	else
		return;
	err_prefix(err, "%s", run->name);
}

/* Takes the process's wait status. Returns 0 when it has not ended yet. */
static int reap(struct hook_run *run)
{
	int got = process_reap(run->pidfd.fd, &run->status);

	if (got < 0)
		run->status = -1;
	return got != 0;
}

static void on_exit_seen(struct loop_source *source, uint32_t events)
{
	struct hook_run *run = container_of(source, struct hook_run, pidfd);
	struct err err = { 0 };
	int i = 0;

	if (!reap(run))
		return;
	/* what it wrote is there; a child may go on writing, so count */
	while (i < LAST_READS && read_output(run))
		i++;
	finish_text(run);
	loop_timer_stop(&run->timer);
	loop_close(&run->output, NULL);
	loop_close(&run->pidfd, free_run);
	if (!run->done)
		return;
	explain(run, &err);
	run->done(run, &err);
}

static void on_time_limit(struct loop_timer *timer)
{
	struct hook_run *run = container_of(timer, struct hook_run, timer);

	run->timed_out = 1;
	kill_group(run);
}

void hook_cancel(struct hook_run *run)
{
	run->done = NULL;
	kill_group(run);
}

/* ---- its start ---------------------------------------------------------- */

/*
 * The engine's environment, with vars ("NAME=value") in the place of what has
 * their names there. The strings stay where they are. NULL: no memory.
 */
static char **make_environment(char *const *vars, size_t nvars)
{
	size_t i, var, n = 0;
	char **env;

	while (environ[n])
		n++;
	env = malloc((n + nvars + 1) * sizeof *env);
	if (!env)
		return NULL;
	memcpy(env, vars, nvars * sizeof *env);
	n = nvars;
	for (i = 0; environ[i]; i++) {
		for (var = 0; var < nvars; var++)
			if (strncmp(environ[i], vars[var],
				    strcspn(vars[var], "=") + 1) == 0)
				break;
		if (var == nvars)
			env[n++] = environ[i];
	}
	env[n] = NULL;
	return env;
}

/* Starts it writing to out. Returns 0 or a negated errno. */
static int spawn(const char *path, char **env, int out, pid_t *pid)
{
	char *argv[] = { (char *)path, NULL };
	struct process_spec spec = { .file = path,
				     .argv = argv,
				     .env = env,
				     .nfds = 2,
				     .fds = { { out, 1 }, { out, 2 } } };

	return process_start(&spec, pid);
}

/* Says why a program that is there cannot be run. */
static void explain_start(int code, const char *path, const char *name,
			  struct err *err)
{
	if (code == -EACCES)
		err_say(err, -GC_EHOOK, "%s: not executable", name);
	else if (code == -ENOEXEC)
		err_say(err, -GC_EHOOK, "%s: not a program (no #! line?)",
			name);
	else if (code == -ENOENT && access(path, F_OK) == 0)
		err_say(err, -GC_EHOOK, "%s: its interpreter is missing", name);
	else
		err_say(err, -GC_EHOOK, "%s: %s", name, err_text(code));
}

/* Starts the program; run->pid is its process then, *output the end to read
 * from. Returns 0 or a negated errno. */
static int start(struct hook_run *run, const char *path, char **env,
		 int *output)
{
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	err = spawn(path, env, ends[1], &run->pid);
	close(ends[1]);
	if (err) {
		close(ends[0]);
		return err;
	}
	/* only this end: the program must not see EAGAIN */
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	*output = ends[0];
	return 0;
}

/* Watches a started program. On error it is killed and reaped. */
static int watch(struct loop *loop, struct hook_run *run, int output)
{
	int err;

	err = loop_add(loop, &run->output, output, EPOLLIN, on_output);
	if (err) {
		close(output);
		goto out;
	}
	err = process_watch(&run->pidfd, loop, run->pid, on_exit_seen);
	if (err) {
		close(loop_release(&run->output));
		goto out;
	}
	run->pidfd.closed = abandon;
	loop_timer_start(loop, &run->timer, run->limit_ms, on_time_limit);
	return 0;
out:
	kill_group(run);
	process_destroy(run->pid);
	return err;
}

/* Runs the program at path. Returns 0 or a negated errno. */
static int run_program(struct loop *loop, struct hook_run *run,
		       const char *path, int vmid, const char *ticket,
		       const char *address)
{
	char vmid_var[32], ticket_var[128], address_var[128];
	char *vars[] = { vmid_var, ticket_var, address_var };
	int output = -1, err;
	char **env;

	snprintf(vmid_var, sizeof vmid_var, "GC_VMID=%d", vmid);
	snprintf(ticket_var, sizeof ticket_var, "GC_TICKET=%s", ticket);
	snprintf(address_var, sizeof address_var, "GC_ADDRESS=%s", address);
	env = make_environment(vars, sizeof vars / sizeof vars[0]);
	if (!env)
		return -ENOMEM;
	err = start(run, path, env, &output);
	free(env);
	return err ? err : watch(loop, run, output);
}

struct hook_run *hook_start(struct hooks *hooks, const char *name, int vmid,
			    const char *ticket, const char *address,
			    void (*done)(struct hook_run *, struct err *),
			    void *owner, struct err *err)
{
	struct hook_run *run = calloc(1, sizeof *run);
	char path[PATH_MAX];
	int code;

	if (!run) {
		err_set(err, -ENOMEM, "%s", name);
		return NULL;
	}
	run->name = name;
	run->limit_ms = hooks->timeout_ms;
	run->done = done;
	run->owner = owner;
	code = path_of(hooks, name, path);
	if (!code)
		code = run_program(hooks->loop, run, path, vmid, ticket,
				   address);
	if (!code)
		return run;
	explain_start(code, path, name, err);
	free(run);
	return NULL;
}

/*
 * host/local - the machine that the engine runs on
 *
 * Processes are watched by pidfd: a number that was given to another process
 * meanwhile can neither be killed nor be taken for ours. They die with the
 * engine by a lifeline, a pipe whose end makes the kernel send SIGKILL.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/core/host.h"
#include "engine/host/address.h"
#include "engine/host/orphans.h"

struct local {
	struct addresses addresses;
	struct orphans orphans;
	int lifeline[2];     /* a pipe: processes that hold [0] die when [1] is
			  * closed */
	struct rlimit files; /* RLIMIT_NOFILE before it was raised */
};

/* ---- opening and closing ------------------------------------------------ */

/* Every clone takes some descriptors here: as many as the system allows. */
static void raise_limit(struct local *local)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &local->files);
	limit = local->files;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void close_lifeline(struct local *local, int i)
{
	if (local->lifeline[i] >= 0)
		close(local->lifeline[i]);
	local->lifeline[i] = -1;
}

static int open_parts(struct host *host, struct local *local, struct err *err)
{
	if (pipe2(local->lifeline, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_set(err, -errno, "lifeline");
	if (!addresses_open(&local->addresses, host->loop, err))
		return 0;
	close_lifeline(local, 0);
	close_lifeline(local, 1);
	return err->code;
}

static int open_local(struct host *host, struct err *err)
{
	struct local *local = calloc(1, sizeof *local);

	if (!local)
		return err_set(err, -ENOMEM, "host");
	raise_limit(local);
	if (open_parts(host, local, err)) {
		free(local);
		return err->code;
	}
	local->addresses.host = host;
	host->number = local->addresses.block;
	host->claim = local->addresses.claim;
	host->data = local;
	return 0;
}

/* Whom a pipe signals is kept with the open file, so each process needs one of
 * its own. It cannot open that itself once it has changed its user. */
static int open_lifeline(struct host *host)
{
	const struct local *local = host->data;
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/self/fd/%d", local->lifeline[0]);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void cut_lifelines(struct host *host)
{
	close_lifeline(host->data, 1);
}

static void close_local(struct host *host)
{
	struct local *local = host->data;

	close_lifeline(local, 0);
	close_lifeline(local, 1);
	addresses_close(&local->addresses);
	orphans_close(&local->orphans);
	free(local);
	host->data = NULL;
}

/* ---- addresses ---------------------------------------------------------- */

static struct lease *lease(struct host *host, const struct listener *wanted,
			   int n, struct err *err)
{
	struct local *local = host->data;

	return address_lease(&local->addresses, wanted, n, err);
}

static int relieve(struct host *host)
{
	struct local *local = host->data;

	return address_relieve(&local->addresses);
}

/* ---- processes ---------------------------------------------------------- */

static void reap(struct host_process *process)
{
	int status;

	assert(process->host && process->has_ended);
	if (process_reap(process->watch.fd, &status) == 1)
		process->status = status;
}

static void on_exited(struct loop_source *source, uint32_t events)
{
	struct host_process *process =
		container_of(source, struct host_process, watch);

	if (process->has_ended)
		return; /* and its parent has reaped it by now */
	process->has_ended = 1;
	loop_change(source, EPOLLET); /* or it would be reported for ever */
	reap(process);
	process->exited(process);
}

static int watch(struct host *host, struct host_process *process, int pid)
{
	int code;

	assert(!process->host && process->exited);
	code = process_watch(&process->watch, host->loop, pid, on_exited);
	if (code)
		return code;
	process->host = host;
	process->pid = pid;
	process->status = -1;
	process->has_ended = 0;
	return 0;
}

/* The process gets the limit of descriptors that the engine was started with. */
static int start(struct host *host, struct host_process *process,
		 const struct process_spec *spec)
{
	struct local *local = host->data;
	struct rlimit raised;
	pid_t pid;
	int code;

	getrlimit(RLIMIT_NOFILE, &raised);
	setrlimit(RLIMIT_NOFILE, &local->files);
	code = process_start(spec, &pid);
	setrlimit(RLIMIT_NOFILE, &raised);
	if (code)
		return code;
	code = watch(host, process, pid);
	if (code)
		process_destroy(pid);
	return code;
}

/* The second number after the name, which may itself hold ") ". */
static int parent_of(struct host *host, const struct host_process *process)
{
	char path[64], stat[512];
	const char *after;
	int parent, fd;
	ssize_t n;

	assert(process->host == host);
	snprintf(path, sizeof path, "/proc/%d/stat", process->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, stat, sizeof stat - 1);
	close(fd);
	if (n <= 0)
		return -ESRCH;
	stat[n] = '\0';
	after = strrchr(stat, ')');
	if (!after || sscanf(after, ") %*c %d", &parent) != 1)
		return -EPROTO;
	return parent;
}

static void kill_process(struct host_process *process, int signal)
{
	assert(process->host && process->watch.fd >= 0);
	process_signal(process->watch.fd, signal);
}

static void forget(struct host_process *process)
{
	assert(process->host);
	loop_close(&process->watch, NULL);
	process->host = NULL;
	process->pid = 0;
}

static int reap_orphans(struct host *host,
			int (*is_watched)(const void *owner, int pid),
			const void *owner, struct err *err)
{
	struct local *local = host->data;

	local->orphans.is_watched = is_watched;
	local->orphans.owner = owner;
	return orphans_open(&local->orphans, host->loop, err);
}

static void check(const struct host *host)
{
	const struct local *local = host->data;

	assert(host->number == local->addresses.block);
	assert(host->claim == local->addresses.claim);
	address_check(&local->addresses);
}

const struct host_ops host_local = {
	.open = open_local,
	.close = close_local,
	.open_lifeline = open_lifeline,
	.cut_lifelines = cut_lifelines,
	.lease = lease,
	.retire = address_retire,
	.start = start,
	.watch = watch,
	.parent_of = parent_of,
	.kill = kill_process,
	.reap = reap,
	.forget = forget,
	.reap_orphans = reap_orphans,
	.relieve = relieve,
	.check = check,
};

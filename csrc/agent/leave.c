/* leave - see leave.h */
#include "agent/leave.h"

#include <assert.h>
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/connections.h"
#include "base/process.h"

#define INODES_MAX 64 /* sockets that listen on one port */

struct sockets {
	unsigned long inodes[INODES_MAX];
	int n;
};

/* ---- who listens ------------------------------------------------------- */

static int has_inode(const struct sockets *sockets, unsigned long inode)
{
	int i;

	for (i = 0; i < sockets->n; i++)
		if (sockets->inodes[i] == inode)
			return 1;
	return 0;
}

/* Whether the process has one of the sockets open. */
static int has_socket(pid_t pid, const struct sockets *sockets)
{
	char path[PATH_MAX], target[64];
	struct dirent *entry;
	unsigned long inode;
	int found = 0;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target,
					 sizeof target - 1);

		target[len > 0 ? len : 0] = '\0';
		found = sscanf(target, "socket:[%lu]", &inode) == 1 &&
			has_inode(sockets, inode);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* The parent of a process, 0 when it has ended. */
static pid_t parent_of(pid_t pid)
{
	char path[64], line[256];
	int parent = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && !parent && fgets(line, sizeof line, file))
		if (sscanf(line, "PPid: %d", &parent) == 1)
			break;
	if (file)
		fclose(file);
	return (pid_t)parent;
}

static int is_in(const pid_t *pids, int n, pid_t pid)
{
	while (n-- > 0)
		if (pids[n] == pid)
			return 1;
	return 0;
}

/* Fills pids with the processes that listen on the port. Returns how many. */
static int find_processes(int port, pid_t *pids)
{
	struct sockets sockets;
	struct dirent *entry;
	int n = 0;
	DIR *dir;

	sockets.n = connections_listeners(port, sockets.inodes, INODES_MAX);
	dir = sockets.n ? opendir("/proc") : NULL;
	while (dir && n < LEAVE_MAX && (entry = readdir(dir))) {
		pid_t pid = (pid_t)atoi(entry->d_name);

		if (pid > 1 && pid != getpid() && has_socket(pid, &sockets))
			pids[n++] = pid;
	}
	if (dir)
		closedir(dir);
	return n;
}

/* ---- their end --------------------------------------------------------- */

static void on_end(struct loop_source *source, uint32_t events)
{
	struct leave *leave =
		container_of(source, struct leave_process, pidfd)->leave;

	assert(leave->nleft > 0);
	loop_close(source, NULL);
	if (--leave->nleft == 0)
		leave->done(leave);
}

static void on_nobody(struct loop_timer *timer)
{
	struct leave *leave = container_of(timer, struct leave, nobody);

	leave->done(leave);
}

/* One that cannot be watched has ended, or is left to the engine's limit. */
static void end_process(struct leave *leave, struct loop *loop, pid_t pid)
{
	struct leave_process *process = &leave->processes[leave->n];

	process->leave = leave;
	if (process_watch(&process->pidfd, loop, pid, on_end))
		return;
	leave->n++;
	leave->nleft++;
	process_signal(process->pidfd.fd, SIGTERM);
}

void leave_start(struct leave *leave, struct loop *loop, int port,
		 void (*done)(struct leave *))
{
	pid_t pids[LEAVE_MAX];
	int i, n;

	if (leave->done)
		return;
	leave->done = done;
	n = port ? find_processes(port, pids) : 0;
	/* a server's workers are its own affair */
	for (i = 0; i < n; i++)
		if (!is_in(pids, n, parent_of(pids[i])))
			end_process(leave, loop, pids[i]);
	if (!leave->nleft)
		loop_timer_start(loop, &leave->nobody, 0, on_nobody);
}

void leave_stop(struct leave *leave)
{
	loop_timer_stop(&leave->nobody);
	while (leave->n > 0)
		loop_close(&leave->processes[--leave->n].pidfd, NULL);
	memset(leave, 0, sizeof *leave);
}

/* control_socket - see control_socket.h */
#include "engine/request/control_socket.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "engine/core/client.h"
#include "engine/state/record.h"

#define MAX_CLIENTS 64	/* at a time */
#define RESUME_MS   100 /* out of descriptors: until the next try */

static int may_ask(int fd)
{
	uid_t uid;

	return unix_socket_peer(fd, &uid) >= 0 &&
	       (uid == geteuid() || uid == 0);
}

/* Counts the control clients; *silent is the oldest of those that have not
 * said hello, NULL: none. */
static int count_clients(const struct engine *engine, struct client **silent)
{
	struct client *client;
	int n = 0;

	*silent = NULL;
	LIST_FOREACH(client, &engine->clients, link) {
		if (!(client->may_be & CLIENT_MAY_BE(ROLE_CONTROL)))
			continue;
		n++;
		if (client->role == CLIENT_UNKNOWN)
			*silent = client; /* newest first */
	}
	return n;
}

static void resume(struct loop_timer *timer)
{
	loop_change(
		&container_of(timer, struct engine, control_resume)->control,
		EPOLLIN);
}

static void on_connection(struct loop_source *source, uint32_t events)
{
	struct engine *engine = container_of(source, struct engine, control);
	struct client *silent;
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
		/* it would be reported again at once, for as long */
		loop_change(source, 0);
		loop_timer_start(&engine->loop, &engine->control_resume,
				 RESUME_MS, resume);
	}
	if (fd < 0)
		return;
	if (count_clients(engine, &silent) >= MAX_CLIENTS && silent)
		client_close(silent); /* it has had its time */
	if (!may_ask(fd) || count_clients(engine, &silent) >= MAX_CLIENTS)
		close(fd);
	else
		client_new(engine, fd, CLIENT_MAY_BE(ROLE_CONTROL));
}

int control_socket_open(struct engine *engine, struct err *err)
{
	char name[sizeof engine->name + sizeof RECORD_SOCKET];
	int code, fd;

	snprintf(name, sizeof name, "%s" RECORD_SOCKET, engine->name);
	code = fd = unix_socket_listen(engine->state.dirfd, name, 0600,
				       MAX_CLIENTS);
	if (fd >= 0)
		code = loop_add(&engine->loop, &engine->control, fd, EPOLLIN,
				on_connection);
	if (!code)
		return 0;
	if (fd >= 0)
		close(fd);
	return err_set(err, code, "control socket %s/%s", engine->state.dir,
		       name);
}

void control_socket_close(struct engine *engine)
{
	char name[sizeof engine->name + sizeof RECORD_SOCKET];

	loop_close(&engine->control, NULL);
	snprintf(name, sizeof name, "%s" RECORD_SOCKET, engine->name);
	unlinkat(engine->state.dirfd, name, 0);
}

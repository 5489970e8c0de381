/* proxy/upstream - see proxy/upstream.h */
#include "proxy/upstream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/*
 * Opens a socket and begins to connect. *done: the connection is made. On one
 * host it mostly is when connect() returns, whatever that says; to know so
 * saves a turn of the loop.
 */
static int begin_connect(const struct address *address, bool *done)
{
	struct address peer = { .len = sizeof peer.v6 };
	int error, on = 1;
	int fd = socket(address->any.sa_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, &address->any, address->len) < 0 &&
	    errno != EINPROGRESS) {
		error = -errno;
		close(fd);
		return error;
	}
	*done = !getpeername(fd, &peer.any, &peer.len);
	return fd;
}

static void add(struct upstreams *all, struct upstream *upstream)
{
	upstream->all = all;
	upstream->link = &all->first;
	upstream->next = all->first;
	if (upstream->next)
		upstream->next->link = &upstream->next;
	all->first = upstream;
	all->nopen++;
}

int upstream_open(struct upstreams *all, const struct address *address,
		  void (*ready)(struct loop_source *, uint32_t),
		  struct upstream **made)
{
	struct upstream *upstream = calloc(1, sizeof *upstream);
	bool done = false;
	int fd = -1, err = -ENOMEM;

	if (!upstream)
		goto fail;
	upstream->address = *address;
	err = fd = begin_connect(address, &done);
	if (fd < 0)
		goto fail;
	err = loop_add(all->loop, &upstream->source, fd,
		       done ? EPOLLIN : EPOLLOUT, ready);
	if (err)
		goto fail;
	upstream->connected = done;
	add(all, upstream);
	*made = upstream;
	return done;
fail:
	if (fd >= 0)
		close(fd);
	free(upstream);
	return err;
}

int upstream_finish(struct upstream *upstream)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(upstream->source.fd, SOL_SOCKET, SO_ERROR, &error,
		       &len) < 0)
		error = errno;
	upstream->connected = !error;
	return -error;
}

static void source_closed(struct loop_source *source)
{
	struct upstream *upstream =
		container_of(source, struct upstream, source);
	struct upstreams *all = upstream->all;

	*upstream->link = upstream->next;
	if (upstream->next)
		upstream->next->link = upstream->link;
	free(upstream);
	all->gone(all);
}

void upstream_close(struct upstream *upstream)
{
	upstream->owner = NULL;
	upstream->all->nopen--;
	loop_close(&upstream->source, source_closed);
}

void upstreams_forget(struct upstreams *all)
{
	struct upstream *upstream;

	while ((upstream = all->first)) {
		all->first = upstream->next;
		free(upstream);
	}
	all->nopen = 0;
}

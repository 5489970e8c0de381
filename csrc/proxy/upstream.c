/* proxy/upstream - see proxy/upstream.h */
#include "proxy/upstream.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/*
 * Opens a socket and begins to connect. *done: the connection is made. On one
 * host it mostly is when connect() returns, even with EINPROGRESS; noticing
 * that saves a turn of the loop.
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

void upstreams_init(struct upstreams *all, struct loop *loop,
		    void (*released)(struct upstreams *all))
{
	*all = (struct upstreams){ .loop = loop, .released = released };
	LIST_INIT(&all->list);
}

int upstream_open(struct upstreams *all, const struct address *address,
		  void (*ready)(struct loop_source *, uint32_t),
		  struct upstream **opened)
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
	upstream->all = all;
	LIST_INSERT_HEAD(&all->list, upstream, link);
	all->nopen++;
	*opened = upstream;
	return done;
fail:
	if (fd >= 0)
		close(fd);
	free(upstream);
	return err;
}

int upstream_result(struct upstream *upstream)
{
	socklen_t len = sizeof(int);
	int error = 0;

	assert(!upstream->connected && upstream->owner);
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

	assert(!upstream->owner);
	LIST_REMOVE(upstream, link);
	free(upstream);
	all->released(all);
}

void upstream_close(struct upstream *upstream)
{
	assert(upstream->source.fd >= 0 && upstream->all->nopen > 0);
	upstream->owner = NULL;
	upstream->all->nopen--;
	loop_close(&upstream->source, source_closed);
}

void upstreams_forget(struct upstreams *all)
{
	struct upstream *upstream;

	while ((upstream = LIST_FIRST(&all->list))) {
		LIST_REMOVE(upstream, link);
		free(upstream);
	}
	all->nopen = 0;
}

/* proxy/listener - see proxy/listener.h */
#include "proxy/listener.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	BACKLOG = 4096,	 /* the kernel uses its own limit if that is lower */
	AT_ONCE = 32,	 /* accepted before others get their turn */
	RESUME_MS = 100, /* after EMFILE */
};

void listener_init(struct listener *listener, struct loop *loop,
		   const struct listener_ops *ops)
{
	*listener = (struct listener){
		.loop = loop,
		.ops = ops,
		.source.fd = -1,
	};
}

/* ---- accepting --------------------------------------------------------- */

static void resume_fired(struct loop_timer *timer)
{
	listener_resume(container_of(timer, struct listener, resume));
}

static void pause_accepting(struct listener *listener)
{
	if (!loop_change(&listener->source, 0))
		listener->paused = true;
}

void listener_resume(struct listener *listener)
{
	assert(!listener->paused || listener->opened);
	if (!listener->paused || listener->source.fd < 0 ||
	    !listener->ops->has_room(listener))
		return;
	if (!loop_change(&listener->source, EPOLLIN))
		listener->paused = false;
}

/* Errors of a connection that died in the queue; all others are ours. */
static bool is_of_connection(int error)
{
	return error == EINTR || error == ECONNABORTED || error == EPROTO;
}

/* Accepts up to n connections. */
static void accept_some(struct listener *listener, int n)
{
	struct address peer;
	int fd;

	while (n-- > 0) {
		if (!listener->ops->has_room(listener)) {
			pause_accepting(listener);
			return;
		}
		peer.len = sizeof peer.v6;
		fd = accept4(listener->source.fd, &peer.any, &peer.len,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && is_of_connection(errno))
			continue;
		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0 || listener->ops->accepted(listener, fd, &peer)) {
			pause_accepting(listener);
			loop_timer_start(listener->loop, &listener->resume,
					 RESUME_MS, resume_fired);
			return;
		}
	}
}

static void accept_ready(struct loop_source *source, uint32_t events)
{
	(void)events;
	accept_some(container_of(source, struct listener, source), AT_ONCE);
}

/* ---- opening and closing ----------------------------------------------- */

/* A listening socket, or a negated errno with the step that failed. */
static int open_socket(const struct addrinfo *at, const char **step)
{
	int error, on = 1;
	int fd = socket(at->ai_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*step = "socket";
	if (fd < 0)
		return -errno;
	/* accepted sockets inherit these, which saves system calls */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	*step = "bind";
	if (bind(fd, at->ai_addr, at->ai_addrlen) < 0)
		goto fail;
	*step = "listen";
	if (listen(fd, BACKLOG) < 0)
		goto fail;
	return fd;
fail:
	error = -errno;
	close(fd);
	return error;
}

/* Finds the addresses of host. On failure sets err, returns its code. */
static int look_up(const char *host, int port, struct addrinfo **found,
		   struct err *err)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	char service[16];
	int code;

	snprintf(service, sizeof service, "%d", port);
	code = getaddrinfo(host, service, &hints, found);
	if (!code)
		return 0;
	if (code == EAI_SYSTEM)
		return err_set(err, -errno, "listen on %s:%d", host, port);
	return err_say(err, -EINVAL, "listen on %s:%d: %s", host, port,
		       gai_strerror(code));
}

int listener_open(struct listener *listener, const char *host, int port,
		  struct err *err)
{
	struct addrinfo *found, *at;
	const char *step = "";
	int code, fd = -EADDRNOTAVAIL;

	if (listener->opened)
		return err_set(err, -EALREADY, "listen");
	if (port < 0 || port > 65535)
		return err_set(err, -EINVAL, "listen: port %d", port);
	code = look_up(host, port, &found, err);
	if (code)
		return code;
	for (at = found; at && fd < 0; at = at->ai_next)
		fd = open_socket(at, &step);
	freeaddrinfo(found);
	if (fd < 0)
		return err_set(err, fd, "listen on %s:%d: %s", host, port,
			       step);
	code = loop_add(listener->loop, &listener->source, fd, EPOLLIN,
			accept_ready);
	if (code) {
		close(fd);
		return err_set(err, code, "listen on %s:%d", host, port);
	}
	listener->opened = true;
	return 0;
}

int listener_address(const struct listener *listener, char *ip, int *port)
{
	struct address at = { .len = sizeof at.v6 };

	if (listener->source.fd < 0)
		return -ENOTCONN;
	if (getsockname(listener->source.fd, &at.any, &at.len) < 0)
		return -errno;
	address_text(&at, ip, port);
	return 0;
}

void listener_drain(struct listener *listener)
{
	if (listener->source.fd >= 0)
		accept_some(listener, BACKLOG);
}

static void source_closed(struct loop_source *source)
{
	struct listener *listener =
		container_of(source, struct listener, source);

	listener->ops->closed(listener);
}

void listener_close(struct listener *listener)
{
	if (!listener->opened)
		return;
	loop_timer_stop(&listener->resume);
	loop_close(&listener->source, source_closed);
}

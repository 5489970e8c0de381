/*
 * lua_server - a fast web server, to stand behind the proxies
 *
 *	local server = require "bench.server"
 *	local port = server.listen(0)	-- on all addresses
 *	server.serve()			-- for ever
 *
 * One process, one epoll set. Every request is a GET without a body; "/big"
 * gives BIG bytes, all others a few. It stays open, or closes where the request
 * says "Connection: close".
 */
#include <errno.h>
#include <lauxlib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BIG   (1024 * 1024)
#define INPUT 4096
#define BATCH 64

struct conn {
	int fd;
	int closing;	/* after what is left */
	size_t have;	/* bytes of in */
	size_t left;	/* bytes of the response that are not sent */
	const char *at; /* the next of them */
	char in[INPUT];
};

struct response {
	char *text;
	size_t len;
};

static int listener = -1;

static struct response make_response(size_t len)
{
	char head[128];
	int head_len = snprintf(head, sizeof head,
				"HTTP/1.1 200 OK\r\n"
				"Content-Type: text/plain\r\n"
				"Content-Length: %zu\r\n\r\n",
				len);
	struct response r = { malloc((size_t)head_len + len),
			      (size_t)head_len + len };

	if (!r.text)
		abort();
	memcpy(r.text, head, (size_t)head_len);
	memset(r.text + head_len, 'x', len);
	return r;
}

static void end_conn(struct conn *conn)
{
	close(conn->fd);
	free(conn);
}

/* Takes the next request off the buffer. Returns 0 when it is not all there. */
static int next_request(struct conn *conn, int *big)
{
	char *end;
	size_t len;

	conn->in[conn->have] = '\0';
	end = strstr(conn->in, "\r\n\r\n");
	if (!end)
		return 0;
	len = (size_t)(end - conn->in) + 4;
	*big = strncmp(conn->in, "GET /big ", 9) == 0;
	*end = '\0';
	conn->closing = strcasestr(conn->in, "\nConnection: close") != NULL;
	conn->have -= len;
	memmove(conn->in, conn->in + len, conn->have);
	return 1;
}

/* Returns -1 when the connection is over. */
static int send_some(struct conn *conn)
{
	ssize_t n = send(conn->fd, conn->at, conn->left, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	conn->at += n;
	conn->left -= (size_t)n;
	return conn->left == 0 && conn->closing ? -1 : 0;
}

static int read_some(struct conn *conn)
{
	ssize_t n =
		read(conn->fd, conn->in + conn->have, INPUT - 1 - conn->have);

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -1;
	conn->have += (size_t)n;
	return 0;
}

static void serve_conn(int epfd, struct conn *conn, uint32_t events,
		       const struct response *responses)
{
	int big, err = 0, was_full = conn->left > 0;
	struct epoll_event ev = { .data.ptr = conn };

	if (conn->left > 0)
		err = send_some(conn);
	else if (events & (EPOLLIN | EPOLLHUP))
		err = read_some(conn);
	while (!err && conn->left == 0 && next_request(conn, &big)) {
		conn->at = responses[big].text;
		conn->left = responses[big].len;
		err = send_some(conn);
	}
	if (err) {
		end_conn(conn);
	} else if (was_full != (conn->left > 0)) {
		ev.events = conn->left > 0 ? EPOLLOUT : EPOLLIN;
		epoll_ctl(epfd, EPOLL_CTL_MOD, conn->fd, &ev);
	}
}

static void accept_some(int epfd)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *conn = calloc(1, sizeof *conn);
		struct epoll_event ev = { EPOLLIN, { .ptr = conn } };

		if (!conn)
			abort();
		conn->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev);
	}
}

/* serve(): does not return. */
static int serve(lua_State *L)
{
	struct response responses[2] = { make_response(13),
					 make_response(BIG) };
	struct epoll_event ev = { EPOLLIN, { .ptr = NULL } }, batch[BATCH];
	int i, n, epfd = epoll_create1(EPOLL_CLOEXEC);

	if (epfd < 0 || epoll_ctl(epfd, EPOLL_CTL_ADD, listener, &ev) < 0)
		return luaL_error(L, "serve: %s", strerror(errno));
	for (;;) {
		n = epoll_wait(epfd, batch, BATCH, -1);
		for (i = 0; i < n; i++) {
			if (batch[i].data.ptr)
				serve_conn(epfd, batch[i].data.ptr,
					   batch[i].events, responses);
			else
				accept_some(epfd);
		}
	}
}

/* listen(port) -> port; a clone's is put under the same descriptor. */
static int listen_on(lua_State *L)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof addr;

	addr.sin_port = htons((uint16_t)luaL_checkinteger(L, 1));
	listener =
		socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&addr, len) < 0 ||
	    listen(listener, SOMAXCONN) < 0 ||
	    getsockname(listener, (struct sockaddr *)&addr, &len) < 0)
		return luaL_error(L, "listen: %s", strerror(errno));
	lua_pushinteger(L, ntohs(addr.sin_port));
	return 1;
}

__attribute__((visibility("default"))) int luaopen_bench_server(lua_State *L);

int luaopen_bench_server(lua_State *L)
{
	static const luaL_Reg functions[] = { { "listen", listen_on },
					      { "serve", serve },
					      { NULL, NULL } };

	luaL_newlib(L, functions);
	return 1;
}

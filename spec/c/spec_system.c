/*
 * spec_system - system calls that luv does not have, for programs that specs
 * clone: gridcentric.spec_system
 *
 * A failure raises an error that ends in its errno's name.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <lauxlib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"

#define OPTIONS(X)                       \
	X(SOL_SOCKET, SO_KEEPALIVE)      \
	X(SOL_SOCKET, SO_REUSEADDR)      \
	X(SOL_SOCKET, SO_REUSEPORT)      \
	X(SOL_SOCKET, SO_BROADCAST)      \
	X(SOL_SOCKET, SO_PRIORITY)       \
	X(SOL_SOCKET, SO_RCVBUF)         \
	X(SOL_SOCKET, SO_SNDBUF)         \
	X(SOL_SOCKET, SO_RCVLOWAT)       \
	X(SOL_SOCKET, SO_OOBINLINE)      \
	X(SOL_SOCKET, SO_DOMAIN)         \
	X(SOL_SOCKET, SO_TYPE)           \
	X(SOL_SOCKET, SO_PROTOCOL)       \
	X(SOL_SOCKET, SO_PASSCRED)       \
	X(IPPROTO_TCP, TCP_NODELAY)      \
	X(IPPROTO_TCP, TCP_CORK)         \
	X(IPPROTO_TCP, TCP_KEEPIDLE)     \
	X(IPPROTO_TCP, TCP_KEEPINTVL)    \
	X(IPPROTO_TCP, TCP_KEEPCNT)      \
	X(IPPROTO_TCP, TCP_USER_TIMEOUT) \
	X(IPPROTO_TCP, TCP_DEFER_ACCEPT) \
	X(IPPROTO_TCP, TCP_FASTOPEN)     \
	X(IPPROTO_TCP, TCP_MAXSEG)       \
	X(IPPROTO_IP, IP_TOS)            \
	X(IPPROTO_IP, IP_TTL)            \
	X(IPPROTO_IP, IP_MULTICAST_TTL)  \
	X(IPPROTO_IP, IP_MULTICAST_LOOP) \
	X(IPPROTO_IPV6, IPV6_V6ONLY)     \
	X(IPPROTO_IPV6, IPV6_TCLASS)

static const struct {
	const char *name;
	int level, option;
} options[] = {
#define X(level, option) { #option, level, option },
	OPTIONS(X)
#undef X
};

static int fail(lua_State *L, const char *what)
{
	return luaL_error(L, "%s: %s", what, err_name(-errno));
}

static size_t check_option(lua_State *L, int index)
{
	const char *name = luaL_checkstring(L, index);
	size_t i;

	for (i = 0; i < sizeof options / sizeof options[0]; i++)
		if (!strcmp(options[i].name, name))
			return i;
	return (size_t)luaL_argerror(L, index, "no such option here");
}

/* get(fd, "SO_KEEPALIVE") -> value, or nil and an errno's name */
static int get(lua_State *L)
{
	int fd = (int)luaL_checkinteger(L, 1), value = 0;
	size_t i = check_option(L, 2);
	socklen_t len = sizeof value;

	if (getsockopt(fd, options[i].level, options[i].option, &value, &len) ==
	    0) {
		lua_pushinteger(L, value);
		return 1;
	}
	lua_pushnil(L);
	lua_pushstring(L, err_name(-errno));
	return 2;
}

/* set(fd, "SO_KEEPALIVE", value) */
static int set(lua_State *L)
{
	int fd = (int)luaL_checkinteger(L, 1);
	size_t i = check_option(L, 2);
	int value = (int)luaL_checkinteger(L, 3);

	if (setsockopt(fd, options[i].level, options[i].option, &value,
		       sizeof value) < 0)
		return fail(L, options[i].name);
	return 0;
}

/* socket("inet" | "inet6" | "unix", "stream" | "dgram") -> fd, blocking and
 * without CLOEXEC */
static int open_socket(lua_State *L)
{
	static const char *const families[] = { "inet", "inet6", "unix", NULL };
	static const char *const types[] = { "stream", "dgram", NULL };
	static const int family[] = { AF_INET, AF_INET6, AF_UNIX };
	static const int type[] = { SOCK_STREAM, SOCK_DGRAM };
	int fd = socket(family[luaL_checkoption(L, 1, NULL, families)],
			type[luaL_checkoption(L, 2, NULL, types)], 0);

	if (fd < 0)
		return fail(L, "socket");
	lua_pushinteger(L, fd);
	return 1;
}

static struct sockaddr_in check_address(lua_State *L, int index)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	inet_pton(AF_INET, luaL_checkstring(L, index), &in.sin_addr);
	in.sin_port = htons((uint16_t)luaL_checkinteger(L, index + 1));
	return in;
}

/* bind(fd, ip, port) */
static int bind_socket(lua_State *L)
{
	struct sockaddr_in in = check_address(L, 2);

	if (bind((int)luaL_checkinteger(L, 1), (struct sockaddr *)&in,
		 sizeof in) < 0)
		return fail(L, "bind");
	return 0;
}

/* connect(fd, ip, port) */
static int connect_socket(lua_State *L)
{
	struct sockaddr_in in = check_address(L, 2);

	if (connect((int)luaL_checkinteger(L, 1), (struct sockaddr *)&in,
		    sizeof in) < 0)
		return fail(L, "connect");
	return 0;
}

/* connect_unix(fd, path) */
static int connect_unix(lua_State *L)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	strncpy(un.sun_path, luaL_checkstring(L, 2), sizeof un.sun_path - 1);
	if (connect((int)luaL_checkinteger(L, 1), (struct sockaddr *)&un,
		    sizeof un) < 0)
		return fail(L, "connect");
	return 0;
}

/* bind_unix(fd, path) */
static int bind_unix(lua_State *L)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	strncpy(un.sun_path, luaL_checkstring(L, 2), sizeof un.sun_path - 1);
	if (bind((int)luaL_checkinteger(L, 1), (struct sockaddr *)&un,
		 sizeof un) < 0)
		return fail(L, "bind");
	return 0;
}

/* listen(fd, backlog) */
static int listen_socket(lua_State *L)
{
	if (listen((int)luaL_checkinteger(L, 1), (int)luaL_checkinteger(L, 2)) <
	    0)
		return fail(L, "listen");
	return 0;
}

/* name(fd) -> local ip, port, and those of the peer where there is one */
static int name(lua_State *L)
{
	int fd = (int)luaL_checkinteger(L, 1);
	struct sockaddr_in in;
	socklen_t len = sizeof in;
	char text[INET_ADDRSTRLEN];

	if (getsockname(fd, (struct sockaddr *)&in, &len) < 0)
		return fail(L, "getsockname");
	lua_pushstring(L, inet_ntop(AF_INET, &in.sin_addr, text, sizeof text));
	lua_pushinteger(L, ntohs(in.sin_port));
	len = sizeof in;
	if (getpeername(fd, (struct sockaddr *)&in, &len) < 0)
		return 2;
	lua_pushstring(L, inet_ntop(AF_INET, &in.sin_addr, text, sizeof text));
	lua_pushinteger(L, ntohs(in.sin_port));
	return 4;
}

/* backlog(fd) -> the limit of a listener's queue */
static int backlog(lua_State *L)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof info;

	if (getsockopt((int)luaL_checkinteger(L, 1), IPPROTO_TCP, TCP_INFO,
		       &info, &len) < 0)
		return fail(L, "TCP_INFO");
	lua_pushinteger(L, info.tcpi_sacked);
	return 1;
}

/* flags(fd) -> {nonblock=, append=, async=, cloexec=, owner=, signal=} */
static int flags(lua_State *L)
{
	int fd = (int)luaL_checkinteger(L, 1);
	int status = fcntl(fd, F_GETFL), fd_flags = fcntl(fd, F_GETFD);

	if (status < 0 || fd_flags < 0)
		return fail(L, "fcntl");
	lua_newtable(L);
	lua_pushboolean(L, status & O_NONBLOCK);
	lua_setfield(L, -2, "nonblock");
	lua_pushboolean(L, status & O_APPEND);
	lua_setfield(L, -2, "append");
	lua_pushboolean(L, status & O_ASYNC);
	lua_setfield(L, -2, "async");
	lua_pushboolean(L, fd_flags & FD_CLOEXEC);
	lua_setfield(L, -2, "cloexec");
	lua_pushinteger(L, fcntl(fd, F_GETOWN));
	lua_setfield(L, -2, "owner");
	lua_pushinteger(L, fcntl(fd, F_GETSIG));
	lua_setfield(L, -2, "signal");
	return 1;
}

/* set_flags(fd, nonblock, cloexec) */
static int set_flags(lua_State *L)
{
	int fd = (int)luaL_checkinteger(L, 1);
	int status = fcntl(fd, F_GETFL) & ~O_NONBLOCK;

	if (fcntl(fd, F_SETFL,
		  status | (lua_toboolean(L, 2) ? O_NONBLOCK : 0)) < 0 ||
	    fcntl(fd, F_SETFD, lua_toboolean(L, 3) ? FD_CLOEXEC : 0) < 0)
		return fail(L, "fcntl");
	return 0;
}

/* set_owner(fd, pid, signal) */
static int set_owner(lua_State *L)
{
	int fd = (int)luaL_checkinteger(L, 1);

	if (fcntl(fd, F_SETSIG, (int)luaL_checkinteger(L, 3)) < 0 ||
	    fcntl(fd, F_SETOWN, (int)luaL_checkinteger(L, 2)) < 0)
		return fail(L, "fcntl");
	return 0;
}

/* flock(fd) -> whether it could be locked, without waiting */
static int lock(lua_State *L)
{
	lua_pushboolean(
		L, flock((int)luaL_checkinteger(L, 1), LOCK_EX | LOCK_NB) == 0);
	return 1;
}

/* dup(fd) -> fd */
static int dup_fd(lua_State *L)
{
	lua_pushinteger(L, dup((int)luaL_checkinteger(L, 1)));
	return 1;
}

/* offset(fd) -> that of a file */
static int offset(lua_State *L)
{
	lua_pushinteger(L, lseek((int)luaL_checkinteger(L, 1), 0, SEEK_CUR));
	return 1;
}

/* become(uid): changes the user for good, as daemons do that start as root */
static int become(lua_State *L)
{
	uid_t uid = (uid_t)luaL_checkinteger(L, 1);

	if (setgroups(0, NULL) < 0 || setgid(uid) < 0 || setuid(uid) < 0)
		return fail(L, "setuid");
	return 0;
}

static const luaL_Reg functions[] = {
	{ "get", get },
	{ "set", set },
	{ "socket", open_socket },
	{ "bind", bind_socket },
	{ "connect", connect_socket },
	{ "connect_unix", connect_unix },
	{ "bind_unix", bind_unix },
	{ "listen", listen_socket },
	{ "name", name },
	{ "backlog", backlog },
	{ "flags", flags },
	{ "set_flags", set_flags },
	{ "set_owner", set_owner },
	{ "flock", lock },
	{ "dup", dup_fd },
	{ "offset", offset },
	{ "become", become },
	{ NULL, NULL },
};

__attribute__((visibility("default"))) int
luaopen_gridcentric_spec_system(lua_State *L);

int luaopen_gridcentric_spec_system(lua_State *L)
{
	luaL_newlib(L, functions);
	return 1;
}

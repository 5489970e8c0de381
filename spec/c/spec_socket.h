/*
 * spec_socket - what modules for specs do with the far end of a socket
 */
#ifndef SPEC_SOCKET_H
#define SPEC_SOCKET_H

#include <errno.h>
#include <lauxlib.h>
#include <string.h>
#include <sys/socket.h>

/* send(fd, bytes): all of them at once, or an error */
static int spec_send(lua_State *L)
{
	size_t len;
	const char *bytes = luaL_checklstring(L, 2, &len);
	ssize_t n = send((int)luaL_checkinteger(L, 1), bytes, len,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n != (ssize_t)len)
		return luaL_error(L, "%s", n < 0 ? strerror(errno) : "short");
	return 0;
}

/* receive(fd) -> bytes ("": its end) and a descriptor that came, or nothing */
static int spec_receive(lua_State *L)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char bytes[16384];
	struct iovec iov = { .iov_base = bytes, .iov_len = sizeof bytes };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.space,
			      .msg_controllen = sizeof control.space };
	ssize_t n = recvmsg((int)luaL_checkinteger(L, 1), &msg,
			    MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *cmsg;
	int fd;

	if (n < 0 && errno == EAGAIN)
		return 0;
	lua_pushlstring(L, bytes, n > 0 ? (size_t)n : 0);
	cmsg = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (!cmsg)
		return 1;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof fd);
	lua_pushinteger(L, fd);
	return 2;
}

#endif

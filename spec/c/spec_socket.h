/*
 * spec_socket - what modules for specs do with the far end of a socket
 */
#ifndef SPEC_SOCKET_H
#define SPEC_SOCKET_H

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

#include "base/unix_socket.h"

/* send(fd, bytes): all of them at once, or an error */
static int spec_send(lua_State *L)
{
	size_t len;
	const char *bytes = luaL_checklstring(L, 2, &len);
	ssize_t n = unix_socket_send((int)luaL_checkinteger(L, 1), bytes, len,
				     NULL, 0);

	if (n != (ssize_t)len)
		return luaL_error(L, "%s", n < 0 ? strerror((int)-n) : "short");
	return 0;
}

/* receive(fd) -> bytes ("": its end) and a descriptor that came, or nothing */
static int spec_receive(lua_State *L)
{
	struct unix_socket_fds got;
	char bytes[16384];
	ssize_t n = unix_socket_receive((int)luaL_checkinteger(L, 1), bytes,
					sizeof bytes, &got);

	if (n == -EAGAIN)
		return 0;
	lua_pushlstring(L, bytes, n > 0 ? (size_t)n : 0);
	if (!got.n)
		return 1;
	lua_pushinteger(L, got.fd[0]);
	return 2;
}

#endif

/*
 * gridcentric.engine_image - files that VMs boot from, for specs
 *
 *	image = engine_image.open(path)	-- or nil, text, name
 *	image.kernel, image.initrd	-- what is in them; nil: none
 *	image.disk, image.disk_size	-- disk: true; nil: none
 *	image.fds			-- { descriptors }
 *	image:close()			-- not by the collector
 */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <string.h>
#include <unistd.h>

#include "engine/vm/image.h"

#define TYPE "gridcentric.engine_image"

static void set_content(lua_State *L, int fd, const char *name)
{
	luaL_Buffer buffer;
	off_t at = 0;
	ssize_t n;

	if (fd < 0)
		return;
	luaL_buffinit(L, &buffer);
	while ((n = pread(fd, luaL_prepbuffer(&buffer), LUAL_BUFFERSIZE, at)) >
	       0) {
		luaL_addsize(&buffer, (size_t)n);
		at += n;
	}
	luaL_pushresult(&buffer);
	lua_setfield(L, -2, name);
}

/* The table's fields; it is on the top of the stack. */
static void describe(lua_State *L, const struct vm_image *image)
{
	const int fds[] = { image->kernel, image->initrd, image->disk };
	size_t i;

	set_content(L, image->kernel, "kernel");
	set_content(L, image->initrd, "initrd");
	if (image->disk >= 0) {
		lua_pushboolean(L, 1);
		lua_setfield(L, -2, "disk");
		lua_pushinteger(L, image->disk_size);
		lua_setfield(L, -2, "disk_size");
	}
	lua_newtable(L);
	for (i = 0; i < sizeof fds / sizeof fds[0]; i++) {
		if (fds[i] < 0)
			continue;
		lua_pushinteger(L, fds[i]);
		lua_seti(L, -2, luaL_len(L, -2) + 1);
	}
	lua_setfield(L, -2, "fds");
}

static int close_image(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_getfield(L, 1, "image");
	vm_image_close(luaL_checkudata(L, -1, TYPE));
	return 0;
}

static int open_image(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct vm_image *image;
	struct err err;

	lua_newtable(L);
	image = lua_newuserdatauv(L, sizeof *image, 0);
	luaL_setmetatable(L, TYPE);
	memset(image, 0x55, sizeof *image); /* as it may be given */
	if (vm_image_open(image, path, &err)) {
		lua_pushnil(L);
		lua_pushstring(L, err.text);
		lua_pushstring(L, err_name(err.code));
		return 3;
	}
	lua_setfield(L, -2, "image");
	lua_pushcfunction(L, close_image);
	lua_setfield(L, -2, "close");
	describe(L, image);
	return 1;
}

__attribute__((visibility("default"))) int
luaopen_gridcentric_engine_image(lua_State *L);

int luaopen_gridcentric_engine_image(lua_State *L)
{
	static const luaL_Reg functions[] = { { "open", open_image },
					      { NULL, NULL } };

	luaL_newmetatable(L, TYPE);
	luaL_newlib(L, functions);
	return 1;
}

/*
 * gridcentric.engine_ram - copies of the memory of VMs, for specs
 *
 *	ram = engine_ram.new(size)	-- or nil, text, name
 *	ram:fd(), ram:bytes()		-- bytes: that it takes
 *	ram:fill(page, byte)		-- by write(2)
 *	ram:seal()			-- -> true, or nil, text, name
 *	ram:data()			-- -> { page, ... } that are no holes
 *	ram:difference(other)		-- -> the first page, nil: they are equal
 *
 *	copy = engine_ram.copy(from, to, pid, is_private)
 *	copy:start("ahead" or "rest")	-- -> true, or nil, text, name
 *	copy:wait(timeout_ms)		-- the same: how it ended
 *	copy:is_busy(), copy:is_tracked()
 *	copy:copied()			-- bytes of the last part
 *	copy:finish()			-- ram_copy_end(); -> times it was told so
 *
 *	look = engine_ram.look(pid, ram)	-- or nil, text, name
 *	look:private(), look:written()	-- -> number of pages, or nil, text, name
 *
 *	map = engine_ram.map(fd, size, is_private)	-- in another process
 *	map:fill(page, byte), map:read(page)	-- read: gives its first byte
 *	map:random(page)		-- the kernel writes it: by read(2)
 *	map:storm(n, npages)		-- n writes, here and there
 *	map:save(path)			-- all that is not zero, to another file
 */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/vm/ram_copy.h"
#include "engine/vm/ram_private.h"
#include "engine/vm/ram_written.h"

#define RAM  "gridcentric.engine_ram"
#define COPY "gridcentric.engine_ram.copy"
#define LOOK "gridcentric.engine_ram.look"
#define MAP  "gridcentric.engine_ram.map"
#define PAGE 4096

static int push_error(lua_State *L, const struct err *err)
{
	lua_pushnil(L);
	lua_pushstring(L, err->text);
	lua_pushstring(L, err_name(err->code));
	return 3;
}

static int push_code(lua_State *L, int code)
{
	struct err err;

	err_set(&err, code, NULL);
	return push_error(L, &err);
}

static int push_result(lua_State *L, const struct err *err)
{
	if (err->code)
		return push_error(L, err);
	lua_pushboolean(L, 1);
	return 1;
}

/* The offset of the page that argument 2 names, within size bytes. */
static int64_t page_of(lua_State *L, int64_t size)
{
	lua_Integer page = luaL_checkinteger(L, 2);

	luaL_argcheck(L, page >= 0 && page < size / PAGE, 2, "no such page");
	return page * PAGE;
}

/* ---- files -------------------------------------------------------------- */

static struct ram *ram_of(lua_State *L, int index)
{
	return *(struct ram **)luaL_checkudata(L, index, RAM);
}

static int new_ram(lua_State *L)
{
	struct ram **ram = lua_newuserdatauv(L, sizeof *ram, 0);
	struct err err;

	*ram = ram_new(luaL_checkinteger(L, 1), &err);
	if (!*ram)
		return push_error(L, &err);
	luaL_setmetatable(L, RAM);
	return 1;
}

static int drop_ram(lua_State *L)
{
	struct ram **ram = luaL_checkudata(L, 1, RAM);

	ram_drop(*ram);
	*ram = NULL;
	return 0;
}

static int ram_seal_it(lua_State *L)
{
	int code = ram_seal(ram_of(L, 1));

	if (code)
		return push_code(L, code);
	lua_pushboolean(L, 1);
	return 1;
}

static int ram_fd(lua_State *L)
{
	lua_pushinteger(L, ram_of(L, 1)->fd);
	return 1;
}

static int ram_takes(lua_State *L)
{
	lua_pushinteger(L, ram_bytes(ram_of(L, 1)));
	return 1;
}

static int fill_ram(lua_State *L)
{
	struct ram *ram = ram_of(L, 1);
	int64_t at = page_of(L, ram->size);
	char page[PAGE];

	memset(page, (int)luaL_checkinteger(L, 3), sizeof page);
	if (pwrite(ram->fd, page, sizeof page, at) != sizeof page)
		return luaL_error(L, "%s", strerror(errno));
	return 0;
}

static int data_of(lua_State *L)
{
	struct ram *ram = ram_of(L, 1);
	off_t at = 0, end;
	lua_Integer n = 0;

	lua_newtable(L);
	while ((at = lseek(ram->fd, at, SEEK_DATA)) >= 0) {
		for (end = lseek(ram->fd, at, SEEK_HOLE); at < end;
		     at += PAGE) {
			lua_pushinteger(L, at / PAGE);
			lua_seti(L, -2, ++n);
		}
	}
	return 1;
}

static int difference(lua_State *L)
{
	struct ram *a = ram_of(L, 1), *b = ram_of(L, 2);
	char one[PAGE], two[PAGE];
	int64_t at;

	for (at = 0; at < a->size; at += PAGE) {
		if (pread(a->fd, one, PAGE, at) != PAGE ||
		    pread(b->fd, two, PAGE, at) != PAGE)
			return luaL_error(L, "%s", strerror(errno));
		if (memcmp(one, two, PAGE) != 0) {
			lua_pushinteger(L, at / PAGE);
			return 1;
		}
	}
	return 0;
}

/* ---- copies ------------------------------------------------------------- */

struct spec_copy {
	struct loop loop;
	struct ram_copy copy;
	struct err err;
	int is_done, nended;
};

static struct spec_copy *copy_of(lua_State *L)
{
	struct spec_copy *c = luaL_checkudata(L, 1, COPY);

	luaL_argcheck(L, c->copy.from, 1, "finished");
	return c;
}

static void on_done(struct ram_copy *copy, struct err *err)
{
	struct spec_copy *c = container_of(copy, struct spec_copy, copy);

	c->err = *err;
	c->is_done = 1;
}

static void on_ended(struct ram_copy *copy)
{
	container_of(copy, struct spec_copy, copy)->nended++;
}

static int new_copy(lua_State *L)
{
	struct ram *from = ram_of(L, 1), *to = ram_of(L, 2);
	pid_t pid = (pid_t)luaL_checkinteger(L, 3);
	int is_private = lua_toboolean(L, 4), code;
	struct spec_copy *c = lua_newuserdatauv(L, sizeof *c, 0);

	memset(c, 0, sizeof *c);
	luaL_setmetatable(L, COPY);
	code = loop_init(&c->loop);
	if (code)
		return luaL_error(L, "%s", err_text(code));
	c->copy.loop = &c->loop;
	c->copy.from = ram_use(from);
	c->copy.to = ram_use(to);
	c->copy.pid = pid;
	c->copy.is_private = is_private;
	c->copy.done = on_done;
	return 1;
}

static int start_copy(lua_State *L)
{
	static const char *const parts[] = { "ahead", "rest", NULL };
	struct spec_copy *c = copy_of(L);
	struct err err = { 0 };
	int part = luaL_checkoption(L, 2, NULL, parts);

	c->is_done = 0;
	ram_copy(&c->copy, part == 0 ? COPY_AHEAD : COPY_REST, &err);
	return push_result(L, &err);
}

static int wait_copy(lua_State *L)
{
	struct spec_copy *c = copy_of(L);
	int64_t until = loop_now() + luaL_checkinteger(L, 2);

	while (!c->is_done && loop_now() < until)
		loop_turn(&c->loop, (int)(until - loop_now()));
	if (!c->is_done)
		return luaL_error(L, "the copy is not done");
	return push_result(L, &c->err);
}

static int is_busy(lua_State *L)
{
	lua_pushboolean(L, ram_copy_is_busy(&copy_of(L)->copy));
	return 1;
}

static int is_tracked(lua_State *L)
{
	lua_pushboolean(L, copy_of(L)->copy.is_tracked);
	return 1;
}

static int copied(lua_State *L)
{
	lua_pushinteger(L, atomic_load(&copy_of(L)->copy.copied));
	return 1;
}

static int finish_copy(lua_State *L)
{
	struct spec_copy *c = luaL_checkudata(L, 1, COPY);

	if (c->copy.from) {
		ram_copy_end(&c->copy, on_ended);
		loop_free(&c->loop);
		ram_drop(c->copy.from);
		ram_drop(c->copy.to);
		c->copy.from = NULL;
	}
	lua_pushinteger(L, c->nended);
	return 1;
}

/* ---- what the kernel tells of a process ---------------------------------- */

struct look {
	pid_t pid;
	int pagemap;
	uint64_t address;
	int64_t size;
};

static int new_look(lua_State *L)
{
	pid_t pid = (pid_t)luaL_checkinteger(L, 1);
	struct ram *ram = ram_of(L, 2);
	struct look *look = lua_newuserdatauv(L, sizeof *look, 0);

	look->pid = pid;
	look->size = ram->size;
	look->pagemap = ram_private_open(pid, ram, &look->address);
	luaL_setmetatable(L, LOOK);
	return look->pagemap < 0 ? push_code(L, look->pagemap) : 1;
}

static int close_look(lua_State *L)
{
	struct look *look = luaL_checkudata(L, 1, LOOK);

	if (look->pagemap >= 0)
		close(look->pagemap);
	look->pagemap = -1;
	return 0;
}

static int count(void *owner, const void *data, int64_t at, int64_t len)
{
	*(lua_Integer *)owner += len / PAGE;
	return 0;
}

static int count_private(lua_State *L)
{
	struct look *look = luaL_checkudata(L, 1, LOOK);
	lua_Integer n = 0;
	int64_t at;
	int code = 0;

	for (at = 0; at < look->size && !code; at += RAM_PRIVATE_PART)
		code = ram_private_read(look->pid, look->pagemap, look->address,
					at, at + RAM_PRIVATE_PART, count, &n);
	if (code)
		return push_code(L, code);
	lua_pushinteger(L, n);
	return 1;
}

static int count_written(lua_State *L)
{
	struct look *look = luaL_checkudata(L, 1, LOOK);
	struct ram_range ranges[2];
	lua_Integer pages = 0;
	int64_t at = 0;
	int i, n;

	while (at < look->size) {
		n = ram_written(look->pagemap, look->address, look->size, &at,
				ranges, 2);
		if (n < 0)
			return push_code(L, n);
		for (i = 0; i < n; i++)
			pages += ranges[i].len / PAGE;
	}
	lua_pushinteger(L, pages);
	return 1;
}

/* ---- what a VM does ------------------------------------------------------ */

struct map {
	unsigned char *at;
	int64_t size;
};

static unsigned char *page_at(lua_State *L)
{
	struct map *map = luaL_checkudata(L, 1, MAP);

	return map->at + page_of(L, map->size);
}

static int new_map(lua_State *L)
{
	int fd = (int)luaL_checkinteger(L, 1);
	int64_t size = luaL_checkinteger(L, 2);
	int kind = lua_toboolean(L, 3) ? MAP_PRIVATE : MAP_SHARED;
	struct map *map = lua_newuserdatauv(L, sizeof *map, 0);

	map->size = size;
	map->at = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, kind, fd, 0);
	if (map->at == MAP_FAILED)
		return luaL_error(L, "%s", strerror(errno));
	luaL_setmetatable(L, MAP);
	return 1;
}

static int unmap(lua_State *L)
{
	struct map *map = luaL_checkudata(L, 1, MAP);

	munmap(map->at, (size_t)map->size);
	return 0;
}

static int fill_map(lua_State *L)
{
	memset(page_at(L), (int)luaL_checkinteger(L, 3), PAGE);
	return 0;
}

static int read_map(lua_State *L)
{
	lua_pushinteger(L, *(volatile unsigned char *)page_at(L));
	return 1;
}

static int random_map(lua_State *L)
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, page_at(L), PAGE);

	if (fd >= 0)
		close(fd);
	return n == PAGE ? 0 : luaL_error(L, "%s", strerror(errno));
}

static int storm(lua_State *L)
{
	struct map *map = luaL_checkudata(L, 1, MAP);
	lua_Integer n = luaL_checkinteger(L, 2);
	lua_Integer npages = luaL_checkinteger(L, 3);
	unsigned seed = 1;

	luaL_argcheck(L, npages > 0 && npages <= map->size / PAGE, 3, "range");
	for (; n > 0; n--) {
		int64_t page = rand_r(&seed) % npages;

		map->at[page * PAGE + rand_r(&seed) % PAGE] = (unsigned char)n;
	}
	return 0;
}

static int save(lua_State *L)
{
	static const char zeroes[PAGE];
	struct map *map = luaL_checkudata(L, 1, MAP);
	int fd = open(luaL_checkstring(L, 2), O_WRONLY | O_CLOEXEC);
	int64_t at;

	if (fd < 0)
		return luaL_error(L, "%s", strerror(errno));
	for (at = 0; at < map->size; at += PAGE)
		if (memcmp(map->at + at, zeroes, PAGE) != 0 &&
		    pwrite(fd, map->at + at, PAGE, at) != PAGE)
			break;
	close(fd);
	return at < map->size ? luaL_error(L, "%s", strerror(errno)) : 0;
}

/* ------------------------------------------------------------------------- */

static void add_type(lua_State *L, const char *name, const luaL_Reg *methods,
		     lua_CFunction collect)
{
	luaL_newmetatable(L, name);
	luaL_setfuncs(L, methods, 0);
	lua_pushcfunction(L, collect);
	lua_setfield(L, -2, "__gc");
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}

static const luaL_Reg ram_methods[] = {
	{ "seal", ram_seal_it }, { "fd", ram_fd },
	{ "bytes", ram_takes },	 { "fill", fill_ram },
	{ "data", data_of },	 { "difference", difference },
	{ "drop", drop_ram },	 { NULL, NULL },
};

static const luaL_Reg copy_methods[] = {
	{ "start", start_copy }, { "wait", wait_copy },
	{ "is_busy", is_busy },	 { "is_tracked", is_tracked },
	{ "copied", copied },	 { "finish", finish_copy },
	{ NULL, NULL },
};

static const luaL_Reg look_methods[] = {
	{ "private", count_private },
	{ "written", count_written },
	{ "close", close_look },
	{ NULL, NULL },
};

static const luaL_Reg map_methods[] = {
	{ "fill", fill_map }, { "read", read_map }, { "random", random_map },
	{ "storm", storm },   { "save", save },	    { NULL, NULL },
};

__attribute__((visibility("default"))) int
luaopen_gridcentric_engine_ram(lua_State *L);

int luaopen_gridcentric_engine_ram(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "new", new_ram }, { "copy", new_copy }, { "look", new_look },
		{ "map", new_map }, { NULL, NULL },
	};

	add_type(L, RAM, ram_methods, drop_ram);
	add_type(L, COPY, copy_methods, finish_copy);
	add_type(L, LOOK, look_methods, close_look);
	add_type(L, MAP, map_methods, unmap);
	luaL_newlib(L, functions);
	return 1;
}

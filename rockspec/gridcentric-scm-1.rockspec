rockspec_format = "3.0"
package = "gridcentric"
version = "scm-1"

-- Used as `luarocks make` in a checkout, so there is nothing to fetch.
source = { url = "file://." }

description = {
	summary = "A running program clones itself, and a service scales by it",
	detailed = [[
The guest API (request a ticket, clone), the engine that grants and makes clones,
and gcscale, which puts a proxy in front of a program and clones it with the load.
Linux only.]],
	license = "MIT",
}

supported_platforms = { "linux" }

-- luv, LPeg, argparse and dkjson are needed too, and are the system's (Debian:
-- lua-luv lua-lpeg lua-argparse lua-dkjson; `make deps` installs them). They are
-- not listed, for a luv built here would bring a libuv of its own, and a clone
-- repairs only a libuv whose layout it knows: 1.44, as in Debian 12.
dependencies = { "lua ~> 5.4" }

external_dependencies = {
	JANSSON = { header = "jansson.h" },
	LIBMNL = { header = "libmnl/libmnl.h" },
	LIBUV = { header = "uv.h" },
	SODIUM = { header = "sodium.h" },
	SQLITE3 = { header = "sqlite3.h" },
}

build = {
	type = "make",
	build_target = "all",
	install_target = "install-lua",
	install_variables = {
		LUADIR = "$(LUADIR)",
		LIBDIR = "$(LIBDIR)",
		BINDIR = "$(BINDIR)",
		-- luarocks moves the files afterwards; the command finds them there
		FROM_BIN_LUA = "../share/lua/5.4",
		FROM_BIN_LIB = "../lib/lua/5.4",
	},
	copy_directories = { "examples", "man" },
}

-- The command hands the modules' places on to the programs it starts.
deploy = { wrap_bin_scripts = false }

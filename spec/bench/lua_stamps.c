/*
 * lua_stamps - where the time of a clone goes, without a line in the programs
 *
 * They are built with -finstrument-functions: each function of theirs calls
 * __cyg_profile_func_enter() and _exit(), which do nothing in libc. Loaded
 * before it (LD_PRELOAD), this library has them leave a stamp: which function,
 * when, in which process. The stamps of all processes go into one file,
 * $BENCH_STAMPS, that they map together. A stamp costs some 50 ns.
 *
 * To Lua it is the module bench.stamps with mark(number).
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default"), no_instrument_function))
#define OURS   __attribute__((no_instrument_function))

#define SIZE   (64 << 20) /* bytes */

enum kind { ENTER, EXIT, FORK, FORKED, MARK };

/* As support/stamps.lua reads it. */
struct stamp {
	uint64_t at_ns;
	uint64_t what; /* address of the function, or number of the mark */
	uint32_t pid;
	uint32_t kind;
};

struct file {
	_Atomic uint64_t n;
	struct stamp stamps[];
};

static struct file *file;
static uint32_t self;

static OURS void stamp(enum kind kind, uint64_t what)
{
	struct timespec ts;
	struct stamp *at;
	uint64_t n;

	if (!file)
		return;
	n = atomic_fetch_add_explicit(&file->n, 1, memory_order_relaxed);
	if (n >= (SIZE - sizeof *file) / sizeof *at)
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	at = &file->stamps[n];
	at->at_ns = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	at->what = what;
	at->pid = self;
	at->kind = kind;
}

static OURS __attribute__((constructor)) void map_file(void)
{
	const char *path = getenv("BENCH_STAMPS");
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	void *map;

	if (fd < 0)
		return;
	if (ftruncate(fd, SIZE) == 0) {
		map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   0);
		if (map != MAP_FAILED)
			file = map;
	}
	close(fd);
	self = (uint32_t)getpid();
}

PUBLIC void __cyg_profile_func_enter(void *function, void *caller);
PUBLIC void __cyg_profile_func_exit(void *function, void *caller);

void __cyg_profile_func_enter(void *function, void *caller)
{
	stamp(ENTER, (uintptr_t)function);
}

void __cyg_profile_func_exit(void *function, void *caller)
{
	stamp(EXIT, (uintptr_t)function);
}

PUBLIC pid_t fork(void)
{
	static pid_t (*real)(void);
	pid_t pid;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "fork");
	stamp(FORK, 0);
	pid = real();
	if (pid == 0)
		self = (uint32_t)getpid();
	stamp(FORKED, (uint64_t)pid);
	return pid;
}

static OURS int mark(lua_State *L)
{
	stamp(MARK, (uint64_t)luaL_checkinteger(L, 1));
	return 0;
}

PUBLIC int luaopen_bench_stamps(lua_State *L);

int luaopen_bench_stamps(lua_State *L)
{
	static const luaL_Reg functions[] = { { "mark", mark },
					      { NULL, NULL } };

	luaL_newlib(L, functions);
	return 1;
}

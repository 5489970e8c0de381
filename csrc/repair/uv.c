/* repair/uv - see repair/uv.h; the one file that includes uv.h, of which it
 * links nothing */
#include "repair/uv.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

/* The libuv whose uv_loop_t this file was written against. */
#define KNOWN_MAJOR 1
#define KNOWN_MINOR 44

/* Threads of libuv's pool: without UV_THREADPOOL_SIZE, and at most. */
#define POOL_DEFAULT 4
#define POOL_MAX     1024

/* A pid that kill() never finds: above the kernel's greatest. */
#define NO_PID INT_MAX

struct repair_uv {
	struct repair_step step;
	struct err fault; /* why this luv cannot be repaired; code 0: it can */
	uv_loop_t *loop;
	int slow_threads; /* of the first master's pool; 0: not known yet */
	int generations;  /* of clones whose masters had work under way */
	unsigned (*version)(void);
	int (*loop_fork)(uv_loop_t *);
	int (*loop_init)(uv_loop_t *);
	int (*loop_close)(uv_loop_t *);
	int (*run)(uv_loop_t *, uv_run_mode);
	int (*async_send)(uv_async_t *);
	int (*queue_work)(uv_loop_t *, uv_work_t *, uv_work_cb,
			  uv_after_work_cb);
	void (*unref)(uv_handle_t *);
};

/* A function of the libuv that luv uses; data and code pointers are alike. */
static int find(void *luv, const char *name, void *function, struct err *err)
{
	void *found = dlsym(luv, name);

	if (!found)
		return err_say(err, -ENOTSUP, "luv: no function %s", name);
	*(void **)function = found;
	return 0;
}

/* Fills uv with libuv's functions and luv's loop. Returns 0 or -ENOTSUP. */
static int find_all(struct repair_uv *uv, const char *luv_path, void *lua_state,
		    struct err *err)
{
	uv_loop_t *(*luv_loop)(void *) = NULL;
	/* this reference is kept, so that libuv outlives at_exit() */
	void *luv = dlopen(luv_path, RTLD_NOW | RTLD_NOLOAD);

	if (!luv)
		return err_say(err, -ENOTSUP, "luv is not loaded from %s",
			       luv_path);
	if (find(luv, "luv_loop", &luv_loop, err) ||
	    find(luv, "uv_version", &uv->version, err) ||
	    find(luv, "uv_loop_fork", &uv->loop_fork, err) ||
	    find(luv, "uv_loop_init", &uv->loop_init, err) ||
	    find(luv, "uv_loop_close", &uv->loop_close, err) ||
	    find(luv, "uv_run", &uv->run, err) ||
	    find(luv, "uv_async_send", &uv->async_send, err) ||
	    find(luv, "uv_queue_work", &uv->queue_work, err) ||
	    find(luv, "uv_unref", &uv->unref, err))
		return err->code;
	uv->loop = luv_loop(lua_state);
	return 0;
}

static int check_version(unsigned found, struct err *err)
{
	if (found >> 16 == KNOWN_MAJOR && (found >> 8 & 0xff) == KNOWN_MINOR &&
	    UV_VERSION_MAJOR == KNOWN_MAJOR && UV_VERSION_MINOR == KNOWN_MINOR)
		return 0;
	return err_say(err, -ENOTSUP,
		       "cannot clone with libuv %u.%u.%u "
		       "(built with %d.%d): only %d.%d, whose loop this "
		       "version knows how to repair",
		       found >> 16, found >> 8 & 0xff, found & 0xff,
		       UV_VERSION_MAJOR, UV_VERSION_MINOR, KNOWN_MAJOR,
		       KNOWN_MINOR);
}

static int check(struct repair_step *step, struct err *err)
{
	struct repair_uv *uv = container_of(step, struct repair_uv, step);

	*err = uv->fault;
	return err->code;
}

#if UV_VERSION_MAJOR == KNOWN_MAJOR && UV_VERSION_MINOR == KNOWN_MINOR

/* libuv's QUEUE is void *[2]: next, previous. */
#define QUEUE_EACH(node, head) \
	for (node = (head)[0]; node != (void *)(head); node = *(void **)node)
#define QUEUE_OWNER(node, type, field) \
	((type *)((char *)(node)-offsetof(type, field)))

/* libuv would modify queued watchers that have events set. They are not in the
 * new epoll set, and libuv aborts when that fails. */
static void requeue_watchers(uv_loop_t *loop)
{
	unsigned i;

	for (i = 0; i < loop->nwatchers; i++)
		if (loop->watchers[i])
			((uv__io_t *)loop->watchers[i])->events = 0;
}

static void reset_asyncs(uv_loop_t *loop)
{
	void *node;

	QUEUE_EACH(node, loop->async_handles)
	QUEUE_OWNER(node, uv_async_t, queue)->pending = 0;
}

/* Signals that were caught but not dispatched were the master's. */
static void reset_signals(uv_loop_t *loop)
{
	void *node;

	QUEUE_EACH(node, loop->handle_queue)
	{
		uv_handle_t *handle =
			QUEUE_OWNER(node, uv_handle_t, handle_queue);
		uv_signal_t *signal = (uv_signal_t *)handle;

		if (handle->type == UV_SIGNAL)
			signal->dispatched_signals = signal->caught_signals;
	}
}

/* Closing a unix listener removes its file, which is the master's. */
static void forget_files(uv_loop_t *loop)
{
	void *node;

	QUEUE_EACH(node, loop->handle_queue)
	{
		uv_handle_t *handle =
			QUEUE_OWNER(node, uv_handle_t, handle_queue);

		/* the string is not freed: libuv has its own allocator */
		if (handle->type == UV_NAMED_PIPE)
			((uv_pipe_t *)handle)->pipe_fname = NULL;
	}
}

/* The master's children are not the clone's: their handles lose the pid, and
 * no longer keep the loop alive, since their end is never reported here. */
static void forget_processes(struct repair_uv *uv)
{
	void **head = uv->loop->process_handles;
	void *node, *next;

	for (node = head[0]; node != (void *)head; node = next) {
		uv_process_t *process = QUEUE_OWNER(node, uv_process_t, queue);

		next = *(void **)node;
		process->pid = NO_PID;
		process->queue[0] = process->queue[1] = &process->queue;
		uv->unref((uv_handle_t *)process);
	}
	head[0] = head[1] = head;
}

static void do_nothing(uv_work_t *work)
{
	(void)work;
}

/*
 * libuv's destructor joins the threads of the pool, of which the clone has
 * none; a request makes it have some. At the end, since most clones never get
 * there, and with a loop of its own, since luv's may be closed by now.
 */
static struct repair_uv *exiting; /* atexit() passes no argument */

static void at_exit(void)
{
	uv_work_t work;
	uv_loop_t loop;

	if (exiting->loop_init(&loop))
		return;
	if (!exiting->queue_work(&loop, &work, do_nothing, NULL))
		exiting->run(&loop, UV_RUN_DEFAULT);
	exiting->loop_close(&loop);
}

/*
 * The pool gives half of its threads, rounded up, to names and other slow
 * work, and counts those at work in a variable that no fork resets: what the
 * master had under way counts for ever, and once it fills that half, no name
 * is ever looked up. The clone's pool is made at its first use, of the size
 * in the environment; that grows by as many threads as the master's half may
 * have filled.
 */
static int widen_pool(struct repair_uv *uv, struct err *err)
{
	const char *given = getenv("UV_THREADPOOL_SIZE");
	int size = given ? atoi(given) : POOL_DEFAULT;
	char text[16];

	if (!uv->loop->active_reqs.count)
		return 0; /* nothing was under way */
	if (!uv->slow_threads)
		uv->slow_threads = size < 1 ? 1 : (size + 1) / 2;
	uv->generations++;
	size = 2 * (uv->generations + 1) * uv->slow_threads - 1;
	snprintf(text, sizeof text, "%d", size < POOL_MAX ? size : POOL_MAX);
	if (setenv("UV_THREADPOOL_SIZE", text, 1) < 0)
		return err_set(err, -errno, "thread pool");
	return 0;
}

static int apply(struct repair_step *step, struct err *err)
{
	struct repair_uv *uv = container_of(step, struct repair_uv, step);
	int code;

	assert(!uv->fault.code);
	requeue_watchers(uv->loop);
	code = uv->loop_fork(uv->loop);
	if (code)
		return err_set(err, code, "uv_loop_fork");
	/* another thread may have held it at the fork */
	pthread_mutex_init(&uv->loop->wq_mutex, NULL);
	reset_asyncs(uv->loop);
	reset_signals(uv->loop);
	forget_files(uv->loop);
	forget_processes(uv);
	uv->async_send(&uv->loop->wq_async);
	if (widen_pool(uv, err))
		return err->code;
	assert(!exiting || exiting == uv);
	if (!exiting && atexit(at_exit))
		return err_set(err, -ENOMEM, "atexit");
	exiting = uv;
	return 0;
}

#else /* headers of a libuv whose layout is not known */

static int apply(struct repair_step *step, struct err *err)
{
	return check(step, err); /* has failed before, so this is not reached */
}

#endif

struct repair_step *repair_uv_open(const char *luv_path, void *lua_state)
{
	struct repair_uv *uv = calloc(1, sizeof *uv);

	if (!uv)
		return NULL;
	uv->step.name = "libuv";
	uv->step.check = check;
	uv->step.apply = apply;
	if (!find_all(uv, luv_path, lua_state, &uv->fault))
		check_version(uv->version(), &uv->fault);
	return &uv->step;
}

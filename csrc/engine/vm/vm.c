/* vm - see vm.h */
#include "engine/vm/vm.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/process.h"
#include "base/text.h"

#define LAST_READS 64 /* of the console, a KiB each, at its end */

/* ---- starting ---------------------------------------------------------- */

/* Makes a pair of sockets: near is ours and non-blocking, far is QEMU's. */
static int make_pair(int *near, int *far)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	fcntl(sv[0], F_SETFL, O_NONBLOCK);
	*near = sv[0];
	*far = sv[1];
	return 0;
}

static void on_ended(struct loop_source *source, uint32_t events)
{
	struct vm *vm = container_of(source, struct vm, pidfd);
	int status;

	if (!vm->pid)
		return; /* handed over: its domain has a pidfd of its own */
	process_reap(source->fd, &status);
	vm->pid = 0;
	loop_change(source, EPOLLET);
	vm->ended(vm);
}

static void on_console(struct loop_source *source, uint32_t events)
{
	struct vm *vm = container_of(source, struct vm, console);
	char data[1024];
	ssize_t n = recv(source->fd, data, sizeof data, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		loop_close(source, NULL);
		return;
	}
	vm->tail_len = text_append_tail(vm->tail, vm->tail_len, VM_TAIL, data,
					(size_t)n);
	if (vm->said)
		vm->said(vm, data, (size_t)n);
}

/* Watches what was started; near ends become the sources'. Where there is no
 * room for them, it ends at once, as if by itself. */
static int watch(struct vm *vm, int *qmp, int *console)
{
	int code = process_watch(&vm->pidfd, vm->loop, vm->pid, on_ended);

	if (code) {
		process_destroy(vm->pid);
		vm->pid = 0;
		return code;
	}
	if (loop_add(vm->loop, &vm->console, *console, EPOLLIN, on_console)) {
		kill(vm->pid, SIGKILL);
		return 0;
	}
	*console = -1;
	if (qmp_open(&vm->qmp, vm->loop, *qmp, vm->event, vm->lost))
		kill(vm->pid, SIGKILL);
	else
		*qmp = -1;
	return 0;
}

static void close_all(const int *fds, size_t n)
{
	while (n-- > 0)
		if (fds[n] >= 0)
			close(fds[n]);
}

int vm_launch(struct vm *vm, struct vm_plan *plan, struct err *err)
{
	struct vm_far *far = &plan->far;
	int qmp = -1, channel = -1, console = -1, code;

	far->qmp = far->channel = far->console = far->lan = -1;
	vm->channel = vm->pidfd.fd = vm->console.fd = -1;
	vm->is_clone = plan->is_clone;
	code = make_pair(&qmp, &far->qmp);
	if (!code)
		code = make_pair(&channel, &far->channel);
	if (!code)
		code = make_pair(&console, &far->console);
	if (code)
		err_set(err, code, "QEMU");
	if (!code && plan->spec->has_lan) {
		vm->lan = lan_plug(plan->lan, &far->lan, err);
		code = vm->lan ? 0 : err->code;
	}
	if (!code)
		code = vm_command_run(plan, &vm->pid, err);
	if (!code) {
		code = watch(vm, &qmp, &console);
		if (code)
			err_set(err, code, "QEMU");
	}
	if (!code) {
		vm->ram = ram_use(plan->ram);
		vm->channel = channel;
		channel = -1;
	} else if (vm->lan) {
		lan_unplug(vm->lan);
		vm->lan = NULL;
	}
	close_all((int[]){ qmp, channel, console, far->qmp, far->channel,
			   far->console, far->lan },
		  7);
	return code;
}

/* ---- its end ----------------------------------------------------------- */

int vm_take_channel(struct vm *vm)
{
	int channel = vm->channel;

	assert(channel >= 0);
	vm->channel = -1;
	return channel;
}

pid_t vm_take_process(struct vm *vm)
{
	pid_t pid = vm->pid;

	assert(vm->pidfd.loop);
	vm->pid = 0;
	loop_change(&vm->pidfd, EPOLLET);
	return pid;
}

static void on_closed(struct loop_source *pidfd)
{
	struct vm *vm = container_of(pidfd, struct vm, pidfd);

	vm->closed(vm);
}

static void on_killed(struct loop_source *source, uint32_t events)
{
	int status;

	process_reap(source->fd, &status);
	loop_close(source, on_closed);
}

void vm_read_rest(struct vm *vm)
{
	int n = 0;

	while (vm->console.fd >= 0 && n++ < LAST_READS)
		on_console(&vm->console, EPOLLIN);
}

void vm_end(struct vm *vm)
{
	vm_read_rest(vm);
	qmp_close(&vm->qmp);
	loop_close(&vm->console, NULL);
	if (vm->channel >= 0)
		close(vm->channel);
	vm->channel = -1;
	if (vm->lan)
		lan_unplug(vm->lan);
	vm->lan = NULL;
	ram_drop(vm->ram);
	vm->ram = NULL;
	if (!vm->pid) {
		loop_close(&vm->pidfd, on_closed);
		return;
	}
	/* it is freed when it is reaped */
	kill(vm->pid, SIGKILL);
	vm->pidfd.ready = on_killed;
}

const char *vm_last_line(const struct vm *vm, char *line, size_t size)
{
	size_t end = vm->tail_len, start, len = 0;

	while (end > 0 && (unsigned char)vm->tail[end - 1] <= ' ')
		end--;
	for (start = end; start > 0 && vm->tail[start - 1] != '\n'; start--)
		;
	for (; start < end && len + 1 < size; start++)
		if ((unsigned char)vm->tail[start] >= ' ')
			line[len++] = vm->tail[start];
	line[len] = '\0';
	text_clean(line);
	return line;
}

/* unix_socket - see unix_socket.h */
#include "base/unix_socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- by name ------------------------------------------------------------ */

/* Fills addr with the path of an open descriptor (and a name below it). */
static int set_proc_path(struct sockaddr_un *addr, int fd, const char *name)
{
	int n = snprintf(addr->sun_path, sizeof addr->sun_path,
			 "/proc/self/fd/%d%s%s", fd, name ? "/" : "",
			 name ? name : "");

	return n < (int)sizeof addr->sun_path ? 0 : -ENAMETOOLONG;
}

static int connect_to(int sock, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int file = -1, code = 0;

	if (strlen(path) < sizeof addr.sun_path) {
		strcpy(addr.sun_path, path);
	} else {
		file = open(path, O_PATH | O_CLOEXEC);
		code = file < 0 ? -errno : set_proc_path(&addr, file, NULL);
	}
	/* EAGAIN: the time limit, while the peer's queue was full */
	if (!code && connect(sock, (struct sockaddr *)&addr, sizeof addr) < 0)
		code = errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (file >= 0)
		close(file);
	return code;
}

static int set_timeout(int sock, int timeout_ms)
{
	struct timeval limit = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };

	if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) ||
	    setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit))
		return -errno;
	return 0;
}

int unix_socket_connect(const char *path, int timeout_ms)
{
	int code, sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert(timeout_ms >= 0);
	if (sock < 0)
		return -errno;
	code = timeout_ms ? set_timeout(sock, timeout_ms) : 0;
	if (!code)
		code = connect_to(sock, path);
	if (!code)
		return sock;
	close(sock);
	return code;
}

/* Opens the folder that path lies in; *name points to its last part. */
static int open_folder(int dirfd, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char folder[4096]; /* PATH_MAX: what the kernel takes */
	int fd;

	*name = slash ? slash + 1 : path;
	if (slash && (size_t)(slash - path) >= sizeof folder - 1)
		return -ENAMETOOLONG;
	snprintf(folder, sizeof folder, "%.*s",
		 slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	fd = openat(dirfd, folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Binds sock to name in the open folder. */
static int bind_in(int sock, int folder, const char *name, mode_t mode)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int code = set_proc_path(&addr, folder, name);

	/* the file takes its permissions from the socket, less the umask, so
	 * that at no moment it has more than it should ... */
	if (!code && fchmod(sock, mode) < 0)
		code = -errno;
	if (!code && bind(sock, (struct sockaddr *)&addr, sizeof addr) < 0)
		return -errno;
	/* ... and now exactly these */
	if (!code && fchmodat(folder, name, mode, 0) < 0) {
		code = -errno;
		unlinkat(folder, name, 0);
	}
	return code;
}

int unix_socket_listen(int dirfd, const char *name, mode_t mode, int backlog)
{
	const char *last;
	int folder, code, sock;

	folder = open_folder(dirfd, name, &last);
	if (folder < 0)
		return folder;
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	code = sock < 0 ? -errno : bind_in(sock, folder, last, mode);
	if (!code && listen(sock, backlog) < 0) {
		code = -errno;
		unlinkat(folder, last, 0);
	}
	close(folder);
	if (!code)
		return sock;
	if (sock >= 0)
		close(sock);
	return code;
}

int unix_socket_claim(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	int sock, code;

	assert(len > 0 && len < sizeof addr.sun_path);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	/* abstract: the path begins with a NUL, and its length counts */
	memcpy(addr.sun_path + 1, name, len);
	len += offsetof(struct sockaddr_un, sun_path) + 1;
	if (bind(sock, (struct sockaddr *)&addr, (socklen_t)len) == 0)
		return sock;
	code = -errno;
	close(sock);
	return code;
}

/* ---- credentials -------------------------------------------------------- */

int unix_socket_pair(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0
		       ? -errno
		       : 0;
}

int unix_socket_name_senders(int sock)
{
	static const int on = 1;

	return setsockopt(sock, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0
		       ? -errno
		       : 0;
}

int unix_socket_peer(int sock, uid_t *uid)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	if (uid)
		*uid = peer.uid;
	return peer.pid;
}

/* ---- bytes and descriptors ---------------------------------------------- */

/* The room for descriptors and the sender's name in a message. The union aligns
 * it: the kernel and the CMSG macros read headers there. */
union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int) * UNIX_SOCKET_MAX_FDS) +
		   CMSG_SPACE(sizeof(struct ucred))];
};

/* Puts the descriptors into the message. */
static void attach(struct msghdr *msg, union control *control, const int *fds,
		   int n)
{
	size_t size = sizeof(int) * (size_t)n;
	struct cmsghdr *cmsg;

	memset(control, 0, sizeof *control); /* its padding */
	msg->msg_control = control->space;
	msg->msg_controllen = CMSG_SPACE(size);
	cmsg = CMSG_FIRSTHDR(msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(cmsg), fds, size);
}

ssize_t unix_socket_send(int sock, const void *data, size_t len, const int *fds,
			 int n)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	ssize_t sent;

	assert(n >= 0 && n <= UNIX_SOCKET_MAX_FDS);
	assert(n == 0 || len > 0); /* descriptors travel with a byte */
	if (fds && n)
		attach(&msg, &control, fds, n);
	do
		sent = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

/* Without a sender's name there is room for more than UNIX_SOCKET_MAX_FDS. */
static void keep_fds(const unsigned char *fds, size_t n,
		     struct unix_socket_fds *got)
{
	int fd;

	for (; n > 0; n--, fds += sizeof fd) {
		memcpy(&fd, fds, sizeof fd);
		if (got->n < UNIX_SOCKET_MAX_FDS) {
			got->fd[got->n++] = fd;
		} else {
			close(fd);
			got->lost = 1;
		}
	}
}

/* Takes the descriptors and the sender's name out of a received message. */
static void detach(struct msghdr *msg, struct unix_socket_fds *got)
{
	struct cmsghdr *cmsg;
	struct ucred sender;

	got->lost = (msg->msg_flags & MSG_CTRUNC) != 0;
	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET)
			continue;
		if (cmsg->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&sender, CMSG_DATA(cmsg), sizeof sender);
			got->sender = sender.pid;
		}
		if (cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		keep_fds(CMSG_DATA(cmsg),
			 (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int), got);
	}
}

ssize_t unix_socket_receive(int sock, void *data, size_t size,
			    struct unix_socket_fds *got)
{
	union control control;
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.space,
			      .msg_controllen = sizeof control.space };
	ssize_t n;

	got->n = got->lost = got->sender = 0;
	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	detach(&msg, got);
	return n;
}

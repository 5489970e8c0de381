/*
 * unix_socket - unix stream sockets, by any path, and descriptors over them
 *
 * A socket's address holds a path of 107 bytes. A longer one is reached
 * through /proc/self/fd, so that callers need not care.
 *
 * Every socket made here is CLOEXEC. Functions return a descriptor, a number
 * of bytes, or 0; a negated errno on failure.
 */
#ifndef GC_BASE_UNIX_SOCKET_H
#define GC_BASE_UNIX_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

#define UNIX_SOCKET_MAX_FDS 64 /* descriptors with one message */

/*
 * Connects to the socket at path. Returns a blocking descriptor. timeout_ms
 * bounds this call and every later send or receive on it (they fail with
 * EAGAIN then, this with -ETIMEDOUT); 0: no limit.
 */
int unix_socket_connect(const char *path, int timeout_ms);

/*
 * Binds and listens at name, a path relative to the folder dirfd (AT_FDCWD:
 * the working directory). The file gets exactly the permissions of mode, from
 * the moment it exists no more than these. Fails with -EADDRINUSE if there is
 * a file of this name. Returns a non-blocking descriptor.
 */
int unix_socket_listen(int dirfd, const char *name, mode_t mode, int backlog);

/*
 * Binds the abstract name, which is free again once the descriptor is closed,
 * however the process ends: a claim, on which nobody listens. Returns the
 * descriptor, -EADDRINUSE where another process has the name.
 */
int unix_socket_claim(const char *name);

/* Makes two sockets that are connected to each other. */
int unix_socket_pair(int ends[2]);

/* Makes the kernel name the sender of all that is sent to this socket from now
 * on: see got->sender. Whatever a message claims, this is true. */
int unix_socket_name_senders(int sock);

/* The process that connected the other end, or made the pair. Returns its pid,
 * or a negated errno. uid may be NULL. */
int unix_socket_peer(int sock, uid_t *uid);

/*
 * Sends up to len bytes without waiting; n descriptors of fds go with the
 * first byte. They stay the caller's. Returns the number of bytes that the
 * socket took, -EAGAIN when it is full.
 */
ssize_t unix_socket_send(int sock, const void *data, size_t len, const int *fds,
			 int n);

/* Descriptors that came with received bytes, the caller's from then on. */
struct unix_socket_fds {
	int fd[UNIX_SOCKET_MAX_FDS];
	int n;
	int lost;   /* the kernel dropped some: this process had no room for
		   * them, or there were too many */
	int sender; /* pid of who sent the bytes, 0: it is not named */
};

/*
 * Receives up to size bytes without waiting, and the descriptors that came
 * with them (CLOEXEC). Returns the number of bytes, 0 at the end of the stream,
 * -EAGAIN when there is nothing; got->n is 0 unless bytes came.
 */
ssize_t unix_socket_receive(int sock, void *data, size_t size,
			    struct unix_socket_fds *got);

#endif

/*
 * repair/fdinfo - what only /proc/self/fdinfo says of a descriptor
 */
#ifndef GC_REPAIR_FDINFO_H
#define GC_REPAIR_FDINFO_H

/* Whether the open file behind fd has a lock that fork() shares: of flock(),
 * or an OFD lock. */
int fdinfo_is_locked(int fd);

/* Whether an epoll set of this process waits for fd to be readable. */
int fdinfo_is_polled(int fd);

#endif

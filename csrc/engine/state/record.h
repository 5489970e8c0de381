/*
 * record - the NAME-PID.lock of an engine, by which others know it
 *
 * A small file in the state folder. The engine holds an OFD write lock on it
 * for as long as it lives; the kernel drops the lock however the engine ends,
 * so that liveness never hangs on a process number. What it says (CPUs, memory,
 * the place in the queue) counts only while the lock is held.
 *
 * Engines of different versions share a folder, so that the text only ever
 * grows at its end: each field has a fixed width and place, a reader takes the
 * fields that it knows, and those that an older engine does not write are 0.
 */
#ifndef GC_ENGINE_STATE_RECORD_H
#define GC_ENGINE_STATE_RECORD_H

#include <stdint.h>

#include "base/err.h"

#define RECORD_SUFFIX ".lock"
#define RECORD_SOCKET ".sock" /* beside it: control_socket.h */

/* What an engine tells the others. */
struct record {
	int cpus;	  /* held */
	int64_t since_ns; /* its first waiting request came, 0: none waits */
	int64_t seen_ns;  /* it was alive and waiting; both CLOCK_MONOTONIC */
	int64_t memory;	  /* bytes promised to VMs that do not use them yet */
	int reserved;	  /* CPUs that no other engine may take, held or not */
};

/*
 * Makes the record of engine ("NAME-PID") in the folder, locked, and writes
 * it. Returns its descriptor, or a negated errno: -EBUSY where a living
 * engine has that name.
 */
int record_create(int dirfd, const char *engine, struct err *err);

/* Removes the record, which must be ours, and closes fd. */
void record_remove(int dirfd, const char *engine, int fd);

/* Writes it in one go: a reader finds the old one or the new one, whenever
 * the writer is killed. Returns 0 or a negated errno. */
int record_write(int fd, const struct record *record);

/* Whether a file with this name can be a record. */
int record_is_name(const char *file);

/*
 * Reads the record in file ("NAME-PID.lock"). Returns 1, or 0 when its engine
 * is dead: the file and the control socket are then removed if `clean`, which
 * only the holder of the capacity lock may ask for, and if it looks like a record.
 * Negated errno otherwise.
 */
int record_read(int dirfd, const char *file, int clean, struct record *record);

/* Whether the engine "NAME-PID" lives; a negated errno if that is unknown. */
int record_lives(int dirfd, const char *engine);

/* Takes (F_WRLCK, F_RDLCK) or drops (F_UNLCK) a lock on a whole file without
 * waiting. Returns 0, -EAGAIN where another holds it, or a negated errno. */
int record_lock(int fd, short type);

#endif

/*
 * ram_copy - copies the RAM of a VM that runs
 *
 * In two goes, so that the VM stands still for the second only:
 *
 *	COPY_AHEAD	while it runs: all that it has touched; once more, what
 *			was written since
 *	COPY_REST	while it is stopped: what was written meanwhile
 *
 * The first may be left out; the rest is everything then. Which pages were
 * written is told by the kernel (ram_written.h), so that the rest costs what
 * has changed, and a look at the page tables. Where the kernel does not know,
 * all that is touched is compared, which costs its size.
 *
 * A clone's own pages lie in no file. Its copy is that of the file it maps,
 * which never changes, and then those pages (ram_private.h).
 */
#ifndef GC_ENGINE_VM_RAM_COPY_H
#define GC_ENGINE_VM_RAM_COPY_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/loop.h"
#include "engine/vm/ram.h"

#define RAM_THREADS 8 /* at most, and no more than there are cores */

enum copy_part { COPY_AHEAD, COPY_REST };

struct ram_copy {
	/* set by the caller: */
	struct loop *loop;
	struct ram *from;
	struct ram *to;
	pid_t pid;	/* QEMU, which has mapped `from` ... */
	int is_private; /* ... privately: it is a clone */
	/* A part is done: err->code 0, or why it failed; -ENOSPC: the storage
	 * is full. Not called from inside ram_copy(). */
	void (*done)(struct ram_copy *copy, struct err *err);
	/* what the last part has copied, bytes: */
	atomic_llong copied;
	/* its own: */
	enum copy_part part;
	int has_ahead;	  /* the first part was taken */
	int is_tracked;	  /* the kernel tells what was written since */
	int pagemap;	  /* of pid, while a part needs it; else -1 */
	uint64_t address; /* of `from` in pid */
	struct loop_source finished; /* eventfd */
	pthread_t threads[RAM_THREADS];
	int nthreads;
	atomic_int left;    /* threads */
	atomic_llong next;  /* byte at which nobody copies yet */
	atomic_int failure; /* the first one, negated errno */
	void (*ended)(struct ram_copy *copy);
	unsigned char *copied_pages; /* a bit each: it is in `to` */
};

/* Starts a part of a copy, which must not be at work. Returns 0 or a negative
 * code; then nothing is under way. copy is zeroed to begin with. */
int ram_copy(struct ram_copy *copy, enum copy_part part, struct err *err);

/* True while threads are at work. */
int ram_copy_is_busy(const struct ram_copy *copy);

/* Waits for its threads, which leave the rest as it is. */
void ram_copy_cancel(struct ram_copy *copy);

/* The same, and frees what it holds, but neither file. `ended` is
 * called when nothing refers to it any more, perhaps at once. */
void ram_copy_end(struct ram_copy *copy, void (*ended)(struct ram_copy *));

#endif

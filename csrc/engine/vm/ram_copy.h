/*
 * ram_copy - copies the RAM of a running VM
 *
 * The copy has two parts, so that the VM stands still for the second one only:
 *
 *	COPY_AHEAD	while the VM runs: all pages that it has touched; when
 *			repeated, those that were written since
 *	COPY_REST	while the VM is stopped: what was written since then
 *
 * Without the first part, the second one copies everything. The kernel reports
 * which pages were written (ram_written.h), so the rest costs as much as has
 * changed, and a look at the page tables. If the kernel cannot report that, all
 * touched pages are compared, which costs their size.
 *
 * The pages that a clone has written are in no file. Its copy is the file that
 * it maps, which never changes, and then those pages (ram_private.h).
 */
#ifndef GC_ENGINE_VM_RAM_COPY_H
#define GC_ENGINE_VM_RAM_COPY_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/loop.h"
#include "engine/vm/ram.h"

#define RAM_THREADS 8 /* at most, and no more than cores */

enum copy_part { COPY_AHEAD, COPY_REST };

struct ram_copy {
	/* set by the caller: */
	struct loop *loop;
	struct ram *from;
	struct ram *to;
	pid_t pid;	/* QEMU, which has mapped `from` ... */
	int is_private; /* ... privately: it is a clone */
	/* A part has ended. err->code is 0, or negative for a failure: -ENOSPC
	 * if the storage is full. Not called from inside ram_copy(). */
	void (*done)(struct ram_copy *copy, struct err *err);
	atomic_llong copied; /* bytes, by the last part */
	/* internal: */
	enum copy_part part;
	int has_ahead;	  /* the first part is done */
	int is_tracked;	  /* the kernel reports what was written since */
	int pagemap;	  /* of pid, while a part needs it; else -1 */
	uint64_t address; /* of `from` in pid */
	struct loop_source finished; /* eventfd */
	pthread_t threads[RAM_THREADS];
	int nthreads;
	atomic_int left;    /* threads that have not finished */
	atomic_llong next;  /* offset of the next chunk to copy */
	atomic_int failure; /* the first one, negated errno */
	void (*ended)(struct ram_copy *copy);
	unsigned char *copied_pages; /* a bit each: it is in `to` */
};

/* Starts a part of a copy that is not busy; copy is zeroed before the first
 * one. Returns 0, or a negative code: nothing was started. */
int ram_copy(struct ram_copy *copy, enum copy_part part, struct err *err);

/* True while threads are at work. */
int ram_copy_is_busy(const struct ram_copy *copy);

/* Makes the threads stop where they are, and waits for them. */
void ram_copy_cancel(struct ram_copy *copy);

/* Cancels the copy and frees what it holds, except the two files. `ended` is
 * called when nothing refers to the copy any more, perhaps at once. */
void ram_copy_end(struct ram_copy *copy, void (*ended)(struct ram_copy *));

#endif

/*
 * guest/child - the clones that this process forked or adopted, watched by
 * pidfd and reaped; the engine is told their exit statuses
 */
#ifndef GC_GUEST_CHILD_H
#define GC_GUEST_CHILD_H

#include "guest/gc.h"

/* Watches a child and tells the engine its exit status. Returns 0 or a
 * negative code. */
int guest_child_watch(struct gc *gc, pid_t pid);

/* The same for a clone of a clone: it is this process's to reap once its own
 * parent has ended, and the engine may be gone by then. */
void guest_child_adopt(struct gc *gc, pid_t pid);

/* The engine says that it has ended. */
void guest_child_ended(struct gc *gc, pid_t pid);

/* In a clone, before anything is opened there: they are the master's. */
void guest_child_forget(struct gc *gc);

#endif

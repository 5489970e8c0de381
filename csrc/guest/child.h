/*
 * guest/child - the clones that this process forked or adopted, watched by
 * pidfd and reaped; the engine gets their exit statuses
 */
#ifndef GC_GUEST_CHILD_H
#define GC_GUEST_CHILD_H

#include "guest/gc.h"

/* Watches a child, and reports its exit status to the engine. Returns 0 or a
 * negative code. */
int guest_child_watch(struct gc *gc, pid_t pid);

/* Watches a clone of a clone, which becomes this process's child once its own
 * parent has ended. The engine may be gone by then. */
void guest_child_adopt(struct gc *gc, pid_t pid);

/* The engine says that an adopted clone has ended. */
void guest_child_ended(struct gc *gc, pid_t pid);

/* In a clone, before anything is opened there: the children are the
 * master's. */
void guest_child_forget(struct gc *gc);

#endif

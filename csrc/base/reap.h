/*
 * reap - takes the exit status of the child that a pidfd stands for
 *
 * Never waitpid(-1): other children may be the program's.
 */
#ifndef GC_BASE_REAP_H
#define GC_BASE_REAP_H

/*
 * Does not wait. Returns 1 when the child has ended and is reaped now, with
 * its wait status, as WIFEXITED() and the others understand it; 0 while it
 * lives; or a negated errno: -ECHILD where it is no child of this process, or
 * none any more.
 */
int reap_pidfd(int pidfd, int *status);

#endif

/*
 * open_again - one more descriptor of an open file, with a mode and a position
 * of its own, also where the file has no name
 */
#ifndef GC_ENGINE_VM_OPEN_AGAIN_H
#define GC_ENGINE_VM_OPEN_AGAIN_H

/* flags: as for open(). Returns a descriptor (CLOEXEC), or a negated errno. */
int open_again(int fd, int flags);

#endif

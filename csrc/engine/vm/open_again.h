/*
 * open_again - opens an open file a second time, with a mode and a position of
 * its own; works for files without a name, too
 */
#ifndef GC_ENGINE_VM_OPEN_AGAIN_H
#define GC_ENGINE_VM_OPEN_AGAIN_H

/* flags: as for open(). Returns a CLOEXEC descriptor or a negated errno. */
int open_again(int fd, int flags);

#endif

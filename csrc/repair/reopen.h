/*
 * repair/reopen - opens a file of this process again, so that it shares neither
 * offset nor locks with the master
 */
#ifndef GC_REPAIR_REOPEN_H
#define GC_REPAIR_REOPEN_H

#include "repair/repair.h"

/*
 * Opens the item's file again, at the offset of the original. A locked file
 * that may not be opened, since the program has changed its user, is copied
 * into memory. Returns the descriptor (CLOEXEC); -1: the file has to be shared
 * as fork() leaves it.
 */
int reopen_file(const struct repair_item *item);

/* Whether two descriptors of this process are of one open file, as after
 * dup(). 0 also if the kernel does not say. */
int reopen_is_same(int a, int b);

#endif

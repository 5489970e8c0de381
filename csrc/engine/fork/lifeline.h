/*
 * lifeline - the pipe by which processes die with the engine
 */
#ifndef GC_ENGINE_FORK_LIFELINE_H
#define GC_ENGINE_FORK_LIFELINE_H

/*
 * Opens the read end of the pipe again, CLOEXEC, for one process: whom a pipe
 * signals is kept with the open file. The process cannot do that by itself
 * once it has changed its user. Returns the descriptor or a negated errno.
 */
int lifeline_open(int read_end);

#endif

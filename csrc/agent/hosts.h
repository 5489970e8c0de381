/*
 * hosts - has the VM's own name in /etc/hosts, so that it resolves
 *
 * A line "127.0.1.1 NAME # gridcentric" at the end of the file is the agent's;
 * the others are left alone. It is written in place, while programs stand
 * still: the file may be a mount point.
 */
#ifndef GC_AGENT_HOSTS_H
#define GC_AGENT_HOSTS_H

#include <stddef.h>

struct hosts {
	int fd;	    /* -1: not open */
	size_t len; /* bytes of the file that are not the agent's */
};

/* Opens the file, and finds where the agent's line begins: before a snapshot,
 * so that a clone has only to write. */
void hosts_open(struct hosts *hosts);

/* Writes the line, after hosts_open() if that is still to be done. A file that
 * cannot be written stays as it is, which a name server may make good. */
void hosts_write(struct hosts *hosts, const char *name);

#endif

/* hosts - see hosts.h */
#include "agent/hosts.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOSTS	 "/etc/hosts"
#define MARK	 "\t# gridcentric\n"
#define MAX_SIZE 65536 /* bytes of a file that is understood */

/* Where the agent's line begins, if it is the last one, else the end. */
static size_t find_line(const char *text, size_t len)
{
	const char *newline;
	size_t start = len;

	if (len < strlen(MARK) ||
	    memcmp(text + len - strlen(MARK), MARK, strlen(MARK)) != 0)
		return len;
	newline = memrchr(text, '\n', len - 1);
	start = newline ? (size_t)(newline + 1 - text) : 0;
	return start;
}

void hosts_open(struct hosts *hosts)
{
	char text[MAX_SIZE];
	ssize_t n;

	if (hosts->fd >= 0)
		close(hosts->fd);
	hosts->fd = open(HOSTS, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (hosts->fd < 0)
		return;
	n = pread(hosts->fd, text, sizeof text, 0);
	if (n < 0 || n == (ssize_t)sizeof text) {
		close(hosts->fd);
		hosts->fd = -1;
		return;
	}
	hosts->len = find_line(text, (size_t)n);
	/* a last line without its end */
	if (hosts->len && text[hosts->len - 1] != '\n' &&
	    pwrite(hosts->fd, "\n", 1, (off_t)hosts->len) == 1)
		hosts->len++;
}

void hosts_write(struct hosts *hosts, const char *name)
{
	char line[128];
	int len = snprintf(line, sizeof line, "127.0.1.1\t%s" MARK, name);

	if (hosts->fd < 0)
		hosts_open(hosts);
	if (hosts->fd < 0 || len >= (int)sizeof line)
		return;
	if (pwrite(hosts->fd, line, (size_t)len, (off_t)hosts->len) == len &&
	    ftruncate(hosts->fd, (off_t)hosts->len + len) < 0)
		return; /* a part of an older, longer line is left */
}

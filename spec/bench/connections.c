/*
 * connections - holds idle connections
 *
 *	connections IP PORT N
 *
 * Opens N, writes "connected", and ends with its stdin.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(const char *ip, int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_port = htons((uint16_t)port);
	inet_pton(AF_INET, ip, &addr.sin_addr);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0)
		return fd;
	return -1;
}

int main(int argc, char **argv)
{
	int i;
	char byte;

	if (argc != 4) {
		fprintf(stderr, "usage: connections IP PORT N\n");
		return 2;
	}
	for (i = 0; i < atoi(argv[3]); i++)
		if (connect_to(argv[1], atoi(argv[2])) < 0) {
			perror("connections");
			return 1;
		}
	dprintf(STDOUT_FILENO, "connected\n");
	while (read(STDIN_FILENO, &byte, 1) == 1)
		;
	return 0;
}

/*
 * gridcentric-agent - runs in a VM and connects its programs to the engine
 *
 *	gridcentric-agent [--socket PATH] [--port-name NAME | --port PATH]
 *			  [-- PROGRAM ARGUMENT ...]
 *
 * --socket	where programs connect; the default is $GRIDCENTRIC_AGENT, or
 *		/run/gridcentric/agent
 * --port-name	name of the virtio-serial port to the engine: port.h
 * --port	path of a device or unix socket to use instead
 *
 * PROGRAM is started once the VM knows who it is. When it ends, the agent ends
 * with its exit status, or 128 + the number of the signal. The agent passes
 * SIGTERM and SIGINT on to it.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/port.h"

#define SOCKET "/run/gridcentric/agent"

static const char usage[] =
	"usage: gridcentric-agent [--socket PATH] [--port-name NAME | "
	"--port PATH]\n\t[-- PROGRAM ARGUMENT ...]\n";

static struct agent agent;

static void on_signal(struct loop_source *source, uint32_t events)
{
	struct signalfd_siginfo info;

	if (read(source->fd, &info, sizeof info) == sizeof info)
		agent_signal(&agent, (int)info.ssi_signo);
}

static int watch_signals(struct loop_source *source)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -1
		      : loop_add(&agent.loop, source, fd, EPOLLIN, on_signal);
}

static int parse(int argc, char **argv, struct agent_options *options)
{
	static const struct option known[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "port-name", required_argument, NULL, 'n' },
		{ "port", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	/* "+": what follows the program's name is its own */
	while ((option = getopt_long(argc, argv, "+", known, NULL)) != -1)
		switch (option) {
		case 's': options->socket = optarg; break;
		case 'n': options->port_name = optarg; break;
		case 'p': options->port_path = optarg; break;
		case 'h': fputs(usage, stdout); exit(0);
		default: return -1;
		}
	options->argv = argv + optind;
	return 0;
}

int main(int argc, char **argv)
{
	const char *given = getenv("GRIDCENTRIC_AGENT");
	struct agent_options options = { .port_name = PORT_NAME,
					 .socket = SOCKET };
	struct loop_source signals = { 0 };
	struct err err;

	if (given && *given)
		options.socket = given;
	if (parse(argc, argv, &options)) {
		fputs(usage, stderr);
		return 2;
	}
	setenv("GRIDCENTRIC_AGENT", options.socket, 1);
	if (agent_start(&agent, &options, &err)) {
		fprintf(stderr, "gridcentric-agent: %s\n", err.text);
		return 1;
	}
	if (watch_signals(&signals)) {
		fputs("gridcentric-agent: signals cannot be watched\n", stderr);
		return 1;
	}
	while (!agent.over)
		agent_turn(&agent);
	agent_stop(&agent);
	return agent.status;
}

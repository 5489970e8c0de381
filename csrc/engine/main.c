/*
 * gridcentric-engine - the platform of one master, started by its owner
 *
 *	gridcentric-engine --owner FD --name SERVICE
 *	gridcentric-engine --print tickets|domains|events [--of SERVICE]
 *		[--limit N] [--after ID] [--decision N]
 *	gridcentric-engine --print state
 *
 * People do not type this: the library starts it, gcscale asks it for history.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/setting.h"
#include "engine/core/domain.h"
#include "engine/engine.h"
#include "engine/state/ledger.h"

static const char usage[] =
	"usage: gridcentric-engine --owner FD --name SERVICE\n"
	"       gridcentric-engine --print tickets|domains|events [--of "
	"SERVICE]\n"
	"           [--limit N] [--after ID] [--decision N]\n"
	"       gridcentric-engine --print state\n";

/* ---- printing ---------------------------------------------------------- */

static int print(const char *what, const struct ledger_filter *filter)
{
	struct state state;
	struct err err = { 0 };
	int code = state_open(&state, 0, &err);

	if (code == -ENOENT) { /* nothing has ever run */
		puts(strcmp(what, "state") == 0 ? "" : "[]");
		return EXIT_SUCCESS;
	}
	if (!code && strcmp(what, "state") == 0) {
		puts(state.dir);
	} else if (!code) {
		code = ledger_print(&state, what, filter, &err);
	}
	if (!code) {
		state_close(&state);
		return EXIT_SUCCESS;
	}
	fprintf(stderr, "gridcentric-engine: %s\n", err.text);
	return EXIT_FAILURE;
}

/* ---- running ----------------------------------------------------------- */

static struct engine engine; /* one a process, and large */
static struct loop_source signals;

static void on_signal(struct loop_source *source, uint32_t events)
{
	struct signalfd_siginfo info;

	if (read(source->fd, &info, sizeof info) == sizeof info)
		domain_end_all(&engine, setting_grace_ms());
}

/* SIGTERM is an orderly end; a terminal's Ctrl-C is the owner's affair. */
static int take_signals(struct err *err)
{
	sigset_t set;
	int fd, code;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a write to the ledger fails instead */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	code = loop_add(&engine.loop, &signals, fd, EPOLLIN, on_signal);
	return code ? err_set(err, code, "signals") : 0;
}

/* Domains and hooks inherit 0 to 2: if one of them were closed, another file would
 * take its number. */
static void hold_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static int run(int owner, const char *name)
{
	struct err err = { 0 };

	hold_stdio();
	if (engine_open(&engine, owner, name, &err) || take_signals(&err)) {
		if (!engine.owner)
			fprintf(stderr, "gridcentric-engine: %s\n", err.text);
		else
			engine_report_fault(&engine, &err);
		return EXIT_FAILURE;
	}
	engine_run(&engine);
	engine_close(&engine);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "owner", required_argument, NULL, 'o' },
		{ "name", required_argument, NULL, 'n' },
		{ "print", required_argument, NULL, 'p' },
		{ "of", required_argument, NULL, 'f' },
		{ "limit", required_argument, NULL, 'l' },
		{ "after", required_argument, NULL, 'a' },
		{ "decision", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *name = "program", *what = NULL;
	struct ledger_filter filter = { .limit = 1000, .decision = -1 };
	int owner = -1, c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 'o': owner = atoi(optarg); break;
		case 'n': name = optarg; break;
		case 'p': what = optarg; break;
		case 'f': filter.name = optarg; break;
		case 'l': filter.limit = atoi(optarg); break;
		case 'a': filter.after = atoll(optarg); break;
		case 'd': filter.decision = atoll(optarg); break;
		case 'h': fputs(usage, stdout); return EXIT_SUCCESS;
		default: fputs(usage, stderr); return 2;
		}
	}
	if (what)
		return print(what, &filter);
	if (owner >= 0)
		return run(owner, name);
	fputs(usage, stderr);
	return 2;
}

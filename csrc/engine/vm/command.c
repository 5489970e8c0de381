/* command - see command.h */
#include "engine/vm/command.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/process.h"

#define QEMU	 "qemu-system-x86_64"
#define PRELOAD	 "gridcentric-preload.so"
#define MAX_ARGS 96
#define KERNEL_ARGS                                             \
	"console=ttyS0 quiet panic=-1 reboot=t no_timer_check " \
	"lpj=4000000"
/* an emulated CPU does not speculate, and the mitigations cost a tenth */
#define EMULATED_ARGS KERNEL_ARGS " mitigations=off"

/*
 * MiB for the code that QEMU has translated, in each emulated machine. Its own
 * default is an eighth of the host's memory, up to 1 GiB: a Debian with 512 MiB
 * took 447 MiB beside its own memory, and takes 167 with this; booting it costs
 * no more CPU time.
 */
#define CODE_MIB 128

/* The descriptors of QEMU, by their numbers there. */
enum {
	FD_QMP = 3,
	FD_CHANNEL,
	FD_CONSOLE,
	FD_RAM,
	FD_KERNEL,
	FD_INITRD,
	FD_LAN,
	FD_TAP,
	FD_PRELOAD,
	FD_CLAIM,
};

int vm_host_port(const struct vm_spec *spec)
{
	return spec->port && spec->port < 1024 && !spec->has_tap
		       ? spec->port + 8000
		       : spec->port;
}

struct command {
	char *argv[MAX_ARGS + 1];
	int n;
	int failed; /* out of memory, or too many */
	struct process_spec spec;
	int library; /* descriptor of what is preloaded; -1: not open */
	char path[PATH_MAX], preload[48], track[48], engine[48];
	char *env[5];
};

__attribute__((format(printf, 2, 3))) static void add(struct command *command,
						      const char *format, ...)
{
	va_list values;
	char *text;

	if (command->n == MAX_ARGS) {
		command->failed = 1;
		return;
	}
	va_start(values, format);
	if (vasprintf(&text, format, values) < 0)
		command->failed = 1;
	else
		command->argv[command->n++] = text;
	va_end(values);
}

/* An option with its value. */
#define add_option(command, name, ...)     \
	do {                               \
		add(command, name);        \
		add(command, __VA_ARGS__); \
	} while (0)

static void free_command(struct command *command)
{
	while (command->n > 0)
		free(command->argv[--command->n]);
}

/* Hands the descriptor `from` to QEMU, as number `to`. */
static void give(struct command *command, int from, int to)
{
	assert(from >= 0 && command->spec.nfds < PROCESS_MAX_FDS);
	command->spec.fds[command->spec.nfds].from = from;
	command->spec.fds[command->spec.nfds++].to = to;
}

/* The group that may use KVM, which QEMU's user has to be in. */
static gid_t kvm_group(void)
{
	struct stat st;

	return stat("/dev/kvm", &st) == 0 ? st.st_gid : 0;
}

/* setpriv: another user, no way to more privileges, and a death signal. */
static int add_wrapper(struct command *command, const struct vm_plan *plan,
		       struct err *err)
{
	const char *user = getenv("GRIDCENTRIC_VM_USER");
	const struct passwd *entry;

	add(command, "setpriv");
	add_option(command, "--pdeathsig", "KILL");
	add(command, "--no-new-privs");
	if (geteuid() == 0) {
		user = user && *user ? user : "nobody";
		entry = getpwnam(user);
		if (!entry)
			return err_say(err, -EINVAL,
				       "GRIDCENTRIC_VM_USER: no user %s", user);
		add(command, "--reuid=%d", (int)entry->pw_uid);
		add(command, "--regid=%d", (int)entry->pw_gid);
		if (plan->is_kvm && kvm_group())
			add(command, "--groups=%d", (int)kvm_group());
		else
			add(command, "--clear-groups");
		add(command, "--inh-caps=-all");
	}
	add(command, "--");
	return 0;
}

static void add_machine(struct command *command, const struct vm_plan *plan)
{
	const struct vm_spec *spec = plan->spec;
	const char *qemu = getenv("GRIDCENTRIC_QEMU");

	add(command, "%s", qemu && *qemu ? qemu : QEMU);
	add_option(command, "-M", "q35,memory-backend=ram,suppress-vmdesc=on");
	if (plan->is_kvm)
		add_option(command, "-accel", "kvm");
	else
		add_option(command, "-accel", "tcg,tb-size=%d", CODE_MIB);
	add_option(command, "-cpu", "%s", plan->is_kvm ? "host" : "max");
	add_option(command, "-smp", "%d", spec->cpus);
	add_option(command, "-m", "%dM", spec->memory_mib);
	add_option(command, "-object",
		   "memory-backend-file,id=ram,size=%dM,"
		   "mem-path=/proc/self/fd/%d,share=%s",
		   spec->memory_mib, FD_RAM, plan->is_clone ? "off" : "on");
	/* differs in each VM; kernels that know it reseed their generator */
	add_option(command, "-device", "vmgenid,guid=auto");
	/* a kernel that panics says so, and QEMU ends; on the ISA bus, so that
	 * network cards keep their places, and with them their names */
	add_option(command, "-device", "pvpanic");
	add(command, "-nodefaults");
	add(command, "-no-user-config");
	add(command, "-no-reboot");
	add_option(command, "-display", "none");
	add_option(command, "-sandbox",
		   "on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
		   "resourcecontrol=deny");
	/* saved states hold no configuration: see engine/qemu/snapshot.h */
	add_option(command, "-global", "migration.send-configuration=off");
	/* a clone gets other addresses than those that QEMU, and the guest,
	 * would announce */
	add_option(command, "-global", "migration.announce-rounds=0");
}

static void add_channels(struct command *command)
{
	add_option(command, "-chardev", "socket,id=qmp,fd=%d", FD_QMP);
	add_option(command, "-mon", "chardev=qmp,mode=control");
	add_option(command, "-chardev", "socket,id=console,fd=%d", FD_CONSOLE);
	add_option(command, "-serial", "chardev:console");
	add_option(command, "-device", "virtio-serial-pci,max_ports=2");
	add_option(command, "-chardev", "socket,id=agent,fd=%d", FD_CHANNEL);
	add_option(command, "-device",
		   "virtserialport,id=" VM_AGENT_PORT
		   ",chardev=agent,name=org.gridcentric.agent");
}

static void add_cards(struct command *command, const struct vm_plan *plan)
{
	const struct vm_spec *spec = plan->spec;
	char forward[64] = "";

	if (plan->is_probe)
		return;
	if (plan->forward && spec->port)
		snprintf(forward, sizeof forward, ",hostfwd=tcp:%s:%d-:%d",
			 plan->forward, vm_host_port(spec), spec->port);
	if (spec->has_tap) {
		add_option(command, "-netdev", "tap,id=card0,fd=%d", FD_TAP);
		add_option(command, "-device",
			   "virtio-net-pci,netdev=card0,romfile=,"
			   "guest_announce=off,mac=%s",
			   plan->tap_mac);
		give(command, plan->far.tap, FD_TAP);
	} else {
		add_option(command, "-netdev", "user,id=card0,ipv6=off%s",
			   forward);
		add_option(command, "-device",
			   "virtio-net-pci,netdev=card0,romfile=,"
			   "guest_announce=off");
	}
	if (!spec->has_lan)
		return;
	give(command, plan->far.lan, FD_LAN);
	add_option(command, "-netdev",
		   "dgram,id=card1,local.type=fd,local.str=%d", FD_LAN);
	add_option(command, "-device",
		   "virtio-net-pci,netdev=card1,romfile=,guest_announce=off");
}

/* The disk is empty at first: engine/qemu/disk.h fills it, and then lets a master
 * run. */
static void add_disk(struct command *command, const struct vm_plan *plan)
{
	if (plan->image->disk < 0)
		return;
	add_option(command, "-blockdev",
		   "null-co,node-name=empty,read-zeroes=on,size=%lld",
		   (long long)plan->image->disk_size);
	add_option(command, "-device",
		   "virtio-blk-pci,id=disk,drive=empty,bootindex=0,"
		   "werror=report,rerror=report");
	if (!plan->is_clone)
		add(command, "-S");
}

static void add_start(struct command *command, const struct vm_plan *plan)
{
	const struct vm_image *image = plan->image;

	if (plan->is_clone) {
		add_option(command, "-incoming", "defer");
		add(command, "-S");
	} else if (image->kernel >= 0) {
		add_option(command, "-kernel", "/proc/self/fd/%d", FD_KERNEL);
		add_option(command, "-append", "%s",
			   plan->is_kvm ? KERNEL_ARGS : EMULATED_ARGS);
		give(command, image->kernel, FD_KERNEL);
		if (!plan->is_probe) {
			add_option(command, "-initrd", "/proc/self/fd/%d",
				   FD_INITRD);
			give(command, image->initrd, FD_INITRD);
		}
	}
}

/*
 * Opens the library that is preloaded into QEMU (csrc/preload/qemu/), which lies
 * beside the engine. QEMU gets the descriptor and finds the library through it:
 * LD_PRELOAD cannot hold a path with blanks or colons, and the user that QEMU
 * runs as may not reach the folder. Returns 0 or a negative code.
 */
static int open_preload(struct command *command, struct err *err)
{
	char path[PATH_MAX + sizeof PRELOAD], *name;
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (len < 0)
		return err_set(err, -errno, "/proc/self/exe");
	path[len] = '\0';
	name = strrchr(path, '/');
	strcpy(name ? name + 1 : path, PRELOAD);
	command->library = open(path, O_RDONLY | O_CLOEXEC);
	if (command->library < 0)
		return err_set(err, -errno, "%s", path);
	give(command, command->library, FD_PRELOAD);
	return 0;
}

/* Of the engine's environment QEMU gets PATH only. */
static void set_environment(struct command *command, const struct vm_plan *plan)
{
	const char *path = getenv("PATH");
	int n = 0;

	snprintf(command->path, sizeof command->path, "PATH=%s",
		 path ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
	command->env[n++] = command->path;
	snprintf(command->engine, sizeof command->engine,
		 "GRIDCENTRIC_ENGINE_PID=%d", (int)getpid());
	command->env[n++] = command->engine;
	snprintf(command->preload, sizeof command->preload,
		 "LD_PRELOAD=/proc/self/fd/%d", FD_PRELOAD);
	command->env[n++] = command->preload;
	/* a clone's writes are found in another way: see ram_private.h */
	if (!plan->is_clone) {
		snprintf(command->track, sizeof command->track,
			 "GRIDCENTRIC_TRACK_FD=%d", FD_RAM);
		command->env[n++] = command->track;
	}
	command->env[n] = NULL;
}

int vm_command_run(const struct vm_plan *plan, pid_t *pid, struct err *err)
{
	struct command command = { .library = -1 };
	int code;

	give(&command, plan->far.qmp, FD_QMP);
	give(&command, plan->far.channel, FD_CHANNEL);
	give(&command, plan->far.console, FD_CONSOLE);
	/* QEMU's own messages go where its guest's do */
	give(&command, plan->far.console, STDERR_FILENO);
	give(&command, plan->ram->fd, FD_RAM);
	give(&command, plan->claim, FD_CLAIM);
	code = open_preload(&command, err);
	if (!code)
		code = add_wrapper(&command, plan, err);
	if (code)
		goto out;
	add_machine(&command, plan);
	add_channels(&command);
	add_cards(&command, plan);
	add_disk(&command, plan);
	add_start(&command, plan);
	set_environment(&command, plan);
	command.argv[command.n] = NULL;
	command.spec.file = command.argv[0];
	command.spec.argv = command.argv;
	command.spec.dir = "/";
	command.spec.env = command.env;
	code = command.failed ? -ENOMEM : process_start(&command.spec, pid);
	if (code)
		err_set(err, code, "setpriv (package util-linux)");
out:
	if (command.library >= 0)
		close(command.library);
	free_command(&command);
	return code;
}

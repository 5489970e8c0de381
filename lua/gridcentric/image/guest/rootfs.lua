-- Files that are written for the guest: its init scripts, and the few files that a C library needs.
--
-- busybox is init. It runs RC once, then PROGRAM; when that ends, the machine is switched off. An
-- image that is a disk runs INITRD first, from memory, which mounts the disk and continues there.

local rootfs = {}

rootfs.INITTAB = [[
# How this machine starts: see gcscale(1), "image build".
::sysinit:/etc/init.d/rc
::once:/etc/init.d/program
::ctrlaltdel:/sbin/poweroff
]]

-- The list names each module after those that it needs.
rootfs.RC = [=[
#!/bin/sh
# What a program expects to find in a running Linux.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t devtmpfs -o nosuid devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o nosuid,noexec,gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev tmpfs /dev/shm
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run
mount -t tmpfs -o nosuid,nodev tmpfs /tmp
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr

# QEMU's network has no IPv6, and a card is a clone's the sooner for it.
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
while read -r name file; do
	[ -d "/sys/module/$name" ] || insmod "$file" || echo "gridcentric: $name is not loaded"
done </etc/gridcentric/modules

ip link set lo up
]=]

-- %s: the program's words, quoted for a shell.
rootfs.PROGRAM = [=[
#!/bin/sh
# The agent, with the program; it is the machine's purpose, and its end is the machine's.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8

(cd /app && exec /usr/lib/gridcentric/gridcentric-agent -- %s)
echo "gridcentric: the program has ended with status $?"
poweroff -f
]=]

-- root= can name another disk. The kernel takes a while to find disks, so the script waits.
rootfs.INITRD = [=[
#!/bin/sh
# Finds the disk, and goes over to it.
export PATH=/bin

mount -t proc proc /proc
mount -t devtmpfs devtmpfs /dev
while read -r name file; do
	insmod "$file" || echo "gridcentric: $name is not loaded"
done </modules

root=/dev/vda2
for word in $(cat /proc/cmdline); do
	case $word in root=*) root=${word#root=} ;; esac
done
tries=0
until [ -b "$root" ] || [ $tries = 100 ]; do
	tries=$((tries + 1))
	usleep 50000
done
if ! mount -t ext4 -o rw "$root" /root; then
	echo "gridcentric: no disk at $root; there are:" /dev/[hsv]d*
	poweroff -f
fi
umount /dev
umount /proc
exec switch_root /root /sbin/init
]=]

-- path -> text. Files below /etc/init.d are executable.
rootfs.FILES = {
	["etc/inittab"] = rootfs.INITTAB,
	["etc/passwd"] = "root:x:0:0:root:/root:/bin/sh\n"
		.. "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
	["etc/group"] = "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
	["etc/hosts"] = "127.0.0.1 localhost\n::1 localhost\n",
	["etc/nsswitch.conf"] = "passwd: files\ngroup: files\nhosts: files dns\n",
	["etc/resolv.conf"] = "nameserver 10.0.2.3\n", -- of QEMU's user network
	["etc/hostname"] = "gridcentric\n",
}

-- Empty folders: mount points, or written to later.
rootfs.FOLDERS = {
	"app", "dev", "etc/gridcentric", "proc", "root", "run", "sys", "tmp", "usr/local/bin",
	"usr/local/sbin", "var/log", "var/tmp",
}

-- Of the disk.
rootfs.SYSLINUX = [[
DEFAULT gridcentric
PROMPT 0
LABEL gridcentric
	KERNEL /kernel
	INITRD /initrd
	APPEND %s root=/dev/vda2
]]

-- The kernel's command line, the same that the engine uses for an image without a disk.
rootfs.COMMAND_LINE =
	"console=ttyS0 quiet panic=-1 reboot=t no_timer_check lpj=4000000"

return rootfs

/* engine/qemu/disk - see engine/qemu/disk.h */
#include "engine/qemu/disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/qemu/qemu.h"
#include "engine/vm/open_again.h"

#define IMAGE_SET   1000000    /* no layer's */
#define MERGE_JOB   "merge"    /* its name in QEMU */
#define MERGE_SPEED (64 << 20) /* bytes a second */

static int has_disk(const struct qemu_vm *vm)
{
	return qemu_of(vm->backend)->image.disk >= 0;
}

static void node_name(const struct disk_layer *layer, char *name, size_t size)
{
	if (layer)
		snprintf(name, size, "layer-%d", layer->number);
	else
		snprintf(name, size, "image");
}

/* Gives QEMU the file, as one of a set of descriptors. */
static int add_file(struct qemu_vm *vm, int file, int set, int flags,
		    qmp_done *done)
{
	int fd = open_again(file, flags);

	if (fd < 0)
		return fd;
	qmp_call(&vm->vm.qmp, fd, done, vm, "add-fd", "{s:i}", "fdset-id", set);
	return 0;
}

/* Has QEMU open it. It stands on nothing where that is still written to. */
static void add_node(struct qemu_vm *vm, const char *name, int set,
		     int is_read_only, const char *backing, qmp_done *done)
{
	char path[32];

	snprintf(path, sizeof path, "/dev/fdset/%d", set);
	/* nothing of it outlives the engine: no flush has to reach a disk */
	qmp_call(&vm->vm.qmp, -1, done, vm, "blockdev-add",
		 "{s:s,s:s,s:b,s:o,s:s,s:{s:b},s:{s:s,s:s,s:s}}", "driver",
		 "qcow2", "node-name", name, "read-only", is_read_only,
		 "backing", backing ? json_string(backing) : json_null(),
		 "discard", "unmap", "cache", "no-flush", 1, "file", "driver",
		 "file", "filename", path, "locking",
		 set == IMAGE_SET ? "auto" : "off");
}

static int add_image(struct qemu_vm *vm)
{
	int code;

	if (vm->disk.has_image)
		return 0;
	code = add_file(vm, qemu_of(vm->backend)->image.disk, IMAGE_SET,
			O_RDONLY, NULL);
	if (code)
		return code;
	add_node(vm, "image", IMAGE_SET, 1, NULL, NULL);
	vm->disk.has_image = 1;
	return 0;
}

/* The frozen layer and all below it, as far as they are not open yet. */
static int add_frozen(struct qemu_vm *vm, struct disk_layer *layer)
{
	char name[32], below[32];
	int code;

	if (!layer)
		return add_image(vm);
	if (layer == vm->disk.known)
		return 0;
	code = add_frozen(vm, layer->below);
	if (!code)
		code = add_file(vm, layer->fd, layer->number, O_RDONLY, NULL);
	if (code)
		return code;
	node_name(layer, name, sizeof name);
	node_name(layer->below, below, sizeof below);
	add_node(vm, name, layer->number, 1, below, NULL);
	disk_drop(vm->disk.known);
	vm->disk.known = disk_use(layer);
	return 0;
}

/* A layer to write to; QEMU reopens it to read when it freezes it. */
static int add_writable(struct qemu_vm *vm, struct disk_layer *layer,
			const char *backing, qmp_done *done)
{
	char name[32];
	int code = add_file(vm, layer->fd, layer->number, O_RDWR, done);

	if (!code)
		code = add_file(vm, layer->fd, layer->number, O_RDONLY, done);
	if (code)
		return code;
	node_name(layer, name, sizeof name);
	add_node(vm, name, layer->number, 0, backing, done);
	return 0;
}

static struct disk_layer *new_layer(struct qemu_vm *vm,
				    struct disk_layer *below, struct err *err)
{
	struct qemu *qemu = qemu_of(vm->backend);

	return disk_new(below, qemu->image.disk_size, ++qemu->last_layer, err);
}

/* Puts the disk in, which is a new layer upon below. */
static int insert(struct qemu_vm *vm, struct disk_layer *below, struct err *err)
{
	struct disk_layer *layer = new_layer(vm, below, err);
	char name[32], under[32];
	int code;

	if (!layer)
		return err->code;
	vm->disk.top = layer;
	node_name(layer, name, sizeof name);
	node_name(below, under, sizeof under);
	code = add_frozen(vm, below);
	if (!code)
		code = add_writable(vm, layer, under, NULL);
	if (code)
		return err_set(err, code, "disk of the VM");
	qmp_call(&vm->vm.qmp, -1, NULL, NULL, "qom-set", "{s:s,s:s,s:s}",
		 "path", "/machine/peripheral/disk", "property", "drive",
		 "value", name);
	return 0;
}

int qemu_disk_boot(struct qemu_vm *vm, struct err *err)
{
	if (!has_disk(vm))
		return 0;
	if (insert(vm, NULL, err))
		return err->code;
	qmp_call(&vm->vm.qmp, -1, NULL, NULL, "cont", NULL);
	return 0;
}

void qemu_disk_expect(struct qemu_vm *vm, const struct qemu_vm *source)
{
	/* what fails here will do so again when it is a clone */
	if (has_disk(vm))
		add_frozen(vm, qemu_disk_frozen(&source->disk));
}

int qemu_disk_clone(struct qemu_vm *vm, struct disk_layer *frozen,
		    struct err *err)
{
	return has_disk(vm) ? insert(vm, frozen, err) : 0;
}

/* ---- a snapshot -------------------------------------------------------- */

/* Of a command that may fail. */
static void on_forgotten(void *owner, json_t *result, const struct err *err)
{
}

static void on_next(void *owner, json_t *result, const struct err *err)
{
	struct qemu_vm *vm = owner;

	if (!err->code || !vm->disk.next)
		return;
	vm->disk.err = *err;
	disk_drop(vm->disk.next);
	vm->disk.next = NULL;
}

void qemu_disk_prepare(struct qemu_vm *vm)
{
	struct qemu_disk *disk = &vm->disk;
	int code;

	if (disk->merging)
		qmp_call(&vm->vm.qmp, -1, on_forgotten, NULL,
			 "block-job-cancel", "{s:s}", "device", MERGE_JOB);
	if (!disk->top || disk->next)
		return;
	disk->next = new_layer(vm, disk->top, &disk->err);
	if (!disk->next)
		return;
	code = add_writable(vm, disk->next, NULL, on_next);
	if (!code)
		return;
	err_set(&disk->err, code, "disk of the VM");
	disk_drop(disk->next);
	disk->next = NULL;
}

int qemu_disk_freeze(struct qemu_vm *vm, qmp_done *done, struct err *err)
{
	struct qemu_disk *disk = &vm->disk;
	char name[32], next[32];

	if (!disk->top || !disk_is_written(disk->top))
		return 0;
	if (!disk->next) {
		assert(disk->err.code);
		*err = disk->err;
		return err->code;
	}
	/* it was told to give up long ago, and had its chance while the agent
	 * prepared itself, and when QEMU stopped */
	if (disk->merging)
		return err_say(err, -EBUSY, "its disk is still being merged");
	node_name(disk->top, name, sizeof name);
	node_name(disk->next, next, sizeof next);
	qmp_call(&vm->vm.qmp, -1, done, vm, "blockdev-snapshot", "{s:s,s:s}",
		 "node", name, "overlay", next);
	return 1;
}

void qemu_disk_froze(struct qemu_vm *vm)
{
	struct qemu_disk *disk = &vm->disk;

	assert(disk->top && disk->next);
	disk->frozen_set = disk->top->number;
	disk_seal(disk->top);
	disk_drop(disk->top);
	disk->top = disk->next;
	disk->next = NULL;
}

/* ---- many layers ------------------------------------------------------- */

static void on_merge(void *owner, json_t *result, const struct err *err)
{
	struct qemu_vm *vm = owner;

	if (err->code)
		vm->disk.merging = 0;
}

/* What is below its top, but the image, is copied into it while it runs. */
static void merge(struct qemu_vm *vm)
{
	char name[32];

	if (vm->disk.merging)
		return;
	vm->disk.merging = 1;
	node_name(vm->disk.top, name, sizeof name);
	qmp_call(&vm->vm.qmp, -1, on_merge, vm, "block-stream",
		 "{s:s,s:s,s:s,s:i}", "job-id", MERGE_JOB, "device", name,
		 "base-node", "image", "speed", MERGE_SPEED);
}

/* QEMU reads them no more; others may. */
static void forget_merged(struct qemu_vm *vm)
{
	struct disk_layer *layer;
	char name[32];

	for (layer = vm->disk.top->below; layer; layer = layer->below) {
		node_name(layer, name, sizeof name);
		qmp_call(&vm->vm.qmp, -1, on_forgotten, NULL, "blockdev-del",
			 "{s:s}", "node-name", name);
		qmp_call(&vm->vm.qmp, -1, on_forgotten, NULL, "remove-fd",
			 "{s:i}", "fdset-id", layer->number);
	}
	disk_drop(vm->disk.known);
	vm->disk.known = NULL;
	disk_is_whole(vm->disk.top);
	/* QEMU has the next one still, upon nothing, as it was */
	if (vm->disk.next)
		vm->disk.next->depth = 1;
}

void qemu_disk_event(struct qemu_vm *vm, const char *name, json_t *data)
{
	const char *job = json_string_value(json_object_get(data, "device"));
	int is_done = strcmp(name, "BLOCK_JOB_COMPLETED") == 0;

	if (!vm->disk.merging || !job || strcmp(job, MERGE_JOB) != 0 ||
	    (!is_done && strcmp(name, "BLOCK_JOB_CANCELLED") != 0))
		return;
	vm->disk.merging = 0;
	if (is_done && !json_object_get(data, "error"))
		forget_merged(vm);
}

/* What it has opened stays open; QEMU closes the others while it runs only. */
void qemu_disk_resumed(struct qemu_vm *vm)
{
	if (vm->disk.frozen_set)
		qmp_call(&vm->vm.qmp, -1, on_forgotten, NULL, "remove-fd",
			 "{s:i}", "fdset-id", vm->disk.frozen_set);
	vm->disk.frozen_set = 0;
	if (vm->disk.top && vm->disk.top->depth >= DISK_MERGE_AT)
		merge(vm);
}

void qemu_disk_free(struct qemu_disk *disk)
{
	disk_drop(disk->next);
	disk_drop(disk->top);
	disk_drop(disk->known);
}

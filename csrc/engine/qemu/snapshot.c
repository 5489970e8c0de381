/* engine/qemu/snapshot - see engine/qemu/snapshot.h */
#include "engine/qemu/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/setting.h"
#include "base/text.h"
#include "engine/core/client.h"
#include "engine/qemu/stock.h"
#include "engine/vm/open_again.h"

#define PREPARE_MS 20000	 /* for the agent, its hook and the freezer */
#define MAX_PASSES 4		 /* of copying while it runs */
#define SMALL	   (1024 * 1024) /* bytes: copied in a millisecond or less */
#define STATE_SET  1 /* of descriptors, as QEMU names the state's file */

void qemu_snapshot_drop(struct qemu_snapshot *snapshot)
{
	assert(!snapshot || snapshot->uses > 0);
	if (!snapshot || --snapshot->uses > 0)
		return;
	qemu_stock_free(snapshot->stock);
	disk_drop(snapshot->disk);
	if (snapshot->state >= 0)
		close(snapshot->state);
	free(snapshot);
}

/* ---- its end ----------------------------------------------------------- */

/* Makes RAM and state final, before clones read them: the source's QEMU, and
 * every clone's, may have the files open for writing. */
static void seal(struct qemu_snapshot *snapshot)
{
	int code = ram_seal(snapshot->stock->copy.to);

	if (!code &&
	    fcntl(snapshot->state, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		code = -errno;
	if (code)
		err_set(&snapshot->err, code, "sealing the snapshot");
}

/* The image is there, or snapshot->err says why not. */
static void end_snapshot(struct qemu_snapshot *snapshot)
{
	struct qemu_vm *source = snapshot->source;
	struct image *image = snapshot->image;

	assert(snapshot->step != DONE && source->snapshot == snapshot);

	loop_timer_stop(&snapshot->limit);
	snapshot->step = DONE;
	snapshot->source = NULL;
	source->snapshot = NULL;
	/* the waiting VMs have not run the guest yet */
	if (!snapshot->err.code)
		seal(snapshot);
	if (image)
		image->done(image, &snapshot->err);
	qemu_snapshot_drop(snapshot);
}

static void set_failed(struct qemu_snapshot *snapshot, const struct err *err)
{
	if (!snapshot->err.code)
		snapshot->err = *err;
}

void qemu_snapshot_source_gone(struct qemu_snapshot *snapshot)
{
	snapshot->source->snapshot = NULL;
	snapshot->source = NULL;
	snapshot->image = NULL; /* its job learns of the source's end */
	loop_timer_stop(&snapshot->limit);
	snapshot->step = DONE;
	qemu_snapshot_drop(snapshot);
}

/* ---- while it is stopped ----------------------------------------------- */

/* QEMU closes a descriptor that was removed only while the VM runs. */
static void on_forgotten(void *owner, json_t *result, const struct err *err)
{
}

/* The source goes on and gets the messages that waited, then IDENTITY: its agent
 * passes answers to programs while they are still frozen. */
static void resume(struct qemu_snapshot *snapshot)
{
	struct qemu_vm *source = snapshot->source;
	struct client *client = source->domain->client;

	snapshot->pause_us = (int)(clock_us() - snapshot->stopped_us);
	qmp_call(&source->vm.qmp, -1, NULL, NULL, "cont", NULL);
	qmp_call(&source->vm.qmp, -1, on_forgotten, NULL, "remove-fd", "{s:i}",
		 "fdset-id", STATE_SET);
	qemu_disk_resumed(source);
	qemu_send_identity(source, snapshot->number);
	if (client)
		channel_hold(&client->channel, 0);
}

/* Records what the snapshot cost. */
static void record_cost(const struct qemu_snapshot *snapshot)
{
	struct engine *engine = snapshot->source->backend->engine;
	int64_t rest = atomic_load(&snapshot->stock->copy.copied);
	int64_t all = ram_bytes(snapshot->stock->copy.to);
	char text[128], json[128];

	snprintf(text, sizeof text,
		 "stood still for %.1f ms; %.1f MB of %.1f MB copied meanwhile",
		 snapshot->pause_us / 1e3, (double)rest / 1e6,
		 (double)all / 1e6);
	snprintf(json, sizeof json,
		 "{\"pause_us\":%d,\"copied\":%lld,\"bytes\":%lld}",
		 snapshot->pause_us, (long long)rest, (long long)all);
	ledger_event(engine->ledger, "snapshot", snapshot->source->domain->vmid,
		     text, json);
}

/* RAM or state is copied: goes on when both are. */
static void end_stop(struct qemu_snapshot *snapshot)
{
	if (snapshot->step != STOPPED || !snapshot->saved || !snapshot->copied)
		return;
	resume(snapshot);
	record_cost(snapshot);
	end_snapshot(snapshot);
}

static void on_saved(void *owner, json_t *result, const struct err *err)
{
	struct qemu_vm *vm = owner;
	struct qemu_snapshot *snapshot = vm->snapshot;

	if (err->code)
		set_failed(snapshot, err);
	snapshot->disk = disk_use(qemu_disk_frozen(&vm->disk));
	snapshot->saved = 1;
	end_stop(snapshot);
}

static void on_frozen(void *owner, json_t *result, const struct err *err)
{
	struct qemu_vm *vm = owner;

	if (!err->code)
		qemu_disk_froze(vm);
	else if (vm->snapshot)
		set_failed(vm->snapshot, err);
}

static void on_stopped(void *owner, json_t *result, const struct err *stop_err)
{
	struct qemu_vm *vm = owner;
	struct qemu_snapshot *snapshot = vm->snapshot;
	struct ram_copy *copy = &snapshot->stock->copy;
	struct qmp *qmp = &vm->vm.qmp;
	struct err err = *stop_err;
	/* QEMU accepts a descriptor for writing only if it cannot be read */
	int file = open_again(snapshot->state, O_WRONLY);

	if (!err.code && file < 0)
		err_set(&err, file, "state of the devices");
	if (!err.code && qemu_disk_freeze(vm, on_frozen, &err) >= 0)
		ram_copy(copy, COPY_REST, &err);
	if (err.code) {
		if (file >= 0)
			close(file);
		set_failed(snapshot, &err);
		snapshot->saved = snapshot->copied = 1;
		end_stop(snapshot);
		return;
	}
	qmp_call(qmp, file, NULL, NULL, "add-fd", "{s:i}", "fdset-id",
		 STATE_SET);
	qmp_call(qmp, -1, on_saved, vm, "xen-save-devices-state", "{s:s,s:b}",
		 "filename", "/dev/fdset/1", "live", 0);
}

/* ---- before ------------------------------------------------------------ */

/* Fails before the stop: lets messages to the agent pass again. */
static void give_up(struct qemu_snapshot *snapshot, const struct err *err)
{
	struct client *client = snapshot->source->domain->client;

	set_failed(snapshot, err);
	if (client)
		channel_hold(&client->channel, 0);
	end_snapshot(snapshot);
}

static void on_late(struct loop_timer *timer)
{
	struct qemu_snapshot *snapshot =
		container_of(timer, struct qemu_snapshot, limit);
	struct err err;

	err_say(&err, -GC_ENOTREADY, "the agent did not answer in time");
	qemu_send_identity(snapshot->source, snapshot->number);
	give_up(snapshot, &err);
}

static void ask_agent(struct qemu_snapshot *snapshot)
{
	struct engine *engine = snapshot->source->backend->engine;
	struct client *client = snapshot->source->domain->client;

	if (!client)
		err_say(&snapshot->err, -GC_EDIED, "the agent is cut off");
	if (snapshot->err.code) {
		end_snapshot(snapshot);
		return;
	}
	snapshot->step = PREPARING;
	qemu_disk_prepare(snapshot->source);
	wire_put(channel_out(&client->channel), WIRE_PREPARE,
		 WIRE_INT(snapshot->number));
	channel_send(&client->channel);
	channel_hold(&client->channel, 1);
	loop_timer_start(&engine->loop, &snapshot->limit,
			 setting_ms("GRIDCENTRIC_PREPARE_TIMEOUT", PREPARE_MS),
			 on_late);
}

/* Whether copying once more while the VM runs leaves less for the stop. */
static int has_to_copy(const struct qemu_snapshot *snapshot)
{
	const struct ram_copy *copy = &snapshot->stock->copy;

	if (snapshot->err.code)
		return 0;
	return snapshot->passes == 0 ||
	       (copy->is_tracked && snapshot->passes < MAX_PASSES &&
		atomic_load(&copy->copied) > SMALL);
}

static void copy_more(struct qemu_snapshot *snapshot)
{
	assert(snapshot->step == COPYING);
	if (!has_to_copy(snapshot)) {
		ask_agent(snapshot);
		return;
	}
	snapshot->passes++;
	if (ram_copy(&snapshot->stock->copy, COPY_AHEAD, &snapshot->err))
		end_snapshot(snapshot);
}

/* A part of the copy of the RAM is done. */
static void on_copied(struct qemu_stock *stock, struct err *err)
{
	struct qemu_snapshot *snapshot = stock->snapshot;

	if (!snapshot->source)
		return;
	if (err->code)
		set_failed(snapshot, err);
	if (snapshot->step == COPYING) {
		copy_more(snapshot);
		return;
	}
	snapshot->copied = 1;
	end_stop(snapshot);
}

/* Records what its pre-clone said, if it has one. */
static void record_hook(const struct qemu_vm *vm, const struct err *err)
{
	struct ledger *ledger = vm->backend->engine->ledger;

	if (err->code == -GC_EHOOK)
		ledger_event(ledger, "hook failed", vm->domain->vmid, err->text,
			     "");
	else if (!err->code && err->text[0])
		ledger_event(ledger, "hook", vm->domain->vmid, err->text, "");
}

void qemu_snapshot_prepared(struct qemu_vm *vm, struct wire_msg *msg)
{
	struct qemu_snapshot *snapshot = vm->snapshot;
	struct err err = { 0 };
	int number = (int)wire_int(msg);

	if (!snapshot || snapshot->step != PREPARING ||
	    number != snapshot->number)
		return;
	err.code = (int)wire_int(msg);
	if (err.code > 0)
		err.code = -GC_EPROTO;
	wire_copy(msg, err.text, sizeof err.text);
	text_clean(err.text);
	record_hook(vm, &err);
	loop_timer_stop(&snapshot->limit);
	if (err.code) {
		give_up(snapshot, &err);
		return;
	}
	/* at once: later messages of the guest are not part of this */
	snapshot->step = STOPPED;
	snapshot->stopped_us = clock_us();
	qmp_call(&vm->vm.qmp, -1, on_stopped, vm, "stop", NULL);
}

/* The stock that was made ahead, if it is usable, or an empty one. */
static struct qemu_stock *take_stock(struct qemu_vm *vm, struct err *err)
{
	struct qemu_stock *stock = vm->stock;

	vm->stock = NULL;
	if (stock && stock->err.code) {
		qemu_stock_free(stock);
		stock = NULL;
	}
	return stock ? stock : qemu_stock_new(vm, err);
}

int qemu_snapshot_begin(struct backend *b, struct image *image, struct err *err)
{
	struct qemu_vm *vm = image->source->data;
	struct qemu_snapshot *snapshot;

	assert(vm && !vm->snapshot && !image->data);
	if (!image->source->client)
		return err_say(err, -GC_EDIED, "the agent is cut off");
	snapshot = calloc(1, sizeof *snapshot);
	if (!snapshot)
		return err_set(err, -ENOMEM, "clone");
	snapshot->uses = 1;
	snapshot->state = memfd_create("gridcentric-state",
				       MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (snapshot->state < 0)
		err_set(err, -errno, "state of the devices");
	else
		snapshot->stock = take_stock(vm, err);
	if (!snapshot->stock) {
		qemu_snapshot_drop(snapshot);
		return err->code;
	}
	snapshot->stock->snapshot = snapshot;
	snapshot->stock->copied = on_copied;
	snapshot->number = ++b->engine->last_number;
	snapshot->image = image;
	snapshot->source = vm;
	snapshot->uses = 2;
	image->data = snapshot;
	vm->snapshot = snapshot;
	/* else on_copied() comes when the copy under way has ended */
	if (!ram_copy_is_busy(&snapshot->stock->copy) &&
	    ram_copy(&snapshot->stock->copy, COPY_AHEAD, err)) {
		vm->snapshot = NULL;
		image->data = NULL;
		snapshot->uses = 1;
		qemu_snapshot_drop(snapshot);
		return err->code;
	}
	snapshot->passes = 1;
	return 0;
}

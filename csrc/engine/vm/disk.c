/*
 * disk - see disk.h
 *
 * An empty qcow2 file is four clusters: header, table of refcount blocks, a
 * refcount block, L1 table. That is written here, at once, where `qemu-img
 * create` would be a process for each clone. It does not name the layer below:
 * QEMU is told that by QMP. (See docs/interop/qcow2.txt of QEMU.)
 */
#include "engine/vm/disk.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLUSTER_BITS 16
#define CLUSTER	     (1 << CLUSTER_BITS)
/* a cluster is written in 32 parts, so little is copied from the layer below */
#define EXTENDED_L2 (1 << 4)
#define L2_ENTRY    16 /* bytes, with EXTENDED_L2 */
/* bytes of the disk for one entry of the L1 table */
#define L1_SPAN	       ((int64_t)CLUSTER / L2_ENTRY * CLUSTER)
#define FIRST_CLUSTERS 3 /* before the L1 table */

/* All big-endian. */
struct qcow2_header {
	char magic[4];
	uint32_t version;
	uint64_t backing_offset;
	uint32_t backing_len;
	uint32_t cluster_bits;
	uint64_t size;
	uint32_t encryption;
	uint32_t l1_entries;
	uint64_t l1_offset;
	uint64_t refcounts_offset;
	uint32_t refcounts_clusters;
	uint32_t nsnapshots;
	uint64_t snapshots_offset;
	uint64_t incompatible, compatible, autoclear; /* features */
	uint32_t refcount_order;		      /* 4: of 16 bits */
	uint32_t header_len;
	uint64_t end_of_extensions;
};

_Static_assert(sizeof(struct qcow2_header) == 112, "as in the format");

static int write_at(int fd, const void *data, size_t len, int64_t at)
{
	ssize_t n = pwrite(fd, data, len, at);

	return n < 0 ? -errno : (size_t)n < len ? -ENOSPC : 0;
}

/* Fills an empty file. Returns its size, or a negated errno. */
static int64_t write_empty(int fd, int64_t size)
{
	int64_t l1_entries = (size + L1_SPAN - 1) / L1_SPAN;
	int64_t clusters =
		FIRST_CLUSTERS + (l1_entries * 8 + CLUSTER - 1) / CLUSTER;
	uint64_t block = htobe64(2 * CLUSTER);
	uint16_t *counts = calloc((size_t)clusters, sizeof *counts);
	struct qcow2_header header = {
		.magic = "QFI\xfb",
		.version = htobe32(3),
		.cluster_bits = htobe32(CLUSTER_BITS),
		.size = htobe64((uint64_t)size),
		.l1_entries = htobe32((uint32_t)l1_entries),
		.l1_offset = htobe64(FIRST_CLUSTERS * CLUSTER),
		.refcounts_offset = htobe64(CLUSTER),
		.refcounts_clusters = htobe32(1),
		.incompatible = htobe64(EXTENDED_L2),
		.refcount_order = htobe32(4),
		.header_len = htobe32(
			offsetof(struct qcow2_header, end_of_extensions)),
	};
	int64_t i;
	int code;

	if (!counts)
		return -ENOMEM;
	for (i = 0; i < clusters; i++)
		counts[i] = htobe16(1);
	code = write_at(fd, &header, sizeof header, 0);
	if (!code)
		code = write_at(fd, &block, sizeof block, CLUSTER);
	if (!code)
		code = write_at(fd, counts, (size_t)clusters * sizeof *counts,
				2 * CLUSTER);
	if (!code && ftruncate(fd, clusters * CLUSTER) < 0)
		code = -errno;
	free(counts);
	return code ? code : clusters * CLUSTER;
}

/* Opens a new file in the folder of the environment, or nowhere; without one,
 * in the default folder, or in memory. Returns the descriptor or a negated
 * errno. */
static int open_file(void)
{
	const char *dir = getenv("GRIDCENTRIC_DISK_DIR");
	int is_set = dir && *dir;
	int fd = open(is_set ? dir : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC,
		      0600);

	if (fd >= 0 || is_set)
		return fd < 0 ? -errno : fd;
	fd = memfd_create("gridcentric-disk", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	fchmod(fd, 0600); /* a reader cannot open it again to write */
	return fd;
}

struct disk_layer *disk_new(struct disk_layer *below, int64_t size, int number,
			    struct err *err)
{
	struct disk_layer *layer = calloc(1, sizeof *layer);
	int code = layer ? 0 : -ENOMEM;

	if (below && below->depth + 2 > DISK_MAX_LAYERS) {
		free(layer);
		err_say(err, -EMLINK, "disk of the VM: too many layers");
		return NULL;
	}
	if (!code) {
		layer->fd = open_file();
		code = layer->fd < 0 ? layer->fd : 0;
	}
	if (!code) {
		layer->empty = write_empty(layer->fd, size);
		code = layer->empty < 0 ? (int)layer->empty : 0;
		if (code)
			close(layer->fd);
	}
	if (code) {
		free(layer);
		err_set(err, code, "disk of the VM");
		return NULL;
	}
	layer->uses = 1;
	layer->number = number;
	layer->size = size;
	if (below) {
		layer->below = disk_use(below);
		layer->depth = below->depth + 1;
	}
	return layer;
}

struct disk_layer *disk_use(struct disk_layer *layer)
{
	assert(!layer || layer->uses > 0);
	if (layer)
		layer->uses++;
	return layer;
}

void disk_drop(struct disk_layer *layer)
{
	while (layer && --layer->uses == 0) {
		struct disk_layer *below = layer->below;

		assert(layer->fd >= 0);
		close(layer->fd);
		free(layer);
		layer = below;
	}
}

void disk_seal(struct disk_layer *layer)
{
	/* of a file on a disk this fails: it has no seals */
	fcntl(layer->fd, F_ADD_SEALS,
	      F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
}

void disk_is_whole(struct disk_layer *layer)
{
	assert(layer->below && layer->depth > 0);
	disk_drop(layer->below);
	layer->below = NULL;
	layer->depth = 0;
}

int disk_is_written(const struct disk_layer *layer)
{
	struct stat st;

	/* whatever is written takes a cluster at the end */
	return fstat(layer->fd, &st) < 0 || st.st_size > layer->empty;
}

/* image - see image.h */
#include "engine/vm/image.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK		   512 /* of a tar file */
#define DISK_SECTOR	   512
#define DISK_MAX	   (1LL << 46) /* bytes */
#define DISK_HAS_DATA_FILE (1 << 2)    /* a feature of qcow2 */

/* The header of a member, as POSIX has it. */
struct tar_header {
	char name[100];
	char mode[8], uid[8], gid[8];
	char size[12];
	char mtime[12], checksum[8];
	char type;
	char link[100];
	char magic[6]; /* "ustar" */
	char rest[249];
};

_Static_assert(sizeof(struct tar_header) == BLOCK, "a tar header is a block");

/*
 * Copies size bytes at offset at into a file without a name, which nobody can
 * change then: QEMU gets this descriptor, and the next master boots from it.
 * Returns the descriptor or a negated errno; -EIO when the end is missing.
 */
static int copy_member(int file, off_t at, int64_t size, const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int code = 0;

	if (fd < 0)
		return -errno;
	while (size > 0 && !code) {
		size_t part = size < 1 << 30 ? (size_t)size : 1 << 30;
		ssize_t n = sendfile(fd, file, &at, part);

		if (n < 0 && errno == EINTR)
			continue;
		code = n < 0 ? -errno : n == 0 ? -EIO : 0;
		size -= n > 0 ? n : 0;
	}
	if (!code && (fchmod(fd, 0444) < 0 ||
		      fcntl(fd, F_ADD_SEALS,
			    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
				    F_SEAL_SEAL) < 0))
		code = -errno;
	if (!code)
		return fd;
	close(fd);
	return code;
}

/* Reads the header at offset at. Returns its member's size or a negative
 * code. */
static int64_t read_header(int file, off_t at, struct tar_header *header)
{
	char size[sizeof header->size + 1] = { 0 };
	ssize_t n = pread(file, header, sizeof *header, at);
	char *end;
	int64_t value;

	if (n < 0)
		return -errno;
	if (n != sizeof *header || memcmp(header->magic, "ustar", 5) != 0)
		return -GC_EIMAGE;
	memcpy(size, header->size, sizeof header->size);
	value = strtoll(size, &end, 8);
	header->name[sizeof header->name - 1] = '\0';
	return end == size || value < 0 ? -GC_EIMAGE : value;
}

static int open_tar(struct vm_image *image, int file, int64_t file_size,
		    struct err *err)
{
	static const char *const names[] = { "gridcentric-image", "kernel",
					     "initrd" };
	int *const members[] = { NULL, &image->kernel, &image->initrd };
	struct tar_header header;
	off_t at = 0;
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		int64_t size = read_header(file, at, &header);

		if (size < 0)
			return (int)size;
		if (strcmp(header.name, names[i]) != 0)
			return -GC_EIMAGE;
		at += BLOCK;
		if (size > file_size - at)
			return err_say(err, -GC_EIMAGE, "its end is missing");
		if (members[i]) {
			*members[i] = copy_member(file, at, size, names[i]);
			if (*members[i] < 0)
				return *members[i];
		}
		at += (size + BLOCK - 1) / BLOCK * BLOCK;
	}
	return 0;
}

/* The beginning of a qcow2 file, as in version 2 of the format; big-endian. */
struct qcow2_start {
	char magic[4];
	uint32_t version;
	uint64_t backing_offset;
	uint32_t backing_len, cluster_bits;
	uint64_t size;
	uint32_t encryption, l1_entries;
	uint64_t offsets[2];
	uint32_t refcounts_clusters, nsnapshots;
	uint64_t snapshots_offset;
	uint64_t incompatible; /* features; since version 3 */
};

/* A disk that needs another file, or a key, is refused: QEMU would not find
 * it. */
static int open_disk(struct vm_image *image, int file, struct err *err)
{
	struct qcow2_start start = { 0 };
	uint64_t size;

	if (pread(file, &start, sizeof start, 0) < 0)
		return err_set(err, -errno, "its header");
	size = be64toh(start.size);
	if (be32toh(start.version) < 3)
		start.incompatible = 0;
	if (start.backing_offset ||
	    be64toh(start.incompatible) & DISK_HAS_DATA_FILE)
		return err_say(err, -GC_EIMAGE,
			       "it needs another file (qemu-img convert -O "
			       "qcow2 makes one of both)");
	if (start.encryption)
		return err_say(err, -GC_EIMAGE, "it is encrypted");
	if (!size || size % DISK_SECTOR || size > DISK_MAX)
		return err_say(err, -GC_EIMAGE, "a disk of %llu bytes",
			       (unsigned long long)size);
	image->disk = file;
	image->disk_size = (int64_t)size;
	return 0;
}

int vm_image_open(struct vm_image *image, const char *path, struct err *err)
{
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), code = 0;
	char magic[4] = { 0 };
	struct err why = { 0 };
	struct stat st;

	image->kernel = image->initrd = image->disk = -1;
	if (file < 0)
		return err_set(err, -errno, "%s", path);
	if (fstat(file, &st) < 0 || !S_ISREG(st.st_mode))
		code = -GC_EIMAGE;
	else if (pread(file, magic, sizeof magic, 0) < 0)
		code = -errno;
	else if (memcmp(magic, "QFI\xfb", sizeof magic) == 0)
		code = open_disk(image, file, &why);
	else
		code = open_tar(image, file, st.st_size, &why);
	if (image->disk < 0)
		close(file);
	if (!code)
		return 0;
	vm_image_close(image);
	return why.code ? err_say(err, code, "%s: %s", path, why.text)
			: err_set(err, code, "%s", path);
}

void vm_image_close(struct vm_image *image)
{
	int *const fds[] = { &image->kernel, &image->initrd, &image->disk };
	size_t i;

	for (i = 0; i < sizeof fds / sizeof fds[0]; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

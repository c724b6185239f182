// Files: bounded reading, atomic replacement.
#ifndef BALLAST_BASE_FILE_H
#define BALLAST_BASE_FILE_H

#include <stddef.h>

#include "base/error.h"

// Reads a whole file ("-": standard input) of at most max_bytes. *ret_data is terminated with a zero byte
// that *ret_size does not count; free it. Errors name the path; a larger file is ERROR_INPUT.
int file_read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_size, struct error *err);

// The same of a file that the user named: one that cannot be read is wrong input (ERROR_INPUT), whatever the reason.
int file_read_input(const char *path, size_t max_bytes, char **ret_data, size_t *ret_size, struct error *err);

// Reads a small kernel file (/proc, cgroup) of unknown size into buffer, terminated; returns the length,
// or -1 with errno set. A longer file is cut.
long file_read_small(const char *path, char *buffer, size_t size);

// The same of a path below the directory dir_fd.
long file_read_small_at(int dir_fd, const char *path, char *buffer, size_t size);

// Writes data to a temporary file beside path, syncs it and renames it over path: readers see the old or
// the new content, never half of it. On an error the old file is untouched and nothing is left behind.
int file_replace(const char *path, const void *data, size_t size, struct error *err);

#endif

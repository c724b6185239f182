#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

// Reads from fd until its end into a buffer that grows from hint bytes up to max_bytes.
static int read_all(int fd, const char *path, size_t hint, size_t max_bytes, char **ret_data,
                    size_t *ret_size, struct error *err)
{
    size_t capacity = hint < max_bytes ? hint : max_bytes, used = 0;
    if (capacity < 4096)
        capacity = 4096;
    __attribute__((cleanup(cleanup_free))) char *data = malloc(capacity + 1);
    if (!data)
        return error_set(err, ERROR_MEMORY, "%s: no memory to read it", path);
    for (;;) {
        if (used == capacity) {
            size_t larger = capacity * 2;
            char *grown = realloc(data, larger + 1);
            if (!grown)
                return error_set(err, ERROR_MEMORY, "%s: no memory to read it", path);
            data = grown;
            capacity = larger;
        }
        ssize_t n = read(fd, data + used, capacity - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, errno, "%s: read", path);
        if (n == 0)
            break;
        used += (size_t)n;
        if (used > max_bytes)
            return error_set(err, ERROR_INPUT, "%s: larger than the %zu MiB that are read at most", path,
                             max_bytes >> 20);
    }
    data[used] = '\0';
    *ret_size = used;
    *ret_data = take_pointer(&data);
    return 0;
}

int file_read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_size, struct error *err)
{
    if (strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, "standard input", 65536, max_bytes, ret_data, ret_size, err);
    __attribute__((cleanup(cleanup_close))) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        error_errno(err, errno, "%s: open", path);
        if (err && errno == ENOENT)
            err->kind = ERROR_MISSING;
        return -1;
    }
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, errno, "%s: stat", path);
    if (S_ISDIR(st.st_mode))
        return error_set(err, ERROR_INPUT, "%s: is a directory, a file is needed", path);
    size_t hint = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size + 1 : 65536;
    return read_all(fd, path, hint, max_bytes, ret_data, ret_size, err);
}

int file_read_input(const char *path, size_t max_bytes, char **ret_data, size_t *ret_size, struct error *err)
{
    if (file_read(path, max_bytes, ret_data, ret_size, err) == 0)
        return 0;
    if (err && err->kind != ERROR_MEMORY)
        err->kind = ERROR_INPUT;
    return -1;
}

long file_read_small_at(int dir_fd, const char *path, char *buffer, size_t size)
{
    __attribute__((cleanup(cleanup_close))) int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t used = 0;
    while (used + 1 < size) {
        ssize_t n = read(fd, buffer + used, size - 1 - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    buffer[used] = '\0';
    return (long)used;
}

long file_read_small(const char *path, char *buffer, size_t size)
{
    return file_read_small_at(AT_FDCWD, path, buffer, size);
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

int file_replace(const char *path, const void *data, size_t size, struct error *err)
{
    __attribute__((cleanup(cleanup_free))) char *temporary = NULL;
    if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
        temporary = NULL;
        return error_set(err, ERROR_MEMORY, "%s: no memory", path);
    }
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "%s: create a temporary file beside it", path);
    const char *step = "write";
    int failed = write_all(fd, data, size);
    if (!failed) {
        step = "sync";
        failed = fchmod(fd, 0644) < 0 || fsync(fd) < 0;
    }
    int saved = errno;
    if (close(fd) < 0 && !failed) {
        step = "close";
        failed = 1;
        saved = errno;
    }
    if (!failed && rename(temporary, path) < 0) {
        step = "rename";
        failed = 1;
        saved = errno;
    }
    if (!failed)
        return 0;
    unlink(temporary);
    return error_errno(err, saved, "%s: %s", path, step);
}

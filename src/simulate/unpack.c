#include "simulate/unpack.h"

#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/cleanup.h"

#define XZ_MEMORY_BYTES ((uint64_t)256 << 20) // the decoder's own; xz -9 needs 65 MiB

// Content that grows as it is unpacked.
struct content {
    char *text;
    size_t size, capacity, most;
};

// Makes room for more; -1 when the bound is reached or no memory is left.
static int make_room(struct content *content, const char *file, struct error *err)
{
    if (content->size < content->capacity)
        return 0;
    if (content->capacity >= content->most)
        return error_set(err, ERROR_INPUT, "%s: unpacks to more than the %zu MiB that are read at most", file,
                         content->most >> 20);
    size_t larger = content->capacity ? content->capacity * 2 : 1 << 20;
    if (larger > content->most)
        larger = content->most;
    char *text = realloc(content->text, larger + 1);
    if (!text)
        return error_set(err, ERROR_MEMORY, "%s: no memory to unpack it", file);
    content->text = text;
    content->capacity = larger;
    return 0;
}

static int damaged(const char *file, const char *form, struct error *err)
{
    return error_set(err, ERROR_INPUT, "%s: is damaged or cut off (%s): fetch it again", file, form);
}

static int unpack_gz(const char *file, const void *data, size_t size, struct content *content,
                     struct error *err)
{
    z_stream z = {.next_in = (Bytef *)data, .avail_in = (uInt)size};
    if (size > UINT32_MAX)
        return error_set(err, ERROR_INPUT, "%s: is too large", file);
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        return error_set(err, ERROR_MEMORY, "%s: no memory to unpack it", file);
    int result = 0;
    for (;;) {
        result = make_room(content, file, err);
        if (result < 0)
            break;
        size_t room = content->capacity - content->size;
        z.next_out = (Bytef *)content->text + content->size;
        z.avail_out = room > UINT32_MAX ? UINT32_MAX : (uInt)room;
        uInt given = z.avail_out;
        int state = inflate(&z, Z_NO_FLUSH);
        content->size += given - z.avail_out;
        if (state == Z_STREAM_END && z.avail_in == 0)
            break;
        if (state == Z_STREAM_END) { // several members one after another
            if (inflateReset(&z) != Z_OK) {
                result = damaged(file, "gzip", err);
                break;
            }
        } else if (state != Z_OK || (given == z.avail_out && z.avail_in == 0)) {
            result = damaged(file, "gzip", err);
            break;
        }
    }
    inflateEnd(&z);
    return result;
}

static int unpack_xz(const char *file, const void *data, size_t size, struct content *content,
                     struct error *err)
{
    lzma_stream xz = LZMA_STREAM_INIT;
    if (lzma_stream_decoder(&xz, XZ_MEMORY_BYTES, LZMA_CONCATENATED) != LZMA_OK)
        return error_set(err, ERROR_MEMORY, "%s: no memory to unpack it", file);
    xz.next_in = data;
    xz.avail_in = size;
    int result = 0;
    for (;;) {
        result = make_room(content, file, err);
        if (result < 0)
            break;
        xz.next_out = (uint8_t *)content->text + content->size;
        xz.avail_out = content->capacity - content->size;
        lzma_ret state = lzma_code(&xz, LZMA_FINISH);
        content->size = content->capacity - xz.avail_out;
        if (state == LZMA_STREAM_END)
            break;
        if (state != LZMA_OK) {
            result = state == LZMA_MEM_ERROR
                         ? error_set(err, ERROR_MEMORY, "%s: no memory to unpack it", file)
                         : damaged(file, "xz", err);
            break;
        }
    }
    lzma_end(&xz);
    return result;
}

int unpack(const char *file, const void *data, size_t size, size_t max_bytes, char **ret_text,
           size_t *ret_size, struct error *err)
{
    struct content content = {.most = max_bytes};
    const unsigned char *byte = data;
    int result;
    if (size >= 2 && byte[0] == 0x1f && byte[1] == 0x8b) {
        result = unpack_gz(file, data, size, &content, err);
    } else if (size >= 6 && memcmp(data,
                                   "\xfd"
                                   "7zXZ\0",
                                   6) == 0) {
        result = unpack_xz(file, data, size, &content, err);
    } else {
        result = size > max_bytes
                     ? error_set(err, ERROR_INPUT, "%s: larger than the %zu MiB that are read at most", file,
                                 max_bytes >> 20)
                     : 0;
        if (result == 0) {
            content.text = malloc(size + 1);
            if (!content.text)
                return error_set(err, ERROR_MEMORY, "%s: no memory to read it", file);
            memcpy(content.text, data, size);
            content.size = size;
        }
    }
    if (result < 0) {
        free(content.text);
        return -1;
    }
    content.text[content.size] = '\0';
    *ret_text = content.text;
    *ret_size = content.size;
    return 0;
}

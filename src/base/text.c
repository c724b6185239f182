#include "base/text.h"

#include <stdint.h>
#include <string.h>

// Reads one code point at text, which has length > 0 bytes left; 0 bytes when it is malformed.
static size_t decode(const unsigned char *text, size_t length, uint32_t *ret_code)
{
    unsigned char first = text[0];
    size_t size = first < 0x80   ? 1
                  : first < 0xc2 ? 0
                  : first < 0xe0 ? 2
                  : first < 0xf0 ? 3
                  : first < 0xf5 ? 4
                                 : 0;
    if (size == 0 || size > length)
        return 0;
    uint32_t code = size == 1 ? first : first & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < least[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return 0;
    *ret_code = code;
    return size;
}

bool text_valid_utf8(const char *text, size_t length)
{
    uint32_t code;
    for (size_t i = 0, n; i < length; i += n)
        if ((n = decode((const unsigned char *)text + i, length - i, &code)) == 0)
            return false;
    return true;
}

static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

bool text_valid_name(const char *text)
{
    size_t length = strnlen(text, TEXT_NAME_BYTES + 1);
    if (length == 0 || length > TEXT_NAME_BYTES)
        return false;
    uint32_t code;
    for (size_t i = 0, n; i < length; i += n) {
        n = decode((const unsigned char *)text + i, length - i, &code);
        if (n == 0 || is_control(code))
            return false;
    }
    return true;
}

void text_make_safe(char *text, char keep)
{
    uint32_t code;
    size_t length = strlen(text);
    for (size_t i = 0, n; i < length; i += n) {
        n = decode((const unsigned char *)text + i, length - i, &code);
        bool bad = n == 0 || (is_control(code) && (!keep || text[i] != keep));
        n = n ? n : 1;
        if (bad)
            memset(text + i, '?', n);
    }
}

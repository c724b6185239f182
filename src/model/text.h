// Names as they come from outside.
#ifndef BALLAST_MODEL_TEXT_H
#define BALLAST_MODEL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

// Whether the bytes are well-formed UTF-8 (no overlong forms, no surrogates, at most U+10FFFF).
bool text_valid_utf8(const char *text, size_t length);

// Whether text can be the name of a host, VM or zone: 1 to 255 bytes of UTF-8 without control characters
// (C0, DEL, C1).
bool text_valid_name(const char *text);

#endif

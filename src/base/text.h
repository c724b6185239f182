// Text as it comes from outside: from files, guests, other hosts.
#ifndef BALLAST_BASE_TEXT_H
#define BALLAST_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#define TEXT_NAME_BYTES 255 // longest name of a host, VM or zone

// Whether the bytes are well-formed UTF-8 (no overlong forms, no surrogates, at most U+10FFFF).
bool text_valid_utf8(const char *text, size_t length);

// Whether text can be the name of a host, VM or zone: 1 to 255 bytes of UTF-8 without control characters
// (C0, DEL, C1).
bool text_valid_name(const char *text);

// Replaces by '?', byte for byte, what a terminal could obey (C0 but `keep`, DEL, C1) and what is not UTF-8, so that
// neither a screen nor a log can be forged by a name. keep: '\n' where lines are wanted, else 0. O(length).
void text_make_safe(char *text, char keep);

#endif

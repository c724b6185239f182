// What `ballast set` knows: one row a setting, with its type, range and meaning. Values are kept as text in
// their normal form; who uses one parses it with store_key_parse.
#ifndef BALLAST_STORE_SETTING_KEYS_H
#define BALLAST_STORE_SETTING_KEYS_H

#include <stddef.h>

#include "base/error.h"
#include "store/store.h"

enum store_key_type {
    STORE_KEY_INTEGER,
    STORE_KEY_NUMBER,
    STORE_KEY_BOOLEAN, // yes | no
    STORE_KEY_MODE,    // observe | recommend | auto
    STORE_KEY_RULES,   // words of model/rule_text.h
    STORE_KEY_WORDS,   // words separated by spaces
};

struct store_key {
    const char *name;
    unsigned scopes; // 1 << enum store_scope, or-ed
    enum store_key_type type;
    double least, most;
    double fallback;   // what holds when it is not set, for keys whose fallback the store itself uses
    const char *unset; // what holds when it is not set: a value, or words in parentheses
    const char *help;
};

extern const struct store_key store_keys[];
extern const size_t n_store_keys;

// The row of that name, or NULL.
const struct store_key *store_key_find(const char *name);

// Checks value for key in scope. ret_number (may be NULL): the number, 0 or 1 for a boolean, enum store_mode for a
// mode. ERROR_INPUT names the key, what was given and what is possible.
int store_key_parse(enum store_scope scope, const char *name, const char *value, double *ret_number,
                    struct error *err);

const char *store_mode_name(enum store_mode mode);

// "observe" | "recommend" | "auto".
int store_mode_parse(const char *text, enum store_mode *ret_mode, struct error *err);

#endif

// What `ballast set` knows: one row a setting, with its type, range and meaning. Values are kept as text in
// their normal form; who uses one parses it with setting_parse.
#ifndef BALLAST_STORE_SETTING_KEYS_H
#define BALLAST_STORE_SETTING_KEYS_H

#include <stddef.h>

#include "base/error.h"
#include "store/store.h"

enum setting_type {
    SETTING_INTEGER,
    SETTING_NUMBER,
    SETTING_BOOLEAN, // yes | no
    SETTING_MODE,    // observe | recommend | auto
};

struct setting_key {
    const char *name;
    unsigned scopes; // 1 << enum store_scope, or-ed
    enum setting_type type;
    double least, most;
    const char *unset; // what holds when it is not set: a value, or words in parentheses
    const char *help;
};

extern const struct setting_key setting_keys[];
extern const size_t n_setting_keys;

// The row of that name, or NULL.
const struct setting_key *setting_key_find(const char *name);

// Checks value for key in scope. ret_number (may be NULL): the number, 0 or 1 for a boolean, enum store_mode for a
// mode. ERROR_INPUT names the key, what was given and what is possible.
int setting_parse(enum store_scope scope, const char *name, const char *value, double *ret_number,
                  struct error *err);

const char *store_mode_name(enum store_mode mode);

// "observe" | "recommend" | "auto".
int store_mode_parse(const char *text, enum store_mode *ret_mode, struct error *err);

#endif

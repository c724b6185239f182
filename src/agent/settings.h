// The settings of ballastd: one table that parsing, bounds, the default file, the help and the manual
// page are made from.
//
// A setting is a row: section, name, type, range, unit, default, whether SIGHUP may change it, help.
// Nothing else in the program knows how a value is written. A file is taken whole or not at all: the new
// settings are built beside the old ones and replace them only when every line was understood.
#ifndef BALLAST_AGENT_SETTINGS_H
#define BALLAST_AGENT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

// Longest text value. inih cuts a line at 200 bytes, name included.
#define SETTINGS_TEXT_SIZE 192

// A configuration file is read up to this size: a few dozen lines with comments are some 10 KiB.
#define SETTINGS_FILE_MAX_BYTES (256u << 10)

// What ballastd may do. The order is the order of freedom.
enum agent_mode {
    AGENT_MODE_OBSERVE,   // says what it would do
    AGENT_MODE_RECOMMEND, // migrations wait in the store for approval; balloons are not moved
    AGENT_MODE_AUTO,      // acts
};

// "observe", "recommend", "auto".
const char *agent_mode_name(enum agent_mode mode);

struct settings {
    // [agent]
    char host_name[SETTINGS_TEXT_SIZE]; // empty: the machine's host name
    char store[SETTINGS_TEXT_SIZE];
    int64_t mode; // enum agent_mode
    int64_t log_level;
    int64_t period_pressure_ms;
    int64_t period_calm_ms;
    int64_t heartbeat_s;
    char libvirt_uri[SETTINGS_TEXT_SIZE];
    int64_t libvirt_deadline_ms;

    // [host]
    int64_t mem_mib;  // 0: measured
    double cpu_cores; // 0: measured
    int64_t mem_reserved_mib;
    int64_t net_mib_s;
    double core_speed;
    char cgroup[SETTINGS_TEXT_SIZE];
    char zone[SETTINGS_TEXT_SIZE];     // empty: a zone of its own
    char provides[SETTINGS_TEXT_SIZE]; // words separated by spaces

    // [memory]
    bool memory_enabled;
    int64_t cache_keep_permille;
    int64_t floor_mib;
    int64_t reserve_mib; // 0: by the host's size

    // [cpu]
    bool set_weights;
    int64_t headroom_permille;

    // [migration]
    bool migration_enabled;
    char address[SETTINGS_TEXT_SIZE];  // of this host's libvirt for others; %s: the host's name
    char data_uri[SETTINGS_TEXT_SIZE]; // empty: libvirt chooses
    int64_t growth_permille;
    int64_t claim_s;
    int64_t bandwidth_mib_s; // 0: not limited
    int64_t timeout_s;
};

enum value_type {
    VALUE_INTEGER,
    VALUE_DECIMAL,
    VALUE_SWITCH, // yes or no
    VALUE_CHOICE, // one of a list; the field holds its index
    VALUE_TEXT,
};

struct setting {
    const char *section;
    const char *name;
    enum value_type type;
    size_t offset; // of the field in struct settings
    double min;    // least and largest number; for a text the least and largest length
    double max;
    const char *unit;           // "" when it has none
    const char *initial;        // default, as it would be written in the file
    const char *const *choices; // of VALUE_CHOICE, ended by NULL
    bool reloadable;            // taken over by SIGHUP; otherwise a restart is needed
    const char *help;           // whole sentences, without line breaks
};

// The table; *ret_n rows, grouped by section.
const struct setting *settings_table(size_t *ret_n);

// All defaults.
void settings_defaults(struct settings *ret_settings);

// Is told each problem of a file, as "FILE:LINE: SETTING: what is allowed".
typedef void settings_problem_fn(void *context, const char *text);

// Reads a configuration file over the defaults. Every problem goes to problem (may be NULL), so that one
// run shows them all; the first is also in err. *ret_settings is written only when there was none.
int settings_read(const char *path, struct settings *ret_settings, settings_problem_fn *problem,
                  void *problem_context, struct error *err);

// The same from memory; path is for messages only.
int settings_parse(const char *path, const char *data, size_t size, struct settings *ret_settings,
                   settings_problem_fn *problem, void *problem_context, struct error *err);

// Takes from next what SIGHUP may change. Returns the number of settings that differ but need a restart,
// and tells each to problem.
size_t settings_reload(struct settings *current, const struct settings *next, settings_problem_fn *problem,
                       void *problem_context);

// This host's libvirt as others reach it: the address with its %s replaced. Cut when it does not fit.
void settings_host_address(const struct settings *settings, const char *host_name, char *ret_uri,
                           size_t size);

// What may be written for a setting: "a whole number from 1 to 600 s", "yes or no".
void setting_describe_allowed(const struct setting *row, char *ret_text, size_t size);

// A commented configuration file with every default.
void settings_write_default_file(FILE *out);

// Every setting with type, range, unit, default and help: for people, and as scdoc for ballast.conf(5).
void settings_write_help(FILE *out);
void settings_write_manual(FILE *out);

#endif

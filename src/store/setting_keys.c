#include "store/setting_keys.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/rule_text.h"

#define CLUSTER (1u << STORE_SCOPE_CLUSTER)
#define HOST (1u << STORE_SCOPE_HOST)
#define VM (1u << STORE_SCOPE_VM)

const struct store_key store_keys[] = {
    {"mode", CLUSTER | HOST | VM, STORE_KEY_MODE, 0, 0, STORE_MODE_AUTO, "(no further restriction)",
     "at most this is done; the least of cluster, host and VM holds"},
    {"maintenance", HOST, STORE_KEY_BOOLEAN, 0, 1, 0, "no", "the host takes no VM and is emptied"},
    {"excluded", VM, STORE_KEY_BOOLEAN, 0, 1, 0, "no", "never balloon, weigh or move this VM"},
    {"shares", VM, STORE_KEY_INTEGER, 1, 1000000, 1000, "(by vCPUs and memory)",
     "weight of the VM for CPU and memory"},
    {"cpu_shares", VM, STORE_KEY_INTEGER, 1, 1000000, 1000, "(shares)", "weight for CPU"},
    {"mem_shares", VM, STORE_KEY_INTEGER, 1, 1000000, 1000, "(shares)", "weight for memory"},
    {"cpu_reservation_cores", VM, STORE_KEY_NUMBER, 0, 4096, 0, "0", "cores that it gets before all others"},
    {"cpu_limit_cores", VM, STORE_KEY_NUMBER, 0.01, 4096, 0, "(vCPUs)", "cores that it never exceeds"},
    {"mem_reservation_mib", VM, STORE_KEY_NUMBER, 0, 1e9, 0, "0", "memory that it gets before all others"},
    {"mem_limit_mib", VM, STORE_KEY_NUMBER, 1, 1e9, 0, "(maxmem)", "memory that it never exceeds"},
    {"rules", VM, STORE_KEY_RULES, 0, 0, 0, "(none)",
     "where it may be: apart:GROUP together:GROUP on:HOST off:HOST, each with :zone or :preferred"},
    {"needs", VM, STORE_KEY_WORDS, 0, 0, 0, "(none)",
     "words that a host must provide to be a destination (provides in ballast.conf)"},
    {"growth", CLUSTER, STORE_KEY_NUMBER, 0, 10, 0.1, "0.1",
     "a destination must hold the demand of its VMs x (1 + growth)"},
    {"migrations_out_per_host", CLUSTER, STORE_KEY_INTEGER, 0, 64, 1, "1",
     "migrations that may leave a host at a time"},
    {"migrations_in_per_host", CLUSTER, STORE_KEY_INTEGER, 0, 64, 2, "2",
     "migrations that may come to a host at a time"},
    {"migrations_per_cluster", CLUSTER, STORE_KEY_INTEGER, 0, 10000, 20, "20", "migrations at a time"},
    {"migrations_per_hour", CLUSTER, STORE_KEY_INTEGER, 0, 100000, 500, "500", "migrations within an hour"},
    {"cooldown_s", CLUSTER, STORE_KEY_NUMBER, 0, 86400, 0, "0",
     "a VM that migrated is left alone for at least this long; what its cost says may be longer"},
    {"breaker_failures", CLUSTER, STORE_KEY_INTEGER, 0, 1000, 5, "5",
     "after so many failed migrations in a row within half an hour none is begun; 0: never stop"},
};

const size_t n_store_keys = sizeof store_keys / sizeof *store_keys;

const struct store_key *store_key_find(const char *name)
{
    for (size_t i = 0; i < n_store_keys; i++)
        if (strcmp(store_keys[i].name, name) == 0)
            return &store_keys[i];
    return NULL;
}

static const char *scope_name(enum store_scope scope)
{
    switch (scope) {
    case STORE_SCOPE_CLUSTER:
        return "the cluster";
    case STORE_SCOPE_HOST:
        return "a host";
    case STORE_SCOPE_VM:
        return "a VM";
    }
    return "?";
}

static int parse_number(const struct store_key *key, const char *value, double *ret_number, struct error *err)
{
    char *end = NULL;
    errno = 0;
    double number = strtod(value, &end);
    bool whole = key->type == STORE_KEY_INTEGER;
    if (end == value || *end || errno || !isfinite(number) || (whole && number != floor(number)) ||
        number < key->least || number > key->most)
        return error_set(err, ERROR_INPUT, "%s: \"%.60s\" is not possible; a %s from %.10g to %.10g is",
                         key->name, value, whole ? "whole number" : "number", key->least, key->most);
    *ret_number = number;
    return 0;
}

int store_key_parse(enum store_scope scope, const char *name, const char *value, double *ret_number,
                    struct error *err)
{
    const struct store_key *key = store_key_find(name);
    if (!key)
        return error_set(err, ERROR_INPUT, "unknown setting \"%.60s\"; `ballast set` lists them", name);
    if (!(key->scopes & 1u << scope))
        return error_set(err, ERROR_INPUT, "%s is no setting of %s", name, scope_name(scope));
    double number = 0;
    enum store_mode mode;
    switch (key->type) {
    case STORE_KEY_INTEGER:
    case STORE_KEY_NUMBER:
        if (parse_number(key, value, &number, err) < 0)
            return -1;
        break;
    case STORE_KEY_BOOLEAN:
        if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
            return error_set(err, ERROR_INPUT, "%s: \"%.60s\" is not possible; yes or no is", name, value);
        number = strcmp(value, "yes") == 0;
        break;
    case STORE_KEY_MODE:
        if (store_mode_parse(value, &mode, err) < 0)
            return error_context(err, "%s", name);
        number = mode;
        break;
    case STORE_KEY_RULES:
        if (rule_text_check(value, err) < 0)
            return error_context(err, "%s", name);
        break;
    case STORE_KEY_WORDS:
        if (strlen(value) >= RULE_TEXT_BYTES)
            return error_set(err, ERROR_INPUT, "%s: longer than %d bytes", name, RULE_TEXT_BYTES - 1);
        break;
    }
    if (ret_number)
        *ret_number = number;
    return 0;
}

static const char *const mode_names[] = {"observe", "recommend", "auto"};

const char *store_mode_name(enum store_mode mode)
{
    return (unsigned)mode < 3 ? mode_names[mode] : "?";
}

int store_mode_parse(const char *text, enum store_mode *ret_mode, struct error *err)
{
    for (unsigned i = 0; i < 3; i++)
        if (strcmp(text, mode_names[i]) == 0) {
            *ret_mode = (enum store_mode)i;
            return 0;
        }
    return error_set(err, ERROR_INPUT, "\"%.60s\" is not possible; observe, recommend or auto is", text);
}

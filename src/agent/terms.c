#include "agent/terms.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "store/setting_keys.h"

static enum agent_mode least_mode(enum agent_mode a, enum agent_mode b)
{
    return a < b ? a : b;
}

static enum agent_mode mode_of_store(double number)
{
    switch ((enum store_mode)number) {
    case STORE_MODE_OBSERVE:
        return AGENT_MODE_OBSERVE;
    case STORE_MODE_RECOMMEND:
        return AGENT_MODE_RECOMMEND;
    case STORE_MODE_AUTO:
        return AGENT_MODE_AUTO;
    }
    return AGENT_MODE_OBSERVE;
}

// The value of a key in the rows; NULL when it is not set.
static const char *find_text(const struct store_settings *rows, enum store_scope scope, const char *object,
                             const char *key)
{
    for (size_t i = 0; rows && i < rows->n; i++) {
        const struct store_setting *row = &rows->at[i];
        if (row->scope == scope && strcmp(row->object, object) == 0 && strcmp(row->key, key) == 0)
            return row->value;
    }
    return NULL;
}

// False when it is not set or cannot be read (the store checks on writing).
static bool look_up(const struct store_settings *rows, enum store_scope scope, const char *object,
                    const char *key, double *ret_number)
{
    const char *text = find_text(rows, scope, object, key);
    return text && store_key_parse(scope, key, text, ret_number, NULL) == 0;
}

static void take_text(char text[static RULE_TEXT_BYTES], const char *wish, const struct store_settings *rows,
                      const char *uuid, const char *key)
{
    const char *set = *wish ? wish : find_text(rows, STORE_SCOPE_VM, uuid, key);
    snprintf(text, RULE_TEXT_BYTES, "%s", set ? set : "");
}

enum agent_mode terms_host_mode(enum agent_mode own, const char *host, const struct store_settings *rows)
{
    enum agent_mode mode = own;
    double number;
    if (look_up(rows, STORE_SCOPE_CLUSTER, "", "mode", &number))
        mode = least_mode(mode, mode_of_store(number));
    if (look_up(rows, STORE_SCOPE_HOST, host, "mode", &number))
        mode = least_mode(mode, mode_of_store(number));
    return mode;
}

// wish when it says something (said), else the store's, else fallback.
static double first_of(bool said, double wish, const struct store_settings *rows, const char *uuid,
                       const char *key, double fallback)
{
    double number;
    if (said)
        return wish;
    return look_up(rows, STORE_SCOPE_VM, uuid, key, &number) ? number : fallback;
}

bool terms_maintenance(const char *host, const struct store_settings *rows)
{
    double number;
    return look_up(rows, STORE_SCOPE_HOST, host, "maintenance", &number) && number > 0;
}

static uint32_t whole_shares(double shares)
{
    if (!(shares >= 1.0))
        return 1;
    return shares > (double)(UINT32_MAX / 2) ? UINT32_MAX / 2 : (uint32_t)llround(shares);
}

static enum agent_mode vm_mode(const struct host_wishes *wishes, const char *uuid,
                               const struct store_settings *rows)
{
    switch (wishes->mode) {
    case HOST_VM_MODE_OBSERVE:
        return AGENT_MODE_OBSERVE;
    case HOST_VM_MODE_RECOMMEND:
        return AGENT_MODE_RECOMMEND;
    case HOST_VM_MODE_AUTO:
        return AGENT_MODE_AUTO;
    case HOST_VM_MODE_UNSET:
        break;
    }
    double number;
    return look_up(rows, STORE_SCOPE_VM, uuid, "mode", &number) ? mode_of_store(number) : AGENT_MODE_AUTO;
}

void terms_resolve(const struct host_wishes *w, const char *uuid, const struct store_settings *rows,
                   enum agent_mode host_mode, uint32_t vcpus, double maxmem_mib, struct terms *ret_terms)
{
    struct terms t = {0};
    double shares = first_of(w->shares > 0, (double)w->shares, rows, uuid, "shares", TERMS_DEFAULT_SHARES);
    t.shares = whole_shares(shares);
    t.cpu_shares = whole_shares(
        first_of(w->cpu_shares > 0, (double)w->cpu_shares, rows, uuid, "cpu_shares", shares * vcpus));
    t.mem_shares = whole_shares(first_of(w->mem_shares > 0, (double)w->mem_shares, rows, uuid, "mem_shares",
                                         shares * maxmem_mib / 1024.0));
    t.cpu_limit_cores = fmin(
        vcpus, first_of(w->cpu_limit_cores >= 0, w->cpu_limit_cores, rows, uuid, "cpu_limit_cores", vcpus));
    t.cpu_reservation_cores =
        fmin(t.cpu_limit_cores, first_of(w->cpu_reservation_cores >= 0, w->cpu_reservation_cores, rows, uuid,
                                         "cpu_reservation_cores", 0));
    t.mem_limit_mib = fmin(maxmem_mib, first_of(w->mem_limit_mib >= 0, w->mem_limit_mib, rows, uuid,
                                                "mem_limit_mib", maxmem_mib));
    t.mem_reservation_mib =
        fmin(t.mem_limit_mib, first_of(w->mem_reservation_mib >= 0, w->mem_reservation_mib, rows, uuid,
                                       "mem_reservation_mib", 0));
    take_text(t.rules, w->rules, rows, uuid, "rules");
    t.rules_unreadable = rule_text_check(t.rules, NULL) < 0;
    take_text(t.needs, w->needs, rows, uuid, "needs");
    double number;
    t.excluded = w->exclude || (look_up(rows, STORE_SCOPE_VM, uuid, "excluded", &number) && number > 0);
    t.mode = least_mode(host_mode, vm_mode(w, uuid, rows));
    *ret_terms = t;
}

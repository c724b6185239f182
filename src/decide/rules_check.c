// Contradictions between strict rules.
//
// Groups of VMs that must share a host (or a zone) are found by union-find. Each VM and each group has a set
// of hosts that remain possible, one bit a host: on and off rules and cannot_run_on take hosts away. A rule
// contradicts those before it when a set becomes empty, when it wants two VMs of one group apart, or when
// apart has more members than there are domains left for them. The last is a count, not a matching: a
// file that passes may still have no solution, which the planner then reports VM by VM.
#include <string.h>

#include "decide/rules.h"

struct check {
    const struct snapshot *s;
    const bool *relaxed;               // rules to leave out, or NULL
    uint32_t *host_group, *zone_group; // union-find parents
    uint64_t **allowed;                // per VM that a rule names: possible hosts; NULL: not named
    size_t words;
    struct arena *arena;
    uint64_t *all; // hosts that are not down
};

static uint32_t root(uint32_t *parent, uint32_t v)
{
    while (parent[v] != v)
        v = parent[v] = parent[parent[v]];
    return v;
}

static uint64_t *set_of(struct check *c, uint32_t v)
{
    v = root(c->host_group, v);
    if (!c->allowed[v]) {
        c->allowed[v] = arena_new_array(c->arena, uint64_t, c->words);
        memcpy(c->allowed[v], c->all, c->words * sizeof(uint64_t));
        const struct index_lists *cannot = &c->s->vms.cannot_run_on;
        for (uint32_t i = cannot->start[v]; i < cannot->start[v + 1]; i++)
            c->allowed[v][cannot->item[i] / 64] &= ~(UINT64_C(1) << cannot->item[i] % 64);
    }
    return c->allowed[v];
}

static bool is_empty(const struct check *c, const uint64_t *set)
{
    for (size_t i = 0; i < c->words; i++)
        if (set[i])
            return false;
    return true;
}

static uint32_t domains_in(const struct check *c, const struct rule *rule, const uint64_t *set)
{
    uint32_t n = 0;
    if (!rule->by_zone) {
        for (size_t i = 0; i < c->words; i++)
            n += (uint32_t)__builtin_popcountll(set[i]);
        return n;
    }
    bool *seen = arena_new_array(c->arena, bool, c->s->n_zones);
    for (uint32_t h = 0; h < c->s->hosts.n; h++) {
        if (!(set[h / 64] >> h % 64 & 1) || seen[c->s->hosts.zone[h]])
            continue;
        seen[c->s->hosts.zone[h]] = true;
        n++;
    }
    return n;
}

static int contradiction(struct error *err, uint32_t r, const char *what)
{
    return error_set(err, ERROR_INPUT, "/rules/%u: %s; remove one of the rules or make it \"strict\": false",
                     r, what);
}

static int add_together(struct check *c, uint32_t r, struct error *err)
{
    const struct rule *rule = &c->s->rules[r];
    for (uint32_t i = 1; i < rule->n_vms; i++) {
        uint32_t a = root(c->zone_group, rule->vms[0]), b = root(c->zone_group, rule->vms[i]);
        c->zone_group[b] = a;
        if (rule->by_zone)
            continue;
        uint64_t *x = set_of(c, rule->vms[0]), *y = set_of(c, rule->vms[i]);
        for (size_t k = 0; k < c->words; k++)
            x[k] &= y[k];
        if (is_empty(c, x))
            return contradiction(err, r, "together leaves no host on which all of its VMs may run");
        c->host_group[root(c->host_group, rule->vms[i])] = root(c->host_group, rule->vms[0]);
        c->allowed[root(c->host_group, rule->vms[0])] = x;
    }
    return 0;
}

static int add_hosts(struct check *c, uint32_t r, struct error *err)
{
    const struct rule *rule = &c->s->rules[r];
    uint64_t *named = arena_new_array(c->arena, uint64_t, c->words);
    for (uint32_t i = 0; i < rule->n_hosts; i++) {
        for (uint32_t h = 0; h < c->s->hosts.n; h++) {
            bool same =
                rule->by_zone ? c->s->hosts.zone[h] == c->s->hosts.zone[rule->hosts[i]] : h == rule->hosts[i];
            if (same)
                named[h / 64] |= UINT64_C(1) << h % 64;
        }
    }
    for (uint32_t i = 0; i < rule->n_vms; i++) {
        uint64_t *set = set_of(c, rule->vms[i]);
        for (size_t k = 0; k < c->words; k++)
            set[k] &= rule->type == RULE_ON ? named[k] : ~named[k];
        if (is_empty(c, set))
            return contradiction(err, r,
                                 "with the rules and cannot_run_on before it, it leaves no host for a VM");
    }
    return 0;
}

static int check_apart(struct check *c, uint32_t r, struct error *err)
{
    const struct rule *rule = &c->s->rules[r];
    uint32_t *group = rule->by_zone ? c->zone_group : c->host_group;
    bool *seen = arena_new_array(c->arena, bool, c->s->vms.n);
    uint64_t *together = arena_new_array(c->arena, uint64_t, c->words);
    uint32_t members = 0;
    for (uint32_t i = 0; i < rule->n_vms; i++) {
        uint32_t g = root(group, rule->vms[i]);
        if (seen[g])
            return contradiction(err, r, "apart names two VMs that another rule keeps together");
        seen[g] = true;
        if (c->s->hosts.state[c->s->vms.host[rule->vms[i]]] == HOST_DOWN)
            continue;
        members++;
        const uint64_t *set = set_of(c, rule->vms[i]);
        for (size_t k = 0; k < c->words; k++)
            together[k] |= set[k];
    }
    if (members > domains_in(c, rule, together))
        return contradiction(err, r,
                             rule->by_zone ? "apart has more VMs than there are zones for them"
                                           : "apart has more VMs than there are hosts for them");
    return 0;
}

static int check_rule(struct check *c, uint32_t r, struct error *err)
{
    switch (c->s->rules[r].type) {
    case RULE_APART:
        return check_apart(c, r, err);
    case RULE_TOGETHER:
        return add_together(c, r, err);
    case RULE_ON:
    case RULE_OFF:
        return add_hosts(c, r, err);
    }
    return 0;
}

// Looks at on and off first, then together, then apart, each in the file's order; the rule at fault is the
// one that finds no way left. Returns its number, or SNAPSHOT_NONE.
static uint32_t find_contradiction(const struct snapshot *s, const bool *relaxed, struct arena *arena,
                                   struct error *err)
{
    struct check c = {.s = s, .relaxed = relaxed, .words = (s->hosts.n + 63) / 64, .arena = arena};
    c.host_group = arena_new_array(arena, uint32_t, s->vms.n);
    c.zone_group = arena_new_array(arena, uint32_t, s->vms.n);
    c.allowed = arena_new_array(arena, uint64_t *, s->vms.n);
    c.all = arena_new_array(arena, uint64_t, c.words);
    for (uint32_t v = 0; v < s->vms.n; v++)
        c.host_group[v] = c.zone_group[v] = v;
    for (uint32_t h = 0; h < s->hosts.n; h++)
        if (s->hosts.state[h] != HOST_DOWN)
            c.all[h / 64] |= UINT64_C(1) << h % 64;
    for (int round = 0; round < 3; round++) {
        for (uint32_t r = 0; r < s->n_rules; r++) {
            const struct rule *rule = &s->rules[r];
            int when = rule->type == RULE_APART ? 2 : rule->type == RULE_TOGETHER ? 1 : 0;
            if (!rule->strict || when != round || (relaxed && relaxed[r]))
                continue;
            if (check_rule(&c, r, err) < 0)
                return r;
        }
    }
    return SNAPSHOT_NONE;
}

int rules_check(const struct snapshot *snapshot, struct arena *scratch, struct error *err)
{
    bool any = false;
    for (uint32_t r = 0; r < snapshot->n_rules; r++)
        any |= snapshot->rules[r].strict;
    return any && find_contradiction(snapshot, NULL, scratch, err) != SNAPSHOT_NONE ? -1 : 0;
}

uint32_t rules_relax(struct snapshot *snapshot, struct arena *scratch, uint32_t *ret_relaxed)
{
    uint32_t n = 0;
    bool *relaxed = arena_new_array(scratch, bool, snapshot->n_rules);
    for (;;) {
        uint32_t r = find_contradiction(snapshot, relaxed, scratch, NULL);
        if (r == SNAPSHOT_NONE)
            break;
        relaxed[r] = true;
        ret_relaxed[n++] = r;
    }
    for (uint32_t i = 0; i < n; i++)
        snapshot->rules[ret_relaxed[i]].strict = false;
    return n;
}

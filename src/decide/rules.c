#include "decide/rules.h"

#include <assert.h>
#include <string.h>

// Up to here members are counted by looking at each of them; a larger rule keeps a count per domain.
#define RULES_SCAN_MEMBERS 32

struct rules {
    const struct snapshot *snapshot;
    const uint32_t *host;   // where each VM is
    uint32_t *start, *rule; // rules of VM v: rule[start[v]] .. rule[start[v + 1] - 1]
    uint32_t **count;       // per rule: members by domain, NULL for small rules and for on and off
};

static uint32_t domain_of(const struct snapshot *s, const struct rule *rule, uint32_t h)
{
    return rule->by_zone ? s->hosts.zone[h] : h;
}

static uint32_t domains(const struct snapshot *s, const struct rule *rule)
{
    return rule->by_zone ? s->n_zones : s->hosts.n;
}

static bool counts(const struct rules *rules, uint32_t v)
{
    return rules->snapshot->hosts.state[rules->host[v]] != HOST_DOWN;
}

static bool spreads(const struct rule *rule)
{
    return rule->type == RULE_APART || rule->type == RULE_TOGETHER;
}

struct rules *rules_compile(const struct snapshot *s, const uint32_t *host, struct arena *arena)
{
    struct rules *rules = arena_new_object(arena, struct rules);
    rules->snapshot = s;
    rules->host = host;
    rules->start = arena_new_array(arena, uint32_t, (size_t)s->vms.n + 2);
    rules->count = arena_new_array(arena, uint32_t *, s->n_rules);
    size_t total = 0;
    uint32_t *fill = rules->start + 1;
    for (uint32_t r = 0; r < s->n_rules; r++) {
        for (uint32_t i = 0; i < s->rules[r].n_vms; i++)
            fill[s->rules[r].vms[i] + 1]++;
        total += s->rules[r].n_vms;
    }
    rules->rule = arena_new_array(arena, uint32_t, total);
    for (uint32_t v = 0; v < s->vms.n; v++)
        fill[v + 1] += fill[v];
    for (uint32_t r = 0; r < s->n_rules; r++) {
        const struct rule *rule = &s->rules[r];
        for (uint32_t i = 0; i < rule->n_vms; i++)
            rules->rule[fill[rule->vms[i]]++] = r;
        if (!spreads(rule) || rule->n_vms <= RULES_SCAN_MEMBERS)
            continue;
        rules->count[r] = arena_new_array(arena, uint32_t, domains(s, rule));
        for (uint32_t i = 0; i < rule->n_vms; i++)
            if (counts(rules, rule->vms[i]))
                rules->count[r][domain_of(s, rule, host[rule->vms[i]])]++;
    }
    return rules;
}

bool rules_concern(const struct rules *rules, uint32_t v)
{
    return rules->start[v + 1] > rules->start[v];
}

// Members in a domain, VM except left out (SNAPSHOT_NONE: nobody).
static uint32_t members_in(const struct rules *rules, uint32_t r, uint32_t domain, uint32_t except)
{
    const struct snapshot *s = rules->snapshot;
    const struct rule *rule = &s->rules[r];
    bool there =
        except != SNAPSHOT_NONE && counts(rules, except) && domain_of(s, rule, rules->host[except]) == domain;
    if (rules->count[r])
        return rules->count[r][domain] - there;
    uint32_t n = 0;
    for (uint32_t i = 0; i < rule->n_vms; i++) {
        uint32_t v = rule->vms[i];
        n += v != except && counts(rules, v) && domain_of(s, rule, rules->host[v]) == domain;
    }
    return n;
}

// Most members in one domain, without VM except.
static uint32_t largest_group(const struct rules *rules, uint32_t r, uint32_t except)
{
    const struct snapshot *s = rules->snapshot;
    const struct rule *rule = &s->rules[r];
    uint32_t most = 0;
    if (rules->count[r]) {
        for (uint32_t d = 0; d < domains(s, rule); d++) {
            uint32_t n = members_in(rules, r, d, except);
            most = n > most ? n : most;
        }
        return most;
    }
    for (uint32_t i = 0; i < rule->n_vms; i++) {
        uint32_t v = rule->vms[i];
        if (v == except || !counts(rules, v))
            continue;
        uint32_t n = members_in(rules, r, domain_of(s, rule, rules->host[v]), except);
        most = n > most ? n : most;
    }
    return most;
}

static bool is_named(const struct snapshot *s, const struct rule *rule, uint32_t h)
{
    for (uint32_t i = 0; i < rule->n_hosts; i++)
        if (domain_of(s, rule, rule->hosts[i]) == domain_of(s, rule, h))
            return true;
    return false;
}

static bool misplaced(const struct snapshot *s, const struct rule *rule, uint32_t h)
{
    return is_named(s, rule, h) == (rule->type == RULE_OFF);
}

// Change of rule r's violation count when v goes to host to.
static int change(const struct rules *rules, uint32_t r, uint32_t v, uint32_t to)
{
    const struct snapshot *s = rules->snapshot;
    const struct rule *rule = &s->rules[r];
    uint32_t from = rules->host[v];
    if (!spreads(rule))
        return (int)misplaced(s, rule, to) - (int)misplaced(s, rule, from);
    uint32_t d_from = domain_of(s, rule, from), d_to = domain_of(s, rule, to);
    if (d_from == d_to)
        return 0;
    uint32_t left = members_in(rules, r, d_from, v), joined = members_in(rules, r, d_to, v);
    if (rule->type == RULE_APART)
        return (int)(joined > 0) - (int)(left > 0);
    uint32_t others = largest_group(rules, r, v);
    uint32_t before = left + 1 > others ? left + 1 : others;
    uint32_t after = joined + 1 > others ? joined + 1 : others;
    return (int)before - (int)after;
}

struct rules_effect rules_move_effect(const struct rules *rules, uint32_t v, uint32_t to)
{
    struct rules_effect effect = {.worst = SNAPSHOT_NONE};
    if (to == rules->host[v])
        return effect;
    for (uint32_t i = rules->start[v]; i < rules->start[v + 1]; i++) {
        uint32_t r = rules->rule[i];
        int delta = change(rules, r, v, to);
        if (!rules->snapshot->rules[r].strict) {
            effect.preferred += delta;
        } else if (delta > 0) {
            effect.strict_worse += delta;
            effect.worst = r;
        } else {
            effect.strict_better -= delta;
        }
    }
    return effect;
}

void rules_moved(struct rules *rules, uint32_t v, uint32_t from)
{
    const struct snapshot *s = rules->snapshot;
    for (uint32_t i = rules->start[v]; i < rules->start[v + 1]; i++) {
        uint32_t r = rules->rule[i];
        if (!rules->count[r])
            continue;
        if (s->hosts.state[from] != HOST_DOWN) {
            assert(rules->count[r][domain_of(s, &s->rules[r], from)] > 0);
            rules->count[r][domain_of(s, &s->rules[r], from)]--;
        }
        if (counts(rules, v))
            rules->count[r][domain_of(s, &s->rules[r], rules->host[v])]++;
    }
}

uint32_t rules_violation(const struct rules *rules, uint32_t r)
{
    const struct snapshot *s = rules->snapshot;
    const struct rule *rule = &s->rules[r];
    uint32_t n = 0, bad = 0;
    for (uint32_t i = 0; i < rule->n_vms; i++) {
        uint32_t v = rule->vms[i];
        if (!counts(rules, v))
            continue;
        n++;
        if (!spreads(rule)) {
            bad += misplaced(s, rule, rules->host[v]);
            continue;
        }
        // Each member after the first of its domain is one too many for apart.
        for (uint32_t j = 0; rule->type == RULE_APART && j < i; j++) {
            uint32_t u = rule->vms[j];
            if (counts(rules, u) &&
                domain_of(s, rule, rules->host[u]) == domain_of(s, rule, rules->host[v])) {
                bad++;
                break;
            }
        }
    }
    return rule->type == RULE_TOGETHER && n ? n - largest_group(rules, r, SNAPSHOT_NONE) : bad;
}

uint32_t rules_violations(const struct rules *rules, bool strict)
{
    uint32_t sum = 0;
    for (uint32_t r = 0; r < rules->snapshot->n_rules; r++)
        if (rules->snapshot->rules[r].strict == strict)
            sum += rules_violation(rules, r);
    return sum;
}

static const char *const type_names[] = {
    [RULE_APART] = "apart", [RULE_TOGETHER] = "together", [RULE_ON] = "on", [RULE_OFF] = "off"};

const char *rules_describe(const struct snapshot *s, uint32_t r, struct arena *arena)
{
    const struct rule *rule = &s->rules[r];
    const char *kind = rule->strict ? "strict" : "preferred";
    const char *more = rule->n_vms > 2 ? ", ..." : "";
    if (rule->n_vms == 0)
        return arena_printf(arena, "rule %u, %s (%s)", r, type_names[rule->type], kind);
    if (rule->n_vms == 1)
        return arena_printf(arena, "rule %u, %s (%s) for %s", r, type_names[rule->type], kind,
                            s->vms.name[rule->vms[0]]);
    return arena_printf(arena, "rule %u, %s (%s) for %s, %s%s", r, type_names[rule->type], kind,
                        s->vms.name[rule->vms[0]], s->vms.name[rule->vms[1]], more);
}

// Rules as VMs' rows carry them (model/rule_text.h): those of a cluster's snapshot, and the check of a claim.
//
// The claim is where a strict rule is certain to hold: hosts decide on rows that are seconds old, and two of them may send
// VMs that must be apart to one destination at the same moment. As everywhere (decide/rules.h) what holds must go on to
// hold, and what is broken must not get worse. A VM on its way counts where it goes.
#include <string.h>

#include "base/vector.h"
#include "model/name_index.h"
#include "model/rule_text.h"
#include "store/sqlite.h"

#define CLEAN_INDEX __attribute__((cleanup(name_index_free)))

// ---- of a snapshot ---------------------------------------------------------------------------------------

struct member {
    uint32_t rule, vm;
};
DEFINE_VECTOR(rule_list, struct rule);
DEFINE_VECTOR(member_list, struct member);

struct rules_making {
    struct snapshot *snapshot;
    struct rule_list rules;
    struct member_list members; // of apart and together
    struct name_index groups;
    struct arena *arena; // for names of groups, while they are gathered
};

static bool is_place(const struct snapshot *s, uint32_t h, const struct rule_word *word)
{
    return strcmp(word->by_zone ? s->zone_name[s->hosts.zone[h]] : s->hosts.name[h], word->name) == 0;
}

// The hosts that the VM's on (off) words of one strictness name; none of them known: no rule.
static int add_places(struct rules_making *m, uint32_t v, const char *text, enum rule_type type, bool strict)
{
    struct snapshot *s = m->snapshot;
    struct rule rule = {.type = type, .strict = strict, .n_vms = 1};
    struct rule_word word;
    bool *named = NULL;
    for (const char *at = text; rule_word_next(&at, &word, NULL) > 0;) {
        if (word.type != type || word.strict != strict)
            continue;
        named = named ? named : arena_new_array(s->arena, bool, s->hosts.n);
        for (uint32_t h = 0; h < s->hosts.n; h++)
            named[h] = named[h] || is_place(s, h, &word);
    }
    for (uint32_t h = 0; named && h < s->hosts.n; h++)
        rule.n_hosts += named[h];
    if (rule.n_hosts == 0)
        return 0;
    rule.vms = arena_new_array(s->arena, uint32_t, 1);
    rule.vms[0] = v;
    rule.hosts = arena_new_array(s->arena, uint32_t, rule.n_hosts);
    for (uint32_t h = 0, i = 0; h < s->hosts.n; h++)
        if (named[h])
            rule.hosts[i++] = h;
    return rule_list_push(&m->rules, rule);
}

static int add_groups(struct rules_making *m, uint32_t v, const char *text)
{
    struct rule_word word;
    for (const char *at = text; rule_word_next(&at, &word, NULL) > 0;) {
        if (word.type != RULE_APART && word.type != RULE_TOGETHER)
            continue;
        const char *name =
            arena_printf(m->arena, "%d%d%d%s", (int)word.type, word.by_zone, word.strict, word.name);
        uint32_t r = name_index_add(&m->groups, name, (uint32_t)m->rules.n);
        struct rule rule = {.type = word.type, .by_zone = word.by_zone, .strict = word.strict};
        if (r == m->rules.n && rule_list_push(&m->rules, rule) < 0)
            return -1;
        bool twice = false;
        for (size_t i = m->members.n; i-- > 0 && m->members.at[i].vm == v;)
            twice = twice || m->members.at[i].rule == r;
        if (twice)
            continue;
        m->rules.at[r].n_vms++;
        if (member_list_push(&m->members, (struct member){r, v}) < 0)
            return -1;
    }
    return 0;
}

static uint32_t count_words(const struct store_vm *vms, uint32_t n)
{
    uint32_t words = 0;
    struct rule_word word;
    for (uint32_t v = 0; v < n; v++)
        for (const char *at = vms[v].rules; rule_word_next(&at, &word, NULL) > 0;)
            words++;
    return words;
}

static int gather(struct rules_making *m, const struct store_vm *vms)
{
    uint32_t n = m->snapshot->vms.n;
    for (uint32_t v = 0; v < n; v++) {
        if (vms[v].rules && add_groups(m, v, vms[v].rules) < 0)
            return -1;
        for (int strict = 0; vms[v].rules && strict < 2; strict++)
            if (add_places(m, v, vms[v].rules, RULE_ON, strict) < 0 ||
                add_places(m, v, vms[v].rules, RULE_OFF, strict) < 0)
                return -1;
    }
    return 0;
}

int sqlite_rules_fill(struct snapshot *snapshot, const struct store_vm *vms, struct error *err)
{
    uint32_t words = count_words(vms, snapshot->vms.n);
    if (words == 0)
        return 0;
    struct rules_making m = {.snapshot = snapshot, .arena = arena_new(0)};
    int rc = m.arena && name_index_init(&m.groups, words) == 0 ? gather(&m, vms) : -1;
    if (rc == 0) {
        snapshot->n_rules = (uint32_t)m.rules.n;
        snapshot->rules = arena_new_array(snapshot->arena, struct rule, m.rules.n);
        uint32_t *filled = arena_new_array(snapshot->arena, uint32_t, m.rules.n);
        for (size_t r = 0; r < m.rules.n; r++) {
            snapshot->rules[r] = m.rules.at[r];
            if (!snapshot->rules[r].vms)
                snapshot->rules[r].vms = arena_new_array(snapshot->arena, uint32_t, m.rules.at[r].n_vms);
        }
        for (size_t i = 0; i < m.members.n; i++)
            snapshot->rules[m.members.at[i].rule].vms[filled[m.members.at[i].rule]++] = m.members.at[i].vm;
    } else {
        error_set(err, ERROR_MEMORY, "read cluster: no memory");
    }
    rule_list_free(&m.rules);
    member_list_free(&m.members);
    name_index_free(&m.groups);
    arena_free(m.arena);
    return rc;
}

// ---- of a claim ------------------------------------------------------------------------------------------

struct place {
    const char *host, *zone;
};

struct other {
    const char *name, *rules;
    struct place place;
};
DEFINE_VECTOR(other_list, struct other);

static const char *domain(const struct place *p, const struct rule_word *word)
{
    return word->by_zone ? p->zone : p->host;
}

static bool has_word(const char *text, const struct rule_word *word)
{
    struct rule_word w;
    for (const char *at = text; rule_word_next(&at, &w, NULL) > 0;)
        if (rule_word_equal(&w, word))
            return true;
    return false;
}

// How many of the group are in that domain.
static size_t members_in(const struct other_list *others, const struct rule_word *word, const char *where,
                         const char **ret_name)
{
    size_t n = 0;
    for (size_t i = 0; i < others->n; i++)
        if (strcmp(domain(&others->at[i].place, word), where) == 0 && has_word(others->at[i].rules, word)) {
            *ret_name = others->at[i].name;
            n++;
        }
    return n;
}

// What the move of a VM with this word breaks; NULL: nothing.
static const char *breaks(const struct rule_word *word, const char *text, const struct other_list *others,
                          const struct place *from, const struct place *to, struct arena *arena)
{
    const char *name = NULL, *here = domain(from, word), *there = domain(to, word);
    struct rule_word w;
    bool was = false, would = false;
    switch (word->type) {
    case RULE_APART:
        if (strcmp(here, there) == 0 || members_in(others, word, here, &name) > 0 ||
            members_in(others, word, there, &name) == 0)
            return NULL;
        return arena_printf(arena, "\"%.80s\" is there or on its way there", name);
    case RULE_TOGETHER: {
        size_t before = members_in(others, word, here, &name) + 1;
        size_t after = members_in(others, word, there, &name) + 1;
        if (strcmp(here, there) == 0 || after >= before)
            return NULL;
        for (size_t i = 0; i < others->n; i++)
            if (has_word(others->at[i].rules, word) &&
                members_in(others, word, domain(&others->at[i].place, word), &name) >= before)
                return NULL; // most of them are elsewhere
        members_in(others, word, here, &name);
        return arena_printf(arena, "\"%.80s\" stays on \"%.80s\"", name, here);
    }
    case RULE_ON:
    case RULE_OFF:
        for (const char *at = text; rule_word_next(&at, &w, NULL) > 0;) {
            if (w.type != word->type || !w.strict)
                continue;
            was = was || strcmp(domain(from, &w), w.name) == 0;
            would = would || strcmp(domain(to, &w), w.name) == 0;
        }
        if (word->type == RULE_ON ? was && !would : !was && would)
            return arena_printf(arena, "it may %s \"%.80s\"",
                                word->type == RULE_ON ? "not leave" : "not go to",
                                word->type == RULE_ON ? here : there);
        return NULL;
    }
    return NULL;
}

static int read_place(struct sqlite_store *s, const char *host, struct arena *arena, struct place *place,
                      struct error *err)
{
    sqlite3_stmt *q =
        sqlite_start(s, err, "SELECT coalesce(zone, name) FROM hosts WHERE name = ?1", "t", host);
    int rc = q ? sqlite_step(s, q, err) : -1;
    *place = (struct place){host, rc == 1 ? sqlite_text(q, 0, arena) : host};
    return rc < 0 ? -1 : 0;
}

static int read_others(struct sqlite_store *s, const char *uuid, struct arena *arena, struct other_list *list,
                       struct error *err)
{
    sqlite3_stmt *q = sqlite_start(
        s, err,
        "SELECT v.name, v.rules, coalesce(m.destination, v.host), coalesce(h.zone, m.destination, v.host)"
        " FROM vms v LEFT JOIN migrations m ON m.vm_uuid = v.uuid AND m.state IN (2, 3, 8)"
        " LEFT JOIN hosts h ON h.name = coalesce(m.destination, v.host)"
        " WHERE v.rules IS NOT NULL AND v.uuid <> ?1 ORDER BY v.uuid",
        "t", uuid);
    int rc = q ? 1 : -1;
    while (rc > 0 && (rc = sqlite_step(s, q, err)) == 1) {
        struct other other = {.name = sqlite_text(q, 0, arena),
                              .rules = sqlite_text(q, 1, arena),
                              .place = {sqlite_text(q, 2, arena), sqlite_text(q, 3, arena)}};
        if (other_list_push(list, other) < 0)
            return error_set(err, ERROR_MEMORY, "claim: no memory");
    }
    return rc;
}

int sqlite_rules_check(struct sqlite_store *s, const struct store_move *move, struct arena *arena,
                       const char **ret_why, struct error *err)
{
    struct other_list others = {0};
    struct place from, to;
    struct rule_word word;
    *ret_why = NULL;
    sqlite3_stmt *q = sqlite_start(s, err, "SELECT rules FROM vms WHERE uuid = ?1", "t", move->vm_uuid);
    int rc = q ? sqlite_step(s, q, err) : -1;
    const char *text = rc == 1 ? sqlite_text(q, 0, arena) : NULL;
    if (rc == 1)
        sqlite3_reset(q);
    if (rc < 0 || !text)
        return rc < 0 ? -1 : 0;
    rc = read_others(s, move->vm_uuid, arena, &others, err);
    if (rc == 0)
        rc = read_place(s, move->from, arena, &from, err);
    if (rc == 0)
        rc = read_place(s, move->to, arena, &to, err);
    for (const char *at = text, *begin = at; rc == 0 && !*ret_why; begin = at) {
        if (rule_word_next(&at, &word, NULL) <= 0)
            break;
        const char *why = word.strict ? breaks(&word, text, &others, &from, &to, arena) : NULL;
        if (why)
            *ret_why = arena_printf(arena, "rule %.*s: %s", (int)(at - begin), begin, why);
    }
    other_list_free(&others);
    return rc;
}

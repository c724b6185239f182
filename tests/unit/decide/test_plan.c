// Properties of plans over thousands of random clusters. A failure prints the seed.
#include "../test.h"

#include <math.h>
#include <string.h>

#include "decide/plan.h"
#include "decide/rules.h"
#include "random_cluster.h"

static const enum plan_goal goals[] = {PLAN_RELIEVE, PLAN_BALANCE, PLAN_PACK};

// A judge of its own: plain sums from the snapshot, no planner code.
struct judge {
    const struct snapshot *s;
    uint32_t *host;
    double *bound, *configured;
};

static double bound_of(const struct snapshot *s, uint32_t v)
{
    return fmax(s->vms.mem_used_mib[v] * 1.1, s->vms.mem_reservation_mib[v]) + s->vms.mem_overhead_mib[v];
}

static struct judge judge_new(const struct snapshot *s, struct arena *arena)
{
    struct judge j = {s, arena_new_array(arena, uint32_t, s->vms.n),
                      arena_new_array(arena, double, s->hosts.n), arena_new_array(arena, double, s->hosts.n)};
    for (uint32_t v = 0; v < s->vms.n; v++) {
        j.host[v] = s->vms.host[v];
        j.bound[j.host[v]] += bound_of(s, v);
        j.configured[j.host[v]] += s->vms.mem_mib[v];
    }
    return j;
}

static void judge_step(struct judge *j, const struct plan_move *m, double overcommit, uint64_t seed)
{
    const struct snapshot *s = j->s;
    if (j->host[m->vm] != m->from || m->from == m->to)
        fail_msg("seed %lu: a VM moves from where it is not", (unsigned long)seed);
    if (!s->vms.movable[m->vm] || s->hosts.state[m->to] != HOST_UP)
        fail_msg("seed %lu: a move that must not be", (unsigned long)seed);
    j->bound[m->to] += bound_of(s, m->vm);
    j->configured[m->to] += s->vms.mem_mib[m->vm];
    double room = snapshot_host_mem_mib(s, m->to);
    if (j->bound[m->to] > room * (1 + 1e-9))
        fail_msg("seed %lu: memory bound broken", (unsigned long)seed);
    if (overcommit > 0 && j->configured[m->to] > overcommit * room * (1 + 1e-9))
        fail_msg("seed %lu: overcommitment bound broken", (unsigned long)seed);
    j->bound[m->from] -= bound_of(s, m->vm);
    j->configured[m->from] -= s->vms.mem_mib[m->vm];
    j->host[m->vm] = m->to;
}

// Whether rule r holds for that assignment, written plainly.
static bool holds(const struct snapshot *s, const struct rule *rule, const uint32_t *host)
{
    for (uint32_t i = 0; i < rule->n_vms; i++) {
        uint32_t a = host[rule->vms[i]];
        if (rule->type == RULE_ON || rule->type == RULE_OFF) {
            bool named = false;
            for (uint32_t k = 0; k < rule->n_hosts; k++)
                named |=
                    rule->by_zone ? s->hosts.zone[rule->hosts[k]] == s->hosts.zone[a] : rule->hosts[k] == a;
            if (named != (rule->type == RULE_ON))
                return false;
            continue;
        }
        for (uint32_t k = 0; k < i; k++) {
            uint32_t b = host[rule->vms[k]];
            bool same = rule->by_zone ? s->hosts.zone[a] == s->hosts.zone[b] : a == b;
            if (same != (rule->type == RULE_TOGETHER))
                return false;
        }
    }
    return true;
}

static struct cluster_recipe recipe_of(uint64_t seed)
{
    return (struct cluster_recipe){.hosts = 3 + (uint32_t)(seed % 7),
                                   .vms = 10 + (uint32_t)(seed % 31),
                                   .rules = (uint32_t)(seed % 4),
                                   .cpu_load = 0.4 + 0.1 * (double)(seed % 8),
                                   .mem_load = 0.3 + 0.05 * (double)(seed % 9),
                                   .maintenance = seed % 3 == 0,
                                   .figures = seed % 2 == 0};
}

static struct plan_settings settings_of(uint64_t seed)
{
    struct plan_settings settings = plan_settings_default();
    settings.goal = goals[seed % 3];
    settings.measure = seed % 5 == 0 ? PLAN_MEASURE_MAD : PLAN_MEASURE_SD;
    settings.max_moves = seed % 4 == 0 ? 3 : PLAN_UNLIMITED;
    settings.mem_overcommit = seed % 7 == 0 ? 1.5 : 0;
    settings.work_limit = 1500; // thousands of clusters: search less deeply
    return settings;
}

static void every_step_keeps_bounds_and_rules(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct cluster_recipe recipe = recipe_of(seed);
        struct snapshot *s = random_cluster(seed, &recipe);
        struct plan_settings settings = settings_of(seed);
        struct plan plan;
        plan_make(s, &settings, s->arena, &plan);
        assert_true(plan.n_moves <= settings.max_moves);
        struct judge judge = judge_new(s, s->arena);
        for (uint32_t i = 0; i < plan.n_moves; i++) {
            bool held[8] = {false};
            for (uint32_t r = 0; r < s->n_rules; r++)
                held[r] = holds(s, &s->rules[r], judge.host);
            judge_step(&judge, &plan.moves[i], settings.mem_overcommit, seed);
            for (uint32_t r = 0; r < s->n_rules; r++)
                if (s->rules[r].strict && held[r] && !holds(s, &s->rules[r], judge.host))
                    fail_msg("seed %lu: move %u breaks rule %u", (unsigned long)seed, i, r);
        }
        assert_memory_equal(judge.host, plan.vm_host, s->vms.n * sizeof *judge.host);
        snapshot_free(s);
    }
}

static void benefits_add_up_to_what_measuring_again_gives(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct cluster_recipe recipe = recipe_of(seed);
        struct snapshot *s = random_cluster(seed, &recipe);
        struct plan_settings settings = settings_of(seed);
        struct plan plan;
        plan_make(s, &settings, s->arena, &plan);
        for (uint32_t i = 0; i < plan.n_moves; i++) {
            struct score before, after;
            score_compute(s, s->arena, &before, NULL);
            s->vms.host[plan.moves[i].vm] = plan.moves[i].to;
            score_compute(s, s->arena, &after, NULL);
            double measured = (before.lost_vm_s_per_s - after.lost_vm_s_per_s) * settings.horizon_s;
            if (fabs(measured - plan.moves[i].benefit_lost_vm_s) > 1e-6 * settings.horizon_s)
                fail_msg("seed %lu move %u: %g said, %g measured", (unsigned long)seed, i,
                         plan.moves[i].benefit_lost_vm_s, measured);
        }
        snapshot_free(s);
    }
}

// The candidates of a move are told with what going there instead would have brought.
static void candidates_tell_what_measuring_gives(void **state)
{
    (void)state;
    uint32_t possible = 0, impossible = 0;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct cluster_recipe recipe = recipe_of(seed);
        struct snapshot *s = random_cluster(seed, &recipe);
        struct plan_settings settings = settings_of(seed);
        settings.candidates = 3;
        struct plan plan;
        plan_make(s, &settings, s->arena, &plan);
        for (uint32_t i = 0; i < plan.n_moves; i++) {
            const struct plan_move *m = &plan.moves[i];
            assert_true(m->n_candidates <= 3);
            struct score before, there;
            score_compute(s, s->arena, &before, NULL);
            for (uint32_t c = 0; c < m->n_candidates; c++) {
                const struct plan_candidate *other = &m->candidates[c];
                assert_true(other->host != m->to && other->host != m->from && strlen(other->why_not) > 0);
                s->vms.host[m->vm] = other->host;
                score_compute(s, s->arena, &there, NULL);
                double measured = (before.lost_vm_s_per_s - there.lost_vm_s_per_s) * settings.horizon_s;
                if (fabs(measured - other->benefit_lost_vm_s) > 1e-6 * settings.horizon_s)
                    fail_msg("seed %lu move %u candidate %u: %g said, %g measured", (unsigned long)seed, i, c,
                             other->benefit_lost_vm_s, measured);
                *(other->possible ? &possible : &impossible) += 1;
            }
            s->vms.host[m->vm] = m->to;
        }
        snapshot_free(s);
    }
    assert_true(possible > 1000 && impossible > 100);
}

static void relieving_loses_less_than_before_and_pays(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct cluster_recipe recipe = recipe_of(seed);
        recipe.maintenance = false;
        recipe.rules = 0;
        struct snapshot *s = random_cluster(seed, &recipe);
        struct plan_settings settings = settings_of(seed);
        settings.goal = PLAN_RELIEVE;
        struct plan plan;
        plan_make(s, &settings, s->arena, &plan);
        double benefit = 0, cost = 0;
        for (uint32_t i = 0; i < plan.n_moves; i++) {
            benefit += plan.moves[i].benefit_lost_vm_s;
            cost += plan.moves[i].cost_lost_vm_s;
        }
        if (plan.n_moves && benefit <= cost)
            fail_msg("seed %lu: %g gained for %g", (unsigned long)seed, benefit, cost);
        snapshot_free(s);
    }
}

static void a_satisfied_cluster_is_left_alone(void **state)
{
    (void)state;
    uint32_t satisfied = 0;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct cluster_recipe recipe = {.hosts = 6, .vms = 24, .cpu_load = 0.35, .mem_load = 0.3};
        struct snapshot *s = random_cluster(seed, &recipe);
        struct plan_settings settings = plan_settings_default();
        struct plan plan;
        plan_make(s, &settings, s->arena, &plan);
        if (plan.before.lost_vm_s_per_s <= 0) {
            satisfied++;
            assert_int_equal(plan.n_moves, 0);
        }
        snapshot_free(s);
    }
    assert_true(satisfied > 200);
}

static void packing_loses_nothing_and_empties_hosts(void **state)
{
    (void)state;
    uint32_t fewer = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct cluster_recipe recipe = {.hosts = 8, .vms = 32, .cpu_load = 0.3, .mem_load = 0.3};
        struct snapshot *s = random_cluster(seed, &recipe);
        struct plan_settings settings = plan_settings_default();
        settings.goal = PLAN_PACK;
        struct plan plan;
        plan_make(s, &settings, s->arena, &plan);
        assert_true(plan.after.lost_vm_s_per_s <= plan.before.lost_vm_s_per_s + 1e-9);
        fewer += plan.after.hosts_used < plan.before.hosts_used;
        assert_true(plan.after.hosts_used <= plan.before.hosts_used);
        for (uint32_t i = 0; i < plan.n_host_actions; i++)
            for (uint32_t v = 0; v < s->vms.n; v++)
                assert_true(plan.vm_host[v] != plan.host_actions[i].host);
        snapshot_free(s);
    }
    assert_true(fewer > 160);
}

// The same cluster with hosts and VMs in another order.
static struct snapshot *shuffled(const struct snapshot *s, uint64_t seed)
{
    struct random r = random_seed(seed);
    struct snapshot *t = snapshot_copy(s);
    uint32_t *host = arena_new_array(t->arena, uint32_t, s->hosts.n); // new number of each host
    uint32_t *vm = arena_new_array(t->arena, uint32_t, s->vms.n);
    for (uint32_t i = 0; i < s->hosts.n; i++)
        host[i] = i;
    for (uint32_t i = 0; i < s->vms.n; i++)
        vm[i] = i;
    for (uint32_t i = s->hosts.n; i-- > 1;) {
        uint32_t k = below(&r, i + 1), was = host[i];
        host[i] = host[k];
        host[k] = was;
    }
    for (uint32_t i = s->vms.n; i-- > 1;) {
        uint32_t k = below(&r, i + 1), was = vm[i];
        vm[i] = vm[k];
        vm[k] = was;
    }
#define PUT(part, field, i, to) t->part.field[to] = s->part.field[i]
    for (uint32_t i = 0; i < s->hosts.n; i++) {
        PUT(hosts, name, i, host[i]);
        PUT(hosts, state, i, host[i]);
        PUT(hosts, cpu_cores, i, host[i]);
        PUT(hosts, mem_mib, i, host[i]);
        PUT(hosts, zone, i, host[i]);
    }
    for (uint32_t i = 0; i < s->vms.n; i++) {
        PUT(vms, name, i, vm[i]);
        PUT(vms, vcpus, i, vm[i]);
        PUT(vms, mem_mib, i, vm[i]);
        PUT(vms, mem_current_mib, i, vm[i]);
        PUT(vms, mem_actual_mib, i, vm[i]);
        PUT(vms, mem_limit_mib, i, vm[i]);
        PUT(vms, mem_overhead_mib, i, vm[i]);
        PUT(vms, mem_reservation_mib, i, vm[i]);
        PUT(vms, cpu_demand_cores, i, vm[i]);
        PUT(vms, cpu_limit_cores, i, vm[i]);
        PUT(vms, cpu_reservation_cores, i, vm[i]);
        PUT(vms, mem_used_mib, i, vm[i]);
        PUT(vms, shares, i, vm[i]);
        PUT(vms, cpu_shares, i, vm[i]);
        PUT(vms, mem_shares, i, vm[i]);
        PUT(vms, movable, i, vm[i]);
        t->vms.host[vm[i]] = host[s->vms.host[i]];
    }
    for (uint32_t q = 0; q < s->n_rules; q++) {
        for (uint32_t i = 0; i < s->rules[q].n_vms; i++)
            t->rules[q].vms[i] = vm[s->rules[q].vms[i]];
        for (uint32_t i = 0; i < s->rules[q].n_hosts; i++)
            t->rules[q].hosts[i] = host[s->rules[q].hosts[i]];
    }
    return t;
}

static void assert_same_moves(const struct snapshot *s, const struct plan *p, const struct snapshot *t,
                              const struct plan *q, uint64_t seed)
{
    bool same = p->n_moves == q->n_moves && p->n_stuck == q->n_stuck;
    for (uint32_t i = 0; same && i < p->n_moves; i++) {
        same = strcmp(s->vms.name[p->moves[i].vm], t->vms.name[q->moves[i].vm]) == 0 &&
               strcmp(s->hosts.name[p->moves[i].to], t->hosts.name[q->moves[i].to]) == 0;
    }
    if (!same)
        fail_msg("seed %lu: the plans differ (%u and %u moves)", (unsigned long)seed, p->n_moves, q->n_moves);
}

static void order_of_input_changes_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct cluster_recipe recipe = recipe_of(seed);
        struct snapshot *s = random_cluster(seed, &recipe), *t = shuffled(s, seed);
        struct plan_settings settings = settings_of(seed);
        struct plan p, q;
        plan_make(s, &settings, s->arena, &p);
        plan_make(t, &settings, t->arena, &q);
        assert_same_moves(s, &p, t, &q, seed);
        snapshot_free(s);
        snapshot_free(t);
    }
}

static void doubling_everything_changes_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct cluster_recipe recipe = recipe_of(seed);
        struct snapshot *s = random_cluster(seed, &recipe);
        recipe.scale = 2;
        struct snapshot *t = random_cluster(seed, &recipe);
        struct plan_settings settings = settings_of(seed);
        struct plan p, q;
        plan_make(s, &settings, s->arena, &p);
        plan_make(t, &settings, t->arena, &q);
        assert_same_moves(s, &p, t, &q, seed);
        snapshot_free(s);
        snapshot_free(t);
    }
}

// What a maintenance leaves behind is named with its reason, and everything that has a place goes.
static void maintenance_empties_hosts_or_says_why_not(void **state)
{
    (void)state;
    uint32_t stuck = 0, left = 0;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct cluster_recipe recipe = recipe_of(seed * 3);
        recipe.maintenance = true;
        struct snapshot *s = random_cluster(seed, &recipe);
        struct plan_settings settings = plan_settings_default();
        settings.work_limit = 1500;
        struct plan plan;
        plan_make(s, &settings, s->arena, &plan);
        for (uint32_t v = 0; v < s->vms.n; v++) {
            bool named = false;
            for (uint32_t i = 0; i < plan.n_stuck; i++)
                named |= plan.stuck[i].vm == v && strlen(plan.stuck[i].reason) > 0;
            if (s->hosts.state[s->vms.host[v]] == HOST_MAINTENANCE)
                left += s->hosts.state[plan.vm_host[v]] == HOST_UP;
            if (s->hosts.state[plan.vm_host[v]] == HOST_MAINTENANCE && !named)
                fail_msg("seed %lu: %s stays in silence", (unsigned long)seed, s->vms.name[v]);
        }
        stuck += plan.n_stuck;
        snapshot_free(s);
    }
    assert_true(left > 300);
    print_message("# %u VMs left hosts in maintenance, %u are stuck\n", left, stuck);
}

// Whether the two moves can change places where the judge stands.
static bool can_change_places(const struct judge *j, const struct plan_move *a, const struct plan_move *b)
{
    return a->vm != b->vm && j->host[b->vm] == b->from &&
           j->bound[b->to] + bound_of(j->s, b->vm) <= snapshot_host_mem_mib(j->s, b->to) * (1 - 1e-9) &&
           (a->to != b->from || j->bound[a->to] + bound_of(j->s, a->vm) - bound_of(j->s, b->vm) <=
                                    snapshot_host_mem_mib(j->s, a->to) * (1 - 1e-9));
}

static void hosts_in_maintenance_are_emptied_before_anything_else(void **state)
{
    (void)state;
    uint32_t first = 0, made_room = 0;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct cluster_recipe recipe = recipe_of(seed * 3);
        recipe.maintenance = true;
        recipe.rules = 0;
        struct snapshot *s = random_cluster(seed, &recipe);
        struct plan_settings settings = settings_of(seed);
        settings.mem_overcommit = 0;
        struct plan plan;
        plan_make(s, &settings, s->arena, &plan);
        struct judge j = judge_new(s, s->arena);
        for (uint32_t i = 0; i < plan.n_moves; i++) {
            const struct plan_move *m = &plan.moves[i];
            bool leaves = s->hosts.state[m->from] == HOST_MAINTENANCE;
            first += leaves;
            bool next_leaves = i + 1 < plan.n_moves && s->hosts.state[m[1].from] == HOST_MAINTENANCE;
            if (!leaves && next_leaves && can_change_places(&j, m, m + 1))
                fail_msg("seed %lu: move %u of %u could have been made before move %u", (unsigned long)seed,
                         i + 2, plan.n_moves, i + 1);
            made_room += !leaves && next_leaves;
            judge_step(&j, m, 0, seed);
        }
        snapshot_free(s);
    }
    assert_true(first > 1000);
    print_message("# %u moves empty hosts; others before them made room %u times\n", first, made_room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_keeps_bounds_and_rules),
        cmocka_unit_test(benefits_add_up_to_what_measuring_again_gives),
        cmocka_unit_test(candidates_tell_what_measuring_gives),
        cmocka_unit_test(relieving_loses_less_than_before_and_pays),
        cmocka_unit_test(a_satisfied_cluster_is_left_alone),
        cmocka_unit_test(packing_loses_nothing_and_empties_hosts),
        cmocka_unit_test(order_of_input_changes_nothing),
        cmocka_unit_test(doubling_everything_changes_nothing),
        cmocka_unit_test(maintenance_empties_hosts_or_says_why_not),
        cmocka_unit_test(hosts_in_maintenance_are_emptied_before_anything_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

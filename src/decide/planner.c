#include "decide/planner.h"

#include <stdlib.h>

#include "decide/plan_canon.h"
#include "decide/plan_changes.h"
#include "decide/plan_run.h"

struct planner {
    struct arena *arena;    // of canon, state, scores and numbers
    struct snapshot *seen;  // as given last; NULL: nothing kept
    struct snapshot *canon; // the same in canonical order, what the state looks at
    struct plan_state *state;
    struct plan_scores *scores;
    uint32_t *vm_rank, *host_rank; // canonical numbers of those given
};

struct planner *planner_new(void)
{
    struct planner *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->arena = arena_new(0);
    return p->arena ? p : planner_free(p);
}

struct planner *planner_free(struct planner *p)
{
    if (!p)
        return NULL;
    snapshot_free(p->seen);
    arena_free(p->arena);
    free(p);
    return NULL;
}

// Takes over what differs from the snapshot seen last. False when that is too much: nothing is kept then.
static bool renew(struct planner *p, const struct snapshot *s, const struct plan_settings *settings,
                  struct arena *arena, uint32_t *ret_loaded)
{
    if (!p->seen || !plan_changes_same_cluster(p->seen, s))
        return false;
    bool *differs = arena_new_array(arena, bool, s->vms.n), *changed = arena_new_array(arena, bool, s->vms.n);
    plan_changes_mark(p->seen, s, differs);
    uint32_t n = 0;
    for (uint32_t v = 0; v < s->vms.n; v++) {
        if (!differs[v])
            continue;
        uint32_t rank = p->vm_rank[v];
        plan_changes_take(s, v, p->seen, v);
        plan_changes_take(s, v, p->canon, rank);
        p->seen->vms.host[v] = s->vms.host[v];
        p->canon->vms.host[rank] = p->host_rank[s->vms.host[v]];
        changed[rank] = true;
        n++;
    }
    if (!plan_state_renew(p->state, settings, changed, arena))
        return false;
    *ret_loaded = n;
    return true;
}

static bool begin_anew(struct planner *p, const struct snapshot *s, const struct plan_settings *settings,
                       struct arena *arena)
{
    snapshot_free(p->seen);
    arena_reset(p->arena);
    p->seen = snapshot_copy(s);
    if (!p->seen)
        return false;
    uint32_t *vm, *host;
    p->canon = plan_canon_copy(p->seen, p->arena, &vm, &host);
    p->vm_rank = plan_canon_inverse(s->vms.n, vm, p->arena);
    p->host_rank = plan_canon_inverse(s->hosts.n, host, p->arena);
    p->state = plan_state_of(p->canon, vm, host, settings, p->arena);
    p->state->arena = arena;
    p->scores = plan_scores_new(p->state, p->arena);
    return true;
}

void planner_make(struct planner *p, const struct snapshot *snapshot, const struct plan_settings *settings,
                  struct arena *arena, struct plan *ret)
{
    uint32_t loaded = snapshot->vms.n;
    bool by_levels = settings->goal == PLAN_PACK && settings->series.level;
    if (by_levels ||
        (!renew(p, snapshot, settings, arena, &loaded) && !begin_anew(p, snapshot, settings, arena))) {
        plan_make(snapshot, settings, arena, ret);
        return;
    }
    plan_run(p->state, p->scores, ret);
    ret->vms_loaded = loaded;
}

#include "agent/cluster_view.h"

#include <math.h>
#include <string.h>

int cluster_view_init(struct cluster_view *view)
{
    *view = (struct cluster_view){.arena = arena_new(0), .own = SNAPSHOT_NONE};
    return view->arena ? 0 : -1;
}

void cluster_view_clear(struct cluster_view *view)
{
    arena_free(view->arena);
    *view = (struct cluster_view){.own = SNAPSHOT_NONE};
}

static enum host_state state_of(const struct store_host *row, enum host_state state, enum agent_mode mode)
{
    // What is only said may name any host.
    bool mode_fits = mode != AGENT_MODE_AUTO || row->mode == STORE_MODE_AUTO;
    bool open = !row->closed && mode_fits && row->address && *row->address;
    return state == HOST_UP && !open ? HOST_MAINTENANCE : state;
}

// Where the VM is or, when it is on its way, where it goes.
static uint32_t place_of(const struct store_cluster *cluster, uint32_t v)
{
    for (size_t i = 0; cluster->vms[v].migration_id && i < cluster->n_migrations; i++)
        if (cluster->migrations[i].id == cluster->vms[v].migration_id) {
            uint32_t to = snapshot_host_by_name(cluster->snapshot, cluster->migrations[i].move.to);
            return to == SNAPSHOT_NONE ? cluster->snapshot->vms.host[v] : to;
        }
    return cluster->snapshot->vms.host[v];
}

void cluster_view_fill(struct cluster_view *view, const struct store_cluster *cluster, bool full,
                       const char *host_name, enum agent_mode mode, struct guests *guests)
{
    arena_reset(view->arena);
    view->own = SNAPSHOT_NONE;
    for (size_t i = 0; i < guests->n; i++)
        guests->at[i]->in_view = SNAPSHOT_NONE;
    if (!full)
        return;
    struct snapshot *s = &view->snapshot;
    *s = *cluster->snapshot;
    view->own = snapshot_host_by_name(s, host_name);
    s->hosts.state = arena_new_array(view->arena, enum host_state, s->hosts.n);
    for (uint32_t h = 0; h < s->hosts.n; h++)
        s->hosts.state[h] = state_of(&cluster->hosts[h], cluster->snapshot->hosts.state[h], mode);
    s->vms.host = arena_new_array(view->arena, uint32_t, s->vms.n);
    s->vms.mem_used_mib = arena_new_array(view->arena, double, s->vms.n);
    for (uint32_t v = 0; v < s->vms.n; v++) {
        s->vms.host[v] = place_of(cluster, v);
        s->vms.mem_used_mib[v] = cluster->snapshot->vms.mem_used_mib[v];
        struct host_uuid uuid;
        struct guest *g =
            cluster->snapshot->vms.host[v] == view->own && host_uuid_parse(cluster->vms[v].uuid, &uuid) == 0
                ? guests_find(guests, &uuid)
                : NULL;
        if (!g)
            continue;
        g->in_view = v;
        // What it wants, not only what it uses: a move reserves that.
        if (g->has_view)
            s->vms.mem_used_mib[v] = fmin((double)g->view.demand_kib / 1024.0, s->vms.mem_mib[v]);
    }
    view->rules = rules_compile(s, s->vms.host, view->arena);
}

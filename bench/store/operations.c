// store-operations [HOSTS VMS_PER_HOST SECONDS]: what the store's operations cost, and what it saves to report only rows
// that changed (decide/report.h) instead of all, on a made-up cluster whose demands wander. In a new file under TMPDIR.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "cluster.h"
#include "decide/report.h"

#define MOST_HOSTS 256

static struct error err;

static void must(int rc)
{
    if (rc == 0)
        return;
    fprintf(stderr, "%s\n", err.text);
    exit(1);
}

struct cost {
    double calls, rows, ms;
};

static void add(struct cost *cost, size_t rows, struct mono begun)
{
    cost->calls++;
    cost->rows += (double)rows;
    cost->ms += (double)(clock_mono().ms - begun.ms);
}

static void print(const char *name, const struct cost *cost)
{
    printf("%-28s %8.0f calls %9.1f rows/call %9.3f ms/call %9.0f calls/s\n", name, cost->calls,
           cost->rows / cost->calls, cost->ms / cost->calls,
           1000 * cost->calls / (cost->ms > 0 ? cost->ms : 1));
}

static struct report_figures figures_of(const struct store_vm *vm)
{
    return (struct report_figures){.cpu_demand_cores = vm->cpu_demand_cores,
                                   .mem_used_mib = vm->mem_used_mib,
                                   .mem_current_mib = vm->mem_current_mib,
                                   .mem_actual_mib = vm->mem_actual_mib,
                                   .cpu_unmet_cores = vm->cpu_unmet_cores,
                                   .mem_unmet_mib = vm->mem_unmet_mib};
}

// The rows that an agent would send in this second.
static size_t choose(const struct made_host *host, struct report_vm *report, struct mono now,
                     struct store_vm *rows)
{
    struct report_thresholds thresholds = report_thresholds_default();
    uint32_t index[CLUSTER_VMS_PER_HOST];
    double scratch[CLUSTER_VMS_PER_HOST];
    for (uint32_t v = 0; v < host->n_vms; v++)
        report[v].now = figures_of(&host->vms[v]);
    size_t n = report_select(&thresholds, report, host->n_vms, host->row.cpu_cores, host->row.mem_mib, now,
                             index, scratch);
    for (size_t i = 0; i < n; i++) {
        rows[i] = host->vms[index[i]];
        report[index[i]].reported = report[index[i]].now;
        report[index[i]].reported_at = now;
        report[index[i]].known = true;
    }
    return n;
}

// So many seconds of the cluster's life, all at once; full: every row each second.
static struct cost live(struct store *store, struct made_host *hosts, struct report_vm *reports,
                        unsigned n_hosts, unsigned seconds, bool full)
{
    struct random random = random_seed(1);
    struct cost cost = {0};
    for (unsigned s = 0; s < seconds; s++)
        for (unsigned h = 0; h < n_hosts; h++) {
            struct store_vm rows[CLUSTER_VMS_PER_HOST];
            struct mono now = {.ms = 1000 * (int64_t)s};
            made_host_step(&hosts[h], &random);
            size_t n = choose(&hosts[h], reports + (size_t)h * CLUSTER_VMS_PER_HOST, now, rows);
            struct store_report report = {.host = hosts[h].name,
                                          .row = &hosts[h].row,
                                          .vms = full ? hosts[h].vms : rows,
                                          .n_vms = full ? hosts[h].n_vms : n};
            struct mono begun = clock_mono();
            must(store_report(store, &report, &err));
            add(&cost, report.n_vms, begun);
        }
    return cost;
}

static struct cost beat(struct store *store, const struct made_host *hosts, unsigned n_hosts, unsigned times)
{
    struct cost cost = {0};
    for (unsigned i = 0; i < times; i++) {
        struct store_pulse pulse;
        struct mono begun = clock_mono();
        must(store_heartbeat(store, hosts[i % n_hosts].name, &pulse, &err));
        add(&cost, 0, begun);
    }
    return cost;
}

static struct cost claim(struct store *store, const struct made_host *hosts, unsigned n_hosts, unsigned times)
{
    struct cost cost = {0};
    for (unsigned i = 0; i < times; i++) {
        const struct made_host *from = &hosts[i % n_hosts], *to = &hosts[(i + 1) % n_hosts];
        struct store_claim wanted = {.move = {.vm_uuid = from->uuids[0],
                                              .from = from->name,
                                              .to = to->name,
                                              .cpu_ceiling_cores = 1000,
                                              .origin = STORE_ORIGIN_OPERATOR,
                                              .reason = "bench"}};
        struct store_claim_result result = {0};
        struct store_outcome outcome = {.state = STORE_MIGRATION_CANCELLED};
        struct mono begun = clock_mono();
        must(store_claim(store, &wanted, &result, &err));
        if (result.refusal == STORE_GRANTED)
            must(store_finish(store, result.id, &outcome, &err));
        add(&cost, 0, begun);
    }
    return cost;
}

static struct cost read_all(struct store *store, unsigned times)
{
    struct cost cost = {0};
    for (unsigned i = 0; i < times; i++) {
        struct store_cluster *cluster = NULL;
        struct mono begun = clock_mono();
        must(store_read_cluster(store, &(struct store_read){.history = true}, &cluster, &err));
        add(&cost, cluster->snapshot->vms.n, begun);
        store_cluster_free(cluster);
    }
    return cost;
}

int main(int argc, char **argv)
{
    unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 16, n_vms = argc > 2 ? (unsigned)atoi(argv[2]) : 32;
    unsigned seconds = argc > 3 ? (unsigned)atoi(argv[3]) : 60;
    if (n < 2 || n > MOST_HOSTS || n_vms < 1 || n_vms > CLUSTER_VMS_PER_HOST || seconds < 1) {
        fprintf(stderr, "usage: store-operations [HOSTS (2..%d) VMS_PER_HOST (1..%d) SECONDS]\n", MOST_HOSTS,
                CLUSTER_VMS_PER_HOST);
        return 2;
    }
    const char *directory = getenv("TMPDIR");
    char path[256];
    snprintf(path, sizeof path, "%s/ballast-bench-XXXXXX", directory ? directory : "/tmp");
    struct made_host *hosts = calloc(n, sizeof *hosts);
    struct report_vm *reports = calloc((size_t)n * CLUSTER_VMS_PER_HOST, sizeof *reports);
    struct store *store = NULL;
    if (!hosts || !reports || !mkdtemp(path)) {
        perror(path);
        free(hosts);
        free(reports);
        return 1;
    }
    char file[300], command[320];
    snprintf(file, sizeof file, "%s/ballast.db", path);
    must(store_open(file, NULL, &store, &err));
    struct random random = random_seed(2);
    for (unsigned h = 0; h < n; h++) {
        made_host_init(&hosts[h], h, n_vms, &random);
        must(store_join(store, &hosts[h].row, hosts[h].vms, hosts[h].n_vms, &err));
    }
    printf("%u hosts with %u VMs, %u seconds\n", n, n_vms, seconds);
    struct cost full = live(store, hosts, reports, n, seconds, true);
    struct cost changed = live(store, hosts, reports, n, seconds, false);
    struct cost heartbeats = beat(store, hosts, n, n * seconds), claims = claim(store, hosts, n, n * 4);
    struct cost reads = read_all(store, 50);
    print("report, all rows", &full);
    print("report, rows that changed", &changed);
    print("heartbeat", &heartbeats);
    print("claim and its end", &claims);
    print("read all VMs", &reads);
    printf("ratio (changed / all): rows %.3f, time %.3f\n", changed.rows / full.rows, changed.ms / full.ms);
    store_close(store);
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    free(hosts);
    free(reports);
    return system(command) == 0 ? 0 : 1;
}

// store-populate PATH HOSTS VMS_PER_HOST SECONDS: a made-up cluster that lives for some seconds in a store, to
// look at `ballast top` and the other verbs without hosts. One migration at a time is on its way,
// another waits for approval.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cluster.h"

#define MOST_HOSTS 64

static struct error err;

static void must(int rc)
{
    if (rc == 0)
        return;
    fprintf(stderr, "%s\n", err.text);
    exit(1);
}

static uint64_t begin_move(struct store *store, struct made_host *from, struct made_host *to)
{
    struct store_claim claim = {
        .move = {.vm_uuid = from->uuids[0],
                 .from = from->name,
                 .to = to->name,
                 .cpu_ceiling_cores = 1000,
                 .benefit_lost_vm_s = 41.2,
                 .cost_lost_vm_s = 1.3,
                 .duration_s = 6,
                 .reason = "memory: 512 MiB not met for 40 s; 41 VM-seconds would be lost"}};
    struct store_claim_result result = {0};
    must(store_claim(store, &claim, &result, &err));
    if (result.refusal != STORE_GRANTED) {
        fprintf(stderr, "%s\n", result.why);
        return 0;
    }
    must(store_advance(store, result.id, &err));
    return result.id;
}

static int propose(struct store *store, const struct made_host *from, const struct made_host *to)
{
    struct store_move move = {.vm_uuid = from->uuids[1],
                              .from = from->name,
                              .to = to->name,
                              .benefit_lost_vm_s = 12.5,
                              .cost_lost_vm_s = 2.1,
                              .duration_s = 9,
                              .reason = "cpu: 0.8 cores not met for 60 s"};
    uint64_t id;
    return store_propose(store, &move, STORE_MIGRATION_PROPOSED, 0, 600000, NULL, &id, &err);
}

static void note(struct store *store, const struct made_host *host)
{
    struct store_decision decisions[] = {
        {.loop = STORE_LOOP_IMMEDIATE,
         .host = host->name,
         .verdict = "stay",
         .reason = "loss of 0.8 VM-seconds so far is below the cheapest move's 1.3",
         .detail = "vm000-00 to host001: gains 4.1, costs 1.3\nvm000-01 to host001: no room"},
        {.loop = STORE_LOOP_MEMORY,
         .host = host->name,
         .vm_uuid = host->uuids[0],
         .vm_name = host->vm_names[0],
         .verdict = "balloon-down",
         .reason = "idle memory: 312 MiB above what it needs",
         .acted = true},
    };
    must(store_append_decisions(store, decisions, 2, &err));
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: store-populate PATH HOSTS VMS_PER_HOST SECONDS\n");
        return 2;
    }
    unsigned n = (unsigned)atoi(argv[2]), n_vms = (unsigned)atoi(argv[3]);
    if (n < 2 || n > MOST_HOSTS || n_vms < 1 || n_vms > CLUSTER_VMS_PER_HOST)
        return 2;
    struct random random = random_seed(1);
    struct made_host *hosts = calloc(n, sizeof *hosts);
    struct store *store = NULL;
    if (!hosts)
        return 1;
    must(store_open(argv[1], NULL, &store, &err));
    for (unsigned h = 0; h < n; h++) {
        made_host_init(&hosts[h], h, n_vms, &random);
        must(store_join(store, &hosts[h].row, hosts[h].vms, hosts[h].n_vms, &err));
    }
    note(store, &hosts[0]);
    if (n_vms > 1)
        must(propose(store, &hosts[0], &hosts[1]));
    uint64_t id = 0;
    for (int second = 0; second < atoi(argv[4]); second++) {
        if (second % 8 == 0)
            id = begin_move(store, &hosts[0], &hosts[1]);
        struct store_progress progress = {.transferred_mib = 400 * (second % 8),
                                          .remaining_mib = 2800 - 400 * (second % 8)};
        if (id && second % 8 < 7)
            must(store_renew(store, id, 0, &progress, &err));
        if (id && second % 8 == 7) {
            struct store_outcome outcome = {.state = STORE_MIGRATION_CANCELLED, .text = "it is only a show"};
            must(store_finish(store, id, &outcome, &err));
        }
        for (unsigned h = 0; h < n; h++) {
            made_host_step(&hosts[h], &random);
            struct store_report report = {
                .host = hosts[h].name, .row = &hosts[h].row, .vms = hosts[h].vms, .n_vms = hosts[h].n_vms};
            must(store_report(store, &report, &err));
        }
        sleep(1);
    }
    store_close(store);
    free(hosts);
    return 0;
}

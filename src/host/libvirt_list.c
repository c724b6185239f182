// Which domains are active, and their definitions. Neither needs a domain's job or its QEMU, so both answer
// even for one that hangs.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "host/libvirt_internal.h"
#include "host/metadata.h"

// /proc/self/mountinfo of a host with very many mounts.
#define MOUNTINFO_MAX_BYTES (1024 * 1024)

// Definitions read in one background job: it stays short, so that its deadline means something.
#define FACTS_PER_JOB 16

// A definition that could not be read is tried again after this.
#define FACTS_RETRY_MS 5000

struct found {
    struct host_uuid uuid;
    char name[HOST_NAME_SIZE];
    virDomainPtr domain;
    enum host_vm_state state;
    bool want_facts, has_facts;
    struct host_facts facts;
};

// Both jobs: the listing fills found itself, the refresh is given the domains.
struct list_job {
    struct lv_job job;
    struct found *found;
    size_t n;
    // listing only: VMs whose definition is known already, ascending
    struct host_uuid *known;
    size_t n_known;
};

static uint64_t allocated_kib(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (uint64_t)st.st_blocks / 2 : HOST_UNKNOWN;
}

static void read_facts(struct found *found, const struct facts_machine *machine)
{
    char *xml = virDomainGetXMLDesc(found->domain, 0);
    if (!xml)
        return; // gone meanwhile, or libvirt is: the next listing or refresh tells
    found->has_facts = facts_parse(xml, strlen(xml), machine, &found->facts, NULL) == 0;
    free(xml);
    if (found->has_facts)
        found->facts.persistent = virDomainIsPersistent(found->domain) == 1;
}

static void read_all_facts(struct list_job *self)
{
    CLEANUP(free) char *mountinfo = NULL;
    size_t size;
    if (file_read("/proc/self/mountinfo", MOUNTINFO_MAX_BYTES, &mountinfo, &size, NULL) < 0)
        mountinfo = NULL;
    const struct facts_machine machine = {.mountinfo = mountinfo, .allocated_kib = allocated_kib};
    for (size_t i = 0; i < self->n; i++)
        if (self->found[i].want_facts)
            read_facts(&self->found[i], &machine);
}

static int compare_uuid(const void *a, const void *b)
{
    return host_uuid_compare(a, b);
}

static void list_work(struct lv_job *job)
{
    struct list_job *self = (struct list_job *)job;
    virDomainPtr *domains = NULL;
    int n = virConnectListAllDomains(job->conn, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    if (n < 0) {
        lv_error(&job->error, job->conn);
        error_context(&job->error, "list the domains");
        return;
    }
    self->found = calloc((size_t)n + 1, sizeof *self->found);
    for (int i = 0; i < n; i++) {
        if (!self->found) {
            virDomainFree(domains[i]);
            continue;
        }
        struct found *found = &self->found[self->n++];
        found->domain = domains[i];
        virDomainGetUUID(domains[i], found->uuid.byte);
        const char *name = virDomainGetName(domains[i]);
        snprintf(found->name, sizeof found->name, "%s", name ? name : "");
        int state = 0, reason = 0;
        if (virDomainGetState(domains[i], &state, &reason, 0) == 0)
            found->state = lv_state(state, reason);
        found->want_facts =
            !bsearch(&found->uuid, self->known, self->n_known, sizeof *self->known, compare_uuid);
    }
    free(domains);
    read_all_facts(self);
}

static void facts_work(struct lv_job *job)
{
    read_all_facts((struct list_job *)job);
}

static void take_facts(struct lv_host *host, struct lv_vm *vm, const struct found *found)
{
    int64_t now_ms = lv_now_ms(host);
    vm->facts_asked = false;
    if (!found->has_facts) {
        vm->facts_due_ms = now_ms + FACTS_RETRY_MS;
        return;
    }
    bool plugged = vm->facts.known && vm->facts.vcpus != found->facts.vcpus;
    if (!facts_same(&vm->facts, &found->facts))
        vm->facts_generation++;
    vm->facts = found->facts;
    if (plugged && vm->process)
        vm->process = process_release(vm->process); // its threads are looked for anew
    vm->facts_due_ms = now_ms + (int64_t)host->settings.facts_refresh_s * 1000;
    vm->maxmem_kib = found->facts.maxmem_kib;
    if (!host_known(vm->current_kib))
        vm->current_kib = found->facts.current_kib;
}

static void list_done(struct lv_host *host, struct lv_job *job, bool late)
{
    struct list_job *self = (struct list_job *)job;
    struct error scratch = {0};
    const struct error *error = lv_job_error(host, job, late, &scratch);
    if (host->closing)
        return;
    if (error->kind != ERROR_NONE) {
        lv_round_listed(host, error);
        return;
    }
    for (size_t i = 0; i < host->vms.n; i++)
        host->vms.at[i]->listed = false;
    for (size_t i = 0; i < self->n; i++) {
        struct found *found = &self->found[i];
        struct lv_vm *vm = lv_vm_add(host, &found->uuid, found->name);
        if (!vm)
            continue;
        vm->listed = true;
        if (vm->domain)
            virDomainFree(vm->domain);
        vm->domain = found->domain;
        found->domain = NULL;
        if (found->state == HOST_VM_INCOMING && vm->state == HOST_VM_RUNNING)
            found->state = HOST_VM_PAUSED; // handing over to another host, not coming from one
        if (found->state != HOST_VM_UNKNOWN)
            vm->state = found->state;
        if (found->want_facts)
            take_facts(host, vm, found);
    }
    for (size_t i = host->vms.n; i-- > 0;) {
        struct host_uuid uuid = host->vms.at[i]->uuid;
        if (!host->vms.at[i]->listed)
            lv_vm_remove(host, &uuid); // it ended while nobody listened
    }
    host->listed = true;
    lv_round_listed(host, error);
}

static void facts_done(struct lv_host *host, struct lv_job *job, bool late)
{
    struct list_job *self = (struct list_job *)job;
    if (host->closing)
        return;
    for (size_t i = 0; i < self->n; i++) {
        struct lv_vm *vm = lv_vm_find(host, &self->found[i].uuid);
        if (!vm)
            continue;
        struct found nothing = {.has_facts = false};
        take_facts(host, vm, late ? &nothing : &self->found[i]);
    }
}

static void list_free(struct lv_job *job)
{
    struct list_job *self = (struct list_job *)job;
    for (size_t i = 0; i < self->n; i++)
        if (self->found[i].domain)
            virDomainFree(self->found[i].domain);
    free(self->found);
    free(self->known);
    free(self);
}

void lv_list(struct lv_host *host)
{
    struct error err = {0};
    struct list_job *self = calloc(1, sizeof *self);
    struct host_uuid *known = calloc(host->vms.n + 1, sizeof *known);
    if (!self || !known || lv_jobs_full(host, &err)) {
        free(self);
        free(known);
        if (err.kind == ERROR_NONE)
            error_set(&err, ERROR_MEMORY, "no memory to list the domains");
        lv_round_listed(host, &err);
        return;
    }
    self->job =
        (struct lv_job){.work = list_work, .done = list_done, .free = list_free, .what = "list the domains"};
    for (size_t i = 0; i < host->vms.n; i++)
        if (host->vms.at[i]->facts.known)
            known[self->n_known++] = host->vms.at[i]->uuid;
    self->known = known;
    lv_job_use(host, &self->job, NULL);
    lv_job_start(host, &self->job, host->settings.call_deadline_ms);
}

void lv_facts_refresh(struct lv_host *host)
{
    if (lv_jobs_full(host, NULL))
        return;
    size_t due = 0;
    for (size_t i = 0; i < host->vms.n; i++) {
        struct lv_vm *vm = host->vms.at[i];
        due += vm->domain && !vm->facts_asked && vm->facts_due_ms <= lv_now_ms(host);
    }
    if (due == 0)
        return;
    struct list_job *self = calloc(1, sizeof *self);
    if (self)
        self->found = calloc(FACTS_PER_JOB, sizeof *self->found);
    if (!self || !self->found) {
        free(self);
        return;
    }
    // on the domains' own references, whatever becomes of the connection
    self->job = (struct lv_job){.work = facts_work,
                                .done = facts_done,
                                .free = list_free,
                                .what = "read definitions",
                                .uses_libvirt = true};
    for (size_t i = 0; i < host->vms.n && self->n < FACTS_PER_JOB; i++) {
        struct lv_vm *vm = host->vms.at[i];
        if (!vm->domain || vm->facts_asked || vm->facts_due_ms > lv_now_ms(host) ||
            virDomainRef(vm->domain) < 0)
            continue;
        self->found[self->n++] = (struct found){.uuid = vm->uuid, .domain = vm->domain, .want_facts = true};
        vm->facts_asked = true;
    }
    lv_job_start(host, &self->job, host->settings.call_deadline_ms);
}

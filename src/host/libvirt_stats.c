// The one bulk call of a round: states and balloon statistics, and vCPU times where /proc is not at hand.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "host/libvirt_internal.h"

// last_update has whole seconds, and clocks are slewed.
#define CLOCK_TOLERANCE_MS 2000

// Bulk calls have a shorter deadline than others, since all VMs wait for them: several times what the slowest
// measured call took (115 ms for 20 guests on a loaded machine), at least this. It doubles when passed.
#define BULK_DEADLINE_MIN_MS 1000

// A VM that libvirt passed by (NOWAIT: its job is held) this often in a row hangs; a single time may be a
// call of ours or of somebody else that is just under way.
#define MISSED_POLLS_HANGING 3

// What libvirt's record of one VM says.
struct bulk_vm {
    struct host_uuid uuid;
    int state, reason;
    uint64_t current_kib, maxmem_kib, rss_kib;
    bool has_balloon; // statistics were told, not only the size
    struct host_balloon balloon;
    uint64_t dirty_status, dirty_mib_s;
    struct host_vcpu *vcpu;
    uint32_t n_vcpus;
};

struct bulk_job {
    struct lv_job job;
    unsigned flags;        // VIR_DOMAIN_STATS_*
    virDomainPtr *domains; // references, NULL at the end
    size_t n_domains;
    struct bulk_vm *vm;
    size_t n;
    int64_t asked_ms;
};

static uint64_t number_of(const virTypedParameter *param)
{
    switch (param->type) {
    case VIR_TYPED_PARAM_INT:
        return param->value.i >= 0 ? (uint64_t)param->value.i : HOST_UNKNOWN;
    case VIR_TYPED_PARAM_UINT:
        return param->value.ui;
    case VIR_TYPED_PARAM_LLONG:
        return param->value.l >= 0 ? (uint64_t)param->value.l : HOST_UNKNOWN;
    case VIR_TYPED_PARAM_ULLONG:
        return param->value.ul;
    default:
        return HOST_UNKNOWN;
    }
}

// One row a field of the record.
static const struct {
    const char *name;
    size_t offset;
    bool statistic; // comes from the guest's driver or from QEMU's polling of it
} fields[] = {
    {"balloon.current", offsetof(struct bulk_vm, current_kib), false},
    {"balloon.maximum", offsetof(struct bulk_vm, maxmem_kib), false},
    {"balloon.rss", offsetof(struct bulk_vm, rss_kib), false},
    {"dirtyrate.calc_status", offsetof(struct bulk_vm, dirty_status), false},
    {"dirtyrate.megabytes_per_second", offsetof(struct bulk_vm, dirty_mib_s), false},
    {"balloon.unused", offsetof(struct bulk_vm, balloon.unused_kib), true},
    {"balloon.usable", offsetof(struct bulk_vm, balloon.usable_kib), true},
    {"balloon.available", offsetof(struct bulk_vm, balloon.available_kib), true},
    {"balloon.disk_caches", offsetof(struct bulk_vm, balloon.disk_caches_kib), true},
    {"balloon.swap_in", offsetof(struct bulk_vm, balloon.swap_in_kib), true},
    {"balloon.swap_out", offsetof(struct bulk_vm, balloon.swap_out_kib), true},
    {"balloon.major_fault", offsetof(struct bulk_vm, balloon.major_faults), true},
    {"balloon.last-update", offsetof(struct bulk_vm, balloon.last_update_s), true},
};

static void read_vcpu_field(struct bulk_vm *vm, const virTypedParameter *param)
{
    unsigned index;
    char what[16];
    if (sscanf(param->field, "vcpu.%u.%15s", &index, what) != 2 || index >= vm->n_vcpus)
        return;
    if (strcmp(what, "time") == 0)
        vm->vcpu[index].run_ns = number_of(param);
    else if (strcmp(what, "delay") == 0)
        vm->vcpu[index].delay_ns = number_of(param);
}

static void read_field(struct bulk_vm *vm, const virTypedParameter *param)
{
    if (strncmp(param->field, "vcpu.", 5) == 0) {
        if (strcmp(param->field, "vcpu.maximum") == 0 && !vm->vcpu) {
            uint64_t n = number_of(param);
            vm->n_vcpus = host_known(n) && n <= PROCESS_MAX_VCPUS ? (uint32_t)n : 0;
            vm->vcpu = calloc(vm->n_vcpus + 1, sizeof *vm->vcpu);
            for (uint32_t i = 0; vm->vcpu && i < vm->n_vcpus; i++)
                vm->vcpu[i] = (struct host_vcpu){HOST_UNKNOWN, HOST_UNKNOWN};
            if (!vm->vcpu)
                vm->n_vcpus = 0;
        } else {
            read_vcpu_field(vm, param);
        }
        return;
    }
    if (strcmp(param->field, "state.state") == 0)
        vm->state = param->value.i;
    else if (strcmp(param->field, "state.reason") == 0)
        vm->reason = param->value.i;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(param->field, fields[i].name) != 0)
            continue;
        *(uint64_t *)((char *)vm + fields[i].offset) = number_of(param);
        vm->has_balloon = vm->has_balloon || fields[i].statistic;
        return;
    }
}

static struct bulk_vm nothing_known(void)
{
    struct bulk_vm vm = {.current_kib = HOST_UNKNOWN, .maxmem_kib = HOST_UNKNOWN, .rss_kib = HOST_UNKNOWN};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        *(uint64_t *)((char *)&vm + fields[i].offset) = HOST_UNKNOWN;
    return vm;
}

static void bulk_work(struct lv_job *job)
{
    struct bulk_job *self = (struct bulk_job *)job;
    virDomainStatsRecordPtr *records = NULL;
    int n =
        virDomainListGetStats(self->domains, self->flags, &records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    if (n < 0) {
        lv_error(&job->error, job->conn);
        error_context(&job->error, "read statistics of all domains");
    } else {
        self->vm = calloc((size_t)n + 1, sizeof *self->vm);
    }
    for (int i = 0; i < n && self->vm; i++) {
        struct bulk_vm *vm = &self->vm[self->n++];
        *vm = nothing_known();
        virDomainGetUUID(records[i]->dom, vm->uuid.byte);
        for (int p = 0; p < records[i]->nparams; p++)
            read_field(vm, &records[i]->params[p]);
    }
    if (records)
        virDomainStatsRecordListFree(records);
}

static void take_driver(struct lv_vm *vm)
{
    uint64_t update_s = vm->balloon.last_update_s;
    bool answered = host_known(update_s) && update_s > 0;
    // QEMU starts last_update at the time at which polling was switched on: figures tell more
    if (host_known(vm->balloon.usable_kib))
        vm->driver = HOST_BALLOON_DRIVER_ANSWERS;
    else if (answered && host_known(vm->balloon.unused_kib))
        vm->driver = HOST_BALLOON_DRIVER_OLD;
    else
        vm->driver = HOST_BALLOON_DRIVER_SILENT;
}

static void take_balloon(struct lv_host *host, struct lv_vm *vm, const struct bulk_vm *found)
{
    struct mono now = {lv_now_ms(host)};
    int64_t wall_ms = clock_wall().ms;
    struct mono changed_at = vm->balloon.changed_at;
    if (found->balloon.last_update_s != vm->balloon.last_update_s)
        changed_at = now;
    vm->balloon = found->balloon;
    vm->balloon.sampled_at = now;
    vm->balloon.changed_at = changed_at;
    vm->balloon.last_update_age_ms = HOST_UNKNOWN;
    if (host_known(found->balloon.last_update_s) && found->balloon.last_update_s > 0) {
        int64_t age_ms = wall_ms - (int64_t)found->balloon.last_update_s * 1000;
        // From the future: the clock was set back, and for so long every statistic would look new.
        if (age_ms > -CLOCK_TOLERANCE_MS)
            vm->balloon.last_update_age_ms = age_ms > 0 ? (uint64_t)age_ms : 0;
    }
    take_driver(vm);
}

static void take_one(struct lv_host *host, const struct bulk_job *job, struct bulk_vm *found)
{
    struct lv_vm *vm = lv_vm_find(host, &found->uuid);
    if (!vm)
        return;
    enum host_vm_state state = lv_state(found->state, found->reason);
    if (state == HOST_VM_INCOMING && (vm->state == HOST_VM_RUNNING || vm->state == HOST_VM_PAUSED))
        state = HOST_VM_PAUSED; // handing over to another host, not coming from one
    vm->state = state;
    if (host_known(found->current_kib))
        vm->current_kib = found->current_kib;
    if (host_known(found->maxmem_kib))
        vm->maxmem_kib = found->maxmem_kib;
    if (host_known(found->rss_kib))
        vm->libvirt_rss_kib = found->rss_kib;
    if (found->vcpu && (job->flags & VIR_DOMAIN_STATS_VCPU)) {
        free(vm->vcpu);
        vm->vcpu = found->vcpu;
        vm->n_vcpus = found->n_vcpus;
        found->vcpu = NULL;
    }
    if (vm->dirty_due && found->dirty_status == VIR_DOMAIN_DIRTYRATE_MEASURED &&
        host_known(found->dirty_mib_s)) {
        vm->dirty_kib_s = found->dirty_mib_s * 1024;
        vm->dirty_at = (struct mono){lv_now_ms(host)};
        vm->dirty_due = false;
    }
    if (!(job->flags & VIR_DOMAIN_STATS_BALLOON))
        return;
    bool should_tell = vm->facts.balloon_model == HOST_BALLOON_MODEL_VIRTIO && state == HOST_VM_RUNNING;
    if (found->has_balloon || !should_tell) {
        vm->missed_polls = 0;
        take_balloon(host, vm, found);
    } else {
        vm->missed_polls++;
    }
}

static void bulk_done(struct lv_host *host, struct lv_job *job, bool late)
{
    struct bulk_job *self = (struct bulk_job *)job;
    struct error scratch = {0};
    const struct error *error = lv_job_error(host, job, late, &scratch);
    if (host->closing)
        return;
    unsigned *deadline_ms = &host->bulk_deadline_ms;
    if (late) {
        *deadline_ms = *deadline_ms * 2 < host->settings.call_deadline_ms ? *deadline_ms * 2
                                                                          : host->settings.call_deadline_ms;
    } else if (error->kind == ERROR_NONE) {
        int64_t took_ms = lv_now_ms(host) - self->asked_ms;
        int64_t wanted_ms = took_ms * 10 > BULK_DEADLINE_MIN_MS ? took_ms * 10 : BULK_DEADLINE_MIN_MS;
        if (wanted_ms > (int64_t)host->settings.call_deadline_ms)
            wanted_ms = (int64_t)host->settings.call_deadline_ms;
        *deadline_ms = (unsigned)wanted_ms;
        for (size_t i = 0; i < self->n; i++)
            take_one(host, self, &self->vm[i]);
        if (self->flags & VIR_DOMAIN_STATS_BALLOON)
            host->round.brought |= HOST_GROUP_BALLOON;
    }
    lv_round_bulk_read(host, error);
}

static void bulk_free(struct lv_job *job)
{
    struct bulk_job *self = (struct bulk_job *)job;
    for (size_t i = 0; i < self->n_domains; i++)
        virDomainFree(self->domains[i]);
    free(self->domains);
    for (size_t i = 0; i < self->n; i++)
        free(self->vm[i].vcpu);
    free(self->vm);
    free(self);
}

void lv_bulk(struct lv_host *host)
{
    struct error err = {0};
    struct bulk_job *self = calloc(1, sizeof *self);
    virDomainPtr *domains = calloc(host->vms.n + 1, sizeof *domains);
    if (!self || !domains || lv_jobs_full(host, &err)) {
        free(self);
        free(domains);
        if (err.kind == ERROR_NONE)
            error_set(&err, ERROR_MEMORY, "no memory for statistics");
        lv_round_bulk_read(host, &err);
        return;
    }
    self->job = (struct lv_job){
        .work = bulk_work, .done = bulk_done, .free = bulk_free, .what = "read statistics of all domains"};
    self->domains = domains;
    self->asked_ms = lv_now_ms(host);
    self->flags = VIR_DOMAIN_STATS_STATE;
    if (host->round.groups & HOST_GROUP_BALLOON)
        self->flags |= VIR_DOMAIN_STATS_BALLOON;
    for (size_t i = 0; i < host->vms.n; i++) {
        struct lv_vm *vm = host->vms.at[i];
        if (!vm->domain || vm->stopped || virDomainRef(vm->domain) < 0)
            continue; // a stopped QEMU would keep the call waiting
        self->domains[self->n_domains++] = vm->domain;
        if (vm->dirty_due && self->asked_ms < host->dirty_until_ms)
            self->flags |= VIR_DOMAIN_STATS_DIRTYRATE;
        if (!vm->process && (host->round.groups & HOST_GROUP_CPU))
            self->flags |= VIR_DOMAIN_STATS_VCPU;
    }
    if (self->n_domains == 0) {
        bulk_free(&self->job);
        if (host->round.groups & HOST_GROUP_BALLOON)
            host->round.brought |= HOST_GROUP_BALLOON;
        lv_round_bulk_read(host, &err);
        return;
    }
    lv_job_use(host, &self->job, NULL);
    lv_job_start(host, &self->job, host->bulk_deadline_ms);
}

bool lv_vm_hangs(const struct lv_vm *vm)
{
    return vm->abandoned > 0 || vm->missed_polls >= MISSED_POLLS_HANGING;
}

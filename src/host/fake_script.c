// What tests command the fake host, and what they ask it afterwards.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/fake_state.h"

static void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

// A UUID from the name by FNV-1a, twice with different starts: equal names give equal UUIDs on every host.
static struct host_uuid uuid_of_name(const char *name)
{
    struct host_uuid uuid;
    for (int half = 0; half < 2; half++) {
        uint64_t hash = 0xcbf29ce484222325u + (uint64_t)half;
        for (const char *p = name; *p; p++)
            hash = (hash ^ (uint8_t)*p) * 0x100000001b3u;
        for (int i = 0; i < 8; i++)
            uuid.byte[half * 8 + i] = (uint8_t)(hash >> (56 - 8 * i));
    }
    return uuid;
}

struct host_fake_vm *fake_vm_by_uuid(struct fake *fake, const struct host_uuid *uuid)
{
    for (size_t i = 0; i < fake->vms.n; i++)
        if (host_uuid_compare(&fake->vms.at[i]->vm.uuid, uuid) == 0)
            return fake->vms.at[i];
    return NULL;
}

struct host_fake_vm *host_fake_find_vm(struct host *host, const char *name)
{
    struct fake *fake = fake_of(host);
    for (size_t i = 0; i < fake->vms.n; i++)
        if (strcmp(fake->vms.at[i]->vm.name, name) == 0)
            return fake->vms.at[i];
    return NULL;
}

static void fill_vm(struct host_fake_vm *fake_vm, const char *name, uint64_t maxmem_kib, unsigned vcpus)
{
    struct host_vm *vm = &fake_vm->vm;
    vm->uuid = uuid_of_name(name);
    copy_text(vm->name, sizeof vm->name, name);
    vm->state = HOST_VM_RUNNING;
    vm->maxmem_kib = vm->current_kib = vm->actual_kib = maxmem_kib;
    vm->balloon = (struct host_balloon){
        .unused_kib = maxmem_kib, .usable_kib = maxmem_kib, .available_kib = maxmem_kib, .last_update_s = 1};
    vm->balloon_driver = HOST_BALLOON_DRIVER_ANSWERS;
    vm->resident = (struct host_resident){.known = true, .anon_kib = maxmem_kib};
    vm->pid = 1;
    vm->n_vcpus = vcpus;
    vm->vcpu = fake_vm->vcpus;
    vm->cpu_weight = 1.0;
    vm->mem_limit_kib = vm->dirty_kib_s = HOST_UNKNOWN;
    vm->facts = &fake_vm->facts;
    vm->facts_generation = 1;
    fake_vm->facts = (struct host_facts){
        .known = true,
        .persistent = true,
        .autodeflate = true,
        .kvm = true,
        .balloon_model = HOST_BALLOON_MODEL_VIRTIO,
        .stats_period_s = 1,
        .vcpus = vcpus,
        .arch = "x86_64",
        .machine = "pc-q35-7.2",
        .cpu = "host-passthrough",
        .wishes = {.cpu_reservation_cores = -1,
                   .cpu_limit_cores = -1,
                   .mem_reservation_mib = -1,
                   .mem_limit_mib = -1},
    };
    fake_vm->balloon_target_kib = maxmem_kib;
    fake_vm->stats_period_s = 1;
}

struct host_fake_vm *host_fake_add_vm(struct host *host, const char *name, uint64_t maxmem_kib,
                                      unsigned vcpus)
{
    struct fake *fake = fake_of(host);
    struct host_fake_vm *vm = calloc(1, sizeof *vm);
    if (!vm || vcpus > sizeof vm->vcpus / sizeof vm->vcpus[0] || fake_vms_push(&fake->vms, vm) < 0) {
        free(vm);
        return NULL;
    }
    fill_vm(vm, name, maxmem_kib, vcpus);
    vm->balloon_moved_at_ms = (int64_t)uv_now(fake->loop);
    size_t i = fake->vms.n - 1;
    for (; i > 0 && host_uuid_compare(&fake->vms.at[i - 1]->vm.uuid, &vm->vm.uuid) > 0; i--)
        fake->vms.at[i] = fake->vms.at[i - 1];
    fake->vms.at[i] = vm;
    struct host_event event = {.kind = HOST_EVENT_STARTED, .uuid = vm->vm.uuid};
    copy_text(event.name, sizeof event.name, name);
    host_fake_emit(host, &event);
    return vm;
}

void fake_take_out(struct fake *fake, const struct host_uuid *uuid, enum host_event_kind kind,
                   const char *detail)
{
    for (size_t i = 0; i < fake->vms.n; i++) {
        struct host_fake_vm *vm = fake->vms.at[i];
        if (host_uuid_compare(&vm->vm.uuid, uuid) != 0)
            continue;
        struct host_event event = {.kind = kind, .uuid = vm->vm.uuid};
        copy_text(event.name, sizeof event.name, vm->vm.name);
        copy_text(event.detail, sizeof event.detail, detail);
        memmove(&fake->vms.at[i], &fake->vms.at[i + 1], (fake->vms.n - i - 1) * sizeof fake->vms.at[0]);
        fake->vms.n--;
        free(vm);
        host_fake_emit(&fake->host, &event);
        return;
    }
}

void host_fake_remove_vm(struct host *host, const char *name)
{
    struct host_fake_vm *vm = host_fake_find_vm(host, name);
    if (vm) {
        struct host_uuid uuid = vm->vm.uuid;
        fake_take_out(fake_of(host), &uuid, HOST_EVENT_STOPPED, "shut down");
    }
}

struct host_memory *host_fake_memory(struct host *host)
{
    return &fake_of(host)->memory;
}

struct host_cpu *host_fake_cpu(struct host *host)
{
    return &fake_of(host)->cpu;
}

void host_fake_add_rule(struct host *host, struct host_fake_rule rule)
{
    struct fake_rule own = {.rule = rule, .any_name = !rule.name, .left = rule.times};
    copy_text(own.name, sizeof own.name, rule.name);
    copy_text(own.text, sizeof own.text, rule.text);
    own.rule.name = own.rule.text = NULL;
    if (fake_rules_push(&fake_of(host)->rules, own) < 0)
        abort();
}

const struct fake_rule *fake_match(struct fake *fake, enum host_fake_call call, const char *name)
{
    for (size_t i = 0; i < fake->rules.n; i++) {
        struct fake_rule *rule = &fake->rules.at[i];
        if (rule->rule.call != HOST_FAKE_ANY && rule->rule.call != call)
            continue;
        if (!rule->any_name && strcmp(rule->name, name) != 0)
            continue;
        if (rule->rule.times > 0 && rule->left == 0)
            continue;
        if (rule->rule.times > 0)
            rule->left--;
        return rule;
    }
    return NULL;
}

void host_fake_set_connected(struct host *host, bool connected)
{
    struct fake *fake = fake_of(host);
    if (fake->connected == connected)
        return;
    fake->connected = connected;
    fake->lost_at_ms = (int64_t)uv_now(fake->loop);
    struct host_event event = {.kind = connected ? HOST_EVENT_CONNECTED : HOST_EVENT_LOST};
    copy_text(event.detail, sizeof event.detail, connected ? "" : "the test took it away");
    host_fake_emit(host, &event);
}

void host_fake_emit(struct host *host, const struct host_event *event)
{
    fake_answer_later(fake_of(host), HOST_FAKE_ANY, 0)->event = *event;
}

void host_fake_set_migration_ms(struct host *host, unsigned duration_ms)
{
    fake_of(host)->migration_ms = duration_ms;
}

void host_fake_set_presence(struct host *host, const char *uri, const struct host_uuid *uuid,
                            struct host_presence presence)
{
    struct fake *fake = fake_of(host);
    struct fake_remote remote = {.uuid = *uuid, .presence = presence};
    copy_text(remote.uri, sizeof remote.uri, uri);
    for (size_t i = 0; i < fake->remotes.n; i++) {
        struct fake_remote *known = &fake->remotes.at[i];
        if (strcmp(known->uri, remote.uri) == 0 && host_uuid_compare(&known->uuid, uuid) == 0) {
            *known = remote;
            return;
        }
    }
    if (fake_remotes_push(&fake->remotes, remote) < 0)
        abort();
}

size_t host_fake_n_records(struct host *host)
{
    return fake_of(host)->records.n;
}

const struct host_fake_record *host_fake_record_at(struct host *host, size_t index)
{
    return &fake_of(host)->records.at[index];
}

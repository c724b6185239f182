// host-probe: the libvirt back-end of src/host behind a line protocol, for tests on real hosts.
//
// Commands on standard input, one a line; answers and events on standard output, one JSON object a line,
// with what the tests ask for.
//   sample [memory|cpu|balloon|domains ...]     default all
//   balloon UUID KIB | period UUID S | weight UUID W
//   migrate UUID URI [timeout S] [bandwidth MIB_S] [claim ID] | abort UUID | dirty UUID
//   presence UUID [URI]
//   quit
// Every answer carries "answer": the number of the command, counted from 1.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "base/clock.h"
#include "host/host.h"
#include "model/json_writer.h"

#define LINE_BYTES 1024

struct probe {
    uv_loop_t *loop;
    struct host *host;
    uv_pipe_t input;
    char line[LINE_BYTES];
    size_t used;
    unsigned commands;
    bool closing;
};

struct asked {
    struct probe *probe;
    unsigned number;
    int64_t at_ms;
};

static struct asked *ask(struct probe *probe)
{
    struct asked *asked = calloc(1, sizeof *asked);
    if (!asked)
        abort();
    *asked = (struct asked){probe, probe->commands, clock_mono().ms};
    return asked;
}

static void key_u64(struct json_writer *w, const char *key, uint64_t value)
{
    json_key(w, key);
    if (host_known(value))
        json_integer(w, (int64_t)value);
    else
        json_string(w, NULL);
}

static struct json_writer *begin(void)
{
    struct json_writer *w = json_writer_new(false);
    json_object_begin(w);
    return w;
}

static void end(struct json_writer *w)
{
    json_object_end(w);
    struct error err = {0};
    const char *text = json_writer_text(w, NULL, &err);
    printf("%s\n", text ? text : err.text);
    fflush(stdout);
    json_writer_free(w);
}

static struct json_writer *begin_answer(struct asked *asked, const struct error *error)
{
    struct json_writer *w = begin();
    json_key_integer(w, "answer", asked->number);
    json_key_integer(w, "took_ms", clock_mono().ms - asked->at_ms);
    if (error->kind != ERROR_NONE) {
        json_key_string(w, "error", error->text);
        json_key_string(w, "error_kind", error_kind_name(error->kind));
    }
    return w;
}

static void write_uuid(struct json_writer *w, const struct host_uuid *uuid)
{
    char text[HOST_UUID_TEXT_SIZE];
    json_key_string(w, "uuid", host_uuid_format(uuid, text));
}

static void write_psi(struct json_writer *w, const char *key, const struct host_psi *psi)
{
    json_key_object(w, key);
    json_key_bool(w, "known", psi->known);
    json_object_end(w);
}

static void write_host(struct json_writer *w, const struct host_sample *s)
{
    json_key_object(w, "memory");
    key_u64(w, "total_kib", s->memory.total_kib);
    key_u64(w, "available_kib", s->memory.available_kib);
    key_u64(w, "free_kib", s->memory.free_kib);
    write_psi(w, "memory_psi", &s->memory.memory_psi);
    write_psi(w, "cpu_psi", &s->memory.cpu_psi);
    json_object_end(w);
    json_key_object(w, "cpu");
    json_key_exact(w, "capacity_cores", s->cpu.capacity_cores);
    key_u64(w, "throttled_ns", s->cpu.throttled_ns);
    json_object_end(w);
}

static void write_facts(struct json_writer *w, const struct host_facts *f)
{
    json_key_object(w, "facts");
    json_key_bool(w, "known", f->known);
    json_key_bool(w, "autodeflate", f->autodeflate);
    json_key_integer(w, "stats_period_s", f->stats_period_s);
    json_key_integer(w, "vcpus", f->vcpus);
    json_key_string(w, "machine", f->machine);
    json_key_string(w, "cpu", f->cpu);
    json_key_string(w, "claim", f->claim);
    json_key_integer(w, "shares", f->wishes.shares);
    json_key_exact(w, "mem_reservation_mib", f->wishes.mem_reservation_mib);
    json_key_bool(w, "exclude", f->wishes.exclude);
    json_key_string(w, "problem", f->wishes.problem);
    json_object_end(w);
}

static void write_memory(struct json_writer *w, const struct host_vm *vm)
{
    key_u64(w, "maxmem_kib", vm->maxmem_kib);
    key_u64(w, "current_kib", vm->current_kib);
    key_u64(w, "actual_kib", vm->actual_kib);
    key_u64(w, "overhead_kib", vm->overhead_kib);
    json_key_bool(w, "overhead_learned", vm->overhead_source == HOST_OVERHEAD_LEARNED);
    key_u64(w, "anon_kib", vm->resident.anon_kib);
    key_u64(w, "file_kib", vm->resident.file_kib);
    json_key_object(w, "balloon");
    key_u64(w, "age_ms", vm->balloon.last_update_age_ms);
    key_u64(w, "unused_kib", vm->balloon.unused_kib);
    key_u64(w, "usable_kib", vm->balloon.usable_kib);
    key_u64(w, "available_kib", vm->balloon.available_kib);
    json_object_end(w);
}

static void write_vm(struct json_writer *w, const struct host_vm *vm)
{
    json_object_begin(w);
    write_uuid(w, &vm->uuid);
    json_key_string(w, "name", vm->name);
    json_key_string(w, "state", host_vm_state_name(vm->state));
    json_key_string(w, "unballoonable", host_unballoonable_text(vm->unballoonable));
    json_key_bool(w, "stopped", vm->process_stopped);
    json_key_bool(w, "hanging", vm->hanging);
    json_key_bool(w, "migrating", vm->migrating);
    json_key_integer(w, "pid", vm->pid);
    write_memory(w, vm);
    json_key_exact(w, "cpu_weight", vm->cpu_weight);
    json_key_exact(w, "cpu_limit_cores", vm->cpu_limit_cores);
    key_u64(w, "throttled_ns", vm->throttled_ns);
    key_u64(w, "dirty_kib_s", vm->dirty_kib_s);
    json_key_array(w, "vcpus");
    for (uint32_t i = 0; i < vm->n_vcpus; i++) {
        json_object_begin(w);
        key_u64(w, "run_ns", vm->vcpu[i].run_ns);
        key_u64(w, "delay_ns", vm->vcpu[i].delay_ns);
        json_object_end(w);
    }
    json_array_end(w);
    write_facts(w, vm->facts);
    json_object_end(w);
}

static void on_sample(void *user, const struct host_sample *s, const struct error *error)
{
    struct asked *asked = user;
    struct json_writer *w = begin_answer(asked, error);
    if (s) {
        json_key_integer(w, "groups", s->groups);
        json_key_bool(w, "connected", s->connected);
        json_key_integer(w, "abandoned_calls", s->abandoned_calls);
        json_key_string(w, "trouble", s->trouble);
        json_key_exact(w, "round_ms", s->round_ms);
        write_host(w, s);
        json_key_array(w, "vms");
        for (size_t i = 0; i < s->n_vms; i++)
            write_vm(w, &s->vms[i]);
        json_array_end(w);
    }
    end(w);
    free(asked);
}

static void write_progress(struct json_writer *w, const struct host_progress *p)
{
    key_u64(w, "total_kib", p->total_kib);
    key_u64(w, "processed_kib", p->processed_kib);
    key_u64(w, "downtime_ms", p->downtime_ms);
}

static void on_done(void *user, enum host_outcome outcome, const struct error *error)
{
    struct asked *asked = user;
    struct json_writer *w = begin_answer(asked, error);
    json_key_string(w, "outcome", host_outcome_name(outcome));
    end(w);
    free(asked);
}

static void on_migrated(void *user, enum host_outcome outcome, const struct host_progress *final,
                        const struct error *error)
{
    struct asked *asked = user;
    struct json_writer *w = begin_answer(asked, error);
    json_key_string(w, "outcome", host_outcome_name(outcome));
    write_progress(w, final);
    end(w);
    free(asked);
}

static void on_presence(void *user, const struct host_presence *presence, const struct error *error)
{
    static const char *const names[] = {"absent", "running", "paused", "incoming", "outgoing"};
    struct asked *asked = user;
    struct json_writer *w = begin_answer(asked, error);
    if (presence) {
        json_key_string(w, "presence", names[presence->state]);
        json_key_string(w, "claim", presence->claim);
    }
    end(w);
    free(asked);
}

static void on_event(void *user, const struct host_event *event)
{
    (void)user;
    struct json_writer *w = begin();
    json_key_string(w, "event", host_event_name(event->kind));
    json_key_integer(w, "at_ms", clock_mono().ms);
    write_uuid(w, &event->uuid);
    json_key_string(w, "name", event->name);
    key_u64(w, "value", event->value);
    json_key_string(w, "detail", event->detail);
    if (event->kind == HOST_EVENT_MIGRATION_PROGRESS || event->kind == HOST_EVENT_JOB_COMPLETED)
        write_progress(w, &event->progress);
    end(w);
}

static void on_closed(void *user)
{
    (void)user;
    printf("{\"closed\":true}\n");
    fflush(stdout);
}

static unsigned parse_groups(char *rest)
{
    static const char *const names[] = {"memory", "cpu", "balloon", "domains"};
    unsigned groups = 0;
    for (char *word = strtok(rest, " "); word; word = strtok(NULL, " "))
        for (unsigned i = 0; i < 4; i++)
            if (strcmp(word, names[i]) == 0)
                groups |= 1u << i;
    return groups ? groups : HOST_GROUP_ALL;
}

static void migrate(struct probe *probe, const struct host_uuid *uuid, const char *uri, char *options)
{
    struct host_migration_request request = {.uuid = *uuid, .destination_uri = uri};
    for (char *word = strtok(options, " "); word; word = strtok(NULL, " ")) {
        char *value = strtok(NULL, " ");
        if (!value)
            break;
        if (strcmp(word, "timeout") == 0)
            request.timeout_s = (unsigned)atoi(value);
        else if (strcmp(word, "bandwidth") == 0)
            request.bandwidth_mib_s = (uint64_t)atoi(value);
        else if (strcmp(word, "claim") == 0)
            request.claim = value;
    }
    probe->host->ops->migrate(probe->host, &request, on_migrated, ask(probe));
}

static void close_probe(struct probe *probe)
{
    if (probe->closing)
        return;
    probe->closing = true;
    uv_close((uv_handle_t *)&probe->input, NULL);
    probe->host->ops->close(probe->host, on_closed, NULL);
}

static void run_command(struct probe *probe, char *line)
{
    const struct host_ops *ops = probe->host->ops;
    probe->commands++;
    char *command = strtok(line, " "), *rest = strtok(NULL, "");
    if (!command)
        return;
    if (strcmp(command, "quit") == 0) {
        close_probe(probe);
        return;
    }
    if (strcmp(command, "sample") == 0) {
        struct error err = {0};
        struct asked *asked = ask(probe);
        if (ops->sample(probe->host, parse_groups(rest), on_sample, asked, &err) < 0)
            on_sample(asked, NULL, &err);
        return;
    }
    struct host_uuid uuid;
    char *id = rest ? strtok(rest, " ") : NULL, *value = id ? strtok(NULL, " ") : NULL;
    if (!id || host_uuid_parse(id, &uuid) < 0)
        return;
    if (strcmp(command, "abort") == 0)
        ops->abort_migration(probe->host, &uuid, on_done, ask(probe));
    else if (strcmp(command, "presence") == 0)
        ops->presence(probe->host, value, &uuid, on_presence, ask(probe));
    else if (strcmp(command, "dirty") == 0)
        ops->measure_dirty(probe->host, &uuid, on_done, ask(probe));
    else if (value && strcmp(command, "balloon") == 0)
        ops->set_balloon(probe->host, &uuid, (uint64_t)atoll(value), on_done, ask(probe));
    else if (value && strcmp(command, "period") == 0)
        ops->set_stats_period(probe->host, &uuid, (unsigned)atoi(value), on_done, ask(probe));
    else if (value && strcmp(command, "weight") == 0)
        ops->set_cpu_weight(probe->host, &uuid, atof(value), on_done, ask(probe));
    else if (value && strcmp(command, "migrate") == 0)
        migrate(probe, &uuid, value, strtok(NULL, ""));
}

static void on_allocate(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    (void)size;
    struct probe *probe = handle->data;
    *buffer = uv_buf_init(probe->line + probe->used, (unsigned)(sizeof probe->line - probe->used));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    (void)buffer;
    struct probe *probe = stream->data;
    if (n < 0) {
        close_probe(probe);
        return;
    }
    probe->used += (size_t)n;
    char *newline;
    while (!probe->closing && (newline = memchr(probe->line, '\n', probe->used))) {
        *newline = '\0';
        size_t length = (size_t)(newline - probe->line) + 1;
        char line[LINE_BYTES];
        memcpy(line, probe->line, length);
        probe->used -= length;
        memmove(probe->line, probe->line + length, probe->used);
        run_command(probe, line);
    }
}

int main(int argc, char **argv)
{
    setenv("UV_THREADPOOL_SIZE", "12", 0); // HOST_POOL_THREADS
    struct host_settings settings = {.uri = argc > 1 ? argv[1] : NULL,
                                     .call_deadline_ms = argc > 2 ? (unsigned)atoi(argv[2]) : 0,
                                     .stats_period_s = argc > 3 ? (unsigned)atoi(argv[3]) : 0};
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct probe probe = {.loop = &loop};
    struct error err = {0};
    probe.host = host_libvirt.open(&loop, &settings, on_event, &probe, &err);
    if (!probe.host) {
        fprintf(stderr, "host-probe: %s\n", err.text);
        return 1;
    }
    uv_pipe_init(&loop, &probe.input, 0);
    probe.input.data = &probe;
    if (uv_pipe_open(&probe.input, STDIN_FILENO) < 0)
        return 2;
    uv_read_start((uv_stream_t *)&probe.input, on_allocate, on_read);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop) == 0 ? 0 : 3;
}

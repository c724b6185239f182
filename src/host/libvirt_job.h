// A call that may block: runs on libuv's pool, has a deadline, is abandoned when it passes.
#ifndef BALLAST_HOST_LIBVIRT_JOB_H
#define BALLAST_HOST_LIBVIRT_JOB_H

#include <uv.h>

#include <libvirt/libvirt.h>

#include "host/host.h"

struct lv_host;
struct lv_job;

// In a worker. Fills job->error on failure. Must not look at job->host. NULL: the error was there from the start, the
// job only brings it in the loop's next turn.
typedef void (*lv_job_work)(struct lv_job *job);

// On the loop, exactly once. late: the deadline has passed (job->error says so) and the worker may still be
// writing: only what the loop itself put into the job may be read.
typedef void (*lv_job_done)(struct lv_host *host, struct lv_job *job, bool late);

// On the loop, when the worker is through: frees what the job owns and the job itself. NULL: it owns nothing.
typedef void (*lv_job_free)(struct lv_job *job);

// The head of every job's struct.
struct lv_job {
    lv_job_work work;
    lv_job_done done;
    lv_job_free free;
    const char *what;      // "set the balloon", for messages
    bool uses_libvirt;     // its abandonment makes the connection suspect
    struct host_uuid uuid; // of the VM that it is about; all zero: of no single one
    // references for the worker, dropped by it at the end; see lv_job_use
    virConnectPtr conn;
    virDomainPtr domain;
    // filled by the worker
    struct error error;
    // the job's own
    unsigned deadline_ms;
    struct lv_host *host; // NULL when the host has been closed meanwhile
    uv_work_t request;
    uv_timer_t timer;
    bool told, worked, timer_closed;
    struct lv_job *next, *previous;
};

// The job calls libvirt on the host's connection, about domain (NULL: none, or to be looked up).
void lv_job_use(struct lv_host *host, struct lv_job *job, virDomainPtr domain);

// Takes the job. deadline_ms 0: none.
void lv_job_start(struct lv_host *host, struct lv_job *job, unsigned deadline_ms);

// What a job's end has to say; in scratch where it is late.
const struct error *lv_job_error(const struct lv_host *host, const struct lv_job *job, bool late,
                                 struct error *scratch);

// Whether there is a connection and calls on it come back.
bool lv_answers(const struct lv_host *host);

// True when no further call may be made because too many have not come back.
bool lv_jobs_full(const struct lv_host *host, struct error *err);

// At close: every job's owner is told ERROR_STOPPED; the jobs end without the host.
void lv_jobs_orphan(struct lv_host *host);

// Fills err from libvirt's error of this thread. Returns -1.
int lv_error(struct error *err, virConnectPtr conn);

#endif

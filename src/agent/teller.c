#include "agent/teller.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

struct queue {
    struct teller_job *first;
    struct teller_job **last;
    size_t n;
};

struct teller {
    // shared, under lock
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct queue waiting;
    struct queue ended;
    size_t unfinished;
    bool stop;
    struct mono stop_by;

    // the teller's thread only (in inline mode the loop's)
    struct store *store;
    struct mono retry_at;
    struct error open_err; // why it is not open

    // the loop's thread only
    bool available;
    bool told_away;
    struct mono away_since;

    // constant
    char *location;
    struct store_options options;
    bool inline_run;
    bool has_thread;
    pthread_t thread;
    void (*wake)(void *context);
    void *context;
};

static void push(struct queue *q, struct teller_job *job)
{
    job->next = NULL;
    if (!q->first)
        q->last = &q->first;
    *q->last = job;
    q->last = &job->next;
    q->n++;
}

static struct teller_job *pop(struct queue *q)
{
    struct teller_job *job = q->first;
    if (job) {
        q->first = job->next;
        q->n--;
    }
    return job;
}

// Whether err says that the store did not answer, rather than what it answered.
static bool is_away(enum error_kind kind)
{
    switch (kind) {
    case ERROR_LOST:
    case ERROR_TIMEOUT:
    case ERROR_FAILED:
    case ERROR_MEMORY:
        return true;
    case ERROR_NONE:
    case ERROR_INPUT:
    case ERROR_MISSING:
    case ERROR_REFUSED:
    case ERROR_STOPPED:
        return false;
    }
    return true;
}

static int open_store(struct teller *t, struct error *err)
{
    if (t->store)
        return 0;
    struct mono now = clock_mono();
    if (t->open_err.kind != ERROR_NONE && now.ms < t->retry_at.ms) {
        *err = t->open_err;
        return -1;
    }
    error_clear(&t->open_err);
    if (store_open(t->location, &t->options, &t->store, &t->open_err) == 0)
        return 0;
    if (!is_away(t->open_err.kind))
        t->open_err.kind = ERROR_LOST; // whatever the reason, there is no store to talk to
    t->retry_at = mono_after_ms(clock_mono(), TELLER_RETRY_MS);
    *err = t->open_err;
    return -1;
}

static void run_job(struct teller *t, struct teller_job *job)
{
    error_clear(&job->err);
    job->result = open_store(t, &job->err);
    if (job->result < 0)
        return;
    job->result = job->run(job, t->store, &job->err);
    if (job->result < 0 && job->err.kind == ERROR_LOST)
        t->store = store_close(t->store);
}

static void *work(void *argument)
{
    struct teller *t = argument;
    pthread_mutex_lock(&t->lock);
    for (;;) {
        bool late = t->stop && clock_mono().ms >= t->stop_by.ms;
        struct teller_job *job = late ? NULL : pop(&t->waiting);
        if (!job && t->stop)
            break;
        if (!job) {
            pthread_cond_wait(&t->work, &t->lock);
            continue;
        }
        pthread_mutex_unlock(&t->lock);
        run_job(t, job);
        pthread_mutex_lock(&t->lock);
        push(&t->ended, job);
        t->wake(t->context);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

struct teller *teller_new(const char *location, const struct store_options *options, bool inline_run,
                          void (*wake)(void *context), void *context, struct error *err)
{
    struct teller *t = calloc(1, sizeof *t);
    if (!t || !(t->location = strdup(location))) {
        free(t);
        error_set(err, ERROR_MEMORY, "no memory");
        return NULL;
    }
    if (options)
        t->options = *options;
    t->inline_run = inline_run;
    t->wake = wake;
    t->context = context;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->work, NULL);
    if (inline_run)
        return t;
    int failed = pthread_create(&t->thread, NULL, work, t);
    if (failed) {
        error_errno(err, failed, "start the store's thread");
        return teller_free(t);
    }
    t->has_thread = true;
    return t;
}

// Says once that the store is away, once that it is back.
static void watch_availability(struct teller *t, const struct teller_job *job)
{
    if (job->result < 0 && job->err.kind == ERROR_STOPPED)
        return;
    if (job->result < 0 && is_away(job->err.kind)) {
        if (!t->told_away) {
            log_warning(
                "store %s does not serve: %s. Memory is managed without it; nothing is migrated until it "
                "is back",
                t->location, job->err.text);
            t->away_since = clock_mono();
        }
        t->told_away = true;
        t->available = false;
        return;
    }
    if (t->told_away)
        log_notice("store %s is back after %.0f s", t->location,
                   mono_seconds_between(t->away_since, clock_mono()));
    t->told_away = false;
    t->available = true;
}

static void finish_job(struct teller *t, struct teller_job *job)
{
    t->unfinished--;
    watch_availability(t, job);
    job->done(job, t->context);
}

size_t teller_collect(struct teller *t)
{
    size_t n = 0;
    for (;;) {
        pthread_mutex_lock(&t->lock);
        struct teller_job *job = t->inline_run ? pop(&t->waiting) : NULL;
        bool run = job != NULL;
        if (!job)
            job = pop(&t->ended);
        pthread_mutex_unlock(&t->lock);
        if (!job)
            return n;
        if (run)
            run_job(t, job);
        finish_job(t, job);
        n++;
    }
}

void teller_submit(struct teller *t, struct teller_job *job)
{
    pthread_mutex_lock(&t->lock);
    t->unfinished++;
    bool full = t->unfinished > TELLER_QUEUE_MAX;
    if (full) {
        job->result =
            error_set(&job->err, ERROR_STOPPED,
                      "the store has not answered %d requests; this one is given up", TELLER_QUEUE_MAX);
        push(&t->ended, job);
    } else {
        push(&t->waiting, job);
        pthread_cond_signal(&t->work);
    }
    pthread_mutex_unlock(&t->lock);
    if (full || t->inline_run)
        t->wake(t->context);
}

bool teller_available(const struct teller *t)
{
    return t->available;
}

struct teller *teller_free(struct teller *t)
{
    if (!t)
        return NULL;
    if (t->has_thread) {
        pthread_mutex_lock(&t->lock);
        t->stop = true;
        t->stop_by = mono_after_ms(clock_mono(), TELLER_LAST_MS);
        pthread_cond_signal(&t->work);
        pthread_mutex_unlock(&t->lock);
        pthread_join(t->thread, NULL);
    }
    for (struct teller_job *job; (job = pop(&t->ended));)
        finish_job(t, job);
    for (struct teller_job *job; (job = pop(&t->waiting));) {
        job->result = error_set(&job->err, ERROR_STOPPED, "ballastd ends");
        finish_job(t, job);
    }
    store_close(t->store);
    pthread_cond_destroy(&t->work);
    pthread_mutex_destroy(&t->lock);
    free(t->location);
    free(t);
    return NULL;
}

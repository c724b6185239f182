// The teller: the one thread of ballastd that talks to the store.
//
// The loop never waits for the store. It submits jobs; the teller's thread runs them one after the other on
// its own handle, opens the store when it is not open, and hands the finished jobs back; teller_collect,
// called by the loop, runs what is to follow. So the state of the decisions is touched by the loop's thread
// only, and a store that hangs holds up nobody but the migrations.
//
// A store that is away is said once, and once when it is back.
#ifndef BALLAST_AGENT_TELLER_H
#define BALLAST_AGENT_TELLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/store.h"

// Time before a store that could not be opened is tried again. Jobs in between fail at once.
#define TELLER_RETRY_MS 2000

// More unfinished jobs than this are refused: one exchange and three per migration are the normal case.
#define TELLER_QUEUE_MAX 256

// At the end jobs that wait are run for so long.
#define TELLER_LAST_MS 3000

struct teller;

struct teller_job {
    // On the teller's thread. Returns 0, or -1 with err filled.
    int (*run)(struct teller_job *job, struct store *store, struct error *err);
    // On the loop's thread, always, exactly once; frees the job.
    void (*done)(struct teller_job *job, void *context);
    int result;
    struct error err;
    struct teller_job *next; // the teller's
};

// location: of the store. inline_run: no thread; jobs run when they are collected (for tests). wake: called
// on the teller's thread when something waits for teller_collect; context goes to wake and to done.
struct teller *teller_new(const char *location, const struct store_options *options, bool inline_run,
                          void (*wake)(void *context), void *context, struct error *err);

// Runs what waits for at most TELLER_LAST_MS, and the store's deadline; the rest is done with ERROR_STOPPED. Takes NULL, returns NULL.
struct teller *teller_free(struct teller *teller);

// Takes the job; done is called later, also on failure. When the queue is full that is with ERROR_STOPPED.
void teller_submit(struct teller *teller, struct teller_job *job);

// Runs done for every job that ended. Returns how many.
size_t teller_collect(struct teller *teller);

// Whether the last job that reached the store was answered. False before the first.
bool teller_available(const struct teller *teller);

#endif

// Inside the mover: a slot, and what its two files (the way of a move, the questions) share.
#ifndef BALLAST_AGENT_MOVER_SLOT_H
#define BALLAST_AGENT_MOVER_SLOT_H

#include "agent/mover.h"

enum move_phase {
    MOVE_FREE,
    MOVE_CLAIMING,
    MOVE_MIGRATING,
    MOVE_ASKING,
    MOVE_FINISHING,
};

struct move {
    struct mover *mover;
    enum move_phase phase;
    bool never_started; // recovered and the store says claimed: libvirt may never have been asked
    bool aborting;      // an abort has been asked for
    unsigned jobs;      // of the teller that refer to this slot
    // what is wanted; constant while the slot is taken
    struct host_uuid uuid;
    char uuid_text[HOST_UUID_TEXT_SIZE];
    char vm_name[HOST_NAME_SIZE];
    char to[256];
    char destination_uri[256];
    char data_uri[256];
    char reason[512];
    struct store_claim claim;
    // the store's row
    uint64_t id;
    struct mono renew_at;
    struct mono started_at;
    struct store_progress progress;
    // asking
    struct mono ask_at;
    bool asked_here, asked_there; // an answer is outstanding
    bool here_known, there_known;
    struct host_presence here, there;
    unsigned unanswered; // by the destination, in a row
    char why_unknown[256];
    // finishing
    struct mono finish_at;
    bool finish_sent;
    struct store_outcome outcome;
    char outcome_text[512];
};

struct mover {
    struct host *host;
    struct teller *teller;
    const struct settings *settings;
    char host_name[256];
    move_ended_fn *ended;
    void *user;
    struct mono now; // of the latest tick
    bool stopped;
    struct move slot[MOVER_SLOTS];
};

// Empties a slot and fills it with what is wanted.
void move_fill(struct move *move, struct mover *mover, const struct move_request *request);

// Submits the claim. ERROR_MEMORY: the slot is free again.
int move_claim(struct move *move, struct error *err);

// Goes on to asking, at once.
void move_ask(struct move *move, const char *why, struct mono now);

// What is due while asking.
void move_ask_tick(struct move *move, struct mono now);

// The end is certain: tells the store (until it listens) and then whoever started it.
void move_finish(struct move *move, enum store_migration_state state, const struct host_progress *final,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif

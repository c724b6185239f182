// From a sample to the memory manager's input, and from its output back to the guests.
#ifndef BALLAST_AGENT_MEMORY_FEED_H
#define BALLAST_AGENT_MEMORY_FEED_H

#include "agent/guests.h"
#include "agent/mover.h"
#include "decide/memory_manager.h"
#include "host/sample.h"

// A guest that came less than this ago and has not answered is waited for; later it counts as one without a
// driver. Booting takes longest.
#define MEMORY_FEED_PATIENCE_MS 60000

struct memory_feed {
    struct memory_vm_input *vm; // GUESTS_MAX
    struct guest **guest;       // of each input
    struct memory_input input;
};

// -1 when out of memory.
int memory_feed_init(struct memory_feed *feed);
void memory_feed_clear(struct memory_feed *feed);

// Fills feed->input from the sample and the guests present in it. No allocation.
void memory_feed_fill(struct memory_feed *feed, const struct host_sample *sample, const struct guests *guests,
                      const struct mover *mover);

#endif

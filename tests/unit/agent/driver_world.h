// A world for tests of the driver: a fake host, a real store in a temporary directory, a loop in real time.
#ifndef BALLAST_TESTS_UNIT_AGENT_DRIVER_WORLD_H
#define BALLAST_TESTS_UNIT_AGENT_DRIVER_WORLD_H

#include <uv.h>

#include "agent/driver.h"
#include "agent/settings.h"
#include "host/fake.h"
#include "store/store.h"

struct world {
    char directory[64];
    uv_loop_t loop;
    struct settings settings;
    struct driver *driver;
    struct host *host;
    struct store *store; // the test's own handle; NULL until world_open_store
};

// Defaults for tests: auto, short periods, a store in a new directory.
void world_init(struct world *w);
void world_open_store(struct world *w);

// Starts the driver on a host of 1 GiB with nothing running.
void world_start(struct world *w);

// Ends the driver in order, and starts another on a new fake host later: as if ballastd had been restarted.
void world_stop(struct world *w);
void world_free(struct world *w);

// Turns the loop until holds(w) or for at most ms. Returns whether it held.
bool world_until(struct world *w, bool (*holds)(struct world *), int ms);
void world_for(struct world *w, int ms);

// Number of calls of that kind about that VM (NULL: any).
size_t world_calls(struct world *w, enum host_fake_call call, const char *name);

// A guest of 256 MiB that needs used_mib of it and is resident with actual_mib.
struct host_fake_vm *world_guest(struct world *w, const char *name, unsigned used_mib, unsigned actual_mib);

// What the host has left.
void world_available(struct world *w, unsigned mib);

// Joins another host, which takes VMs, by the test's own handle; again: with other memory. vm: the one it has, or NULL.
void world_join_other(struct world *w, const char *name, unsigned mem_mib, const struct store_vm *vm);

// The state of the newest migration of the store, or -1.
int world_migration_state(struct world *w);

#endif

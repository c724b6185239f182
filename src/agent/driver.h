// The driver: gives the loops of decide a real clock and real hands.
//
//     sample -> memory manager -> balloons        (first, and with nothing in between that could wait)
//            -> immediate balancer -> a move
//            -> rows and decisions to the store
//
// Everything runs on the event loop's thread; what can block is behind host (its thread pool) and teller
// (its thread). A host or a store that is away costs its own part only.
#ifndef BALLAST_AGENT_DRIVER_H
#define BALLAST_AGENT_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/settings.h"
#include "base/error.h"
#include "host/host.h"
#include "store/store.h"

struct uv_loop_s;
struct driver;

// The host's own figures are looked at this often at least, whatever the periods: they cost some 100 us and
// a shortage in them starts the memory manager at once.
#define DRIVER_LOOK_MS 1000

// While the store has not been read since the start its settings (modes, exclusions) are waited for until it has
// answered or failed, at most this long; while memory is hard or low less long, for then a VM may be killed
// meanwhile. After that the file's mode holds alone.
#define DRIVER_SETTINGS_WAIT_MS 5000
#define DRIVER_SETTINGS_WAIT_SHORT_MS 500

// At the start libvirt is given so long to answer before its absence is said.
#define DRIVER_CONNECT_PATIENCE_MS 3000

// While the fence cannot be held (the manager's refuse_auto) `auto` is refused: balloons are not lowered, since
// nobody is to pay for a promise that does not hold. What was taken is still given back, and once memory is hard
// or low it is taken after all: the alternative is that the host's kernel kills a VM. The first word after `auto`
// was asked for counts at once; later it has to last so long, in both directions, since a guest that arrives, or
// grows faster than a balloon follows, breaks the fence for a moment.
#define DRIVER_FENCE_SETTLE_MS 10000

// The same VM's CPU weight is not set again sooner.
#define DRIVER_WEIGHT_REPEAT_MS 30000

struct driver_options {
    const struct host_ops *host_ops;
    const struct host_settings *host_settings; // NULL: made from settings
    const struct store_options *store_options; // NULL: defaults
    const char *host_name;
};

// settings are borrowed and may change between the loop's turns (driver_reconfigured). Starts to connect.
struct driver *driver_new(struct uv_loop_s *loop, struct settings *settings,
                          const struct driver_options *options, struct error *err);

// settings have changed: takes them over with the next sample.
void driver_reconfigured(struct driver *driver);

// Ends everything: running migrations go on without us. done is called when nothing is outstanding any
// more; the driver is gone then.
void driver_close(struct driver *driver, void (*done)(void *user), void *user);

// One line for a person: state, modes, what is under way.
void driver_status(const struct driver *driver, char *ret_text, size_t size);

// Samples worked off since the start.
uint64_t driver_rounds(const struct driver *driver);

// The host it drives, for tests.
struct host *driver_host(struct driver *driver);

#endif

// What a live migration takes and what it costs in lost VM-seconds.
//
// Theory. Pre-copy sends the resident memory while the guest runs, then what it dirtied meanwhile, and so on: round i
// takes  t_i = left_i / bandwidth,  left_(i+1) = min(dirty x t_i, hot set). It stops when what is left fits the
// downtime allowed. With dirty < bandwidth the rounds shrink geometrically by dirty / bandwidth; else it does not
// converge and the hypervisor throttles the guest (auto-converge) until it does, or the job is given up.
// (Clark et al., NSDI 2005; Akoush et al., MASCOTS 2010 for the model's accuracy.)
//
// Cost = weight x (slow-down x duration + downtime + risk) of the VM itself, plus what copying takes from the others on both
// hosts, all x a factor that grows with the number of migrations that the VM has had lately.
#ifndef BALLAST_DECIDE_MIGRATION_COST_H
#define BALLAST_DECIDE_MIGRATION_COST_H

#include <stdbool.h>
#include <stdint.h>

#define MIGRATION_DOWNTIME_S 0.3 // libvirt's and QEMU's default downtime limit
#define MIGRATION_SETUP_S 0.7 // connection, destination process, hand-over: assumed; calibration corrects it
#define MIGRATION_SLOW_DOWN 0.10 // work a VM loses while it is copied (dirty logging; the literature's 10 %)
#define MIGRATION_CPU_CORES 0.5  // what copying takes of each host's CPU at full speed
#define MIGRATION_ROUNDS_MOST 30 // then it counts as not converging
#define MIGRATION_MOVES_HALF_LIFE_S 3600.0 // of the decaying count of migrations
// Cost factor 1 + (n / MIGRATION_PENALTY_AT)^2, n the decaying count: free at first, prohibitive for chains.
#define MIGRATION_PENALTY_AT 1.0
#define MIGRATION_DAY_FREE 2.0 // migrations a day that are normal; each one more doubles the cost ...
#define MIGRATION_DAY_MOST                                                                                   \
    6.0 // ... and from so many on it is prohibitive: the VM has no place, moving is no answer
#define MIGRATION_RETURN_S                                                                                   \
    3900.0 // so is going back to a host left less than this ago (an hour and some margin)
#define MIGRATION_PROHIBITIVE 1e6 // factor of what should not be: finite, so that comparisons stay sane
// What a move costs beyond copying, in seconds of the VM: it may turn out wrong or fail, and bars others meanwhile.
#define MIGRATION_RISK_S 2.0

// The VM that is to move.
struct migration_subject {
    double resident_mib;       // what has to be sent: actualmem (with overhead)
    double dirty_mib_s;        // memory rewritten per second
    double hot_mib;            // working set that is rewritten; 0: unknown, all resident memory
    double local_disk_mib;     // disk that travels too
    double weight;             // loss_weight()
    double migrations_1h;      // decaying count
    double migrations_24h;     // in the last day
    double left_destination_s; // seconds since it left this very destination; < 0: never
};

// The way there.
struct migration_link {
    double bandwidth_mib_s; // that this job gets; > 0
    double downtime_s;      // limit; 0: MIGRATION_DOWNTIME_S
    // Those disturbed on source and destination: weight of their VMs in want of CPU, per core taken (lost VM-seconds
    // per core-second); 0 where there is idle CPU.
    double source_loss_per_core_s, destination_loss_per_core_s;
};

// Learned from finished migrations. Zeroed: nothing learned.
struct migration_calibration {
    double log_time_factor; // mean log(measured / modelled duration)
    double log_downtime_factor;
    double weight; // migrations behind it, decaying; 0: none
};

struct migration_estimate {
    double duration_s; // from start to running there
    double downtime_s;
    double sent_mib;
    uint32_t rounds;
    bool converges;   // without throttling the guest
    double slow_down; // part of the VM's work lost while copying
};

struct migration_cost {
    struct migration_estimate estimate;
    double own_lost_vm_s;       // the VM itself
    double disturbed_lost_vm_s; // others on both hosts
    double penalty;             // factor for earlier migrations, >= 1
    double lost_vm_s;           // all of it: (own + disturbed) x penalty
};

// Duration, rounds and downtime; calibration may be NULL. Grows with resident and dirty, falls with bandwidth; scaling
// memory, dirty rate and bandwidth by one factor changes nothing (setup apart). O(rounds).
struct migration_estimate migration_estimate(const struct migration_subject *vm,
                                             const struct migration_link *link,
                                             const struct migration_calibration *calibration);

struct migration_cost migration_cost(const struct migration_subject *vm, const struct migration_link *link,
                                     const struct migration_calibration *calibration);

// Factor for earlier migrations and a return after left_destination_s (< 0: no return), >= 1.
double migration_penalty(double migrations_1h, double migrations_24h, double left_destination_s);

// The decaying count after elapsed_s more seconds: x 2^(-elapsed / half-life); add 1 for each migration.
double migration_count_decay(double migrations_1h, double elapsed_s);

// Learns from one finished migration: what had been modelled without calibration and what was measured.
void migration_calibrate(struct migration_calibration *c, const struct migration_estimate *modelled,
                         double measured_duration_s, double measured_downtime_s);

#endif

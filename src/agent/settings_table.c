#include <string.h>

#include "agent/settings.h"
#include "store/store.h"

static const char *const mode_choices[] = {"observe", "recommend", "auto", NULL};
static const char *const log_choices[] = {"error", "warning", "notice", "info", "debug", NULL};

#define INTEGER(section, name, field, min, max, unit, initial, reloadable, help)                             \
    {                                                                                                        \
        section, name, VALUE_INTEGER, offsetof(struct settings, field), min, max, unit, initial, NULL,       \
            reloadable, help                                                                                 \
    }
#define DECIMAL(section, name, field, min, max, unit, initial, reloadable, help)                             \
    {                                                                                                        \
        section, name, VALUE_DECIMAL, offsetof(struct settings, field), min, max, unit, initial, NULL,       \
            reloadable, help                                                                                 \
    }
#define SWITCH(section, name, field, initial, reloadable, help)                                              \
    {                                                                                                        \
        section, name, VALUE_SWITCH, offsetof(struct settings, field), 0, 1, "", initial, NULL, reloadable,  \
            help                                                                                             \
    }
#define CHOICE(section, name, field, choices, initial, reloadable, help)                                     \
    {                                                                                                        \
        section, name, VALUE_CHOICE, offsetof(struct settings, field), 0, 0, "", initial, choices,           \
            reloadable, help                                                                                 \
    }
#define TEXT(section, name, field, min_length, initial, reloadable, help)                                    \
    {                                                                                                        \
        section, name, VALUE_TEXT, offsetof(struct settings, field), min_length, SETTINGS_TEXT_SIZE - 1, "", \
            initial, NULL, reloadable, help                                                                  \
    }

static const struct setting table[] = {
    TEXT("agent", "host_name", host_name, 0, "", false,
         "Name of this host in the cluster. Other hosts reach its libvirt under this name. Empty: the "
         "machine's host name."),
    TEXT("agent", "store", store, 1, STORE_DEFAULT_PATH, false,
         "The cluster's store. Agents of one machine share a SQLite file by giving the same path."),
    CHOICE("agent", "mode", mode, mode_choices, "observe", true,
           "observe says what it would do and does nothing. recommend leaves migrations in the store until "
           "somebody approves them, and moves no balloon. auto acts."),
    CHOICE("agent", "log_level", log_level, log_choices, "info", true, "Least important message logged."),
    INTEGER("agent", "period_pressure_ms", period_pressure_ms, 200, 10000, "ms", "1000", true,
            "Time between two samples while memory is short, a balloon moves or CPU is contended."),
    INTEGER("agent", "period_calm_ms", period_calm_ms, 200, 60000, "ms", "5000", true,
            "Time between two samples of guests while nothing is short. The host's own memory is looked at "
            "every second all the same: a shortage starts the memory manager at once."),
    INTEGER("agent", "heartbeat_s", heartbeat_s, 1, 600, "s", "10", true,
            "The host's row in the store is renewed at least this often. Others take a host that was silent "
            "for three of these times for unknown and send nothing there."),
    TEXT("agent", "libvirt_uri", libvirt_uri, 1, "qemu:///system", false,
         "Connection to this host's libvirt."),
    INTEGER("agent", "libvirt_deadline_ms", libvirt_deadline_ms, 500, 60000, "ms", "5000", false,
            "A libvirt call that takes longer is abandoned and its connection replaced."),

    INTEGER("host", "mem_mib", mem_mib, 0, 1 << 30, "MiB", "0", false, "Memory of the host. 0: as measured."),
    DECIMAL("host", "cpu_cores", cpu_cores, 0, 65536, "cores", "0", false,
            "CPU capacity of the host. 0: as measured."),
    INTEGER("host", "mem_reserved_mib", mem_reserved_mib, 0, 1 << 30, "MiB", "64", true,
            "Memory kept for the host itself, never planned with for VMs."),
    INTEGER("host", "net_mib_s", net_mib_s, 1, 1 << 20, "MiB/s", "1000", true,
            "Bandwidth usable for migrations."),
    DECIMAL("host", "core_speed", core_speed, 0.01, 100, "", "1.0", true,
            "Speed of a core relative to the cluster's usual one."),
    TEXT("host", "cgroup", cgroup, 0, "", false,
         "Directory of the cgroup whose limits are the host's capacity. Empty: the whole machine."),

    TEXT("host", "zone", zone, 0, "", true,
         "Fault domain of the host (a rack, a room), for rules with :zone. Empty: one of its own, by its "
         "name."),
    TEXT("host", "provides", provides, 0, "", true,
         "What the host has that some VMs need (networks, storage, CPU features): words of your choice, "
         "separated by spaces. A VM goes only where all words of its setting needs are provided."),

    SWITCH("memory", "enabled", memory_enabled, "yes", true, "Whether balloons are managed at all."),
    INTEGER("memory", "cache_keep_permille", cache_keep_permille, 0, 1000, "permille", "500", true,
            "Part of a guest's file cache that counts as memory that it needs."),
    INTEGER("memory", "floor_mib", floor_mib, 16, 1 << 20, "MiB", "64", true,
            "No balloon leaves a guest less than this."),
    INTEGER("memory", "reserve_mib", reserve_mib, 0, 1 << 20, "MiB", "0", true,
            "Memory that is left available when all guests are short. 0: by the size of the host."),

    SWITCH("cpu", "set_weights", set_weights, "yes", true,
           "Set the CPU weight of each VM to its CPU shares, in auto. no: plan with the weights in force."),
    INTEGER("cpu", "headroom_permille", headroom_permille, 0, 1000, "permille", "100", true,
            "A VM that uses nearly all CPU that it was given may want this much more than can be seen."),

    SWITCH("migration", "enabled", migration_enabled, "yes", true, "Whether VMs may be moved at all."),
    TEXT("migration", "address", address, 1, "qemu+tls://%s/system", true,
         "This host's libvirt as the libvirt of other hosts reaches it; %s stands for the host's name."),
    TEXT("migration", "data_uri", data_uri, 0, "", true,
         "Where a VM's memory is sent when it comes here, such as tcp://10.0.0.2. Empty: libvirt chooses."),
    INTEGER("migration", "growth_permille", growth_permille, 0, 10000, "permille", "100", true,
            "A destination must hold the VM's demand plus this part of it."),
    INTEGER(
        "migration", "claim_s", claim_s, 5, 600, "s", "30", true,
        "A claim that was not renewed for so long expires; its migration is then unknown until libvirt on "
        "both hosts has answered."),
    INTEGER("migration", "bandwidth_mib_s", bandwidth_mib_s, 0, 1 << 20, "MiB/s", "0", true,
            "Limit of one migration's bandwidth. 0: none."),
    INTEGER("migration", "timeout_s", timeout_s, 5, 86400, "s", "300", true,
            "A migration that takes longer is cancelled."),
};

const struct setting *settings_table(size_t *ret_n)
{
    *ret_n = sizeof table / sizeof *table;
    return table;
}

const char *agent_mode_name(enum agent_mode mode)
{
    switch (mode) {
    case AGENT_MODE_OBSERVE:
    case AGENT_MODE_RECOMMEND:
    case AGENT_MODE_AUTO:
        return mode_choices[mode];
    }
    return "unknown";
}

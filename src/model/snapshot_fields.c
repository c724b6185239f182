// The keys of the format: type, range and default of each.
#include "model/snapshot_fields.h"

#include <math.h>

#define TEXT(key, required)                                                                                  \
    {                                                                                                        \
        key, FIELD_TEXT, required, 0, false, 0, FIELD_NO_COLUMN                                              \
    }
#define NAMES(key, required)                                                                                 \
    {                                                                                                        \
        key, FIELD_NAMES, required, 0, false, 0, FIELD_NO_COLUMN                                             \
    }
#define BOOLEAN(key, fallback)                                                                               \
    {                                                                                                        \
        key, FIELD_BOOL, false, 0, false, fallback, FIELD_NO_COLUMN                                          \
    }
#define COUNT(key, required, fallback)                                                                       \
    {                                                                                                        \
        key, FIELD_INTEGER, required, 1, false, fallback, FIELD_NO_COLUMN                                    \
    }

#define HOST_FIGURE(key, required, low, excluded, fallback)                                                  \
    {                                                                                                        \
#key, FIELD_NUMBER, required, low, excluded, fallback, offsetof(struct snapshot_hosts, key)          \
    }
#define VM_FIGURE(key, required, low, excluded, fallback)                                                    \
    {                                                                                                        \
#key, FIELD_NUMBER, required, low, excluded, fallback, offsetof(struct snapshot_vms, key)            \
    }

static const struct field host_fields[] = {
    [HOST_NAME] = TEXT("name", true),
    [HOST_STATE] = TEXT("state", false),
    [HOST_ZONE] = TEXT("zone", false),
    HOST_FIGURE(cpu_cores, true, 0, true, 0),
    HOST_FIGURE(mem_mib, true, 0, true, 0),
    HOST_FIGURE(mem_reserved_mib, false, 0, false, 0),
    HOST_FIGURE(net_mib_s, false, 0, true, SNAPSHOT_NET_MIB_S),
    HOST_FIGURE(threads_per_core, false, 1, false, 1),
    HOST_FIGURE(core_speed, false, 0, true, 1),
};

static const struct field vm_fields[] = {
    [VM_NAME] = TEXT("name", true),
    [VM_HOST] = TEXT("host", true),
    [VM_CANNOT_RUN_ON] = NAMES("cannot_run_on", false),
    [VM_MOVABLE] = BOOLEAN("movable", 1),
    [VM_VCPUS] = COUNT("vcpus", true, 0),
    [VM_SHARES] = COUNT("shares", false, SNAPSHOT_SHARES),
    [VM_CPU_SHARES] = COUNT("cpu_shares", false, NAN),
    [VM_MEM_SHARES] = COUNT("mem_shares", false, NAN),
    VM_FIGURE(mem_mib, true, 0, true, 0),
    VM_FIGURE(cpu_demand_cores, true, 0, false, 0),
    VM_FIGURE(mem_used_mib, true, 0, false, 0),
    VM_FIGURE(mem_current_mib, false, 0, false, NAN),
    VM_FIGURE(mem_actual_mib, false, 0, false, NAN),
    VM_FIGURE(mem_overhead_mib, false, 0, false, 0),
    VM_FIGURE(cpu_sd_cores, false, 0, false, 0),
    VM_FIGURE(mem_sd_mib, false, 0, false, 0),
    VM_FIGURE(cpu_reservation_cores, false, 0, false, 0),
    VM_FIGURE(cpu_limit_cores, false, 0, false, NAN),
    VM_FIGURE(mem_reservation_mib, false, 0, false, 0),
    VM_FIGURE(mem_limit_mib, false, 0, false, NAN),
    VM_FIGURE(dirty_mib_s, false, 0, false, SNAPSHOT_DIRTY_MIB_S),
    VM_FIGURE(migrations_1h, false, 0, false, 0),
    VM_FIGURE(local_disk_mib, false, 0, false, 0),
};

static const struct field rule_fields[] = {
    [RULE_TYPE] = TEXT("type", true),     [RULE_VMS] = NAMES("vms", true),
    [RULE_HOSTS] = NAMES("hosts", false), [RULE_SCOPE] = TEXT("scope", false),
    [RULE_STRICT] = BOOLEAN("strict", 1),
};

#define TABLE(kind, list, fields)                                                                            \
    {                                                                                                        \
        kind, list, sizeof(fields) / sizeof *(fields), fields                                                \
    }

const struct field_table snapshot_host_fields = TABLE(ROW_HOST, "hosts", host_fields);
const struct field_table snapshot_vm_fields = TABLE(ROW_VM, "vms", vm_fields);
const struct field_table snapshot_rule_fields = TABLE(ROW_RULE, "rules", rule_fields);

_Static_assert(sizeof vm_fields / sizeof *vm_fields <= ROW_FIELDS_MAX, "a row must hold every field");

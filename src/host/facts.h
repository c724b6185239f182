// What changes rarely about a VM: its definition, who owns it, what the administrator told us about it.
// Read from the domain's XML when the VM is first seen and when an event says that it changed.
#ifndef BALLAST_HOST_FACTS_H
#define BALLAST_HOST_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/rule_text.h"

// A figure that nobody told us. Every uint64_t of this room may hold it; ask host_known.
#define HOST_UNKNOWN UINT64_MAX

static inline bool host_known(uint64_t value)
{
    return value != HOST_UNKNOWN;
}

// The identity of a VM: survives renaming, migration and restarts.
struct host_uuid {
    uint8_t byte[16];
};

#define HOST_UUID_TEXT_SIZE 37 // "8-4-4-4-12" and its zero

// libvirt names may be longer in theory; FORMATS allows 255 bytes. Longer names are cut for display only.
#define HOST_NAME_SIZE 256

// Who manages the VM besides libvirt. Such a VM is moved only through its manager, or not at all.
enum host_owner {
    HOST_OWNER_NONE = 0,
    HOST_OWNER_NOVA,
    HOST_OWNER_OVIRT,
    HOST_OWNER_OPENNEBULA,
    HOST_OWNER_KUBEVIRT,
    HOST_OWNER_PACEMAKER,
};

// What ballast may do to a VM, as its metadata says. The names are those of the agent's modes.
enum host_vm_mode {
    HOST_VM_MODE_UNSET = 0, // the agent's mode holds
    HOST_VM_MODE_OBSERVE,
    HOST_VM_MODE_RECOMMEND,
    HOST_VM_MODE_AUTO,
};

// The administrator's wishes from the domain's metadata, namespace HOST_METADATA_URI, element <vm>:
//   virsh metadata NAME --uri urn:ballast:1 --key ballast --set '<vm shares="2000" mem_reservation_mib="512"/>'
// Attributes carry the snapshot's names. What is not there or not valid stays unset (negative or 0 as noted).
struct host_wishes {
    // A manager that leaves no mark of its own (Pacemaker does not) is named by the administrator.
    enum host_owner owner;
    int64_t shares;               // >= 1; 0: unset
    int64_t cpu_shares;           // >= 1; 0: unset
    int64_t mem_shares;           // >= 1; 0: unset
    double cpu_reservation_cores; // >= 0; negative: unset
    double cpu_limit_cores;       // > 0; negative: unset
    double mem_reservation_mib;   // >= 0; negative: unset
    double mem_limit_mib;         // > 0; negative: unset
    enum host_vm_mode mode;
    bool exclude;                // exclude="yes": never touched in any way
    char rules[RULE_TEXT_BYTES]; // words of model/rule_text.h, also where they cannot be read; "": unset
    char needs[RULE_TEXT_BYTES]; // words that a host must provide; "": unset
    bool present;                // there is an element of ours at all
    char problem[128];           // what was not understood, for the operator; "" when all was
};

#define HOST_METADATA_URI "urn:ballast:1"
#define HOST_CLAIM_URI "urn:ballast:claim:1" // the claim under which a VM is on its way, as <claim id="..."/>

enum host_balloon_model {
    HOST_BALLOON_MODEL_UNKNOWN = 0, // the definition has not been read yet
    HOST_BALLOON_MODEL_NONE,
    HOST_BALLOON_MODEL_VIRTIO,
    HOST_BALLOON_MODEL_OTHER, // xen: not ours
};

// Why a VM cannot be moved live, as far as its definition says; a bit mask. What only the pair of hosts can
// tell (CPU model, reachable storage) is not here.
enum host_immovable {
    HOST_IMMOVABLE_HOSTDEV = 1 << 0,        // a PCI, USB, SCSI or mediated host device
    HOST_IMMOVABLE_LOCAL_DISK = 1 << 1,     // a writable disk on a file system of this machine
    HOST_IMMOVABLE_MIGRATABLE_OFF = 1 << 2, // <cpu migratable='off'> or invariant TSC asked for
    HOST_IMMOVABLE_SHMEM = 1 << 3, // ivshmem with a local server, 9p/virtiofs without migration support
};

struct host_facts {
    bool known;         // the definition has been read at least once; else all below is zero
    bool persistent;    // a persistent definition exists (else the VM is gone when it stops)
    bool memory_locked; // <memoryBacking><locked/>
    bool hugepages;     // <memoryBacking><hugepages/>
    bool vfio;          // a device assigned by VFIO: its DMA pins all of the guest's memory
    bool shared_memory; // memory of type memfd or file: the guest's pages count as RssShmem, not RssAnon
    bool autodeflate;   // the balloon deflates by itself before the guest kills a process
    bool free_page_reporting; // the guest gives free pages back by itself: resident follows use
    bool kvm;                 // hardware virtualization; false: emulated (QEMU's own overhead is larger)
    enum host_balloon_model balloon_model;
    uint64_t maxmem_kib, current_kib; // as defined when it was read; samples have the newer ones
    uint32_t stats_period_s;          // period of the balloon statistics; 0: off
    uint32_t vcpus;                   // now plugged
    uint32_t immovable;               // enum host_immovable
    uint32_t host_devices;            // number of <hostdev>
    uint32_t disks;                   // number of disks with a source
    uint64_t local_disk_kib;          // allocated by writable disks on local file systems
    uint64_t video_ram_kib;           // of the emulated video devices, part of the overhead
    enum host_owner owner;
    char owner_id[64]; // the manager's own name of the VM, "" when it tells none
    char arch[16];     // "x86_64"
    char machine[64];  // "pc-q35-7.2"
    char cpu[64];      // model, or the mode where it has none ("host-passthrough")
    char claim[64];    // id of the claim in the metadata, "" none
    struct host_wishes wishes;
};

// "8-4-4-4-12", lower case. Returns text.
char *host_uuid_format(const struct host_uuid *uuid, char text[static HOST_UUID_TEXT_SIZE]);

// With or without hyphens. 0, or -1 when text is no UUID.
int host_uuid_parse(const char *text, struct host_uuid *ret_uuid);

// Bytewise order of UUIDs.
int host_uuid_compare(const struct host_uuid *a, const struct host_uuid *b);

// "nova"; "" for none.
const char *host_owner_name(enum host_owner owner);

#endif

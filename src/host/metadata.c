#include "host/metadata.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "base/cleanup.h"
#include "host/proc.h"

DEFINE_CLEANUP(xmlDoc *, xmlFreeDoc);

static const xmlNode *child(const xmlNode *node, const char *name)
{
    for (const xmlNode *c = node ? node->children : NULL; c; c = c->next)
        if (c->type == XML_ELEMENT_NODE && strcmp((const char *)c->name, name) == 0)
            return c;
    return NULL;
}

// The text of an attribute into text, "" when it is not there; returns text. Longer ones are cut.
static char *attribute(const xmlNode *node, const char *name, char *text, size_t size)
{
    text[0] = '\0';
    xmlChar *value = node ? xmlGetProp(node, (const xmlChar *)name) : NULL;
    if (value)
        snprintf(text, size, "%s", (const char *)value);
    xmlFree(value);
    return text;
}

static bool attribute_is(const xmlNode *node, const char *name, const char *wanted)
{
    char text[64];
    return strcmp(attribute(node, name, text, sizeof text), wanted) == 0;
}

static char *content(const xmlNode *node, char *text, size_t size)
{
    text[0] = '\0';
    xmlChar *value = node ? xmlNodeGetContent(node) : NULL;
    if (value)
        snprintf(text, size, "%s", (const char *)value);
    xmlFree(value);
    return text;
}

static uint64_t attribute_number(const xmlNode *node, const char *name, uint64_t otherwise)
{
    char text[32];
    uint64_t value = proc_number(attribute(node, name, text, sizeof text));
    return host_known(value) ? value : otherwise;
}

// libvirt writes memory sizes of a live domain in KiB.
static void read_memory(const xmlNode *domain, struct host_facts *facts)
{
    char text[32];
    facts->maxmem_kib = proc_number(content(child(domain, "memory"), text, sizeof text));
    facts->current_kib = proc_number(content(child(domain, "currentMemory"), text, sizeof text));
    const xmlNode *backing = child(domain, "memoryBacking");
    facts->hugepages = child(backing, "hugepages") != NULL;
    facts->memory_locked = child(backing, "locked") != NULL;
    const xmlNode *source = child(backing, "source");
    facts->shared_memory = attribute_is(source, "type", "memfd") || attribute_is(source, "type", "file");
}

static void read_cpu(const xmlNode *domain, struct host_facts *facts)
{
    char text[32];
    const xmlNode *vcpu = child(domain, "vcpu");
    uint64_t vcpus = proc_number(content(vcpu, text, sizeof text));
    vcpus = attribute_number(vcpu, "current", host_known(vcpus) ? vcpus : 1);
    facts->vcpus = vcpus >= 1 && vcpus <= 4096 ? (uint32_t)vcpus : 1;

    const xmlNode *cpu = child(domain, "cpu");
    content(child(cpu, "model"), facts->cpu, sizeof facts->cpu);
    if (!facts->cpu[0])
        attribute(cpu, "mode", facts->cpu, sizeof facts->cpu);
    if (attribute_is(cpu, "migratable", "off"))
        facts->immovable |= HOST_IMMOVABLE_MIGRATABLE_OFF;
    for (const xmlNode *c = cpu ? cpu->children : NULL; c; c = c->next)
        if (c->type == XML_ELEMENT_NODE && strcmp((const char *)c->name, "feature") == 0 &&
            attribute_is(c, "name", "invtsc") && attribute_is(c, "policy", "require"))
            facts->immovable |= HOST_IMMOVABLE_MIGRATABLE_OFF;
}

static void read_balloon(const xmlNode *balloon, struct host_facts *facts)
{
    char model[32];
    attribute(balloon, "model", model, sizeof model);
    if (strcmp(model, "none") == 0)
        facts->balloon_model = HOST_BALLOON_MODEL_NONE;
    else if (strncmp(model, "virtio", 6) == 0) // also virtio-transitional and virtio-non-transitional
        facts->balloon_model = HOST_BALLOON_MODEL_VIRTIO;
    else
        facts->balloon_model = HOST_BALLOON_MODEL_OTHER;
    facts->autodeflate = attribute_is(balloon, "autodeflate", "on");
    facts->free_page_reporting = attribute_is(balloon, "freePageReporting", "on");
    uint64_t period = attribute_number(child(balloon, "stats"), "period", 0);
    facts->stats_period_s = period <= INT_MAX ? (uint32_t)period : 0;
}

// A device handed through to the guest. A transient one of a failover pair is unplugged for a migration.
static void read_host_device(const xmlNode *device, struct host_facts *facts)
{
    facts->host_devices++;
    if (!attribute_is(child(device, "teaming"), "type", "transient"))
        facts->immovable |= HOST_IMMOVABLE_HOSTDEV;
    bool usb_or_scsi = attribute_is(device, "type", "usb") || attribute_is(device, "type", "scsi");
    if (!usb_or_scsi)
        facts->vfio = true;
}

static void read_disk(const xmlNode *disk, const struct facts_machine *machine, struct host_facts *facts)
{
    const xmlNode *source = child(disk, "source");
    if (!source)
        return; // an empty drive
    facts->disks++;
    if (attribute_is(disk, "type", "nvme")) { // the controller is assigned by VFIO
        facts->vfio = true;
        facts->immovable |= HOST_IMMOVABLE_HOSTDEV;
    }
    // whether a block device is a local one or a shared one of a SAN cannot be told from here: not held
    // against the VM; libvirt refuses an unsafe migration by its own rules
    if (!attribute_is(disk, "type", "file") || child(disk, "readonly") ||
        attribute_is(disk, "device", "cdrom"))
        return;
    char path[PATH_MAX], type[64];
    attribute(source, "file", path, sizeof path);
    if (!machine || !machine->mountinfo || !path[0] ||
        proc_mount_type(machine->mountinfo, path, type, sizeof type) < 0 || proc_type_is_shared(type))
        return;
    facts->immovable |= HOST_IMMOVABLE_LOCAL_DISK;
    uint64_t kib = machine->allocated_kib ? machine->allocated_kib(path) : HOST_UNKNOWN;
    if (host_known(kib))
        facts->local_disk_kib += kib;
}

static void read_devices(const xmlNode *devices, const struct facts_machine *machine,
                         struct host_facts *facts)
{
    for (const xmlNode *d = devices ? devices->children : NULL; d; d = d->next) {
        if (d->type != XML_ELEMENT_NODE)
            continue;
        const char *name = (const char *)d->name;
        if (strcmp(name, "memballoon") == 0) {
            read_balloon(d, facts);
        } else if (strcmp(name, "hostdev") == 0) {
            read_host_device(d, facts);
        } else if (strcmp(name, "interface") == 0 && attribute_is(d, "type", "hostdev")) {
            read_host_device(d, facts);
        } else if (strcmp(name, "interface") == 0 && attribute_is(d, "type", "vdpa")) {
            facts->vfio = true; // vDPA pins the guest's memory in the same way
        } else if (strcmp(name, "disk") == 0) {
            read_disk(d, machine, facts);
        } else if (strcmp(name, "video") == 0) {
            const xmlNode *model = child(d, "model");
            facts->video_ram_kib += attribute_number(model, "vram", 0) + attribute_number(model, "ram", 0);
        } else if (strcmp(name, "shmem") == 0 || strcmp(name, "filesystem") == 0) {
            facts->immovable |= HOST_IMMOVABLE_SHMEM;
        }
    }
}

static void read_wishes(const xmlNode *vm, struct host_wishes *wishes)
{
    wishes->present = true;
    for (const xmlAttr *a = vm->properties; a; a = a->next) {
        char value[2 * RULE_TEXT_BYTES];
        attribute(vm, (const char *)a->name, value, sizeof value);
        wishes_set(wishes, (const char *)a->name, value); // a problem is kept in wishes, for the operator
    }
}

// Name spaces by which other managers mark their domains, up to the version.
static const struct {
    const char *uri;
    enum host_owner owner;
    const char *id; // element below that holds the manager's own name
} owners[] = {
    {"http://openstack.org/xmlns/libvirt/nova/", HOST_OWNER_NOVA, "name"},
    {"http://ovirt.org/vm/", HOST_OWNER_OVIRT, NULL},
    {"http://opennebula.org/xmlns/libvirt/", HOST_OWNER_OPENNEBULA, "name"},
    {"http://kubevirt.io", HOST_OWNER_KUBEVIRT, "uid"},
};

static void read_metadata(const xmlNode *metadata, struct host_facts *facts)
{
    for (const xmlNode *m = metadata ? metadata->children : NULL; m; m = m->next) {
        if (m->type != XML_ELEMENT_NODE || !m->ns || !m->ns->href)
            continue;
        const char *uri = (const char *)m->ns->href, *name = (const char *)m->name;
        if (strcmp(uri, HOST_METADATA_URI) == 0 && strcmp(name, "vm") == 0)
            read_wishes(m, &facts->wishes);
        else if (strcmp(uri, HOST_CLAIM_URI) == 0)
            attribute(m, "id", facts->claim, sizeof facts->claim);
        for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++) {
            if (strncmp(uri, owners[i].uri, strlen(owners[i].uri)) != 0)
                continue;
            facts->owner = owners[i].owner;
            if (owners[i].id)
                content(child(m, owners[i].id), facts->owner_id, sizeof facts->owner_id);
        }
    }
    if (facts->owner == HOST_OWNER_NONE)
        facts->owner = facts->wishes.owner;
}

// libxml2 would write to standard error.
static void ignore_xml_error(void *context, const char *format, ...)
{
    (void)context;
    (void)format;
}

int facts_parse(const char *xml, size_t length, const struct facts_machine *machine,
                struct host_facts *ret_facts, struct error *err)
{
    if (length > FACTS_XML_MAX_BYTES)
        return error_set(err, ERROR_INPUT, "definition of %zu bytes is larger than %u", length,
                         FACTS_XML_MAX_BYTES);
    xmlSetGenericErrorFunc(NULL, ignore_xml_error); // of this thread
    CLEANUP(xmlFreeDoc)
    xmlDoc *document =
        xmlReadMemory(xml, (int)length, NULL, NULL,
                      XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA);
    if (document && document->intSubset) // entities: libvirt writes none, and they expand without end
        return error_set(err, ERROR_INPUT, "this definition has a document type, which no domain needs");
    const xmlNode *domain = document ? xmlDocGetRootElement(document) : NULL;
    if (!domain || strcmp((const char *)domain->name, "domain") != 0)
        return error_set(err, ERROR_INPUT, "this is no definition of a domain");
    struct host_facts facts = {.known = true, .wishes = wishes_none()};
    facts.kvm = attribute_is(domain, "type", "kvm");
    const xmlNode *type = child(child(domain, "os"), "type");
    attribute(type, "arch", facts.arch, sizeof facts.arch);
    attribute(type, "machine", facts.machine, sizeof facts.machine);
    facts.balloon_model = HOST_BALLOON_MODEL_NONE; // unless a device says otherwise
    read_memory(domain, &facts);
    read_cpu(domain, &facts);
    read_devices(child(domain, "devices"), machine, &facts);
    read_metadata(child(domain, "metadata"), &facts);
    *ret_facts = facts;
    return 0;
}

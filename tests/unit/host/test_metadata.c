// A definition's facts, wishes and owner.
#include "../test.h"

#include <string.h>

#include "host/metadata.h"

#define DOMAIN(metadata, before_devices, devices)                                                            \
    "<domain type='kvm' id='2'><name>g2</name><metadata>" metadata "</metadata>"                             \
    "<memory unit='KiB'>131072</memory><currentMemory unit='KiB'>98304</currentMemory>"                      \
    "<vcpu placement='static' current='2'>4</vcpu>"                                                          \
    "<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>" before_devices "<devices>" devices        \
    "</devices></domain>"

#define BALLOON                                                                                              \
    "<memballoon model='virtio' autodeflate='on' freePageReporting='on'><stats period='5'/></memballoon>"

static uint64_t ten_mib(const char *path)
{
    (void)path;
    return 10 * 1024;
}

static const struct facts_machine machine = {
    .mountinfo = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:40 / /shared rw - nfs4 filer:/vm rw\n",
    .allocated_kib = ten_mib,
};

static struct host_facts parse(const char *xml)
{
    struct host_facts facts;
    struct error err = {0};
    assert_int_equal(facts_parse(xml, strlen(xml), &machine, &facts, &err), 0);
    return facts;
}

static void a_plain_definition_is_read(void **state)
{
    (void)state;
    struct host_facts f = parse(DOMAIN("", "<cpu mode='host-passthrough'/>", BALLOON));
    assert_true(f.known && f.kvm && f.autodeflate && f.free_page_reporting);
    assert_int_equal(f.maxmem_kib, 131072);
    assert_int_equal(f.current_kib, 98304);
    assert_int_equal(f.vcpus, 2);
    assert_int_equal(f.stats_period_s, 5);
    assert_int_equal(f.balloon_model, HOST_BALLOON_MODEL_VIRTIO);
    assert_string_equal(f.machine, "pc-q35-7.2");
    assert_string_equal(f.cpu, "host-passthrough");
    assert_int_equal(f.immovable, 0);
    assert_false(f.wishes.present);
    assert_true(f.wishes.mem_limit_mib < 0);
}

static void no_balloon_and_balloon_none_are_the_same(void **state)
{
    (void)state;
    assert_int_equal(parse(DOMAIN("", "", "")).balloon_model, HOST_BALLOON_MODEL_NONE);
    assert_int_equal(parse(DOMAIN("", "", "<memballoon model='none'/>")).balloon_model,
                     HOST_BALLOON_MODEL_NONE);
}

static void memory_that_cannot_be_ballooned_is_seen(void **state)
{
    (void)state;
    struct host_facts f = parse(
        DOMAIN("", "<memoryBacking><hugepages/><locked/><source type='memfd'/></memoryBacking>", BALLOON));
    assert_true(f.hugepages && f.memory_locked && f.shared_memory);
}

static void a_pci_device_pins_memory_and_stays(void **state)
{
    (void)state;
    struct host_facts f =
        parse(DOMAIN("", "", "<hostdev mode='subsystem' type='pci' managed='yes'/>" BALLOON));
    assert_true(f.vfio);
    assert_int_equal(f.host_devices, 1);
    assert_int_equal(f.immovable, HOST_IMMOVABLE_HOSTDEV);
}

static void a_usb_device_stays_but_pins_nothing(void **state)
{
    (void)state;
    struct host_facts f = parse(DOMAIN("", "", "<hostdev mode='subsystem' type='usb'/>" BALLOON));
    assert_false(f.vfio);
    assert_int_equal(f.immovable, HOST_IMMOVABLE_HOSTDEV);
}

static void the_transient_half_of_a_failover_pair_does_not_hold_the_vm(void **state)
{
    (void)state;
    struct host_facts f = parse(DOMAIN(
        "", "",
        "<interface type='hostdev'><teaming type='transient' persistent='ua-1'/></interface>" BALLOON));
    assert_true(f.vfio);
    assert_int_equal(f.immovable, 0);
}

static void a_local_disk_holds_the_vm_and_a_shared_one_does_not(void **state)
{
    (void)state;
    struct host_facts f = parse(
        DOMAIN("", "", "<disk type='file' device='disk'><source file='/shared/a.qcow2'/></disk>" BALLOON));
    assert_int_equal(f.immovable, 0);
    f = parse(DOMAIN("", "", "<disk type='file' device='disk'><source file='/srv/a.qcow2'/></disk>" BALLOON));
    assert_int_equal(f.immovable, HOST_IMMOVABLE_LOCAL_DISK);
    assert_int_equal(f.local_disk_kib, 10 * 1024);
    assert_int_equal(f.disks, 1);
}

static void a_cdrom_does_not_hold_the_vm(void **state)
{
    (void)state;
    struct host_facts f =
        parse(DOMAIN("", "",
                     "<disk type='file' device='cdrom'><source file='/srv/a.iso'/><readonly/></disk>"
                     "<disk type='file' device='cdrom'/>" BALLOON));
    assert_int_equal(f.immovable, 0);
}

static void an_unmigratable_cpu_holds_the_vm(void **state)
{
    (void)state;
    struct host_facts f = parse(DOMAIN("", "<cpu mode='host-passthrough' migratable='off'/>", BALLOON));
    assert_int_equal(f.immovable, HOST_IMMOVABLE_MIGRATABLE_OFF);
    f = parse(DOMAIN("", "<cpu><model>EPYC</model><feature policy='require' name='invtsc'/></cpu>", BALLOON));
    assert_int_equal(f.immovable, HOST_IMMOVABLE_MIGRATABLE_OFF);
    assert_string_equal(f.cpu, "EPYC");
}

static void wishes_are_read_from_our_namespace(void **state)
{
    (void)state;
    struct host_facts f = parse(DOMAIN(
        "<b:vm xmlns:b='urn:ballast:1' shares='2000' cpu_shares='500' mem_reservation_mib='512.5' "
        "cpu_limit_cores='1.5' mode='recommend' exclude='no'/><x:vm xmlns:x='urn:other:1' shares='7'/>",
        "", BALLOON));
    assert_true(f.wishes.present);
    assert_int_equal(f.wishes.shares, 2000);
    assert_int_equal(f.wishes.cpu_shares, 500);
    assert_int_equal(f.wishes.mem_shares, 0);
    assert_true(f.wishes.mem_reservation_mib > 512.4 && f.wishes.mem_reservation_mib < 512.6);
    assert_true(f.wishes.cpu_limit_cores > 1.4 && f.wishes.cpu_limit_cores < 1.6);
    assert_int_equal(f.wishes.mode, HOST_VM_MODE_RECOMMEND);
    assert_false(f.wishes.exclude);
    assert_string_equal(f.wishes.problem, "");
}

static void a_wrong_wish_is_left_out_and_told(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"shares", "0"},          {"shares", "2.5"},          {"shares", "1e99"},
        {"mem_limit_mib", "-1"},  {"cpu_limit_cores", "nan"}, {"mem_limit_mib", "0"},
        {"cpu_limit_cores", "0"}, {"mem_limit_mib", "1e13"},  {"shares", "-5"},
        {"shares", "2000000000"}, {"colour", "red"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct host_wishes wishes = wishes_none();
        assert_int_equal(wishes_set(&wishes, wrong[i][0], wrong[i][1]), -1);
        assert_non_null(strstr(wishes.problem, wrong[i][0]));
        assert_int_equal(wishes.shares, 0);
        assert_true(wishes.mem_limit_mib < 0 && wishes.cpu_limit_cores < 0);
        assert_int_equal(wishes.mode, HOST_VM_MODE_UNSET);
    }
}

static void what_was_meant_to_narrow_narrows(void **state)
{
    (void)state;
    struct host_facts f =
        parse(DOMAIN("<b:vm xmlns:b='urn:ballast:1' mode='obsrve' rules='near:db'/>", "", BALLOON));
    assert_int_equal(f.wishes.mode, HOST_VM_MODE_OBSERVE);
    assert_string_equal(f.wishes.rules, "?");
    char xml[1024], rules[400];
    memset(rules, 'x', sizeof rules);
    snprintf(xml, sizeof xml, DOMAIN("<b:vm xmlns:b='urn:ballast:1' rules='on:h1 apart:%.*s'/>", "", BALLOON),
             390, rules);
    f = parse(xml); // cut where it could be read
    assert_string_equal(f.wishes.rules, "?");
    assert_non_null(strstr(f.wishes.problem, "not moved"));
}

static void rules_and_needs_are_read(void **state)
{
    (void)state;
    struct host_facts f =
        parse(DOMAIN("<b:vm xmlns:b='urn:ballast:1' rules='apart:web off:h3:preferred' needs='net:br0 ssd'/>",
                     "", BALLOON));
    assert_string_equal(f.wishes.rules, "apart:web off:h3:preferred");
    assert_string_equal(f.wishes.needs, "net:br0 ssd");
    assert_string_equal(f.wishes.problem, "");
}

static void an_exclusion_that_is_not_understood_excludes(void **state)
{
    (void)state;
    struct host_wishes wishes = wishes_none();
    assert_int_equal(wishes_set(&wishes, "exclude", "please"), -1);
    assert_true(wishes.exclude);
}

static void other_managers_are_recognised(void **state)
{
    (void)state;
    struct host_facts f =
        parse(DOMAIN("<nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'>"
                     "<nova:name>web</nova:name></nova:instance>",
                     "", BALLOON));
    assert_int_equal(f.owner, HOST_OWNER_NOVA);
    assert_string_equal(f.owner_id, "web");
    f = parse(DOMAIN("<ovirt-vm:vm xmlns:ovirt-vm='http://ovirt.org/vm/1.0'/>", "", BALLOON));
    assert_int_equal(f.owner, HOST_OWNER_OVIRT);
    f = parse(
        DOMAIN("<one:vm xmlns:one='http://opennebula.org/xmlns/libvirt/1.0'><one:name>n</one:name></one:vm>",
               "", BALLOON));
    assert_int_equal(f.owner, HOST_OWNER_OPENNEBULA);
    assert_int_equal(parse(DOMAIN("", "", BALLOON)).owner, HOST_OWNER_NONE);
}

static void a_manager_without_a_mark_is_named_in_our_metadata(void **state)
{
    (void)state;
    struct host_facts f =
        parse(DOMAIN("<b:vm xmlns:b='" HOST_METADATA_URI "' owner='pacemaker'/>", "", BALLOON));
    assert_int_equal(f.owner, HOST_OWNER_PACEMAKER);
    assert_false(f.wishes.exclude);
    f = parse(DOMAIN("<b:vm xmlns:b='" HOST_METADATA_URI "' owner='somebody'/>", "", BALLOON));
    assert_int_equal(f.owner, HOST_OWNER_NONE);
    assert_true(f.wishes.exclude);
    assert_non_null(strstr(f.wishes.problem, "somebody"));
}

static void a_claim_is_read(void **state)
{
    (void)state;
    struct host_facts f = parse(DOMAIN("<c:claim xmlns:c='urn:ballast:claim:1' id='42'/>", "", BALLOON));
    assert_string_equal(f.claim, "42");
}

static void what_is_no_definition_is_refused_and_writes_nothing(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "<domain", "<network/>", "no xml at all",
                                        "<!DOCTYPE d [<!ENTITY a 'x'>]><pool/>"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct host_facts facts = {.vcpus = 77};
        struct error err = {0};
        assert_int_equal(facts_parse(wrong[i], strlen(wrong[i]), NULL, &facts, &err), -1);
        assert_int_equal(err.kind, ERROR_INPUT);
        assert_int_equal(facts.vcpus, 77);
    }
}

static void a_document_type_is_refused(void **state)
{
    (void)state;
    struct host_facts facts;
    struct error err = {0};
    static const char xml[] = "<!DOCTYPE domain [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]>"
                              "<domain type='kvm'><name>&b;</name><memory unit='KiB'>1024</memory></domain>";
    assert_true(facts_parse(xml, sizeof xml - 1, NULL, &facts, &err) < 0);
    assert_non_null(strstr(err.text, "document type"));
}

static void facts_differ_when_a_wish_differs_but_not_by_the_balloons_size(void **state)
{
    (void)state;
    struct host_facts a = parse(DOMAIN("", "", BALLOON)), b = a;
    b.current_kib = 1;
    assert_true(facts_same(&a, &b));
    b.wishes.shares = 5;
    assert_false(facts_same(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_definition_is_read),
        cmocka_unit_test(no_balloon_and_balloon_none_are_the_same),
        cmocka_unit_test(memory_that_cannot_be_ballooned_is_seen),
        cmocka_unit_test(a_pci_device_pins_memory_and_stays),
        cmocka_unit_test(a_usb_device_stays_but_pins_nothing),
        cmocka_unit_test(the_transient_half_of_a_failover_pair_does_not_hold_the_vm),
        cmocka_unit_test(a_local_disk_holds_the_vm_and_a_shared_one_does_not),
        cmocka_unit_test(a_cdrom_does_not_hold_the_vm),
        cmocka_unit_test(an_unmigratable_cpu_holds_the_vm),
        cmocka_unit_test(wishes_are_read_from_our_namespace),
        cmocka_unit_test(a_wrong_wish_is_left_out_and_told),
        cmocka_unit_test(what_was_meant_to_narrow_narrows),
        cmocka_unit_test(rules_and_needs_are_read),
        cmocka_unit_test(an_exclusion_that_is_not_understood_excludes),
        cmocka_unit_test(other_managers_are_recognised),
        cmocka_unit_test(a_manager_without_a_mark_is_named_in_our_metadata),
        cmocka_unit_test(a_claim_is_read),
        cmocka_unit_test(what_is_no_definition_is_refused_and_writes_nothing),
        cmocka_unit_test(a_document_type_is_refused),
        cmocka_unit_test(facts_differ_when_a_wish_differs_but_not_by_the_balloons_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

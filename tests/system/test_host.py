"""src/host against real hosts: what it reads, what it orders, and what it does when something does not answer."""
import os
import signal
import time

import libvirt
import pytest

from probe import Probe

MIB = 1024
BALLOON_STUCK = "its QEMU process is stopped by a signal"


@pytest.fixture(scope="module")
def hosts(session_lab):
    """Two hosts; on the first the guests a and b, which every test leaves running there."""
    session_lab.clean()
    h1, h2 = session_lab.hosts[:2]
    h1.limit_memory(1536)
    h1.limit_cpu(50)
    for name in ("a", "b"):
        h1.start_guest(name, mib=128, zram_mib=64)
    yield h1, h2
    session_lab.clean()


@pytest.fixture
def h1(hosts):
    return hosts[0]


@pytest.fixture
def probe(h1):
    with Probe(h1) as probe:
        yield probe


def uuid(host, name):
    return host.guest(name).dom.UUIDString()


def test_a_sample_tells_the_hosts_limits_from_its_control_group(probe):
    sample = probe.sample()
    assert sample["connected"] and sample["trouble"] == ""
    assert sample["memory"]["total_kib"] == 1536 * MIB
    assert 0 < sample["memory"]["free_kib"] <= sample["memory"]["available_kib"] < 1536 * MIB
    assert sample["cpu"]["capacity_cores"] == 0.5
    assert sample["memory"]["memory_psi"]["known"] and sample["memory"]["cpu_psi"]["known"]


def test_a_sample_agrees_with_libvirt_about_each_guest(probe, h1):
    vms = {vm["name"]: vm for vm in probe.sample()["vms"]}
    assert sorted(vms) == ["a", "b"]
    for name, vm in vms.items():
        guest = h1.guest(name)
        stats = guest.dom.memoryStats()
        assert vm["uuid"] == guest.dom.UUIDString()
        assert (vm["state"], vm["unballoonable"]) == ("running", "")
        assert vm["maxmem_kib"] == 128 * MIB
        assert vm["current_kib"] == stats["actual"]
        assert abs(vm["balloon"]["usable_kib"] - stats["usable"]) < 4 * MIB
        assert vm["balloon"]["age_ms"] < 5000
        assert abs(vm["anon_kib"] + vm["file_kib"] - guest.rss_kib()) < 4 * MIB
        assert vm["facts"]["autodeflate"] and vm["facts"]["machine"].startswith("pc")


def test_cpu_figures_come_without_libvirt_and_grow(probe):
    probe.sample()
    first = probe.vm("a", "cpu")
    time.sleep(1.5)
    sample = probe.sample("cpu")
    second = next(vm for vm in sample["vms"] if vm["name"] == "a")
    assert sample["groups"] == 2
    assert first["vcpus"][0]["run_ns"] < second["vcpus"][0]["run_ns"]
    assert first["vcpus"][0]["delay_ns"] <= second["vcpus"][0]["delay_ns"]


def test_qemus_own_memory_is_learned_from_its_mappings(probe):
    probe.sample()
    time.sleep(3.2)
    vm = probe.wait_vm("a", lambda vm: vm["overhead_learned"])
    assert 10 * MIB < vm["overhead_kib"] < 90 * MIB
    # what backs the guest is at most its size, and at least what it uses
    used = vm["balloon"]["available_kib"] - vm["balloon"]["unused_kib"]
    assert used * 0.9 < vm["actual_kib"] <= 128 * MIB


def test_a_balloon_order_moves_the_balloon_and_tells_an_event(probe, h1):
    probe.sample()
    answer = probe.ask(f"balloon {uuid(h1, 'a')} {100 * MIB}")
    assert answer["outcome"] == "done"
    probe.wait_event("balloon", value=100 * MIB)
    assert h1.guest("a").dom.memoryStats()["actual"] == 100 * MIB
    probe.ask(f"balloon {uuid(h1, 'a')} {128 * MIB}")
    probe.wait_event("balloon", value=128 * MIB)
    assert probe.vm("a", "cpu")["current_kib"] == 128 * MIB  # from the event: no call to libvirt


def test_statistics_are_switched_on_where_they_are_off(h1):
    h1.guest("b").dom.setMemoryStatsPeriod(0, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    with Probe(h1, stats_period_s=2) as probe:
        vm = probe.wait_vm("b", lambda vm: vm["facts"]["stats_period_s"] == 2)
        assert vm["balloon"]["usable_kib"] > 0
    h1.guest("b").dom.setMemoryStatsPeriod(1, libvirt.VIR_DOMAIN_AFFECT_LIVE)


def test_a_cpu_weight_is_in_force_and_seen(probe, h1):
    probe.sample()
    assert probe.ask(f"weight {uuid(h1, 'a')} 2.5")["outcome"] == "done"
    probe.wait_vm("a", lambda vm: vm["cpu_weight"] == 2.5, "cpu")
    assert probe.ask(f"weight {uuid(h1, 'a')} 1")["outcome"] == "done"


def test_a_dirty_rate_is_measured_when_asked(probe, h1):
    target = uuid(h1, "b")
    probe.sample()
    assert probe.vm("b")["dirty_kib_s"] is None
    assert probe.ask(f"dirty {target}")["outcome"] == "done"
    calm = probe.wait_vm("b", lambda vm: vm["dirty_kib_s"] is not None)["dirty_kib_s"]
    h1.guest("b").ask("mem 40")
    h1.guest("b").ask("dirty 20")
    try:
        time.sleep(1)
        assert probe.ask(f"dirty {target}")["outcome"] == "done"
        busy = probe.wait_vm("b", lambda vm: vm["dirty_kib_s"] != calm)["dirty_kib_s"]
        assert busy > calm + 5 * MIB, (calm, busy)
    finally:
        h1.guest("b").ask("dirty 0")
        h1.guest("b").ask("mem 0")


def test_what_a_quota_throttles_is_told_apart(probe, h1):
    dom = h1.guest("a").dom
    probe.sample()
    dom.setSchedulerParametersFlags({"vcpu_quota": 10000}, libvirt.VIR_DOMAIN_AFFECT_LIVE)  # of 100000
    try:
        h1.guest("a").ask("cpu 100")
        probe.wait_vm("a", lambda vm: vm["cpu_limit_cores"] == 0.1, "cpu")
        before = probe.vm("a", "cpu")
        time.sleep(2)
        after = probe.vm("a", "cpu")
        throttled = (after["throttled_ns"] - before["throttled_ns"]) / 1e9
        ran = (after["vcpus"][0]["run_ns"] - before["vcpus"][0]["run_ns"]) / 1e9
        assert throttled > 0.5
        assert ran < 0.5
    finally:
        dom.setSchedulerParametersFlags({"vcpu_quota": -1}, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        h1.guest("a").ask("cpu 0")


def test_wishes_in_the_metadata_are_read_when_they_change(probe, h1):
    probe.sample()
    h1.guest("b").dom.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT,
                                  "<vm shares='2000' mem_reservation_mib='64' exclude='yes'/>", "ballast",
                                  "urn:ballast:1", libvirt.VIR_DOMAIN_AFFECT_LIVE)
    probe.wait_event("changed")
    facts = probe.wait_vm("b", lambda vm: vm["facts"]["shares"] == 2000, "cpu")["facts"]
    assert (facts["mem_reservation_mib"], facts["exclude"], facts["problem"]) == (64, True, "")
    h1.guest("b").dom.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, None, "ballast", "urn:ballast:1",
                                  libvirt.VIR_DOMAIN_AFFECT_LIVE)


def test_an_order_about_a_vm_that_is_not_here_is_refused(probe):
    probe.sample()
    answer = probe.ask(f"balloon 00000000-0000-4000-8000-000000000001 {64 * MIB}")
    assert (answer["outcome"], answer["error_kind"]) == ("refused", "missing")


def test_a_stopped_qemu_is_told_and_nobody_waits_for_it(probe, h1):
    probe.sample()
    h1.guest("b").stop_qemu()
    try:
        started = time.monotonic()
        sample = probe.sample()
        assert time.monotonic() - started < 1
        vms = {vm["name"]: vm for vm in sample["vms"]}
        assert vms["b"]["stopped"] and vms["b"]["unballoonable"] == BALLOON_STUCK
        assert vms["a"]["unballoonable"] == "" and vms["a"]["balloon"]["age_ms"] < 3000
        answer = probe.ask(f"balloon {vms['b']['uuid']} {100 * MIB}")
        assert answer["outcome"] == "refused" and answer["took_ms"] < 500
        assert probe.ask(f"balloon {vms['a']['uuid']} {120 * MIB}")["outcome"] == "done"
        assert sample["abandoned_calls"] == 0
    finally:
        h1.guest("b").continue_qemu()
    probe.wait_vm("b", lambda vm: not vm["stopped"] and vm["unballoonable"] == "")


def test_a_qemu_that_hangs_under_a_call_is_abandoned_and_the_others_go_on(h1):
    """Stopped between the look into /proc and the call, as far as libvirt knows: it holds the domain's job."""
    with Probe(h1, deadline_ms=1500) as probe:
        probe.sample()
        target = uuid(h1, "b")
        h1.guest("b").stop_qemu()
        try:
            # the last round found it running, so this order goes out and nobody answers it
            answer = probe.ask(f"balloon {target} {100 * MIB}")
            assert (answer["outcome"], answer["error_kind"]) == ("unknown", "timeout")
            assert 1400 < answer["took_ms"] < 2500
            sample = probe.sample()
            vms = {vm["name"]: vm for vm in sample["vms"]}
            assert sample["abandoned_calls"] == 1 and sample["connected"]
            assert vms["b"]["hanging"] and not vms["a"]["hanging"]
            assert vms["a"]["balloon"]["age_ms"] < 3000
            assert probe.ask(f"balloon {vms['a']['uuid']} {124 * MIB}")["outcome"] == "done"
        finally:
            h1.guest("b").continue_qemu()
        probe.wait_vm("b", lambda vm: not vm["hanging"], timeout_s=40)
        assert probe.sample()["abandoned_calls"] == 0
        # unknown was the right word: the order arrived when QEMU went on
        probe.wait_vm("b", lambda vm: vm["current_kib"] == 100 * MIB)
        probe.ask(f"balloon {target} {128 * MIB}")


def test_a_killed_libvirtd_is_found_again(probe, h1):
    probe.sample()
    h1.kill_libvirtd()
    probe.wait_event("lost", 5)
    sample = probe.sample("memory cpu")  # figures of /proc go on, the guests are known
    assert {vm["name"] for vm in sample["vms"]} == {"a", "b"}
    lost_at = time.monotonic()
    probe.wait_event("connected", 10)
    assert time.monotonic() - lost_at < 5
    sample = probe.sample()
    assert sample["connected"] and all(vm["unballoonable"] == "" for vm in sample["vms"])
    assert probe.ask(f"balloon {uuid(h1, 'a')} {128 * MIB}")["outcome"] == "done"


def test_a_stopped_libvirtd_is_abandoned_within_its_deadline(h1):
    with Probe(h1, deadline_ms=1000) as probe:
        probe.sample()
        os.kill(h1.libvirtd_pid(), signal.SIGSTOP)
        try:
            started = time.monotonic()
            sample = probe.sample()
            assert time.monotonic() - started < 3
            assert sample["trouble"] and len(sample["vms"]) == 2
        finally:
            os.kill(h1.libvirtd_pid(), signal.SIGCONT)
        until = time.monotonic() + 20
        while probe.sample()["abandoned_calls"] > 0:
            assert time.monotonic() < until
            time.sleep(0.3)
        assert probe.sample()["trouble"] == ""


def test_a_guest_that_comes_and_goes_is_told_by_events(probe, h1):
    probe.sample()
    h1.start_guest("c", mib=128, zram_mib=64)
    probe.wait_event("started", name="c")
    vm = probe.wait_vm("c", lambda vm: vm["unballoonable"] == "")
    assert vm["pid"] > 0
    h1.guest("c").kill_qemu()
    event = probe.wait_event("stopped", name="c")
    assert event["detail"] == "its QEMU ended unexpectedly"
    assert probe.vm("c", "cpu") is None


def test_a_migration_moves_the_guest_and_tells_its_progress(hosts):
    h1, h2 = hosts
    with Probe(h1) as source, Probe(h2) as destination:
        source.sample()
        destination.sample()
        h1.guest("b").ask("mem 40")
        target = uuid(h1, "b")
        number = source.send(f"migrate {target} {h2.peer_uri} claim claim-17")
        destination.wait_event("started", 60, name="b")
        answer = source.answer(number, 60)
        assert answer["outcome"] == "done", answer
        assert answer["processed_kib"] > 30 * MIB and answer["downtime_ms"] is not None
        source.wait_event("migrated away", name="b")
        assert source.vm("b", "cpu") is None
        destination.wait_vm("b", lambda vm: vm["unballoonable"] == "")
        here, there = source.ask(f"presence {target}"), source.ask(f"presence {target} {h2.peer_uri}")
        assert (here["presence"], there["presence"]) == ("absent", "running")
        destination.wait_vm("b", lambda vm: vm["facts"]["claim"] == "")
        assert source.ask(f"presence {target} {h2.peer_uri}")["claim"] == ""
        back = destination.ask(f"migrate {target} {h1.peer_uri}", 60)
        assert back["outcome"] == "done", back


def test_an_aborted_migration_is_cancelled_and_the_guest_stays(hosts):
    h1, h2 = hosts
    with Probe(h1) as probe:
        probe.sample()
        h1.guest("b").hold(50)
        target = uuid(h1, "b")
        number = probe.send(f"migrate {target} {h2.peer_uri} bandwidth 2")
        probe.wait_event("migration progress", name="b")
        assert probe.ask(f"presence {target}")["presence"] == "outgoing"
        assert probe.ask(f"migrate {target} {h2.peer_uri}")["outcome"] == "refused"
        assert probe.ask(f"abort {target}")["outcome"] == "done"
        assert probe.answer(number)["outcome"] == "cancelled"
        assert probe.wait_vm("b", lambda vm: vm["state"] == "running")["migrating"] is False
        assert h1.guest("b").stat()["held_mib"] == 50
        h1.guest("b").ask("mem 0")


def test_a_migration_that_takes_too_long_is_ended(hosts):
    h1, h2 = hosts
    with Probe(h1) as probe:
        probe.sample()
        h1.guest("b").hold(50)
        answer = probe.ask(f"migrate {uuid(h1, 'b')} {h2.peer_uri} bandwidth 2 timeout 2", 60)
        assert (answer["outcome"], answer["error_kind"]) == ("cancelled", "timeout")
        h1.guest("b").ask("mem 0")


def test_a_libvirtd_killed_under_a_migration_leaves_the_outcome_unknown(hosts):
    h1, h2 = hosts
    with Probe(h1) as probe:
        probe.sample()
        h1.guest("b").hold(50)
        target = uuid(h1, "b")
        number = probe.send(f"migrate {target} {h2.peer_uri} bandwidth 2")
        probe.wait_event("migration progress", name="b")
        h1.kill_libvirtd()
        assert probe.answer(number, 30)["outcome"] == "unknown"
        probe.wait_event("connected")
        # libvirt cancels it when it comes back: asked, not guessed
        until = time.monotonic() + 30
        while probe.ask(f"presence {target}").get("presence") != "running":
            assert time.monotonic() < until
            time.sleep(0.3)
        assert probe.ask(f"presence {target} {h2.peer_uri}")["presence"] == "absent"
        assert h1.guest("b").stat()["held_mib"] == 50
        h1.guest("b").ask("mem 0")


def test_a_refused_destination_fails_and_the_guest_stays(probe, h1):
    probe.sample()
    answer = probe.ask(f"migrate {uuid(h1, 'b')} qemu+tcp://127.0.0.1:9/system")
    assert answer["outcome"] == "failed", answer
    assert probe.vm("b")["state"] == "running"


def test_a_closed_host_leaves_nothing_open(h1):
    probe = Probe(h1)
    probe.wait_event("connected")
    probe.sample()
    probe.send(f"balloon {uuid(h1, 'a')} {128 * MIB}")
    probe.send("sample")
    assert probe.close() == 0

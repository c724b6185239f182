"""The lab does what it says: what the other tests build on is asserted here."""
import os
import time

import libvirt
import pytest
from ballast_lab import GuestError


# How much longer than usual to wait, on machines that are slow
PATIENCE = float(os.environ.get("BALLAST_TEST_PATIENCE", "1"))


def until(condition, timeout_s, what):
    """Wait for a condition; returns the seconds it took."""
    start = time.monotonic()
    timeout_s *= PATIENCE
    while not condition():
        assert time.monotonic() - start < timeout_s, f"{what}: not within {timeout_s} s"
        time.sleep(0.05)
    return time.monotonic() - start


def needs_confinement(lab):
    if not lab.groups.confines:
        pytest.skip("no control groups are mounted here, so hosts are not confined")


def reaches(host, peer):
    """Whether a host gets a connection to a peer's libvirtd within two seconds."""
    text = f"import socket; socket.create_connection(({peer!r}, 16509), 2).close()"
    return host.run(["/usr/bin/python3", "-c", text], check=False).returncode == 0


# -- hosts


def test_each_host_has_its_own_name_address_and_libvirtd(hosts):
    names = [h.run(["hostname"]).stdout.strip() for h in hosts]
    addresses = [h.run(["ip", "-br", "addr", "show", "eth0"]).stdout.split()[2] for h in hosts]
    uuids = {h.conn.getCapabilities().split("<uuid>")[1][:36] for h in hosts}
    assert names == ["h1", "h2", "h3"]
    assert len(set(addresses)) == 3
    assert len(uuids) == 3


def test_a_host_reaches_its_peers_by_name(hosts):
    assert hosts[0].run(["virsh", "-c", hosts[1].peer_uri, "hostname"]).stdout.strip() == "h2"


def test_a_host_sees_its_own_memory(lab):
    needs_confinement(lab)
    if lab.lxcfs is None:
        pytest.skip("lxcfs cannot run here (no /dev/fuse), so hosts see the machine's memory")
    line = lab["h1"].run(["head", "-1", "/proc/meminfo"]).stdout
    assert int(line.split()[1]) == 2048 * 1024
    lab["h1"].limit_memory(900)
    line = lab["h1"].run(["head", "-1", "/proc/meminfo"]).stdout
    assert int(line.split()[1]) == 900 * 1024
    assert lab["h1"].conn.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)["total"] == 900 * 1024


def test_a_program_runs_inside_a_host_and_its_signals_reach_it(lab):
    process = lab["h2"].popen(["sh", "-c", f"hostname > {lab.shared}/name; exec sleep 1000"])
    until(lambda: (lab.shared / "name").exists() and (lab.shared / "name").read_text() == "h2\n", 5, "its file")
    assert process.inner_pid() in lab["h2"].pids()
    process.terminate()
    process.wait(5)
    assert process.inner_pid() is None


def test_what_one_host_writes_below_var_others_do_not_see(hosts):
    hosts[0].run(["touch", "/var/lib/libvirt/lab-test-file"])
    assert hosts[1].run(["test", "-e", "/var/lib/libvirt/lab-test-file"], check=False).returncode == 1


def test_memory_of_a_host_is_confined(lab):
    needs_confinement(lab)
    host = lab["h1"]
    guests = [host.start_guest(name, 128) for name in ("a", "b")]
    other = lab["h2"].start_guest("c", 128)
    host.limit_memory((host.memory()["usage_kib"] >> 10) + 25)
    for guest in guests:
        try:
            guest.ask("mem 50")
        except GuestError:
            pass  # the host's kernel was faster
    until(lambda: len([g for g in guests if g.pid()]) < 2, 40, "the out-of-memory kill")
    assert other.ask("ping") == ""


def test_cpu_of_a_host_is_confined_and_the_delay_of_its_vcpus_tells(lab):
    needs_confinement(lab)
    host = lab["h1"]
    guests = [host.start_guest(name, 96) for name in ("a", "b")]
    host.limit_cpu(40)
    for guest in guests:
        guest.ask("cpu 100")
    time.sleep(1)
    before, cpu, start = [g.vcpu_stats() for g in guests], host.cpu_ms(), time.monotonic()
    pressure = host.pressure("cpu")
    time.sleep(5)
    after, used, wall = [g.vcpu_stats() for g in guests], host.cpu_ms() - cpu, (time.monotonic() - start) * 1000
    assert used < 0.5 * wall
    for b, a in zip(before, after):
        assert a["delay"] - b["delay"] > 0.3 * wall
    if pressure is None:
        pytest.skip("no pressure figures here: this kernel has no PSI")
    assert host.pressure("cpu")["some"]["total"] - pressure["some"]["total"] > 0.3 * wall * 1000


def test_memory_pressure_of_a_host_moves_with_its_memory(lab):
    needs_confinement(lab)
    if lab["h1"].pressure("memory") is None:
        pytest.skip("no pressure figures here: this kernel has no PSI")
    host = lab["h1"]
    host.limit_memory(60)
    before = [h.pressure("memory")["some"]["total"] for h in lab.hosts]
    # a file that is larger than the host has room for, read again and again
    file = "/run/lab/disks/file"  # on a disk: in a tmpfs it could not be reclaimed
    host.run(["dd", "if=/dev/zero", f"of={file}", "bs=1M", "count=150"])
    for _ in range(3):
        host.run(["dd", f"if={file}", "of=/dev/null", "bs=1M"])
    after = [h.pressure("memory")["some"]["total"] for h in lab.hosts]
    inside = host.run(["cat", "/proc/pressure/memory"]).stdout
    assert after[0] - before[0] > 1000
    assert after[1:] == before[1:]
    assert int(inside.split("total=")[1].split()[0]) >= after[0]


def test_a_crashed_host_is_gone_with_its_guests_and_boots_empty(lab):
    lab["h3"].start_guest("a", 96)
    other = lab["h1"].start_guest("b", 96)
    conn = lab["h3"].conn
    lab["h3"].crash()
    assert lab["h3"].pids() == []
    with pytest.raises(libvirt.libvirtError):
        conn.listAllDomains()
    with pytest.raises(libvirt.libvirtError):
        libvirt.open(lab["h3"].uri)
    assert other.ask("ping") == ""
    lab["h3"].boot()
    lab["h3"].wait_ready()
    assert lab["h3"].guests() == []
    other.migrate(lab["h3"])
    assert other.ask("ping") == ""


def test_a_killed_libvirtd_comes_back_to_its_guests(lab):
    host = lab["h1"]
    guest = host.start_guest("a", 96)
    pid, qemu = host.libvirtd_pid(), guest.pid()
    host.kill_libvirtd()
    until(lambda: host.libvirtd_pid() not in (None, pid), 10, "another libvirtd")
    host.wait_ready()
    assert [g.name for g in host.guests()] == ["a"]
    assert guest.pid() == qemu and guest.ask("ping") == ""


def test_a_libvirtd_can_be_kept_away(lab):
    host = lab["h1"]
    host.stop_libvirtd()
    time.sleep(1)
    with pytest.raises(libvirt.libvirtError):
        libvirt.open(host.uri)
    host.start_libvirtd()
    assert host.guests() == []


def test_a_cut_cable_separates_a_host_and_a_mended_one_does_not(lab):
    guest = lab["h1"].start_guest("a", 96)
    assert reaches(lab["h1"], "h2")
    lab["h2"].cut()
    assert not reaches(lab["h1"], "h2") and not reaches(lab["h2"], "h3")
    assert reaches(lab["h1"], "h3")
    lab["h2"].mend()
    guest.migrate(lab["h2"])
    assert guest.locate().name == "h2" and guest.ask("ping") == ""


# -- guests


def test_a_clone_is_there_within_seconds_and_knows_who_it_is(lab):
    lab["h1"].start_guest("first", 96)  # makes the template where there is none
    start = time.monotonic()
    guests = [lab[h].start_guest(n, 96) for h, n in [("h1", "a"), ("h2", "guest-with-a-longer-name")]]
    assert time.monotonic() - start < 16 * PATIENCE
    assert len({g.dom.UUIDString() for g in guests}) == 2
    assert [g.dom.name() for g in guests] == ["a", "guest-with-a-longer-name"]


def test_a_guest_boots_without_a_template(lab):
    guest = lab["h1"].start_guest("a", 96, template=False)
    stat = guest.stat()
    assert 60000 < stat["total_kib"] < 96 * 1024
    assert stat["swap_total_kib"] == 0


def test_the_agent_holds_rewrites_and_works_on_memory(lab):
    guest = lab["h1"].start_guest("a", 128)
    free = guest.stat()["free_kib"]
    guest.hold(40)
    assert guest.stat()["free_kib"] < free - 38 * 1024
    guest.ask("dirty 5")
    guest.ask("work 20")
    time.sleep(3)
    stat = guest.stat()
    assert 3 <= stat["dirtied_mib"] <= 30
    assert stat["work_ops"] > 100
    guest.hold(0)
    until(lambda: guest.stat()["free_kib"] > free - 4 * 1024, 10, "the memory's return")


def test_the_agent_burns_cpu(lab):
    guest = lab["h1"].start_guest("a", 96)
    before = guest.stat()
    guest.ask("cpu 50")
    time.sleep(4)
    after = guest.stat()
    busy = after["user_ms"] + after["system_ms"] - before["user_ms"] - before["system_ms"]
    assert 0.25 < busy / 1000 / (after["uptime_s"] - before["uptime_s"]) < 0.85


def test_the_agent_reads_a_disk_through_the_page_cache(lab):
    guest = lab["h1"].start_guest("a", 96, disk_mib=256)
    guest.ask("read 2")
    until(lambda: guest.stat()["read_pages"] > 5000, 30, "5000 pages")
    fits = guest.stat()
    assert fits["read_major_faults"] < 1000  # 512 pages, each faulted once
    guest.ask("read 256")
    until(lambda: guest.stat()["read_major_faults"] > fits["read_major_faults"] + 600, 30, "600 major faults")
    guest.ask("read 0")
    guest.migrate(lab["h2"])
    assert guest.ask("ping") == ""


def test_the_agent_survives_and_reports_out_of_memory(lab):
    guest = lab["h1"].start_guest("a", 96)
    guest.ask("mem 200")
    until(lambda: guest.stat(30)["want_mib"] == 0, 60, "the end of the load")
    stat = guest.stat()
    assert stat["held_mib"] == 0 and stat["oom_kills"] >= 1


def test_compressed_swap_takes_what_does_not_fit(lab):
    guest = lab["h1"].start_guest("a", 128, zram_mib=64)
    guest.hold(80)
    stat = guest.stat()
    assert stat["swap_out_kib"] > 4 * 1024
    assert stat["oom_kills"] == 0


def test_a_guest_swaps_to_its_disk(lab):
    guest = lab["h1"].start_guest("a", 128, swap_disk_mib=256)
    assert guest.stat()["swap_total_kib"] > 255 * 1024
    guest.hold(100, 120)
    stat = guest.stat()
    assert stat["held_mib"] == 100 and stat["oom_kills"] == 0
    assert stat["swap_out_kib"] > 20 * 1024


def test_the_agent_refuses_nonsense(lab):
    guest = lab["h1"].start_guest("a", 96)
    for request in ["nonsense", "mem", "mem x", "mem -1", "read 5", "swapdisk"]:
        with pytest.raises(GuestError):
            guest.ask(request)
    assert guest.ask("ping") == ""


def test_a_panic_ends_the_guest(lab):
    guest = lab["h1"].start_guest("a", 96)
    with pytest.raises(GuestError):
        guest.ask("panic", 2)
    until(lambda: lab["h1"].guests() == [], 20, "the guest's end")


def test_a_stopped_qemu_hangs_and_goes_on(lab):
    guest = lab["h1"].start_guest("a", 96)
    guest.stop_qemu()
    with pytest.raises(GuestError):
        guest.ask("ping", 1)
    guest.continue_qemu()
    assert guest.ask("ping") == ""


def test_the_balloon_takes_and_gives_back(lab):
    guest = lab["h1"].start_guest("a", 128)
    free = guest.stat()["free_kib"]
    assert guest.set_balloon(96, wait_s=20 * PATIENCE) == 96
    assert guest.stat()["free_kib"] < free - 28 * 1024
    assert guest.memory_stats()["actual"] == 96 * 1024
    assert guest.set_balloon(128, wait_s=20 * PATIENCE) == 128
    assert guest.stat()["free_kib"] > free - 4 * 1024


def test_balloon_statistics_keep_coming(lab):
    guest = lab["h1"].start_guest("a", 96)
    first = guest.memory_stats()["last_update"]
    until(lambda: guest.memory_stats()["last_update"] > first, 15, "an update")


def test_a_guest_without_balloon_driver_keeps_its_memory(lab):
    guest = lab["h1"].start_guest("a", 96, balloon="nodriver")
    assert guest.set_balloon(80, wait_s=3) == 96
    assert "unused" not in guest.memory_stats()


def test_a_guest_without_balloon_device_has_none(lab):
    guest = lab["h1"].start_guest("a", 96, balloon="none")
    assert "<memballoon model='none'" in guest.dom.XMLDesc()


@pytest.mark.parametrize("reporting", [True, False])
def test_freed_memory_returns_to_the_host_only_with_free_page_reporting(lab, reporting):
    # Linux reports only while the guest has more than 64 MiB free, so a small guest never does
    guest = lab["h1"].start_guest("a", 256, free_page_reporting=reporting)
    guest.hold(50)
    held = guest.rss_kib()
    guest.hold(0)
    if reporting:
        until(lambda: guest.rss_kib() < held - 35 * 1024, 20, "the memory's return to the host")
    else:
        time.sleep(6)
        assert guest.rss_kib() > held - 10 * 1024


def test_a_live_migration_keeps_memory_and_load(lab):
    guest = lab["h1"].start_guest("a", 128)
    guest.hold(40)
    guest.ask("dirty 2")
    seconds = guest.migrate(lab["h2"])
    assert seconds < 30 * PATIENCE
    assert [g.name for g in lab["h2"].guests()] == ["a"] and lab["h1"].guests() == []
    stat = guest.stat()
    assert stat["held_mib"] == 40
    until(lambda: guest.stat()["dirtied_mib"] > stat["dirtied_mib"], 20, "more rewriting")


def test_a_guest_is_found_after_somebody_else_migrated_it(lab):
    guest = lab["h1"].start_guest("a", 96)
    lab["h1"].run(["virsh", "migrate", "--live", "--p2p", "a", lab["h3"].peer_uri])
    assert guest.ask("ping") == "" and guest.host.name == "h3"
    assert lab.guest("a").host.name == "h3"


def test_steal_is_seen_in_the_guest(lab):
    if lab.accel != "kvm":
        pytest.skip("KVM is not usable here, and an emulated guest sees no steal")
    needs_confinement(lab)
    guest = lab["h1"].start_guest("a", 96)
    lab["h1"].limit_cpu(20)
    before = guest.stat()["steal_ms"]
    guest.ask("cpu 100")
    until(lambda: guest.stat()["steal_ms"] > before + 500, 30, "half a second of steal")

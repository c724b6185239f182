"""What ballastd is for, on real hosts with real guests: each story asserts on what guests and libvirt report.

Deadlines are generous: the machine may be busy, and benchmarks judge speed.
"""
import os
import re
import signal
import time
from pathlib import Path

import pytest

from ballast_lab import GuestError
from ballast_lab.story import Starvation

from agents import CANCELLED, DONE, FAILED, OPEN, Agents, wait

FULL = 256  # MiB of a guest


def start_guests(host, names, **options):
    return [host.start_guest(n, mib=FULL, zram_mib=128, free_page_reporting=False, **options) for n in names]


def once_full(guest):
    """It held memory and has freed it: the guest does not use it, the host still pays for it."""
    guest.hold(150)
    guest.ask("mem 0")


def holds(guest, mib):
    """Whether the guest says so; one that is so short of memory that it does not answer does not say so."""
    try:
        return guest.stat()["held_mib"] >= mib
    except GuestError:
        guest.locate()
        return False


def oom_kills(lab, guests):
    return sum(g.stat()["oom_kills"] for g in guests) + sum(h.memory()["oom_kills"] for h in lab.hosts)


def where(guests):
    for g in guests:
        g.locate()
    return [g.host.name for g in guests]


@pytest.fixture
def idle_story(lab):
    """g1 has freed what it held, g3 holds 140 MiB; what g2 will ask for does not fit beside both."""
    h1 = lab.hosts[0]
    guests = start_guests(h1, ["g1", "g2", "g3"])
    once_full(guests[0])
    guests[2].hold(140)
    return h1, guests


def test_idle_memory_moves_from_one_guest_to_another(lab, idle_story):
    h1, (g1, g2, g3) = idle_story
    h1.limit_memory(880)
    with Agents(lab, hosts=[h1]) as agents:
        g2.ask("mem 150")
        assert wait(lambda: holds(g2, 150), 60), agents.log(h1)
        assert wait(lambda: g1.balloon_mib() <= FULL - 48, 20), agents.log(h1)
        assert g2.stat()["swap_out_kib"] == 0 and g3.stat()["swap_out_kib"] == 0
        assert where([g1, g2, g3]) == ["h1"] * 3
        assert oom_kills(lab, [g1, g2, g3]) == 0


def test_observe_changes_nothing_and_says_what_it_would_do(lab, idle_story):
    h1, guests = idle_story
    h1.limit_memory(960)  # short, but enough for all without help
    with Agents(lab, mode="observe", hosts=[h1]) as agents:
        guests[1].ask("mem 150")
        assert agents.wait_log(h1, r"VM g1: would set currentmem: 256 MiB -> ", 60), agents.log(h1)
        time.sleep(5)
        assert [g.balloon_mib() for g in guests] == [FULL] * 3
        assert wait(lambda: holds(guests[1], 150), 30)


def test_an_excluded_guest_is_never_touched(lab, idle_story):
    """g1 and g4 are idle alike: all is taken from g4."""
    h1, (g1, g2, g3) = idle_story
    g4 = start_guests(h1, ["g4"])[0]
    once_full(g4)
    h1.run(["virsh", "metadata", "g1", "--uri", "urn:ballast:1", "--key", "ballast", "--live", "--set",
            '<vm exclude="yes"/>'])
    h1.limit_memory(1230)
    weight = h1.run(["virsh", "schedinfo", "g1"]).stdout
    with Agents(lab, hosts=[h1]) as agents:
        g2.ask("mem 150")
        assert wait(lambda: g4.balloon_mib() < FULL - 16, 60), agents.log(h1)
        time.sleep(5)
        assert g1.balloon_mib() == FULL
        assert "VM g1: " not in agents.log(h1)
        assert h1.run(["virsh", "schedinfo", "g1"]).stdout == weight


def has_mib(guest):
    """What its balloon leaves it, as the guest's own kernel counts it."""
    return FULL - guest.stat()["balloon_kib"] / 1024


def terms(guest, attributes):
    guest.host.run(["virsh", "metadata", guest.name, "--uri", "urn:ballast:1", "--key", "ballast", "--live", "--set",
                    f"<vm {attributes}/>"])


def stays(holds, seconds):
    end = time.monotonic() + seconds
    while holds():
        if time.monotonic() > end:
            return True
        time.sleep(0.5)
    return False


def test_memory_is_divided_by_shares_and_a_reservation_comes_first(lab):
    """They need 248 and 178 MiB of some 355, so both are short and their parts are 2:1. Each balloon rests within a few
    MiB of its part (dead band, rounding), which is 8 % of the ratio. What QEMU needs beside the guest is not divided."""
    h1 = lab.hosts[0]
    g1, g2 = guests = [h1.start_guest(n, mib=FULL, swap_disk_mib=192, free_page_reporting=False) for n in ("g1", "g2")]
    terms(g1, 'shares="2000"')
    terms(g2, 'shares="1000"')
    for g in guests:
        g.hold(30)
    with Agents(lab, hosts=[h1]) as agents:
        h1.limit_memory(465)
        assert wait(lambda: sum(map(has_mib, guests)) < 385, 20), agents.log(h1)  # neither can outgrow the host
        for g, mib in ((g1, 180), (g2, 110)):
            g.ask("dirty 4")  # what is not used could be swapped away for good
            g.ask(f"mem {mib}")

        def two_to_one():
            return abs(has_mib(g1) / has_mib(g2) / 2 - 1) <= 0.08 and holds(g1, 180) and holds(g2, 110)
        assert wait(two_to_one, 90) and wait(lambda: stays(two_to_one, 10), 30), \
            (has_mib(g1), has_mib(g2), agents.log(h1))
        terms(g2, 'shares="1000" mem_reservation_mib="160"')

        def reserved():
            return has_mib(g2) >= 154 and has_mib(g1) < 205
        assert wait(reserved, 90) and wait(lambda: stays(reserved, 10), 30), \
            (has_mib(g1), has_mib(g2), agents.log(h1))
        assert holds(g1, 180) and holds(g2, 110) and oom_kills(lab, guests) == 0


def test_two_that_burst_together_are_served_and_nobody_is_killed(lab):
    """Together they ask at once for 90 MiB more than the host has left: the fence holds them until they have swapped."""
    h1 = lab.hosts[0]
    guests = start_guests(h1, ["g1", "g2"])
    h1.limit_memory(455)
    with Agents(lab, hosts=[h1]) as agents:
        time.sleep(2)
        for g in guests:
            g.ask("mem 130")
        assert wait(lambda: all(holds(g, 130) for g in guests), 90), agents.log(h1)
        assert len(h1.conn.listAllDomains()) == 2, agents.log(h1)
        assert oom_kills(lab, guests) == 0, agents.log(h1)
        assert max(g.balloon_mib() for g in guests) < FULL - 32


def used_mib(guest):
    """What the guest uses now, as it says itself."""
    stats = guest.memory_stats()
    return (stats["actual"] - stats["unused"]) / 1024


def anonymous_mib(guest):
    status = Path(f"/proc/{guest.pid()}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status).group(1)) / 1024


def besides_mib(host, guests):
    """What a host pays besides the pages that its guests use: QEMUs, libvirtd. The guest that has freed least tells what
    its QEMU needs."""
    qemu = min(anonymous_mib(g) - used_mib(g) for g in guests)
    memory = host.memory()
    others = (memory["usage_kib"] - memory["cache_kib"]) / 1024 - sum(anonymous_mib(g) for g in guests)
    return qemu * len(guests) + max(0, others)


def test_what_ballooning_cannot_meet_migrates_and_is_satisfied_there(lab, idle_story):
    h1, guests = idle_story
    wanted = (160, 150, 140)
    time.sleep(1.5)  # statistics of the guests as they are
    need = sum(used_mib(g) - g.stat()["held_mib"] + mib for g, mib in zip(guests, wanted))
    # However it is divided 80 MiB are missing, which the guests can swap: nobody has to be killed.
    besides = besides_mib(h1, guests)
    print(f"guests will need {need:.0f} MiB, {besides:.0f} go to QEMUs and the host")
    h1.limit_memory(round(besides + need - 80))
    with Agents(lab) as agents:
        guests[1].ask("mem 150")
        assert wait(lambda: holds(guests[1], 150), 60), agents.log(h1)
        guests[0].ask("mem 160")
        for g in guests:
            g.ask("dirty 4")
        assert wait(lambda: where(guests) != ["h1"] * 3, 90), agents.log(h1)
        assert wait(lambda: all(holds(g, mib) for g, mib in zip(guests, wanted)), 90), agents.log(h1)
        assert oom_kills(lab, guests) == 0
        assert wait(lambda: agents.migrations() and agents.migrations()[0][0] == DONE, 10)


def cpu_pct(guests, seconds=5):
    """What each guest's virtual CPU got of a real one, as the host counts it."""
    before, start = [g.vcpu_stats()["time"] for g in guests], time.monotonic()
    time.sleep(seconds)
    after, elapsed = [g.vcpu_stats()["time"] for g in guests], time.monotonic() - start
    return [(b - a) / elapsed / 10 for a, b in zip(before, after)]


def test_a_lasting_contention_moves_one_guest_and_a_spike_none(lab):
    h1 = lab.hosts[0]
    guests = [h1.start_guest(n, mib=128, zram_mib=64) for n in ("g1", "g2")]
    for h in lab.hosts:  # after the guests' start, which sets limits anew
        h.limit_cpu(60)
    with Agents(lab) as agents:
        for g in guests:
            g.ask("cpu 45")
        time.sleep(5)
        for g in guests:
            g.ask("cpu 0")
        time.sleep(15)
        assert where(guests) == ["h1", "h1"], agents.log(h1)
        for g in guests:
            g.ask("cpu 45")
        assert wait(lambda: len(set(where(guests))) == 2, 90), agents.log(h1)
        time.sleep(4)  # the move's own work is over
        starved = Starvation([g.host for g in guests], 45)
        served = wait(lambda: min(cpu_pct(guests)) >= 0.85 * 45, 30)
        if not served and starved.text():
            pytest.skip(f"one moved; whether each has its own cannot be judged: {starved.text()}")
        assert served, (cpu_pct(guests), agents.log(h1))


def test_after_libvirtd_was_away_the_next_action_follows(lab, idle_story):
    h1, (g1, g2, g3) = idle_story
    h1.limit_memory(960)
    with Agents(lab, hosts=[h1]) as agents:
        h1.stop_libvirtd()
        assert agents.wait_log(h1, "libvirt does not answer", 15), agents.log(h1)
        g2.ask("mem 150")
        time.sleep(8)
        h1.start_libvirtd()
        back = time.monotonic()
        assert wait(lambda: g1.balloon_mib() < FULL, 12), agents.log(h1)
        print(f"first action seen {time.monotonic() - back:.1f} s after libvirtd's return")
        assert [g.stat()["oom_kills"] for g in (g1, g2, g3)] == [0, 0, 0]


def test_an_agent_killed_while_its_migration_runs_closes_the_claim_at_its_next_start(lab):
    h1, *others = lab.hosts
    guests = [h1.start_guest(n, mib=128, zram_mib=64) for n in ("g1", "g2")]
    for h in lab.hosts:  # after the guests' start, which sets limits anew
        h.limit_cpu(60)
    with Agents(lab) as agents:
        frozen = [h.libvirtd_pid() for h in others]
        for pid in frozen:  # no destination answers: claimed, and no further
            os.kill(pid, signal.SIGSTOP)
        try:
            for g in guests:
                g.ask("cpu 45")
            claimed = wait(lambda: agents.migrations() and agents.migrations()[-1][0] in OPEN, 90)
            agents.kill(h1)
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        assert claimed, agents.log(h1)
        for g in guests:
            g.ask("cpu 0")
        agents.start(h1)
        assert wait(lambda: agents.migrations()[0][0] not in OPEN, 90), agents.log(h1)
        assert "asking libvirt on both hosts" in agents.log(h1)
        running = [d.name() for h in lab.hosts for d in h.conn.listAllDomains()]
        assert sorted(running) == ["g1", "g2"]
        state, source, destination = agents.migrations()[0]
        moved = destination in where(guests)
        assert state in (DONE, FAILED, CANCELLED) and moved == (state == DONE)

"""Guests that go wrong while ballastd balloons, on real hosts: the others are served, and what happened is said."""
import time

import pytest

from agents import Agents, wait
from test_stories import FULL, holds, idle_story, once_full, oom_kills, start_guests, where  # noqa: F401

LIMIT_PAIR = 440  # MiB: what g2 asks for fits only beside a g1 that gives back what it does not use


@pytest.fixture
def pair(lab):
    """g1 has freed what it held; g2 will ask."""
    h1 = lab.hosts[0]
    guests = start_guests(h1, ["g1", "g2"])
    once_full(guests[0])
    return h1, guests


def memory_is_managed(agents, h1, guests):
    """g2 gets what it asks for, and the balloon of g1 was lowered for it; it may be given back soon."""
    g1, g2 = guests
    g2.ask("mem 150")
    lowest = [FULL]

    def served():
        lowest[0] = min(lowest[0], g1.balloon_mib())
        return lowest[0] <= FULL - 16 and holds(g2, 150)
    assert wait(served, 60), (lowest, agents.log(h1))


def make_short(host, mib):
    """Leave the host so much beside what it uses now."""
    host.limit_memory((host.memory()["usage_kib"] >> 10) + mib)


def test_a_guest_without_a_balloon_driver_is_listed_with_the_reason_and_not_touched(lab, pair):
    h1, guests = pair
    n1 = h1.start_guest("n1", mib=96, balloon="nodriver")
    h1.limit_memory(LIMIT_PAIR + 240)
    with Agents(lab, hosts=[h1]) as agents:
        memory_is_managed(agents, h1, guests)
        assert agents.wait_log(h1, r"VM n1: cannot be ballooned: \S+", 80), agents.log(h1)

        def rows():
            return {vm["name"]: vm["balloon_why"] for vm in agents.ballast("vms")["vms"]}
        assert wait(lambda: rows().get("n1"), 20), rows()
        assert not rows()["g2"]
        assert n1.balloon_mib() == 96 and "VM n1: 9" not in agents.log(h1)
        assert n1.stat()["oom_kills"] == 0 and oom_kills(lab, guests) == 0


def test_a_stopped_qemu_is_reported_and_the_others_are_served_on_time(lab, idle_story):  # noqa: F811
    """What g2 asks for fits only with memory that g1 does not use. A balloon that was lowered may be back before
    anybody looks; the memory that it took from QEMU stays taken."""
    h1, (g1, g2, g3) = idle_story
    with Agents(lab, hosts=[h1]) as agents:
        assert wait(lambda: len(agents.ballast("vms")["vms"]) == 3, 20)
        full = g1.rss_kib()
        g3.stop_qemu()
        try:
            h1.limit_memory((h1.memory()["usage_kib"] >> 10) + 110)
            begin = time.monotonic()
            assert wait(lambda: g1.rss_kib() < full - (48 << 10), 24), agents.log(h1)
            print(f"g1 has given 48 MiB {time.monotonic() - begin:.1f} s after the host became short")
            g2.ask("mem 150")
            assert wait(lambda: holds(g2, 150), 60), agents.log(h1)
            assert agents.wait_log(h1, r"VM g3: .*statistics stay away", 80), agents.log(h1)
        finally:
            g3.continue_qemu()
        assert agents.wait_log(h1, r"VM g3: its balloon answers again", 40), agents.log(h1)
        assert holds(g3, 140)
        assert oom_kills(lab, [g1, g2, g3]) == 0


def test_a_guest_that_is_paused_and_one_that_dies_during_ballooning_disturb_nobody(lab, idle_story):  # noqa: F811
    h1, (g1, g2, g3) = idle_story
    make_short(h1, 110)
    with Agents(lab, hosts=[h1]) as agents:
        g2.ask("mem 150")
        assert agents.wait_log(h1, r"VM g1: 256 MiB -> \d+ MiB", 30), agents.log(h1)
        g3.dom.suspend()
        time.sleep(1.5)  # what its balloon had given by then is told within a second
        size = g3.balloon_mib()
        g1.kill_qemu()
        assert wait(lambda: holds(g2, 150), 60), agents.log(h1)
        assert wait(lambda: [vm["name"] for vm in agents.ballast("vms")["vms"]] == ["g2", "g3"], 30)
        assert abs(g3.balloon_mib() - size) <= 4, agents.log(h1)
        g3.dom.resume()
        assert wait(lambda: holds(g3, 140), 20)
        # The memory that the dead guest leaves is given to those that live.
        assert wait(lambda: g2.balloon_mib() >= FULL - 2, 60), agents.log(h1)  # a MiB is not worth an order
        assert "gives no reason" not in agents.log(h1)
        assert agents.alive(h1) and oom_kills(lab, [g2, g3]) == 0


def test_a_guest_that_seems_to_have_free_memory_and_has_none_is_left_alone_when_its_balloon_is_stuck(lab, pair):
    """Its kernel calls memory usable that it cannot give. g1 has some for both."""
    h1, (g1, g2) = pair
    liar = start_guests(h1, ["liar"])[0]
    liar.ask("pin 142", 120)
    liar.hold(15)
    liar.ask("mem 0")
    make_short(h1, 60)
    with Agents(lab, hosts=[h1]) as agents:
        g2.ask("mem 100")
        assert wait(lambda: holds(g2, 100), 60), agents.log(h1)
        assert agents.wait_log(h1, r"VM liar: its balloon does not move towards \d+ MiB", 60), agents.log(h1)
        assert g2.stat()["swap_out_kib"] == 0 and oom_kills(lab, [g1, g2, liar]) == 0
        liar.hold(5)  # it lives, and has memory to work with
        assert agents.alive(h1)


def test_a_guest_whose_statistics_go_stale_is_left_as_it_is_and_reported(lab, idle_story):  # noqa: F811
    """Somebody switched off the balloon's polling behind libvirt's back: old figures are shown for ever."""
    h1, (g1, g2, g3) = idle_story

    def poll(seconds):
        h1.run(["virsh", "qemu-monitor-command", "g3", '{"execute": "qom-set", "arguments": {"path": '
                '"/machine/peripheral/balloon0", "property": "guest-stats-polling-interval", "value": %d}}' % seconds])
    with Agents(lab, hosts=[h1]) as agents:
        assert wait(lambda: len(agents.ballast("vms")["vms"]) == 3, 20)
        poll(0)
        time.sleep(7)  # now they are stale
        make_short(h1, 110)
        g2.ask("mem 150")
        assert wait(lambda: holds(g2, 150), 60), agents.log(h1)
        assert agents.wait_log(h1, r"VM g3: .*statistics stay away", 40), agents.log(h1)
        assert g3.balloon_mib() == FULL and "VM g3: 256 MiB -> " not in agents.log(h1)
        poll(1)
        assert agents.wait_log(h1, r"VM g3: its balloon answers again", 40), agents.log(h1)
        assert holds(g3, 140) and oom_kills(lab, [g1, g2, g3]) == 0


def test_a_guest_that_somebody_else_migrates_while_it_is_ballooned_disturbs_nobody(lab, idle_story):  # noqa: F811
    h1, (g1, g2, g3) = idle_story
    h2 = lab.hosts[1]
    with Agents(lab, hosts=[h1, h2], migration="enabled = no") as agents:
        assert wait(lambda: len(agents.ballast("vms")["vms"]) == 3, 20)
        make_short(h1, 110)
        g2.ask("mem 150")
        assert agents.wait_log(h1, r"VM g1: 256 MiB -> \d+ MiB", 30), agents.log(h1)
        g1.migrate(h2)
        assert wait(lambda: holds(g2, 150), 60), agents.log(h1)
        assert where([g1, g2, g3]) == ["h2", "h1", "h1"]

        def rows():
            return {vm["name"]: vm["host"] for vm in agents.ballast("vms")["vms"]}
        assert wait(lambda: rows() == {"g1": "h2", "g2": "h1", "g3": "h1"}, 30), rows()
        assert wait(lambda: g1.balloon_mib() >= FULL - 4, 60), agents.log(h2)  # h2 gives back what h1 took
        assert g1.hold(60) is None and agents.alive(h1) and agents.alive(h2) and oom_kills(lab, [g1, g2, g3]) == 0

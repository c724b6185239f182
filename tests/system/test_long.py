"""Hours are rare in a test, minutes are not: random load at an overcommitment of 1.5, without an out-of-memory kill.

BALLAST_LONG_S shortens it; BALLAST_SEED repeats one.
"""
import os
import random
import time

import pytest

from ballast_lab import GuestError

from agents import Agents
from test_stories import FULL, besides_mib

SECONDS = int(os.environ.get("BALLAST_LONG_S", "900"))
N_GUESTS = 4
OVERCOMMITMENT = 1.5
STEP_S = 4.0
KERNEL_MIB = 75    # what a guest uses before it holds anything


def host_limit_mib(host, guests):
    """RAM with which the guests' maxmem is OVERCOMMITMENT times what QEMUs and the host leave for guests."""
    guests[0].hold(120)  # what its QEMU needs besides shows best where little is touched and not used
    time.sleep(1.5)      # statistics
    besides = besides_mib(host, guests)
    guests[0].ask("mem 0")
    print(f"{besides:.0f} MiB go to QEMUs and the host")
    return round(N_GUESTS * FULL / OVERCOMMITMENT + besides)


def most_mib(swap):
    """The most that one guest ever holds: with swap nearly all it has; without it only what surely fits."""
    return 170 if swap else 130


class Load:
    """Random wishes: guests hold more and less, rewrite it, drop it; together at most what can be backed."""

    def __init__(self, guests, swap, seed):
        self.guests = guests
        self.random = random.Random(seed)
        self.most = most_mib(swap)
        # With swap all want more than there is at times; without it the sum must be there, for no balloon makes it.
        usable = N_GUESTS * (FULL / OVERCOMMITMENT - KERNEL_MIB)
        self.sum_most = usable * (1.1 if swap else 0.8)
        self.wants = {g: 0 for g in guests}
        self.mute = 0

    def step(self):
        g = self.random.choice(self.guests)
        others = sum(v for k, v in self.wants.items() if k is not g)
        want = self.random.choice([0, self.random.randint(10, self.most)])
        want = int(max(0, min(want, self.sum_most - others)))
        try:
            g.ask(f"mem {want}", 20)
            g.ask(f"dirty {self.random.choice([0, 2, 10])}", 20)
        except GuestError:  # too short of memory to answer now; seen at the end if it stays so
            self.mute += 1
        else:
            self.wants[g] = want


def killed(guests):
    return {g.name: g.stat(60)["oom_kills"] for g in guests}


@pytest.mark.long
@pytest.mark.timeout(SECONDS + 600)
@pytest.mark.parametrize("autodeflate,swap", [(True, True), (False, True), (True, False)],
                         ids=["swap", "no-autodeflate", "no-swap"])
def test_random_load_overcommitted_kills_nothing(lab, autodeflate, swap):
    h1 = lab.hosts[0]
    seed = int(os.environ.get("BALLAST_SEED", "1"))
    guests = [h1.start_guest(f"g{i + 1}", mib=FULL, zram_mib=128 if swap else 0, autodeflate=autodeflate,
                             free_page_reporting=False) for i in range(N_GUESTS)]
    h1.limit_memory(host_limit_mib(h1, guests))
    load = Load(guests, swap, seed)
    lowest = FULL
    with Agents(lab, hosts=[h1]) as agents:
        end = time.monotonic() + SECONDS
        steps = 0
        while time.monotonic() < end:
            load.step()
            steps += 1
            time.sleep(STEP_S * load.random.uniform(0.5, 1.5))
            running = [d.name() for d in h1.conn.listAllDomains()]
            assert len(running) == N_GUESTS, (running, seed, agents.log(h1)[-3000:])
            assert h1.memory()["oom_kills"] == 0, (seed, agents.log(h1)[-3000:])
            lowest = min(lowest, *(g.balloon_mib() for g in guests))
        print(f"seed {seed}: {steps} steps, lowest balloon {lowest} MiB, {load.mute} requests unanswered")
        for g in guests:
            g.ask("mem 0", 60)
        assert lowest < FULL, "the load never made the manager act"
        assert killed(guests) == {g.name: 0 for g in guests}, (seed, agents.log(h1)[-3000:])
        assert agents.alive(h1)

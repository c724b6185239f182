#!/usr/bin/python3
"""How much of a guest's page cache to leave it: major faults and throughput for cache_keep from 100 to 0 %, on the lab.

  bench/cache_keep.py [--runs 3] [--only SERIES,...] [--again] [--tag TAG] [--list]

A guest of 256 MiB holds 60 MiB and serves one request after the other: each reads a page of a file through the page cache
and computes over it, 80 % of them in a fifth of the file (`read N 80 PASSES` of the guest's agent; a request takes some
100 us in an emulated guest). The file is smaller or larger than the cache can be. When the cache has settled, the balloon
is set to usedmem (src/decide/memory_used.h) with cache_keep 100, 75, 50, 25 and 0 %, of the figures with the balloon
open; at each the guest settles for 5 s, then all is counted for 5 s. In the end the balloon opens, the cache fills again,
and the formula with 50 % is applied over and over, six times, every 3 s, as a manager does that is short for long.

Appends to docs/evaluation/cache_keep.csv (with --again what it held of these series is dropped first) and prints the
table of all that is there; `bench/evaluation.py --only cache_keep` puts it into docs/evaluation.md. A run takes two to
three minutes. Needs root; the machine should do nothing else.
"""
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "lab"), str(ROOT / "bench")]
from lab_figures import CACHE_KEEP, Meter, cache_keep, experiment  # noqa: E402

GUEST_MIB, HELD_MIB, DISK_MIB, PASSES = 256, 60, 512, 128
SETTLE_S, COUNT_S, WARM_S = 5, 5, 60
AGAIN_S, AGAIN_TIMES = 3, 6
SERIES = {"fits": 90, "exceeds": 180}  # MiB of the file; the cache can have some 120


def usedmem_mib(stats, keep):
    """The formula of memory_used.h."""
    current, usable = stats["actual"], stats["usable"]
    return (current - usable + keep * min(stats["disk_caches"], max(0, usable - stats["unused"]))) / 1024


def warm(guest, file_mib):
    """Read the file from all over until the cache does not grow any more, then as the requests do. Whether it ended."""
    guest.ask(f"read {file_mib} 20")
    end, before, cached = time.monotonic() + WARM_S, -1024, 0
    while cached >= before + 1024 and time.monotonic() < end:
        before = cached
        time.sleep(3)
        cached = guest.stat(60)["cached_kib"]
    guest.ask(f"read {file_mib} 80 {PASSES}")
    time.sleep(SETTLE_S)
    return cached < before + 1024


def measure(host, name, run, figures):
    file_mib = SERIES[name]
    guest = host.start_guest("g", mib=GUEST_MIB, zram_mib=128, disk_mib=DISK_MIB, free_page_reporting=False)
    guest.hold(HELD_MIB, 60)
    if not warm(guest, file_mib):
        print(f"{name}: the cache still grew after {WARM_S} s; the machine is too busy for a run", file=sys.stderr)
        return guest.destroy()
    stats = guest.memory_stats()
    counted = []

    def count(keep):
        meter = Meter(guest)
        time.sleep(COUNT_S)
        m = meter.end(reads_s="read_pages", major_faults_s="major_faults", refaults_s="refaults",
                      swap_in_kib_s="swap_in_kib")
        counted.append((keep, guest.balloon_mib(), guest.stat(60)["cached_kib"] / 1024, m))

    count("open")
    for keep in (100, 75, 50, 25, 0):
        guest.set_balloon(round(usedmem_mib(stats, keep / 100)), wait_s=20)
        time.sleep(SETTLE_S)
        count(keep)
    guest.set_balloon(GUEST_MIB, wait_s=20)
    warm(guest, file_mib)
    for _ in range(AGAIN_TIMES):
        guest.set_balloon(round(usedmem_mib(guest.memory_stats(), 0.5)))
        time.sleep(AGAIN_S)
    count("50 again")
    guest.destroy()
    plenty = counted[0][3]["reads_s"]
    for keep, balloon, cached, m in counted:
        figures.add(series=name, run=run, keep=keep, balloon_mib=balloon, cached_mib=f"{cached:.1f}",
                    part=f"{m['reads_s'] / plenty:.4f}", **{k: f"{v:.3f}" for k, v in m.items()})


if __name__ == "__main__":
    sys.exit(experiment(__doc__, SERIES, CACHE_KEEP, measure, cache_keep))

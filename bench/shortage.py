#!/usr/bin/python3
"""How a guest's throughput falls when it has less memory than it needs: the curve f of docs/design.md, on the lab.

  bench/shortage.py [--runs 3] [--only SERIES,...] [--again] [--tag TAG] [--list]

A guest of 256 MiB holds 140 MiB and serves one request after the other, as fast as its vCPU can. A request takes a page
of them at random, computes over it (`work 100 HOT PASSES` of the guest's agent) and changes it. Its balloon then leaves
it 115 to 70 % of what it needs: of usedmem, measured with the balloon open and after the work began. At each size the
guest settles for 4 s, then requests are counted for 5 s. Throughput is requests per second of time in which the vCPU was
not kept waiting by the machine (vcpu.N.delay), relative to the median of the three largest sizes.

Appends to docs/evaluation/shortage.csv (with --again what it held of these series is dropped first) and prints the table
of all that is there; `bench/evaluation.py --only shortage` puts it into docs/evaluation.md. A series takes two minutes.
Needs root; the machine should do nothing else.
"""
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "lab"), str(ROOT / "bench")]
from lab_figures import SHORTAGE, Meter, experiment, shortage  # noqa: E402

GUEST_MIB, HELD_MIB = 256, 140
PERCENT = (115, 110, 107, 105, 103, 100, 98, 95, 90, 85, 80, 75, 70)
SETTLE_S, COUNT_S = 4, 5
REQUEST, BARE = 64, 1  # passes over a page: some 100 us in an emulated guest, and 2 us

# name: what swaps, percent of requests to the first fifth, passes
SERIES = {
    "uniform-zram": ({"zram_mib": 256}, 20, REQUEST),
    "skewed-zram": ({"zram_mib": 256}, 80, REQUEST),
    "uniform-disk": ({"swap_disk_mib": 512}, 20, REQUEST),
    "skewed-disk": ({"swap_disk_mib": 512}, 80, REQUEST),
    "bare-zram": ({"zram_mib": 256}, 20, BARE),
}


def measure(host, name, run, figures):
    swap, hot, passes = SERIES[name]
    guest = host.start_guest("g", mib=GUEST_MIB, free_page_reporting=False, **swap)
    guest.hold(HELD_MIB, 120)
    guest.ask(f"work 100 {hot} {passes}")
    time.sleep(SETTLE_S)
    stats = guest.memory_stats()
    need_mib = (stats["actual"] - stats["usable"]) / 1024  # the page cache holds nothing here
    counted = []
    for percent in (0, *PERCENT):
        target = round(need_mib * percent / 100) if percent else GUEST_MIB
        reached = guest.set_balloon(target, wait_s=20)
        time.sleep(SETTLE_S)
        meter = Meter(guest)
        time.sleep(COUNT_S)
        counted.append((percent or "open", reached, meter.end(
            ops_s="work_ops", major_faults_s="major_faults", swap_in_kib_s="swap_in_kib")))
        if counted[-1][2]["oom_kills"]:
            break  # it works no more
    guest.destroy()
    plenty = statistics.median(m["ops_s"] for _, _, m in counted[:3])
    for percent, reached, m in counted:
        figures.add(series=name, run=run, percent=percent, need_mib=f"{need_mib:.1f}", balloon_mib=reached,
                    part=f"{m['ops_s'] / plenty:.4f}", ops_s=f"{m['ops_s']:.1f}",
                    major_faults_s=f"{m['major_faults_s']:.1f}", swap_in_mib_s=f"{m['swap_in_kib_s'] / 1024:.2f}",
                    able_part=f"{m['able_part']:.3f}", oom_kills=m["oom_kills"])


if __name__ == "__main__":
    sys.exit(experiment(__doc__, SERIES, SHORTAGE, measure, shortage))

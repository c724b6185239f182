"""The programs that gcc and clang make say the same, to the byte: a trace made up from a seed, and a simulation of every kind."""
import os
import random
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GCC = os.path.join(ROOT, os.environ.get("BALLAST_BUILD", "build"), "src", "command", "ballast")
CLANG = os.path.join(ROOT, "build-asan", "src", "command", "ballast")

SMALL = "[scenario]\nbase = bitbrains\nname = small\n[host]\ncount = 3\ncores = 8\nmem_mib = 49152\n"
FAULTS = "[faults]\nmigration_failure = 0.2\ncrash_per_day = 2\nrepair_s = 900\n"
PACKED = "[scenario]\nbase = planetlab\nname = packed\n[policy]\npacked_start = yes\n"
# name: trace, scenario (text of a file, or a name), policy
CASES = {
    "ballast, short of all": ("long", SMALL, "ballast"),
    "ballast, with faults": ("long", SMALL + FAULTS, "ballast"),
    "ballast, by the second": ("long", SMALL + "[world]\nslot_s = 1\n", "ballast"),
    "immediate alone": ("long", SMALL, "ballast-immediate"),
    "hosts that swap": ("long", SMALL + "[policy]\nballooning = no\n", "none"),
    "overcommitted": ("long", "bitbrains-160", "ballast-longterm"),
    "drs": ("long", SMALL, "drs"),
    "sandpiper": ("long", SMALL, "sandpiper"),
    "lr-mmt, packed": ("wide", PACKED, "lr-mmt"),
    "planetlab": ("wide", "planetlab", "ballast"),
    "planetlab, late": ("wide", PACKED + "information = late\n", "ballast"),
}

pytestmark = pytest.mark.skipif(not os.path.exists(CLANG), reason="needs build-asan: `make asan` makes it")


def run(program, words):
    return subprocess.run([program, *words], check=True, capture_output=True, text=True, timeout=120).stdout


def generated(program, folder):
    base = os.path.join(folder, "long")
    run(program, ["generate", "--vms", "60", "--hours", "12", "--seed", "3", "--output", base])
    return [open(base + suffix, "rb").read() for suffix in (".vms.csv", ".usage.csv")]


@pytest.fixture(scope="module")
def traces(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("traces"))
    generated(GCC, folder)
    r = random.Random(5)
    wide = os.path.join(folder, "wide.csv")
    with open(wide, "w", encoding="utf-8") as file:
        file.write("vm,name,%s\n" % ",".join("s%d" % t for t in range(72)))
        for v in range(120):
            low = r.randint(0, 40)
            file.write("%d,v%d,%s\n" % (v, v, ",".join(str(r.randint(0, 100) if r.random() < 0.1 else low) for _ in range(72))))
    return {"long": os.path.join(folder, "long.vms.csv"), "wide": wide}


def simulated(program, trace, scenario, policy, folder):
    ini, timeline, vms = (os.path.join(folder, n) for n in ("s.ini", "timeline.csv", "vms.csv"))
    if "\n" in scenario:
        with open(ini, "w", encoding="utf-8") as file:
            file.write(scenario)
        scenario = ini
    told = run(program, ["simulate", "--trace", trace, "--scenario", scenario, "--policy", policy, "--hours", "6", "--seed", "2",
                         "--timeline", timeline, "--vms", vms, "--json"])
    told, n = re.subn(r'"elapsed_s": [^,]*,', "", told)
    assert n == 1
    return told, open(timeline, encoding="utf-8").read(), open(vms, encoding="utf-8").read()


def test_a_generated_trace_is_the_same(tmp_path):
    assert generated(GCC, str(tmp_path)) == generated(CLANG, str(tmp_path))


@pytest.mark.parametrize("name", CASES)
def test_a_simulation_is_the_same(name, traces, tmp_path):
    trace, scenario, policy = CASES[name]
    assert simulated(GCC, traces[trace], scenario, policy, str(tmp_path)) == \
        simulated(CLANG, traces[trace], scenario, policy, str(tmp_path))

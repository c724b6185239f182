"""simulate and generate refuse what is wrong: status 2, nothing on stdout, no file, and a message with place and cure."""
import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BALLAST = os.path.join(ROOT, os.environ.get("BALLAST_BUILD", "build"), "src", "command", "ballast")
VMS, USAGE = "vm,vcpus,cap_mhz,mem_mb,first,last\n", "vm,interval,cpu_pct,mem_mb\n"
ONE, ROW = "a,1,2600,1024,0,9\n", "a,0,5,100\n"

# rows of .vms.csv, rows of .usage.csv, what the message says
LONG = {
    "no VM": ("", ROW, "t.vms.csv:1: no VM follows"),
    "no usage": (ONE, "", 'VM "a" of t.vms.csv has no row: give it one'),
    "gap at first": (ONE, "a,3,5,100\n", "t.usage.csv:2: the VM's first row is interval 3: it must be its first, 0"),
    "not a number": (ONE, "a,0,nan,100\n", 'cpu_pct is "nan": a plain decimal number'),
    "infinite": ("a,1,2600,inf,0,9\n", ROW, 't.vms.csv:2: mem_mb is "inf"'),
    "duplicate": (ONE + ONE, ROW, 'both named "a": every VM needs its own name'),
    "unknown VM": (ONE, ROW + "b,0,5,100\n", 't.usage.csv:3: VM "b" is not in the .vms.csv file: add it'),
    "negative": (ONE, "a,0,-5,100\n", "cpu_pct is -5: it must be from 0"),
    "outside its life": (ONE, ROW + "a,10,5,100\n", "t.usage.csv:3: interval 10 is outside the VM's life, 0 to 9"),
    "huge": ("a,1,2600,1024,0,4294967295\n", ROW, "last is 4294967295: it must be from 0 to"),
    "cut off": (ONE, "a,0,5", "t.usage.csv:2: the row ends before mem_mb"),
    "no vCPU": ("a,0,2600,1024,0,9\n", ROW, "vcpus is 0: it must be at least 1"),
    "backwards": ("a,1,2600,1024,9,0\n", ROW, "last (0) is before first (9): exchange them"),
}
WIDE = {
    "empty": ("", "w.csv:1: is empty: the header must be"),
    "no header": ("hello\n", "w.csv:1: is no trace: the header must be"),
    "gap": ("vm,name,s0,s1\n0,a,1,\n", "w.csv:2: a sample is empty: fill the gap"),
    "short": ("vm,name,s0,s1\n0,a,1\n", "w.csv:2: the row ends before a sample"),
    "more than all": ("vm,name,s0,s1\n0,a,1,200\n", "a sample is 200: it must be from 0 to 100"),
}
OPTIONS = [["--policy", "magic"], ["--seed", "-1"], ["--hours", "nan"], ["--hours", "0"], ["--scenario", "nowhere"],
           ["--information", "now"], ["surplus"]]
GENERATE = [["--vms", "0"], ["--vms", "1e9"], ["--vms", "2.5"], ["--hours", "nan"], ["--seed", "x"], ["--output", ""]]


def refused(words, folder):
    before = sorted(os.listdir(folder))
    done = subprocess.run([BALLAST, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2 and done.stdout == "", done
    assert sorted(os.listdir(folder)) == before
    return done.stderr


def write(folder, **files):
    for name, text in files.items():
        with open(os.path.join(folder, name.replace("_", ".") + ".csv"), "w", encoding="utf-8") as file:
            file.write(text)


@pytest.mark.parametrize("name", LONG)
def test_a_wrong_long_trace(name, tmp_path):
    vms, usage, said = LONG[name]
    write(tmp_path, t_vms=VMS + vms, t_usage=USAGE + usage)
    assert said in refused(["simulate", "--trace", "t.vms.csv", "--json", "--timeline", "timeline.csv"], tmp_path)


@pytest.mark.parametrize("name", WIDE)
def test_a_wrong_wide_trace(name, tmp_path):
    write(tmp_path, w=WIDE[name][0])
    assert WIDE[name][1] in refused(["simulate", "--trace", "w.csv", "--json", "--timeline", "timeline.csv"], tmp_path)


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_a_wrong_option_of_simulate(words, tmp_path):
    write(tmp_path, t_vms=VMS + ONE, t_usage=USAGE + ROW)
    assert words[0] in refused(["simulate", "--trace", "t.vms.csv", "--json", *words], tmp_path).replace(
        "scenario", "--scenario")


@pytest.mark.parametrize("words", GENERATE, ids=" ".join)
def test_a_wrong_option_of_generate(words, tmp_path):
    assert words[0] in refused(["generate", "--output", "out", *words], tmp_path)

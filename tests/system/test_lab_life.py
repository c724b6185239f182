"""A lab leaves nothing behind, whatever happens to its owner, and does not disturb another."""
import os
import signal
import subprocess
import sys
import time

import pytest
from ballast_lab import Lab, LabError, labs, traces
from test_lab import reaches

OWNER = """
import sys, time
sys.path.insert(0, {path!r})
from ballast_lab import Lab
with Lab(hosts=1, mem_mib=512, cpu_percent=20, tag={tag!r}) as lab:
    lab.hosts[0].start_guest("a", 96)
    lab.hosts[0].popen(["sleep", "1000"])
    print("up", flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def owner(session_lab):
    """Starts another process that owns a lab with a guest; returns it when the lab is up."""
    started = []

    def start(tag):
        text = OWNER.format(path=[p for p in sys.path if p.endswith("/lab")][0], tag=tag)
        # A runner in the background of a shell ignores SIGINT, and what it starts inherits that.
        process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        started.append(process)
        line = process.stdout.readline()
        assert line == "up\n", process.stderr.read()
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def wait_for_no_traces(tag, timeout_s=15):
    end = time.monotonic() + timeout_s
    while (left := traces(tag)) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def test_down_leaves_nothing(session_lab):
    with Lab(hosts=2, mem_mib=512, cpu_percent=20, tag="testdown") as lab:
        lab.hosts[0].start_guest("a", 96)
        lab.hosts[1].popen(["sleep", "1000"])
        assert traces("testdown") != []
    assert traces("testdown") == []


def test_a_failure_inside_leaves_nothing(session_lab):
    with pytest.raises(ZeroDivisionError):
        with Lab(hosts=1, mem_mib=512, cpu_percent=20, tag="testfail") as lab:
            lab.hosts[0].crash()
            raise ZeroDivisionError
    assert traces("testfail") == []


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_lab_goes_with_its_owner(owner, sig):
    process = owner("testowner")
    assert traces("testowner") != []
    process.send_signal(sig)
    process.wait(20)
    assert wait_for_no_traces("testowner") == []


def test_what_an_owner_and_its_watchdog_left_is_removed_by_the_next_lab(owner):
    process = owner("teststale")
    watchdog = Lab.attach("teststale").state["watchdog"][0]
    os.kill(watchdog, signal.SIGKILL)
    process.kill()
    process.wait()
    assert traces("teststale") != []
    with Lab(hosts=1, mem_mib=512, cpu_percent=20, tag="testnext"):
        assert traces("teststale") == []


def test_what_an_owner_and_its_watchdog_left_is_removed_by_lab_down(owner):
    process = owner("testleft")
    os.kill(Lab.attach("testleft").state["watchdog"][0], signal.SIGKILL)
    process.kill()
    process.wait()
    assert traces("testleft") != []
    lab = [p for p in sys.path if p.endswith("/lab")][0]
    done = subprocess.run([os.path.join(lab, "lab"), "--tag", "testleft", "down"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert traces("testleft") == []


def test_two_labs_are_up_side_by_side(session_lab):
    if os.environ.get("BALLAST_LAB_TAG") is None:
        session_lab.clean()
    with Lab(hosts=1, mem_mib=512, cpu_percent=20, tag="testtwo") as two:
        ours = session_lab.hosts[0].start_guest("same", 96)
        theirs = two.hosts[0].start_guest("same", 96)
        ours.hold(10)
        theirs.hold(20)
        assert ours.stat()["held_mib"] == 10
        assert two.network.prefix != session_lab.network.prefix
        assert not reaches(two.hosts[0], session_lab.network.address(1))
        assert reaches(two.hosts[0], two.network.address(1))
        assert {"testtwo", session_lab.tag} <= set(labs())
    assert ours.stat()["held_mib"] == 10
    session_lab.clean()


def test_one_tag_is_one_lab(session_lab):
    refused = Lab(hosts=1, tag=session_lab.tag)
    with pytest.raises(LabError, match="up already"):
        refused.up()
    refused.down()
    assert session_lab.hosts[0].is_up() and session_lab.dir.exists()

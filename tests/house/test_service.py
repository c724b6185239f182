"""ballastd as a service: what it tells the service manager, and that the watchdog starves when its loop hangs."""
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BALLAST_BUILD", "build"))
BALLASTD = os.path.join(BUILD, "src", "agent", "ballastd")
WATCHDOG_US = 400000
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17


class Service:
    """ballastd without libvirt, and the socket of a service manager."""

    def __init__(self, folder):
        self.conf = folder / "ballast.conf"
        self.text = "[agent]\nstore = %s\nlibvirt_uri = qemu+unix:///system?socket=%s\n" % (
            folder / "store.db", folder / "nobody")
        self.conf.write_text(self.text)
        self.log = folder / "log"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [BALLASTD, "--config", str(self.conf)], stdout=log, stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": str(WATCHDOG_US)})

    def next(self, seconds):
        """The next message as a dictionary, or None."""
        self.socket.settimeout(max(0.01, seconds))
        try:
            lines = self.socket.recv(4096).decode().splitlines()
        except (TimeoutError, socket.timeout):
            return None
        return dict(line.split("=", 1) for line in lines)

    def wait(self, key, seconds=20):
        """The first message from now that has the key."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self.next(deadline - time.monotonic())
            if message and key in message:
                return message
        raise AssertionError("no %s within %d s:\n%s" % (key, seconds, self.log.read_text()))

    def drain(self):
        while self.next(0):
            pass

    def end(self):
        self.process.kill()
        self.process.wait()
        self.socket.close()


@pytest.fixture
def service(tmp_path):
    s = Service(tmp_path)
    yield s
    s.end()


def test_it_is_ready_and_says_its_state(service):
    assert service.wait("READY")["READY"] == "1"
    assert re.match(r"observe, 0 VMs, ", service.wait("STATUS")["STATUS"])


def test_it_feeds_the_watchdog_in_half_of_its_time(service):
    service.wait("READY")
    service.wait("WATCHDOG")
    started, n = time.monotonic(), 10
    for _ in range(n):
        assert service.wait("WATCHDOG")["WATCHDOG"] == "1"
    # 10 periods of 0.2 s; four times as long on a busy machine
    assert n * WATCHDOG_US / 2e6 * 0.8 < time.monotonic() - started < n * WATCHDOG_US / 2e6 * 4


def test_a_loop_that_hangs_starves_the_watchdog(service):
    service.wait("READY")
    service.wait("WATCHDOG")
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    pid = service.process.pid
    tasks = os.listdir("/proc/%d/task" % pid)
    assert len(tasks) > 1  # the others go on: only the loop's thread is stopped
    if libc.ptrace(PTRACE_SEIZE, pid, None, None) != 0:
        pytest.skip("a thread cannot be stopped here: ptrace: %s" % os.strerror(ctypes.get_errno()))
    assert libc.ptrace(PTRACE_INTERRUPT, pid, None, None) == 0
    os.waitpid(pid, 0x40000000)  # __WALL
    service.drain()
    assert service.next(WATCHDOG_US / 1e6 * 4) is None
    assert libc.ptrace(PTRACE_DETACH, pid, None, None) == 0
    assert service.wait("WATCHDOG")


@pytest.mark.parametrize("addition, said", [
    ("log_level = debug\n[memory]\nfloor_mib = 99\n", "settings read again"),
    ("log_level = debug\n[memory]\nfloor_mib = none\n", "settings are not changed: "),
])
def test_a_reload_is_told_from_its_beginning_to_its_end(service, addition, said):
    service.wait("READY")
    service.conf.write_text(service.text + addition)
    before_us = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
    service.process.send_signal(signal.SIGHUP)
    reloading = service.wait("RELOADING")
    # systemd wants the time at which it began, to tell it from an earlier one
    assert before_us - 1e4 <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
    assert service.wait("READY")
    assert said in service.log.read_text()
    # nothing of a wrong file holds, not even the level of the log, which stands before the mistake
    service.wait("STATUS")
    service.wait("STATUS")
    assert (" rounds" in service.log.read_text()) == ("debug" in addition and "none" not in addition)


def test_it_locks_its_pages_and_asks_to_be_killed_last_or_says_why_not(service):
    service.wait("READY")
    service.wait("STATUS")
    locked = re.search(r"^VmLck:\s+(\d+) kB", open("/proc/%d/status" % service.process.pid, encoding="ascii").read(), re.M)
    score = open("/proc/%d/oom_score_adj" % service.process.pid, encoding="ascii").read()
    log = service.log.read_text()
    assert (int(locked[1]) > 0) != ("memory is not locked: " in log), log
    assert (int(score) == -900) != ("oom_score_adj is not lowered: " in log), log


def test_it_says_that_it_ends(service):
    service.wait("READY")
    service.process.send_signal(signal.SIGTERM)
    assert service.wait("STOPPING")["STOPPING"] == "1"
    assert service.process.wait(20) == 0


def test_the_unit_file_is_clean_and_closed(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    text = open(os.path.join(BUILD, "dist", "ballastd.service"), encoding="utf-8").read()
    # it is not installed, and neither are its manual pages
    text = re.sub(r"^(ExecStart(?:Pre)?=)\S+/ballastd", r"\g<1>" + BALLASTD, text, flags=re.M)
    text = re.sub(r"^Documentation=.*\n", "", text, flags=re.M)
    unit = tmp_path / "ballastd.service"
    unit.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    about_it = [line for line in done.stderr.splitlines() if "ballastd.service" in line]
    assert (done.returncode, about_it) == (0, []), done.stderr
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", str(unit)], capture_output=True,
                          text=True, check=False)
    exposure = re.search(r"Overall exposure level for ballastd.service: ([0-9.]+)", done.stdout)
    if not exposure:
        pytest.skip("this systemd-analyze judges no files: %s" % done.stderr.strip())
    assert float(exposure.group(1)) < 3.0

"""Drives host-probe (the libvirt back-end of src/host) inside a host of the lab."""
import collections
import json
import os
import queue
import subprocess
import threading
import time
from pathlib import Path

BUILD = Path(os.environ.get("BALLAST_BUILD", Path(__file__).resolve().parents[2] / "build"))
PROGRAM = BUILD / "tests/system/host-probe"


class Probe:
    """One running host-probe. Commands are numbered from 1; answers are awaited by number."""

    def __init__(self, host, deadline_ms=2000, stats_period_s=0, uri="qemu:///system"):
        self.process = host.popen([str(PROGRAM), uri, str(deadline_ms), str(stats_period_s)], text=True, bufsize=1,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.answers = {}
        self.events = collections.deque()
        self.news = queue.Queue()
        self.sent = 0
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self):
        self.wait_event("connected")
        return self

    def __exit__(self, *exc):
        self.close()

    def _read(self):
        for line in self.process.stdout:
            self.news.put(json.loads(line))
        self.news.put(None)

    def _take(self, until):
        message = self.news.get(timeout=max(0.0, until - time.monotonic()))
        if message is None:
            raise EOFError("host-probe has ended")
        if "answer" in message:
            self.answers[message["answer"]] = message
        else:
            self.events.append(message)

    def send(self, command):
        self.process.stdin.write(command + "\n")
        self.sent += 1
        return self.sent

    def answer(self, number, timeout_s=20.0):
        until = time.monotonic() + timeout_s
        while number not in self.answers:
            self._take(until)
        return self.answers.pop(number)

    def ask(self, command, timeout_s=20.0):
        return self.answer(self.send(command), timeout_s)

    def wait_event(self, event, timeout_s=20.0, **fields):
        """The first event not yet taken of that kind and with those fields."""
        until = time.monotonic() + timeout_s
        while True:
            for message in self.events:
                if message.get("event") == event and all(message.get(k) == v for k, v in fields.items()):
                    self.events.remove(message)
                    return message
            self._take(until)

    def sample(self, groups=""):
        return self.ask(f"sample {groups}".strip())

    def vm(self, name, groups=""):
        """The VM in a new sample, or None."""
        return next((vm for vm in self.sample(groups).get("vms", []) if vm["name"] == name), None)

    def wait_vm(self, name, condition, groups="", timeout_s=20.0, every_s=0.2):
        until = time.monotonic() + timeout_s
        while True:
            vm = self.vm(name, groups)
            if vm and condition(vm):
                return vm
            assert time.monotonic() < until, f"{name} is not as wanted: {vm}"
            time.sleep(every_s)

    def close(self):
        """Status with which it ended: 0 says that nothing was left open."""
        if self.process.poll() is None:
            self.process.stdin.write("quit\n")
            self.process.stdin.close()
        return self.process.wait(20)

"""A guest as seen from outside: its agent, its QEMU process, its libvirt domain."""
import itertools
import os
import signal
import socket
import time
from pathlib import Path

import libvirt

from .paths import LabError

_requests = itertools.count(1)


class GuestError(LabError):
    """The guest's agent did not answer, or refused."""


class Guest:
    """One guest of a lab. It is found again after somebody else migrated it."""

    def __init__(self, host, name):
        self.host = host
        self.name = name

    def __repr__(self):
        return f"<guest {self.name} on {self.host.name}>"

    # -- the agent

    def ask(self, request, timeout_s=10.0):
        """Send one request ("mem 100") to the agent; the answer without its "ok". GuestError otherwise."""
        end = time.monotonic() + timeout_s
        while True:
            try:
                return self._ask(request, max(0.1, end - time.monotonic()))
            except (FileNotFoundError, ConnectionError) as e:
                # the socket is missing for a moment when the guest arrives on a host
                if time.monotonic() > end:
                    raise GuestError(f"guest {self.name}: {request!r}: no agent: {e}") from e
                time.sleep(0.05)
                self.locate()
            except TimeoutError as e:
                raise GuestError(f"guest {self.name} on {self.host.name}: {request!r}: no answer within "
                                 f"{timeout_s:g} s") from e

    def _ask(self, request, timeout_s):
        mark = f"#{os.getpid()}.{next(_requests)} "
        end = time.monotonic() + timeout_s
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(timeout_s)
            s.connect(str(self.host.dir / "guests" / f"{self.name}.sock"))
            s.sendall(f"{mark}{request}\n".encode())
            received = b""
            while True:
                part = s.recv(4096)
                if not part:
                    raise ConnectionResetError("the guest's end was closed")
                received += part
                for line in received.split(b"\n")[:-1]:
                    if line.startswith(mark.encode()):
                        return self._answer(request, line[len(mark):].decode())
                if time.monotonic() > end:
                    raise TimeoutError
                s.settimeout(max(0.01, end - time.monotonic()))

    def _answer(self, request, line):
        word, _, rest = line.partition(" ")
        if word != "ok":
            raise GuestError(f"guest {self.name}: {request!r}: {rest}")
        return rest

    def stat(self, timeout_s=10.0):
        """What the guest sees of itself: a dictionary of numbers, units in the names."""
        pairs = (pair.split("=") for pair in self.ask("stat", timeout_s).split())
        return {k: float(v) if "." in v else int(v) for k, v in pairs}

    def wait_ready(self, timeout_s=60.0):
        end = time.monotonic() + timeout_s
        while True:
            try:
                return self.ask("ping", 2.0)
            except GuestError as e:
                if time.monotonic() > end:
                    raise GuestError(f"{e}; its console ends with: {self.console()[-500:]!r}") from e
                if self.pid() is None:
                    raise GuestError(f"guest {self.name} ended; its console ends with: "
                                     f"{self.console()[-500:]!r}") from e

    def hold(self, mib, timeout_s=60.0):
        """Make the guest hold `mib` MiB and wait until it does. GuestError when its kernel kills the holder."""
        end = time.monotonic() + timeout_s
        self.ask(f"mem {mib}", timeout_s)
        while (stat := self.stat(max(1.0, end - time.monotonic())))["held_mib"] != mib:
            if stat["want_mib"] != mib:
                raise GuestError(f"guest {self.name}: out of memory at less than {mib} MiB")
            if time.monotonic() > end:
                raise GuestError(f"guest {self.name} holds {stat['held_mib']} of {mib} MiB after {timeout_s:g} s")
            time.sleep(0.1)

    def console(self):
        try:
            return (self.host.dir / "guests" / f"{self.name}.console").read_text(errors="replace")
        except OSError:
            return ""

    # -- libvirt

    @property
    def dom(self):
        try:
            return self.host.conn.lookupByName(self.name)
        except libvirt.libvirtError:
            self.locate()
            return self.host.conn.lookupByName(self.name)

    def locate(self):
        """Find the host that runs the guest now; stays with the old one when there is none."""
        for host in self.host.lab.hosts:
            try:
                if host.is_up() and host.conn.lookupByName(self.name).isActive():
                    self.host = host
                    break
            except libvirt.libvirtError:
                pass
        return self.host

    def balloon_mib(self):
        return self.dom.info()[2] // 1024

    def set_balloon(self, mib, wait_s=0.0):
        """Ask for a balloon target; with wait_s wait so long for it. Returns the size reached."""
        self.dom.setMemoryFlags(mib * 1024, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        end = time.monotonic() + wait_s
        while (size := self.balloon_mib()) != mib and time.monotonic() < end:
            time.sleep(0.05)
        return size

    def memory_stats(self):
        return self.dom.memoryStats()

    def vcpu_stats(self):
        """Run time and run-queue delay of all vCPUs together, in ms."""
        flags = libvirt.VIR_DOMAIN_STATS_VCPU
        stats = self.host.conn.domainListGetStats([self.dom], flags)[0][1]
        return {what: sum(v for k, v in stats.items() if k.startswith("vcpu.") and k.endswith(f".{what}")) / 1e6
                for what in ("time", "delay")}

    def migrate(self, destination, flags=0, **parameters):
        """Migrate live and peer to peer. Returns the seconds it took."""
        flags |= libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER
        start = time.monotonic()
        self.dom.migrateToURI3(destination.peer_uri, parameters, flags)
        self.host = destination
        return time.monotonic() - start

    def destroy(self):
        try:
            self.dom.destroy()
        except libvirt.libvirtError:
            pass

    # -- the QEMU process

    def pid(self):
        """Process id of its QEMU, as seen from outside the host; None when there is none."""
        for pid in self.host.pids():
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(w == f"guest={self.name}".encode() or w.startswith(f"guest={self.name},".encode())
                   for w in words):
                return pid
        return None

    def rss_kib(self):
        pid = self.pid()
        try:
            return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
        except (OSError, IndexError):
            return None

    def stop_qemu(self):
        """SIGSTOP: the process hangs, as with a dead storage path."""
        os.kill(self.pid(), signal.SIGSTOP)

    def continue_qemu(self):
        os.kill(self.pid(), signal.SIGCONT)

    def kill_qemu(self):
        os.kill(self.pid(), signal.SIGKILL)

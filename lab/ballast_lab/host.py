"""One host of the lab: namespaces, control groups, a libvirtd, and guests."""
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import libvirt

from .guest import Guest
from .paths import SOURCE, LabError, run, start_time
from .template import clone
from .xml import GuestOptions, disk_path, domain, swap_path

libvirt.registerErrorHandler(lambda *_: None, None)  # errors are raised; nothing is printed beside them

LIBVIRTD_CONF = """\
listen_tls = 0
listen_tcp = 1
listen_addr = "{address}"
auth_tcp = "none"
auth_unix_rw = "none"
unix_sock_group = "root"
unix_sock_rw_perms = "0700"
host_uuid = "{uuid}"
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
"""
QEMU_CONF = """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = [ "cpu", "cpuset", "cpuacct", "memory" ]
stdio_handler = "file"
"""


class HostProcess(subprocess.Popen):
    """A program that runs inside a host. Signals reach the program itself, and it dies with this object's
    process (nsenter), with the host and with the lab."""

    def inner_pid(self):
        """The program's process id as seen from outside; None before it started or after it ended."""
        try:
            return int(Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()[0])
        except (OSError, IndexError):
            return None

    def send_signal(self, sig):
        end = time.monotonic() + 5
        while self.poll() is None:
            pid = self.inner_pid()
            if pid is not None:
                os.kill(pid, sig)
                return
            if time.monotonic() > end:
                super().send_signal(signal.SIGKILL)
            time.sleep(0.005)


class Host:
    """h1, h2, ... of a lab."""

    def __init__(self, lab, number):
        self.lab = lab
        self.number = number
        self.name = f"h{number}"
        self.dir = lab.dir / self.name
        self.uri = f"qemu:///system?socket={self.dir}/run/libvirt-sock"   # for clients anywhere on the machine
        self.peer_uri = f"qemu+tcp://{self.name}/system"                  # for clients inside the lab's hosts
        self.disks = Path(lab.state["disks"]) / self.name                 # /run/lab/disks inside
        self._conn = None

    def __repr__(self):
        return f"<host {self.name} of lab {self.lab.tag}>"

    # -- life

    def boot(self):
        """Start the host; returns when its libvirtd answers."""
        if self.is_up():
            return
        groups, network = self.lab.groups, self.lab.network
        self._reset_directory()
        groups.create_host(self.name)
        facts = self._facts()
        if groups.confines:
            self.limit_memory(facts["mem_mib"])
            self.limit_cpu(facts["cpu_percent"])
        for what, path in groups.pressure_files(self.name).items():
            (self.dir / "psi" / what).symlink_to(path)
        joins = "".join(f"echo $$ > {shlex.quote(str(f))}; " for f in groups.procs_files(self.name))
        inner = ["nsenter", f"--net=/run/netns/{network.of(self.name)}", "unshare", "--mount", "--uts", "--ipc",
                 "--pid", "--cgroup", "--fork", "--kill-child", "sh", SOURCE / "host/init.sh", self.dir, self.name,
                 groups.for_init, self.lab.lxcfs or "none", self.lab.dir / "drivers", self.disks]
        with open(self.dir / "host.log", "w") as log:
            outer = subprocess.Popen(["sh", "-ec", joins + "exec " + shlex.join(map(str, inner))],
                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.lab.remember_host(self.name, outer=[outer.pid, start_time(outer.pid)])
        self.lab.outers[self.name] = outer
        groups.started(self.name, outer.pid, self.dir / "unshared")

    def _reset_directory(self):
        for path in [*(self.dir / what for what in ["run", "guests", "guests/disks", "var", "work", "newrun", "etc",
                                                    "psi"]), self.disks]:
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
        for what in ["no-libvirtd", "unshared", "libvirtd.pid"]:
            (self.dir / what).unlink(missing_ok=True)
        (self.dir / "etc/libvirtd.conf").write_text(LIBVIRTD_CONF.format(
            address=self.lab.network.address(self.number),
            uuid=f"1ab{self.lab.network.index:05x}-0000-4000-8000-{self.number:012x}"))
        (self.dir / "etc/qemu.conf").write_text(QEMU_CONF)
        self._conn = None

    def _facts(self):
        return self.lab.state["hosts"][self.name]

    def is_up(self):
        outer = self._facts().get("outer")
        return bool(outer) and start_time(outer[0]) == outer[1]

    def wait_ready(self, timeout_s=60.0):
        end = time.monotonic() + timeout_s
        while True:
            try:
                self._conn = libvirt.open(self.uri)
                return
            except libvirt.libvirtError as e:
                if time.monotonic() > end or not self.is_up():
                    log = (self.dir / "host.log").read_text()[-2000:]
                    raise LabError(f"host {self.name} does not come up: {e}\n{log}") from e
                time.sleep(0.05)

    def crash(self):
        """Power failure: everything on the host is gone at once. boot() starts it again, empty."""
        outer = self._facts().get("outer")
        if self.is_up():
            first = self.first_pid()
            os.kill(first, signal.SIGKILL)
            end = time.monotonic() + 20
            while start_time(first) is not None or start_time(outer[0]) == outer[1]:
                if time.monotonic() > end:
                    raise LabError(f"host {self.name}: process {first} survives SIGKILL")
                if self.name in self.lab.outers:
                    self.lab.outers[self.name].poll()
                time.sleep(0.01)
        self._conn = None

    def first_pid(self):
        """The host's first process, as seen from outside."""
        outer = self._facts()["outer"][0]
        return int(Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0])

    # -- the network

    def cut(self):
        """Pull the cable: the host keeps running and nobody hears of it."""
        self.lab.network.cable(self.name, False)

    def mend(self):
        self.lab.network.cable(self.name, True)

    # -- limits and figures

    def limit_memory(self, mib, swap_mib=0):
        self.lab.groups.limit_memory(self.name, mib, swap_mib)

    def limit_cpu(self, percent):
        """Percent of one CPU; None or 0 lifts the limit."""
        self.lab.groups.limit_cpu(self.name, percent or 0)

    @contextlib.contextmanager
    def unconfined(self):
        """Lift the CPU limit for a while, for work that is the lab's and not the host's."""
        if self.lab.groups.confines:
            self.limit_cpu(None)
        try:
            yield
        finally:
            if self.lab.groups.confines:
                self.limit_cpu(self._facts()["cpu_percent"])

    def memory(self):
        """usage_kib, cache_kib (part of it), limit_kib, oom_kills of the host's group."""
        return self.lab.groups.memory(self.name)

    def cpu_ms(self):
        """CPU time that the host has used so far."""
        return self.lab.groups.cpu_ms(self.name)

    def pressure(self, what):
        """PSI of "cpu", "memory" or "io": {"some": {"avg10": ..., "total": ...}, "full": ...}; None without."""
        path = self.lab.groups.pressure_files(self.name).get(what)
        if path is None:
            return None
        lines = (line.split() for line in path.read_text().splitlines())
        return {w[0]: {k: float(v) for k, v in (p.split("=") for p in w[1:])} for w in lines}

    def pids(self):
        return self.lab.groups.pids(self.name) if self.lab.groups.confines else self._namespace_pids()

    def _namespace_pids(self):
        mine = os.readlink(f"/proc/{self.first_pid()}/ns/pid") if self.is_up() else None
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(entry / "ns/pid") == mine:
                    found.append(int(entry.name))
            except OSError:
                pass
        return found

    # -- programs inside

    def argv(self, argv, outlives=False):
        """The command line that runs argv inside the host, in its namespaces and control groups. What outlives its
        parent ends with the host."""
        joins = "".join(f"echo $$ > {shlex.quote(str(f))}; " for f in self.lab.groups.procs_files(self.name))
        inner = ["nsenter", "-t", self.first_pid(), "-m", "-u", "-i", "-n", "-p", "-C",
                 *([] if outlives else ["setpriv", "--pdeathsig", "KILL", "--"]), *argv]
        return ["sh", "-ec", joins + "exec " + shlex.join(map(str, inner))]

    def run(self, argv, check=True, **kw):
        """Run a program inside to its end; .stdout and .stderr are text. LabError when it fails, unless
        check is false."""
        return run(*self.argv(argv), check=check, **kw)

    def popen(self, argv, outlives=False, **kw):
        """Start a program inside. Of its signals terminate(), kill() and send_signal() reach the program."""
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("start_new_session", outlives)  # else a Ctrl-C meant for the parent's group would end it
        process = HostProcess(self.argv(argv, outlives), **kw)
        self.lab.processes.append(process)
        return process

    # -- libvirt

    @property
    def conn(self):
        """A connection to the host's libvirtd, opened anew when the old one has died."""
        if self._conn is None or not self._alive():
            if not self.is_up():
                raise libvirt.libvirtError(f"host {self.name} is down")
            self._conn = libvirt.open(self.uri)
        return self._conn

    def _alive(self):
        try:
            self._conn.getLibVersion()
            return True
        except libvirt.libvirtError:
            return False

    def libvirtd_pid(self):
        for pid in self.pids():
            try:
                if Path(f"/proc/{pid}/comm").read_text().strip() == "libvirtd":
                    return pid
            except OSError:
                pass
        return None

    def kill_libvirtd(self):
        """SIGKILL; it is started again at once, as by an init system. Guests live on."""
        os.kill(self.libvirtd_pid(), signal.SIGKILL)

    def stop_libvirtd(self):
        """Kill it and keep it away until start_libvirtd()."""
        (self.dir / "no-libvirtd").touch()
        pid = self.libvirtd_pid()
        if pid:
            os.kill(pid, signal.SIGKILL)

    def start_libvirtd(self):
        (self.dir / "no-libvirtd").unlink(missing_ok=True)
        self.wait_ready()

    # -- guests

    def make_disks(self, name, options):
        """The disks of a guest, empty: the read-only one on every host, its swap here."""
        if options.disk_mib:
            for host in self.lab.hosts:
                host._make_disk(disk_path(options.disk_mib), options.disk_mib)
        if options.swap_disk_mib:
            self._make_disk(swap_path(name), options.swap_disk_mib)

    def _make_disk(self, path, mib):
        path = self.disks / Path(path).name
        if path.parent.exists() and not path.exists():
            with open(path, "wb") as f:
                f.truncate(mib << 20)

    def start_guest(self, name, mib=128, zram_mib=0, current_mib=None, stats_period_s=1, template=True, **options):
        """Start a guest and wait for its agent.

        mib: maxmem; zram_mib: compressed swap (0: none); current_mib: first balloon target; template=False boots
        it instead of cloning. Further options: xml.GuestOptions.
        """
        options = GuestOptions(mib=mib, **options)
        lab = self.lab
        if template:
            save = lab.template(self, options)
            self.make_disks(name, options)
            clone(self, name, save, stats_period_s)
        else:
            self.make_disks(name, options)
            self.conn.createXML(domain(name, options, lab.image, lab.accel, lab.tsc_khz,
                                       stats_period_s=stats_period_s), 0)
        guest = Guest(self, name)
        guest.wait_ready(240)
        guest.ask(f"name {name}")
        if zram_mib:
            guest.ask(f"swap {zram_mib}")
        if options.swap_disk_mib:
            guest.ask("swapdisk")
        if current_mib:
            guest.set_balloon(current_mib)
        return guest

    def guest(self, name):
        return Guest(self, name)

    def guests(self):
        return [Guest(self, d.name()) for d in self.conn.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)]

    def destroy_guests(self):
        for guest in self.guests():
            guest.destroy()

"""What goes wrong around ballastd, on real hosts with real guests: each leaves every guest running and is said."""
import os
import signal
import sqlite3
import time

import pytest

from agents import DONE, OPEN, PROPOSED, RUNNING, Agents, wait
from test_stories import oom_kills, where
from test_unhappy_guests import LIMIT_PAIR, memory_is_managed, pair  # noqa: F401

class Trouble:
    """A store in trouble while the agent starts: begin, and end of it."""

    def __init__(self, agents, h1):
        self.agents = agents
        self.h1 = h1

    def end(self):
        pass

    def check(self):
        pass


class Locked(Trouble):
    def begin(self):
        self.db = sqlite3.connect(self.agents.store, isolation_level=None)
        self.db.execute("begin immediate")

    def end(self):
        self.db.execute("rollback")
        self.db.close()


class ReadOnly(Trouble):
    def begin(self):
        self.h1.run(["mount", "--bind", self.agents.dir, self.agents.dir])
        self.h1.run(["mount", "-o", "remount,bind,ro", self.agents.dir])

    def end(self):
        self.h1.run(["umount", "-l", self.agents.dir])


class Full(Trouble):
    def begin(self):
        place = str(self.agents.dir)
        self.h1.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", "/mnt"])  # the host's own /mnt
        self.h1.run(["sh", "-c", f"cp {place}/*.conf {place}/store.db* /mnt; mount --move /mnt {place}; "
                                 f"dd if=/dev/zero of={place}/other bs=4k || true"])

    def end(self):
        self.h1.run(["umount", "-l", self.agents.dir])


class Corrupt(Trouble):
    def begin(self):
        for extra in ("-wal", "-shm"):
            (self.agents.dir / f"store.db{extra}").unlink(missing_ok=True)
        self.rubbish = b"this is no database " * 5000
        fresh = self.agents.dir / "rubbish"
        fresh.write_bytes(self.rubbish)
        os.replace(fresh, self.agents.store)

    def check(self):
        assert self.agents.store.read_bytes() == self.rubbish, "a damaged store is evidence: it is not replaced"


@pytest.mark.parametrize("kind", [Locked, ReadOnly, Full, Corrupt])
def test_memory_is_managed_on_when_the_store_is(kind, lab, pair):  # noqa: F811
    h1, guests = pair
    with Agents(lab, hosts=[h1]) as agents:
        assert wait(lambda: agents.ballast("vms")["vms"], 20), agents.log(h1)
        agents.end(h1)
        trouble = kind(agents, h1)
        trouble.begin()
        try:
            h1.limit_memory(LIMIT_PAIR)
            agents.start(h1)
            memory_is_managed(agents, h1, guests)
            assert agents.wait_log(h1, r"store \S+ does not serve: .*Memory is managed without it", 60), agents.log(h1)
            trouble.check()
        finally:
            trouble.end()
        if kind is Locked:  # only the lock goes by itself
            assert agents.wait_log(h1, r"store \S+ is back after", 60), agents.log(h1)
        assert agents.alive(h1)
        assert oom_kills(lab, guests) == 0


@pytest.mark.timeout(300)
def test_a_libvirtd_that_hangs_for_a_minute_is_waited_out(lab, pair):  # noqa: F811
    h1, guests = pair
    with Agents(lab, hosts=[h1]) as agents:
        assert wait(lambda: agents.ballast("vms")["vms"], 20), agents.log(h1)
        pid = h1.libvirtd_pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            assert agents.wait_log(h1, "libvirt does not answer", 30), agents.log(h1)
            time.sleep(60)
            hosts = agents.ballast("hosts")["hosts"]
            assert hosts[0]["closed"] and hosts[0]["alive"], hosts
            assert agents.alive(h1)
            threads = len(os.listdir(f"/proc/{agents.running[h1].pid}/task"))
        finally:
            os.kill(pid, signal.SIGCONT)
        assert agents.wait_log(h1, "libvirt is back", 30), agents.log(h1)
        assert agents.log(h1).count("libvirt does not answer") == 1, agents.log(h1)
        assert threads < 16, "calls that hang are abandoned one after the other, not heaped up"
        assert agents.alive(h1)
        assert wait(lambda: not agents.ballast("hosts")["hosts"][0]["closed"], 20), agents.log(h1)
        assert copies(lab) == [("g1", "h1"), ("g2", "h1")]
        assert oom_kills(lab, guests) == 0


def busy_pair(lab):
    """Two guests that want more CPU than their host has."""
    for h in lab.hosts:
        h.limit_cpu(60)
    return [lab.hosts[0].start_guest(n, mib=128, zram_mib=64) for n in ("g1", "g2")]


def copies(lab):
    """Where each domain runs: one entry for each running copy."""
    return sorted((d.name(), h.name) for h in lab.hosts if h.is_up() for d in h.conn.listAllDomains()
                  if d.isActive() and d.state()[0] == 1)


@pytest.mark.timeout(300)
def test_a_destination_that_crashes_half_way_leaves_the_guest_running_once(lab):
    h1, h2, _ = lab.hosts
    guests = busy_pair(lab)
    with Agents(lab, hosts=[h1, h2], migration="bandwidth_mib_s = 25") as agents:
        for g in guests:
            g.ask("cpu 45")
        assert wait(lambda: [m for m in agents.migrations() if m[0] == RUNNING], 120), agents.log(h1)
        agents.running.pop(h2)
        h2.crash()
        assert copies(lab) == [("g1", "h1"), ("g2", "h1")]
        assert wait(lambda: agents.migrations()[0][0] not in OPEN, 90), agents.log(h1)
        state, source, destination = agents.migrations()[0]
        assert (source, destination) == ("h1", "h2") and state != DONE
        assert agents.wait_log(h1, r"VM g[12]: move to h2 (failed|cancelled|refused)", 10), agents.log(h1)
        assert copies(lab) == [("g1", "h1"), ("g2", "h1")]
        assert all(g.stat()["burn_pct"] == 45 for g in guests)


def test_in_recommend_nothing_moves_until_it_is_approved(lab):
    h1 = lab.hosts[0]
    guests = busy_pair(lab)
    with Agents(lab, mode="recommend") as agents:
        for g in guests:
            g.ask("cpu 45")

        def proposed():
            return [m for m in agents.ballast("approve")["migrations"] if m["state"] == "proposed"]
        assert wait(proposed, 90), agents.log(h1)
        time.sleep(8)
        assert where(guests) == ["h1", "h1"] and {m[0] for m in agents.migrations()} == {PROPOSED}
        wanted = proposed()[0]
        assert wanted["reason"] and wanted["from"] == "h1"
        told = agents.ballast("explain", wanted["vm"])
        assert told["vm"]["name"] == wanted["vm"] and told["migrations"][0]["id"] == wanted["id"]
        agents.ballast("approve", str(wanted["id"]))
        assert wait(lambda: lab.guest(wanted["vm"]).host.name == wanted["to"], 60), agents.log(h1)
        assert wait(lambda: agents.migrations()[0][0] == DONE, 20), agents.log(h1)
        assert sorted(name for name, _ in copies(lab)) == ["g1", "g2"]


def test_a_wrong_file_at_sighup_keeps_the_old_settings(lab):
    h1 = lab.hosts[0]
    with Agents(lab, hosts=[h1]) as agents:
        conf = agents.configure(h1, mode="observe")
        text = conf.read_text()
        conf.write_text(text + "[memory]\nfloor_mib = none at all\n")
        agents.running[h1].send_signal(signal.SIGHUP)
        assert agents.wait_log(h1, "settings are not changed: ", 20), agents.log(h1)
        assert agents.wait_log(h1, r"floor_mib", 1), agents.log(h1)
        time.sleep(3)
        assert "mode is observe" not in agents.log(h1)
        conf.write_text(text)
        agents.running[h1].send_signal(signal.SIGHUP)
        assert agents.wait_log(h1, "settings read again", 20) and agents.wait_log(h1, "mode is observe", 20)
        assert agents.alive(h1)


def test_the_verbs_tell_of_the_live_store_what_libvirt_tells(lab):
    h1 = lab.hosts[0]
    g1 = h1.start_guest("g1", mib=128, zram_mib=64)
    g1.hold(20)
    with Agents(lab, mode="observe", hosts=[h1]) as agents:
        vms = wait(lambda: [vm for vm in agents.ballast("vms")["vms"] if vm["mem_used_mib"] > 0], 30)
        assert vms, agents.log(h1)
        assert [(vm["name"], vm["host"], vm["mode"]) for vm in vms] == [("g1", "h1", "observe")]
        assert vms[0]["uuid"] == g1.dom.UUIDString() and vms[0]["vcpus"] == 1
        assert vms[0]["mem_mib"] == 128 and vms[0]["mem_current_mib"] == g1.balloon_mib()
        assert 20 <= vms[0]["mem_used_mib"] <= 128
        status = agents.ballast("status")
        assert (status["hosts"], status["hosts_alive"], status["vms"]) == (1, 1, 1)
        told = agents.ballast("explain", "g1")
        assert told["host"]["name"] == "h1" and told["vm"]["uuid"] == vms[0]["uuid"]
        assert abs(told["host"]["mem_mib"] - h1.memory()["limit_kib"] / 1024) < 2
        os.kill(g1.pid(), signal.SIGKILL)
        assert wait(lambda: agents.ballast("vms")["vms"] == [], 30), agents.log(h1)


def test_a_host_in_maintenance_is_emptied_and_takes_nothing(lab):
    h1, h2 = lab.hosts[:2]
    for h in (h1, h2):
        h.limit_memory(700)
    guests = [h1.start_guest("g1", mib=128, zram_mib=64), h1.start_guest("g2", mib=128, zram_mib=64)]
    with Agents(lab, mode="auto", hosts=[h1, h2]) as agents:
        assert wait(lambda: len(agents.ballast("vms")["vms"]) == 2, 30), agents.log(h1)
        time.sleep(5)
        assert where(guests) == ["h1", "h1"]
        agents.ballast("set", "--host", "h1", "maintenance", "yes")
        assert wait(lambda: where(guests) == ["h2", "h2"], 120), agents.log(h1)
        assert wait(lambda: {h["name"]: h["state"] for h in agents.ballast("hosts")["hosts"]} ==
                    {"h1": "maintenance", "h2": "up"}, 20), agents.ballast("hosts")
        assert wait(lambda: [m[0] for m in agents.migrations()] == [DONE, DONE], 20), agents.migrations()
        reasons = {m["reason"] for m in agents.ballast("events", "--migrations")["migrations"]}
        assert all(r.startswith("h1 is in maintenance (") for r in reasons), reasons
        assert sorted(name for name, _ in copies(lab)) == ["g1", "g2"]

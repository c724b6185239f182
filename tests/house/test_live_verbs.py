"""The verbs of a live cluster on a made-up one: what they print, what they change, how they refuse."""
import fcntl
import json
import os
import select
import sqlite3
import struct
import subprocess
import termios
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BALLAST_BUILD", "build"))


@pytest.fixture
def store(tmp_path):
    """Two hosts with three VMs each; vm000-00 is on its way, vm000-01 waits for approval."""
    path = str(tmp_path / "store.db")
    populate = subprocess.Popen([os.path.join(BUILD, "bench", "store", "store-populate"), path, "2", "3", "600"])
    deadline = time.monotonic() + 20
    while not (os.path.exists(path) and waiting(path)):
        assert time.monotonic() < deadline and populate.poll() is None
        time.sleep(0.1)
    yield path
    populate.kill()
    populate.wait()


def run(store, *words):
    return subprocess.run([os.path.join(BUILD, "src", "command", "ballast"), *words, "--store", store],
                          capture_output=True, text=True, check=False, timeout=30)


def told(store, *words):
    done = run(store, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def waiting(store):
    done = run(store, "approve", "--json")
    return [m for m in json.loads(done.stdout)["migrations"] if m["state"] == "proposed"] if done.stdout else []


def refused(store, status, text, *words):
    done = run(store, *words)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert text in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


def settings(store):
    return {(s["scope"], s["object"], s["key"]): s["value"] for s in told(store, "set")["settings"]}


def test_set_writes_and_unset_forgets(store):
    assert told(store, "set", "vm000-01", "shares", "2000")["done"] is True
    assert run(store, "set", "--host", "host001", "maintenance", "yes").returncode == 0
    assert run(store, "set", "--cluster", "growth", "0.2").returncode == 0
    uuid = [vm["uuid"] for vm in told(store, "vms")["vms"] if vm["name"] == "vm000-01"][0]
    expected = {("vm", uuid, "shares"): "2000", ("host", "host001", "maintenance"): "yes",
                ("cluster", "", "growth"): "0.2"}
    found = {(k[0], k[1] or "", k[2]): v for k, v in settings(store).items()}
    assert {k: found.get(k) for k in expected} == expected, found
    assert run(store, "set", "--unset", "--host", "host001", "maintenance").returncode == 0
    assert not any(key == "maintenance" for _, _, key in settings(store))


@pytest.mark.parametrize("text, words", [
    ('unknown setting "sheep"', ["vm000-01", "sheep", "1"]),
    ("a whole number from 1 to 1000000", ["vm000-01", "shares", "0"]),
    ("a whole number from 1 to 1000000", ["vm000-01", "shares", "many"]),
    ("yes or no is", ["vm000-01", "excluded", "perhaps"]),
    ("observe, recommend or auto is", ["--cluster", "mode", "brave"]),
    ("shares is no setting of the cluster", ["--cluster", "shares", "1"]),
    ('no host has reported a VM "nobody"', ["nobody", "shares", "1"]),
    ('"nowhere"', ["--host", "nowhere", "maintenance", "yes"]),
    ("it takes VM KEY VALUE", ["vm000-01", "shares"]),
    ("exclude each other", ["--cluster", "--host", "host000", "mode", "auto"]),
])
def test_set_refuses_bad_input_and_changes_nothing(store, text, words):
    before = settings(store)
    refused(store, 2, text, "set", *words)
    assert settings(store) == before


def test_pause_and_resume_are_the_clusters_mode(store):
    assert told(store, "explain", "vm000-01")["cluster_mode"] == "auto"
    assert run(store, "pause").returncode == 0
    assert told(store, "explain", "vm000-01")["cluster_mode"] == "observe"
    assert run(store, "resume").returncode == 0
    assert told(store, "explain", "vm000-01")["cluster_mode"] == "auto"
    assert run(store, "pause", "now").returncode == 2


def test_an_approved_migration_is_ordered_and_a_second_word_refused(store):
    proposal = waiting(store)[0]
    assert (proposal["vm"], proposal["from"], proposal["to"]) == ("vm000-01", "host000", "host001")
    number = str(proposal["id"])
    left = told(store, "approve", number)["migrations"]
    assert [(m["id"], m["state"]) for m in left] == [(proposal["id"], "ordered")]
    refused(store, 1, "migration %s is ordered" % number, "approve", number)


def test_a_rejected_migration_is_cancelled_with_the_name_of_who_said_no(store):
    number = waiting(store)[0]["id"]
    assert run(store, "approve", "--reject", str(number)).returncode == 0
    ended = [m for m in told(store, "events", "--migrations")["migrations"] if m["id"] == number]
    assert ended[0]["state"] == "cancelled" and "rejected by" in ended[0]["text"]


def test_an_expired_proposal_is_not_approved(store):
    number = str(waiting(store)[0]["id"])
    with sqlite3.connect(store, timeout=10) as db:
        db.execute("UPDATE migrations SET expires_at = 1 WHERE id = ?", (number,))
    db.close()
    done = run(store, "approve", number)
    assert done.returncode == 1 and done.stdout == ""
    assert "migration %s" % number in done.stderr, done.stderr
    assert not waiting(store)


@pytest.mark.parametrize("status, text, word", [
    (1, "there is no migration 4711", "4711"), (2, "is no number of a migration", "first"),
    (2, "is no number of a migration", "0"), (2, "is no number of a migration", "99999999999999999999999")])
def test_approve_refuses_what_is_no_migration(store, status, text, word):
    refused(store, status, text, "approve", word)


def test_explain_tells_one_vm_its_host_and_what_was_decided(store):
    found = told(store, "explain", "vm000-00")
    assert (found["vm"]["name"], found["host"]["name"]) == ("vm000-00", "host000")
    assert any(d["verdict"] == "balloon-down" and d["acted"] for d in found["decisions"]), found["decisions"]
    assert "312 MiB" in run(store, "explain", "vm000-00").stdout
    refused(store, 2, 'no host has reported a VM "nobody"', "explain", "nobody")


def test_events_filter_by_host_vm_and_number(store):
    joined = [e for e in told(store, "events")["events"] if e["kind"] == "host-joined"]
    assert [e["host"] for e in joined] == ["host000", "host001"]
    assert {e["host"] for e in told(store, "events", "--host", "host001")["events"]} == {"host001"}
    assert len(told(store, "events", "--limit", "1")["events"]) == 1
    moves = told(store, "events", "--migrations", "--vm", "vm000-00")["migrations"]
    assert moves and {m["vm"] for m in moves} == {"vm000-00"}
    refused(store, 2, 'no host has reported a VM "nobody"', "events", "--vm", "nobody")
    assert run(store, "events", "--limit", "0").returncode == 2


@pytest.mark.parametrize("words", [["status"], ["vms"], ["set", "--cluster", "mode", "auto"], ["approve", "1"],
                                   ["pause"], ["explain", "x"], ["events"]])
def test_without_a_store_every_verb_says_so_and_makes_none(tmp_path, words):
    path = str(tmp_path / "none.db")
    done = run(path, *words)
    assert done.returncode == 1 and "none.db" in done.stderr and not os.path.exists(path), done.stderr


def test_top_shows_hosts_and_vms_and_ends_at_q(store):
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    top = subprocess.Popen([os.path.join(BUILD, "src", "command", "ballast"), "top", "--store", store], stdin=slave,
                           stdout=slave, stderr=slave, env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"})
    os.close(slave)
    seen, deadline, names = b"", time.monotonic() + 20, [b"host000", b"host001", b"vm000-00", b"vm001-02"]
    while not all(name in seen for name in names):
        assert time.monotonic() < deadline, seen
        if select.select([master], [], [], 0.2)[0]:
            seen += os.read(master, 65536)
    os.write(master, b"q")
    while top.poll() is None:  # what is still drawn must have somebody who reads it
        assert time.monotonic() < deadline, seen
        if select.select([master], [], [], 0.2)[0]:
            try:
                os.read(master, 65536)
            except OSError:  # the other end is closed
                break
    os.close(master)
    assert top.wait(10) == 0
    refused(store, 1, "needs a terminal", "top")

"""score, plan and place as others rely on them: keys, types, digits, figures, exit statuses, and how they refuse."""
import copy
import json
import math
import os
import random
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BALLAST_BUILD", "build"))

SCORE_KEYS = {"score": float, "lost_vm_s_per_s": float, "expected_lost_vm_s_per_s": float, "hosts_overloaded": int,
              "hosts_used": int, "cpu_sd": float, "mem_sd": float, "cpu_max": float, "mem_max": float, "s_min": float,
              "s_p1": float}
MOVE_KEYS = {"vm": str, "from": str, "to": str, "benefit_lost_vm_s": float, "cost_lost_vm_s": float,
             "duration_s": float, "downtime_s": float, "reason": str}
PLACE = ["place", "-", "--vcpus", "2", "--mem-mib", "2048"]
VERBS = [["score", "-"], ["plan", "-"], PLACE]


class Number(float):
    """A number of the output, and how it was written."""

    def __new__(cls, text):
        number = super().__new__(cls, text)
        number.text = text
        return number


def ballast(words, snapshot):
    text = snapshot if isinstance(snapshot, str) else json.dumps(snapshot)
    return subprocess.run([os.path.join(BUILD, "src", "command", "ballast"), *words], input=text, capture_output=True,
                          text=True, check=False, timeout=60)


def told(words, snapshot, status=0):
    done = ballast([*words, "--json"], snapshot)
    assert (done.returncode, done.stderr) == (status, ""), done.stderr
    return json.loads(done.stdout, parse_float=Number, parse_int=Number)


def vm(name, host, vcpus, demand, used, **more):
    return {"name": name, "host": host, "vcpus": vcpus, "mem_mib": 4096, "cpu_demand_cores": demand,
            "mem_used_mib": used, **more}


def crowded():
    """h0 lacks CPU and memory, h1 and h2 have both; shares, reservations, limits and overheads differ."""
    return {"format": "ballast-snapshot-1", "taken_at": "2026-11-23T10:00:00Z",
            "hosts": [{"name": "h0", "cpu_cores": 8, "mem_mib": 16384, "mem_reserved_mib": 1024, "zone": "a"},
                      {"name": "h1", "cpu_cores": 8, "mem_mib": 32768, "net_mib_s": 500},
                      {"name": "h2", "cpu_cores": 16, "mem_mib": 16384, "threads_per_core": 2, "core_speed": 1.0}],
            "vms": [vm("v0", "h0", 4, 3.3, 3000, shares=2000),
                    vm("v1", "h0", 4, 3.7, 3100, mem_overhead_mib=100, dirty_mib_s=20),
                    vm("v2", "h0", 4, 2.9, 2900, cpu_reservation_cores=2, mem_reservation_mib=2000),
                    vm("v3", "h0", 2, 1.7, 3500, cpu_limit_cores=1.2, mem_limit_mib=3400),
                    vm("v4", "h0", 2, 0.01, 3333, cpu_shares=500, mem_shares=500),
                    vm("v5", "h1", 2, 1.1, 1024, migrations_1h=0.5, movable=False),
                    vm("v6", "h2", 8, 2.2, 2048, cannot_run_on=["h1"], local_disk_mib=10)],
            "rules": [{"type": "apart", "vms": ["v0", "v6"]},
                      {"type": "off", "vms": ["v4"], "hosts": ["h1"], "strict": False}]}


# Section 2 of the format, written plainly: water-filling, satisfaction, and what is summed from it.

def divided(capacity, claims):
    """What claims of (demand, reservation, limit, shares) get: nobody below what is reserved for its demand."""
    floor = [min(d, r, m) for d, r, m, _ in claims]
    most = [min(d, m) for d, _, m, _ in claims]
    if sum(most) <= capacity:
        return most
    if sum(floor) >= capacity:
        return [f * capacity / sum(floor) for f in floor]
    low, high = 0.0, max(m / s for m, (_, _, _, s) in zip(most, claims))
    for _ in range(200):
        level = (low + high) / 2
        given = [min(m, max(f, level * c[3])) for f, m, c in zip(floor, most, claims)]
        low, high = (level, high) if sum(given) <= capacity else (low, level)
    return given


def satisfied(host, vms):
    cpu = [(v["cpu_demand_cores"], v.get("cpu_reservation_cores", 0), v.get("cpu_limit_cores", v["vcpus"]),
            v.get("cpu_shares", v.get("shares", 1000))) for v in vms]
    mem = [(v["mem_used_mib"] + v.get("mem_overhead_mib", 0), v.get("mem_reservation_mib", 0),
            v.get("mem_limit_mib", v["mem_mib"]), v.get("mem_shares", v.get("shares", 1000))) for v in vms]
    cores = divided(host["cpu_cores"], cpu)
    mib = divided(host["mem_mib"] - host.get("mem_reserved_mib", 0), mem)
    return [(1 - max(c[0] - g, 0) / max(c[0], 0.1 * v["vcpus"])) * (min(h / m[0], 1) if m[0] else 1)
            for v, c, g, m, h in zip(vms, cpu, cores, mem, mib)]


def on(snapshot, host):
    return [v for v in snapshot["vms"] if v["host"] == host["name"]]


def deviation(values):
    mean = sum(values) / len(values)
    return math.sqrt(sum((x - mean) ** 2 for x in values) / len(values))


def scored(snapshot):
    counted = [h for h in snapshot["hosts"] if h.get("state", "up") != "down"]
    running = [h for h in counted if h.get("state", "up") != "standby"]
    up = [h for h in counted if h.get("state", "up") == "up"]
    pairs = [p for h in counted for p in zip(on(snapshot, h), satisfied(h, on(snapshot, h)))]
    shares = sum(v.get("shares", 1000) for v, _ in pairs)
    lost = sum(v.get("shares", 1000) * (1 - s) for v, s in pairs)

    def cpu(h):
        return sum(v["cpu_demand_cores"] for v in on(snapshot, h)) / h["cpu_cores"]

    def mem(h):
        return sum(v["mem_used_mib"] for v in on(snapshot, h)) / h["mem_mib"]

    def short(h):
        want = sum(v["mem_used_mib"] + v.get("mem_overhead_mib", 0) for v in on(snapshot, h))
        return cpu(h) > 1 or want > h["mem_mib"] - h.get("mem_reserved_mib", 0)
    ranked = sorted(s for _, s in pairs)
    return {"score": 1 - lost / shares, "lost_vm_s_per_s": lost * len(pairs) / shares,
            "hosts_overloaded": sum(short(h) for h in running), "hosts_used": sum(bool(on(snapshot, h)) for h in running),
            "cpu_sd": deviation([cpu(h) for h in up]), "mem_sd": deviation([mem(h) for h in up]),
            "cpu_max": max(cpu(h) for h in up), "mem_max": max(mem(h) for h in up), "s_min": ranked[0],
            "s_p1": ranked[math.ceil(len(ranked) / 100) - 1]}


def has_keys(thing, keys):
    for key, kind in keys.items():
        assert key in thing, key
        if kind is str:
            assert isinstance(thing[key], str) and thing[key], key
        elif kind is int:
            assert isinstance(thing[key], Number) and re.fullmatch(r"\d+", thing[key].text), key
        else:
            assert isinstance(thing[key], Number) and math.isfinite(thing[key]), key


def numbers(thing):
    if isinstance(thing, Number):
        yield thing
    for part in thing.values() if isinstance(thing, dict) else thing if isinstance(thing, list) else []:
        yield from numbers(part)


def digits(number):
    mantissa = number.text.lower().split("e")[0].lstrip("-").replace(".", "").lstrip("0")
    return len(mantissa.rstrip("0") if "." not in number.text and "e" not in number.text.lower() else mantissa)


def is_score_of(score, snapshot):
    has_keys(score, SCORE_KEYS)
    for key, value in scored(snapshot).items():
        assert score[key] == pytest.approx(value, rel=6e-6, abs=1e-9), key


def after_moves(snapshot, moves):
    after = copy.deepcopy(snapshot)
    places = {v["name"]: v for v in after["vms"]}
    for m in moves:
        assert places[m["vm"]]["host"] == m["from"]
        places[m["vm"]]["host"] = m["to"]
    return after


def random_snapshot(seed):
    r = random.Random(seed)
    hosts = [{"name": "h%d" % i, "cpu_cores": r.choice([8, 16]), "mem_mib": r.choice([16384, 32768]),
              "state": "maintenance" if r.random() < 0.15 else "up"} for i in range(5)]
    hosts.append({"name": "x", "cpu_cores": 8, "mem_mib": 8192, "state": "down"})
    vms = []
    for i in range(30):
        vcpus = r.choice([1, 2, 4])
        vms.append(vm("v%02d" % i, r.choice(hosts)["name"], vcpus, round(vcpus * r.random(), 3),
                      round(4096 * r.random(), 1), shares=r.choice([500, 1000, 2000]),
                      mem_overhead_mib=r.choice([0, 50]), cpu_limit_cores=r.choice([vcpus, vcpus * 0.75])))
    return {"format": "ballast-snapshot-1", "hosts": hosts, "vms": vms}


def test_score_has_every_key_and_the_figures_of_the_definition():
    score = told(["score", "-"], crowded())
    assert score["format"] == "ballast-score-1"
    is_score_of(score, crowded())
    assert score["lost_vm_s_per_s"] > 0 and score["hosts_overloaded"] == 1


@pytest.mark.parametrize("seed", range(20))
def test_score_of_a_random_cluster_is_that_of_the_definition(seed):
    snapshot = random_snapshot(seed)
    is_score_of(told(["score", "-"], snapshot), snapshot)


@pytest.mark.parametrize("goal", ["relieve", "balance", "pack"])
def test_plan_has_every_key_and_its_scores_are_those_before_and_after_its_moves(goal):
    moves = 0
    for snapshot in [crowded()] + [random_snapshot(seed) for seed in range(10)]:
        plan = told(["plan", "-", "--goal", goal], snapshot)
        assert plan["format"] == "ballast-plan-1" and plan["elapsed_ms"] >= 0
        for move in plan["moves"]:
            has_keys(move, MOVE_KEYS)
            for candidate in move["candidates"]:
                has_keys(candidate, {"host": str, "benefit_lost_vm_s": float, "cost_lost_vm_s": float, "why_not": str})
                assert candidate["host"] not in (move["from"], move["to"]) and candidate["possible"] in (True, False)
        for host in plan["unmet"]:
            has_keys(host, {"host": str, "lost_vm_s_per_s": float, "refusal": str, "reason": str})
        assert len(plan["unmet"]) == plan["hosts_losing"]
        is_score_of(plan["before"], snapshot)
        is_score_of(plan["after"], after_moves(snapshot, plan["moves"]))
        moves += len(plan["moves"])
    assert moves > 10


def test_figures_have_six_significant_digits():
    found = 0
    for words in [*VERBS, ["plan", "-", "--goal", "balance"], ["plan", "-", "--goal", "pack"]]:
        for snapshot in [crowded()] + [random_snapshot(seed) for seed in range(5)]:
            output = told(words, snapshot)
            for number in numbers({k: v for k, v in output.items() if k != "evaluations"}):
                assert digits(number) <= 6, number.text
                found += digits(number) == 6
    assert found > 100


def test_moves_are_counted_and_limited():
    snapshot = random_snapshot(3)
    assert len(told(["plan", "-", "--goal", "balance"], snapshot)["moves"]) > 2
    assert len(told(["plan", "-", "--goal", "balance", "--max-moves", "2"], snapshot)["moves"]) == 2
    assert told(["plan", "-", "--goal", "balance", "--max-moves", "0"], snapshot)["moves"] == []


def test_overcommitment_bounds_configured_memory_at_every_step():
    moves = 0
    for seed in range(10):
        snapshot = random_snapshot(seed)
        for m in told(["plan", "-", "--goal", "balance", "--mem-overcommit", "1.0"], snapshot)["moves"]:
            snapshot = after_moves(snapshot, [m])
            host = next(h for h in snapshot["hosts"] if h["name"] == m["to"])
            assert sum(v["mem_mib"] for v in on(snapshot, host)) <= host["mem_mib"]
            moves += 1
    assert moves > 5


def test_the_order_of_the_input_changes_nothing():
    for seed in range(5):
        snapshot = random_snapshot(seed)
        moves = told(["plan", "-"], snapshot)["moves"]
        random.Random(seed).shuffle(snapshot["vms"])
        random.Random(seed).shuffle(snapshot["hosts"])
        assert told(["plan", "-"], snapshot)["moves"] == moves


def test_what_cannot_leave_a_host_in_maintenance_is_stuck_with_its_reason():
    snapshot = crowded()
    snapshot["hosts"][1]["state"] = "maintenance"
    stuck = told(["plan", "-"], snapshot)["stuck"]
    assert [(s["vm"], s["host"]) for s in stuck] == [("v5", "h1")]
    assert "not movable" in stuck[0]["reason"]


def test_host_actions_wake_and_sleep():
    snapshot = crowded()
    snapshot["hosts"] += [{"name": "h9", "cpu_cores": 32, "mem_mib": 65536, "state": "standby"}]
    for v in snapshot["vms"]:
        v["cpu_demand_cores"] = v["vcpus"]
    for v in [vm("w%d" % i, "h%d" % (1 + i % 2), 4, 4, 500) for i in range(6)]:
        snapshot["vms"].append(v)
    plan = told(["plan", "-"], snapshot)
    assert [(a["host"], a["action"]) for a in plan["host_actions"]] == [("h9", "wake")]
    assert 0 <= plan["host_actions"][0]["after_move"] < len(plan["moves"])
    assert any(m["to"] == "h9" for m in plan["moves"])

    idle = {"format": "ballast-snapshot-1", "hosts": [{"name": "h%d" % i, "cpu_cores": 8, "mem_mib": 16384} for i in range(3)],
            "vms": [vm("v%d" % i, "h%d" % i, 2, 0.2, 500) for i in range(3)]}
    actions = told(["plan", "-", "--goal", "pack"], idle)["host_actions"]
    assert len(actions) == 2 and {a["action"] for a in actions} == {"sleep"}


def test_a_satisfied_cluster_is_left_alone_with_exit_status_0():
    snapshot = crowded()
    snapshot["vms"] = [vm("v%d" % i, "h%d" % (i % 3), 2, 1, 1000) for i in range(6)]
    snapshot["rules"] = []
    plan = told(["plan", "-"], snapshot)
    assert plan["moves"] == [] and plan["before"] == plan["after"]
    assert "stuck" not in plan and "host_actions" not in plan


def test_place_tells_host_score_and_reason_of_each():
    snapshot = crowded()
    result = told([*PLACE, "--count", "3", "--cpu-demand-cores", "1.5", "--mem-used-mib", "1000"], snapshot)
    assert result["format"] == "ballast-place-1" and result["unplaced"] == 0 and len(result["placements"]) == 3
    for i, placement in enumerate(result["placements"]):
        has_keys(placement, {"host": str, "score": float, "reason": str})
        snapshot["vms"].append({**vm("new%d" % i, placement["host"], 2, 1.5, 1000), "mem_mib": 2048})
        assert placement["score"] == pytest.approx(scored(snapshot)["score"], rel=6e-6)
    for rejection in result["rejected"]:
        has_keys(rejection, {"host": str, "reason": str})


def test_place_defaults_to_all_that_the_vm_may_have():
    snapshot = crowded()
    asked = told(PLACE, snapshot)
    assert asked == told([*PLACE, "--cpu-demand-cores", "2", "--mem-used-mib", "2048"], snapshot)


def test_place_apart_takes_a_host_each_and_says_what_has_no_place():
    few = told([*PLACE, "--count", "4", "--apart"], crowded(), status=1)
    hosts = [p["host"] for p in few["placements"]]
    assert len(set(hosts)) == len(hosts) and few["unplaced"] == 4 - len(hosts) > 0
    none = told(["place", "-", "--vcpus", "4", "--mem-mib", "99999"], crowded(), status=1)
    assert none["placements"] == [] and none["unplaced"] == 1
    assert {r["host"] for r in none["rejected"]} == {"h0", "h1", "h2"}
    assert all("memory" in r["reason"] for r in none["rejected"])


def with_value(*path):
    def change(snapshot):
        *where, key, value = path
        thing = snapshot
        for step in where:
            thing = thing[step]
        thing[key] = value
    return change


def without(*path):
    def change(snapshot):
        *where, key = path
        thing = snapshot
        for step in where:
            thing = thing[step]
        del thing[key]
    return change


def rules(*these):
    return with_value("rules", list(these))


def as_text(change):
    """A snapshot whose text is changed."""
    return lambda snapshot: change(json.dumps(snapshot))


BAD = {
    # what is wrong: (the change, the place that is named, the cure or what is asked for)
    "nothing": (as_text(lambda text: ""), "", "one JSON object"),
    "truncated": (as_text(lambda text: text[:len(text) // 2]), "line 1, column", "write it anew"),
    "not an object": (as_text(lambda text: "[" + text + "]"), "", "one JSON object"),
    "not JSON": (as_text(lambda text: text.replace(":", "=", 3)), "line 1, column", "mend"),
    "NaN": (as_text(lambda text: text.replace("3.3", "NaN")), "line 1, column", "mend"),
    "infinite": (as_text(lambda text: text.replace("3.3", "1e999")), "/vms/0/cpu_demand_cores", "finite"),
    "deep": (as_text(lambda text: text.replace('"rules": [', '"rules": [' + "[" * 100000)), "/rules/0", "must be"),
    "a key twice": (as_text(lambda text: text.replace('"vcpus": 4', '"vcpus": 4, "vcpus": 4', 1)), "/vms/0/vcpus",
                    "leave one out"),
    "another format": (with_value("format", "ballast-snapshot-9"), "/format", "ballast-snapshot-1"),
    "no hosts": (without("hosts"), "/hosts", "must be given"),
    "empty hosts": (with_value("hosts", []), "/hosts", "at least one"),
    "a key missing": (without("vms", 2, "vcpus"), "/vms/2", '"vcpus" is missing and must be given'),
    "a wrong type": (with_value("vms", 2, "vcpus", "4"), "/vms/2/vcpus", "whole number"),
    "half a vCPU": (with_value("vms", 2, "vcpus", 1.5), "/vms/2/vcpus", "whole number"),
    "no vCPU": (with_value("vms", 2, "vcpus", 0), "/vms/2/vcpus", "at least 1"),
    "shares 0": (with_value("vms", 2, "shares", 0), "/vms/2/shares", "at least 1"),
    "no cores": (with_value("hosts", 1, "cpu_cores", 0), "/hosts/1/cpu_cores", "above 0"),
    "negative": (with_value("vms", 2, "mem_used_mib", -1), "/vms/2/mem_used_mib", "at least 0"),
    "too much reserved": (with_value("vms", 2, "cpu_reservation_cores", 9), "/vms/2/cpu_reservation_cores",
                          "above cpu_limit_cores"),
    "a name twice": (with_value("vms", 2, "name", "v1"), "/vms/2/name", "give each its own"),
    "a host's name twice": (with_value("hosts", 2, "name", "h1"), "/hosts/2/name", "give each its own"),
    "no name": (with_value("vms", 2, "name", ""), "/vms/2/name", "1 to 255 bytes"),
    "a long name": (with_value("vms", 2, "name", "n" * 256), "/vms/2/name", "1 to 255 bytes"),
    "a control character": (with_value("vms", 2, "name", "a\nb"), "/vms/2/name", "without control characters"),
    "an unknown host": (with_value("vms", 2, "host", "h7"), "/vms/2/host", 'no host named "h7"'),
    "an unknown incompatible host": (with_value("vms", 6, "cannot_run_on", ["h7"]), "/vms/6/cannot_run_on/0",
                                     'no host named "h7"'),
    "an unknown state": (with_value("hosts", 1, "state", "asleep"), "/hosts/1/state", "maintenance"),
    "a VM on standby": (with_value("hosts", 1, "state", "standby"), "/vms/5/host", "give it another state"),
    "a rule's unknown VM": (rules({"type": "apart", "vms": ["v0", "v9"]}), "/rules/0/vms/1", 'no VM named "v9"'),
    "a rule's unknown host": (rules({"type": "on", "vms": ["v0"], "hosts": ["h9"]}), "/rules/0/hosts/0",
                              'no host named "h9"'),
    "an unknown rule": (rules({"type": "near", "vms": ["v0", "v1"]}), "/rules/0/type", "apart, together, on or off"),
    "apart and together": (rules({"type": "apart", "vms": ["v0", "v1"]}, {"type": "together", "vms": ["v0", "v1"]}),
                           "/rules/0", "remove one of the rules"),
    "together in a circle, two of it apart": (rules({"type": "together", "vms": ["v0", "v1"]},
                                                    {"type": "together", "vms": ["v1", "v2"]},
                                                    {"type": "apart", "vms": ["v0", "v2"]}),
                                              "/rules/2", "remove one of the rules"),
    "on and off": (rules({"type": "on", "vms": ["v0"], "hosts": ["h0"]}, {"type": "off", "vms": ["v0"], "hosts": ["h0"]}),
                   "/rules/1", "remove one of the rules"),
    "apart for more than there are hosts": (rules({"type": "apart", "vms": ["v0", "v1", "v2", "v3"]}), "/rules/0",
                                            "remove one of the rules"),
}


@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
@pytest.mark.parametrize("wrong", BAD)
def test_bad_input_is_refused_with_its_place_and_cure(wrong, words):
    change, place, cure = BAD[wrong]
    snapshot = crowded()
    changed = change(snapshot)
    done = ballast([*words, "--json"], snapshot if changed is None else changed)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("ballast %s: -: %s" % (words[0], place)), done.stderr
    assert cure in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


def test_a_file_is_named_in_the_message(tmp_path):
    path = tmp_path / "cluster.json"
    path.write_text('{"format": "ballast-snapshot-1",\n "hosts": [{"name": "h0"}]}')
    done = ballast(["score", str(path)], "")
    assert done.returncode == 2 and done.stderr.startswith("ballast score: %s: /hosts/0" % path), done.stderr
    done = ballast(["plan", str(tmp_path / "absent.json"), "--json"], "")
    assert (done.returncode, done.stdout) == (2, "") and "absent.json" in done.stderr


@pytest.mark.parametrize("words", [["plan"], ["plan", "-", "-"], ["plan", "-", "--goal", "best"], ["score"],
                                   ["plan", "-", "--max-moves", "-1"], ["plan", "-", "--max-moves", "many"],
                                   ["plan", "-", "--mem-overcommit", "nan"], ["plan", "-", "--horizon-s", "0"],
                                   ["plan", "-", "--best"], ["place", "-"], ["place", "-", "--vcpus", "1"],
                                   [*PLACE, "--count", "0"], [*PLACE, "--cpu-demand-cores", "3"],
                                   [*PLACE, "--mem-used-mib", "4096"]], ids=" ".join)
def test_wrong_usage_has_exit_status_2_and_prints_nothing(words):
    done = ballast(words, crowded())
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.startswith("ballast " + words[0]), done.stderr


def test_each_unknown_key_is_warned_of_once():
    snapshot = crowded()
    for v in snapshot["vms"]:
        v["colour"] = "red"
    snapshot["hosts"][0]["height_u"] = 2
    done = ballast(["score", "-", "--json"], snapshot)
    warnings = done.stderr.splitlines()
    assert done.returncode == 0 and json.loads(done.stdout) == json.loads(ballast(["score", "-", "--json"], crowded()).stdout)
    assert len(warnings) == 2 and all("warning: unknown key" in w for w in warnings), warnings
    assert sum('"colour"' in w for w in warnings) == 1 and sum('"height_u"' in w for w in warnings) == 1


def test_a_demand_above_what_the_vm_has_is_cut_with_a_warning():
    snapshot = crowded()
    snapshot["vms"][5].update(cpu_demand_cores=9, mem_used_mib=9999)
    cut = crowded()
    cut["vms"][5].update(cpu_demand_cores=2, mem_used_mib=4096)
    done = ballast(["score", "-", "--json"], snapshot)
    assert done.returncode == 0 and done.stdout == ballast(["score", "-", "--json"], cut).stdout
    assert "/vms/5/cpu_demand_cores" in done.stderr and "/vms/5/mem_used_mib" in done.stderr

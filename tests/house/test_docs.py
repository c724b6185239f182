"""The documents: links lead somewhere, manual pages are clean, examples run."""
import os
import re
import shutil
import subprocess
import tempfile

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BALLAST_BUILD", "build"))


def documents():
    out = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return out.split()


def read(path):
    return open(os.path.join(ROOT, path), encoding="utf-8").read()


@pytest.mark.parametrize("path", documents())
def test_links_lead_somewhere(path):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", read(path)):
        if target.startswith(("http:", "https:", "#")):
            continue
        file, _, anchor = target.partition("#")
        full = os.path.join(ROOT, os.path.dirname(path), file)
        if not os.path.exists(full):
            broken.append(target)
        elif anchor:
            titles = {re.sub(r"[^\w\- ]", "", t).strip().lower().replace(" ", "-")
                      for t in re.findall(r"^#+ (.*)$", open(full, encoding="utf-8").read(), re.M)}
            if anchor not in titles:
                broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", ["ballast.1", "ballastd.8", "ballast.conf.5"])
def test_manual_pages_format_without_warnings(page):
    path = os.path.join(BUILD, "docs", page)
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", path], capture_output=True, text=True,
                          env={**os.environ, "MANPAGER": "cat", "LC_ALL": "C.UTF-8"}, check=False)
    assert done.returncode == 0 and done.stderr == "" and len(done.stdout) > 1000


def examples():
    """Every line `$ command` of a console block, with the block's file and its number."""
    for path in documents():
        for n, block in enumerate(re.findall(r"^```console\n(.*?)^```", read(path), re.M | re.S)):
            yield pytest.param(block, id="%s-%d" % (path, n))


@pytest.mark.parametrize("block", list(examples()))
def test_examples_run(block):
    """The commands of a block, one after the other in an empty folder; shown lines without figures appear."""
    env = {**os.environ, "PATH": ":".join([os.path.join(BUILD, "src", "command"),
                                           os.path.join(BUILD, "src", "agent"), os.environ["PATH"]])}
    lines = block.splitlines()
    with tempfile.TemporaryDirectory() as folder:
        i = 0
        while i < len(lines):
            assert lines[i].startswith("$ "), "a block begins with a command: " + lines[i]
            command = lines[i][2:]
            shown = []
            i += 1
            while i < len(lines) and not lines[i].startswith("$ "):
                shown.append(lines[i])
                i += 1
            done = subprocess.run(["sh", "-c", command], cwd=folder, env=env, capture_output=True, text=True,
                                  stdin=subprocess.DEVNULL, check=False)
            assert done.returncode == 0, command + "\n" + done.stderr
            missing = [s for s in shown if s.strip() not in ("", "...") and not re.search(r"\d", s)
                       and s not in done.stdout]
            assert missing == [], command + "\n" + done.stdout


def keys_of_a_snapshot():
    """(list, key, required, default) of each row of the tables in the code."""
    names = {n: float(v) for n, v in re.findall(r"^#define (SNAPSHOT_\w+) ([\d.]+)u?\b", read("src/model/snapshot.h"), re.M)}
    for part in re.split(r"^static const struct field ", read("src/model/snapshot_fields.c"), flags=re.M)[1:]:
        rows = part.partition("_fields[]")[0] + "s"
        for words in re.findall(r"[A-Z_]+\(([^()]+)\)", part.partition("\n};")[0]):
            key, *rest = [w.strip().strip('"') for w in words.split(",")]
            yield rows, key, rest[0] == "true", names.get(rest[-1], rest[-1])


def test_every_key_of_a_snapshot_is_documented_with_its_default():
    parts = dict(re.findall(r"^Each of `(\w+)`:\n\n(.*?)\n\n", read("docs/formats.md"), re.M | re.S))
    told = {(rows, key): default for rows, table in parts.items()
            for keys, default in re.findall(r"^\| ([a-z_0-9, ]+) \| ([^|]+) \|", table, re.M) if keys != "key"
            for key in keys.split(", ")}
    wanted = {(rows, key): (required, fallback) for rows, key, required, fallback in keys_of_a_snapshot()}
    assert len(wanted) > 30 and set(told) == set(wanted)
    for key, (required, fallback) in wanted.items():
        assert (told[key] == "required") == required, key
        if re.match(r"[\d.]+$", told[key]):
            assert float(told[key]) == float(fallback), key


def test_every_verb_is_in_the_manual():
    shown = subprocess.run([os.path.join(BUILD, "src", "command", "ballast"), "--help"], check=True,
                           capture_output=True, text=True).stdout
    verbs = re.findall(r"^  (\w+) +\w", shown, re.M)
    manual = open(os.path.join(BUILD, "docs", "ballast.1"), encoding="utf-8").read()
    assert len(verbs) > 5 and [v for v in verbs if "ballast " + v not in manual.replace("\\", "")] == []


def test_no_setup_beyond_the_two_commands():
    """README names ./demo and ./check, both exist, are executable and thin."""
    text = read("README.md")
    for name in ("demo", "check"):
        assert "./" + name in text
        path = os.path.join(ROOT, name)
        assert os.access(path, os.X_OK)
        code = [s for s in read(name).splitlines() if s and not s.startswith("#")]
        assert len(code) <= 5


def test_the_thin_command_hands_over_what_it_does_not_have():
    """ballast has the verbs on snapshots only; --help, --version and other verbs come from ballast-full."""
    folder = os.path.join(BUILD, "src", "command")
    for words, status in ((["--help"], 0), (["--version"], 0), (["plan", "--help"], 0), (["simulate", "--help"], 0),
                          (["nonsense"], 2), ([], 2), (["status", "--store", "/nonexistent"], 1),
                          (["plan", "--live", "--store", "/nonexistent"], 1)):
        thin, full = (subprocess.run([os.path.join(folder, name)] + words, capture_output=True, check=False)
                      for name in ("ballast", "ballast-full"))
        assert (thin.returncode, thin.stdout, thin.stderr) == (full.returncode, full.stdout, full.stderr), words
        assert thin.returncode == status, words


def test_an_installed_tree_works_wherever_it_is_put(tmp_path):
    for folder, name in (("bin", "ballast"), ("libexec/ballast", "ballast-full")):
        (tmp_path / folder).mkdir(parents=True)
        shutil.copy(os.path.join(BUILD, "src", "command", name), tmp_path / folder)
    run = subprocess.run([tmp_path / "bin" / "ballast", "--version"], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("ballast ")

"""The table of mutants: what it counts, and how a survivor gets its reason."""

import json
import os
import subprocess
import sys
import tomllib
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import mutants, mutants_table


def test_it_counts_by_module_and_a_reason_belongs_to_one_change_of_one_file():
    head = "--- bnlib/a.py\n+++ bnlib/a.py\n@@ -1 +1 @@\n def f():\n"
    change = mutants_table.changed(f"{head}-    return -1\n+    return +1\n")
    assert change == "return -1 → return +1"
    kinds = ("killed", "timed out", "survived", "no test", "not tried")
    found = {"bnlib/a.py": dict(zip("12345", kinds, strict=True)), "bnlib/b.py": {"6": "survived"}}
    diffs = {"3": change, "4": "x → y", "6": change}
    reasons = {"bnlib/a.py": {change: "it is equal", "x → z": "of one that is not tried"}}
    reasons |= {"bnlib/b.py": {"y → z": "of one that is found by now"}}
    text = mutants_table.page(found, diffs, reasons)
    assert "| bnlib/a.py | 5 | 1 | 1 | 1 | 0 | 1 | 1 |" in text
    assert "| together | 6 | 1 | 1 | 1 | 1 | 1 | 1 |" in text
    assert f"- bnlib/a.py: `{change}`: it is equal\n- bnlib/a.py: `x → y`: NO TEST\n" in text
    assert f"- bnlib/b.py: `{change}`: SURVIVED\n" in text
    assert "- bnlib/b.py: `y → z`: does not survive, so it needs no reason\n" in text
    assert "x → z" not in text


def test_the_sample_has_its_own_settings(tmp_path):
    mutants.copied(tmp_path)
    settings = tomllib.loads((tmp_path / "pyproject.toml").read_text(encoding="utf-8"))
    mutmut = settings["tool"]["mutmut"]
    assert mutmut["source_paths"] == ["bn_experiments"]
    assert {"bnlib", "bn_solver", "results"} <= {*mutmut["also_copy"]}
    tests = [each for each in mutmut["pytest_add_cli_args_test_selection"] if each[:2] != "--"]
    assert len(tests) > 5
    assert [each for each in tests if not (tmp_path / each).is_dir()] == []
    assert (tmp_path / "bn_experiments/search/weights.py").is_file()


def test_what_was_killed_is_known_as_long_as_its_file_is_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(mutants, "KNOWN", tmp_path / "known.json")
    meta = tmp_path / "mutants/bnlib/a.py.meta"
    meta.parent.mkdir(parents=True)
    (tmp_path / "bnlib").mkdir()

    def codes(*given):
        text = json.dumps({"exit_code_by_key": dict(zip("abcde", given, strict=True)), "x": 1})
        meta.write_text(text, encoding="utf-8")

    def after(source):
        codes(None, None, None, None, 0)
        (tmp_path / "bnlib/a.py").write_text(source, encoding="utf-8")
        mutants.recall(tmp_path)
        return [*json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"].values()]

    codes(1, 0, -24, None, 1)
    (tmp_path / "bnlib/a.py").write_text("a = 1", encoding="utf-8")
    mutants.remember(tmp_path)
    ran = []
    monkeypatch.setattr(mutants, "mutmut", lambda folder, code, *names: ran.append(names))
    for names in ((), ["[ab]"], ["a"]):
        mutants.tried(tmp_path, names)
    assert ran == [("b", "d"), ("b",)]  # not the dead ones
    assert after("a = 1") == [1, None, 36, None, 0]
    assert after("a = 2") == [None, None, None, None, 0]


def test_the_sample_is_tried_by_its_tests_then_in_the_source_and_a_reason_spares_that(
    tmp_path, monkeypatch
):
    file, tried, here = "bn_experiments/a.py", [], tmp_path / "mutants/bn_experiments/a.py.meta"
    codes = {"a.x_f__mutmut_1": 1, **dict.fromkeys((f"a.x_f__mutmut_{n}" for n in "2345"), None)}
    ends = {"2": 1, "3": 0, "4": 0, "5": None}  # of the tests of f; None: it does not end
    here.parent.mkdir(parents=True)
    here.write_text(json.dumps({"exit_code_by_key": codes | {"a.x_g__mutmut_1": None}}), "utf-8")
    stats = {"tests_by_mangled_function_name": {"a.x_f": ["slow", "fast"]}}
    stats |= {"duration_by_test": {"slow": 2.0, "fast": 1.0}}
    (tmp_path / "mutants/mutmut-stats.json").write_text(json.dumps(stats), "utf-8")
    (tmp_path / "bn_experiments").mkdir()
    source, reasons = tmp_path / file, tmp_path / "reasons.toml"
    source.write_text("right", "utf-8")
    reasons.write_text(f'["{file}"]\n"right → wrong f 4" = "it is equal"\n', "utf-8")
    (tmp_path / "pyproject.toml").write_text("tool.mutmut.pytest_add_cli_args = []\n", "utf-8")

    def run(command, *, env, timeout, **_):
        mutant = env["MUTANT_UNDER_TEST"][-1]
        tried.append((mutant, *command[-2:]))
        if ends[mutant] is None:
            raise subprocess.TimeoutExpired("", timeout)
        return SimpleNamespace(returncode=ends[mutant])

    def ended(command, folder, seconds=None):
        tried.append(source.read_text("utf-8"))
        by_chance = tried == ["right", "wrong f 3"]
        return int(by_chance or tried[-1] == "wrong g 1")

    def apply_mutant(name):
        Path(file).write_text(f"wrong {name[4]} {name[-1]}", "utf-8")

    shown = SimpleNamespace(
        get_diff_for_mutant=lambda name: f"-right\n+wrong {name[4]} {name[-1]}",
        apply_mutant=apply_mutant,
        reset_config=lambda: None,
    )
    for module in ("mutmut.mutation.diff_apply", "mutmut.configuration"):
        monkeypatch.setitem(sys.modules, module, shown)
    for name, value in (("KNOWN", tmp_path / "known.json"), ("REASONS", reasons)):
        monkeypatch.setattr(mutants, name, value)
    monkeypatch.setattr(mutants, "mutmut", lambda *_: None)
    monkeypatch.setattr(mutants, "packages", lambda: "")
    monkeypatch.setattr(mutants, "sampled", lambda _: [*codes, "a.x_g__mutmut_1"])
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(mutants, "ended", ended)
    mutants.alone(tmp_path)
    assert sorted(tried) == [(n, "fast", "slow") for n in "2345"]
    found = json.loads(here.read_text("utf-8"))["exit_code_by_key"]
    assert [*found.values()] == [1, 1, 0, 0, mutants.DEAD["t"], 33]
    tried.clear()
    mutants.widely(tmp_path)
    assert tried == ["right", *["wrong f 3"] * 2, *["wrong g 1"] * 2]
    found = json.loads(here.read_text("utf-8"))["exit_code_by_key"]
    assert [*found.values()] == [1, 1, 0, 0, mutants.DEAD["t"], 1]
    assert source.read_text("utf-8") == "right"
    known = json.loads(mutants.KNOWN.read_text("utf-8"))[file]
    assert known == {"source": sha256(b"right").hexdigest(), "outcomes": "kksstk"}
    monkeypatch.setattr(shown, "apply_mutant", lambda name: Path(file).write_text("other", "utf-8"))
    with pytest.raises(RuntimeError, match="^a.x_f__mutmut_3: mutmut has changed another"):
        mutants.widely(tmp_path)
    assert source.read_text("utf-8") == "right"


def test_tests_that_do_not_end_are_ended_with_all_that_they_started(tmp_path):
    assert mutants.ended([sys.executable, "-c", "raise SystemExit(1)"], tmp_path) == 1
    os.mkfifo(tmp_path / "alive")
    reader = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    child = "import time; file = open('alive', 'w'); print('yes', file=file); time.sleep(600)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-uc', {child!r}])"
    assert mutants.ended([sys.executable, "-c", code], tmp_path, 3.0) == mutants.DEAD["t"]
    os.set_blocking(reader, True)
    while os.read(reader, 9):  # for ever, if the child stays
        pass
    os.close(reader)

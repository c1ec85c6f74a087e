"""The table of mutants: what it counts, and how a survivor gets its reason."""

import json
import tomllib

from benchmarks import mutants


def test_it_counts_by_module_and_a_reason_belongs_to_one_change_of_one_file():
    diff = (
        "--- bnlib/a.py\n+++ bnlib/a.py\n@@ -1 +1 @@\n def f():\n-    return -1\n+    return +1\n"
    )
    change = mutants.changed(diff)
    assert change == "return -1 → return +1"
    kinds = ("killed", "timed out", "survived", "no test", "not tried")
    found = {"bnlib/a.py": dict(zip("12345", kinds, strict=True)), "bnlib/b.py": {"6": "survived"}}
    diffs = {"3": change, "4": "x → y", "6": change}
    text = mutants.page(found, diffs, {"bnlib/a.py": {change: "it is equal"}})
    assert "| bnlib/a.py | 5 | 1 | 1 | 1 | 0 | 1 | 1 |" in text
    assert "| together | 6 | 1 | 1 | 1 | 1 | 1 | 1 |" in text
    assert f"- bnlib/a.py: `{change}`: it is equal\n- bnlib/a.py: `x → y`: NO TEST\n" in text
    assert f"- bnlib/b.py: `{change}`: SURVIVED\n" in text


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

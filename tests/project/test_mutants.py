"""The table of mutants: what it counts, and how a survivor gets its reason."""

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

"""The summary that the command writes: how it was made, and over what it is not written."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bnlib
from bn_experiments.sweeps import command, experiment, sweep
from bn_experiments.sweeps.run import code_hash
from tests.sweeps import toy

TOY, N = toy.__name__, len(toy.cases())


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    sweep(toy.task, toy.cases(), seed=toy.SEED, cache=folder)
    return folder


def run_main(cache, *arguments):
    return command.main(["sweep", TOY, "--cache", str(cache), "--workers", "1", *arguments])


def test_a_summary_says_how_it_was_made(cache, tmp_path, capsys):
    output = tmp_path / "toy.json"
    assert run_main(cache, "--output", str(output)) == 0
    assert capsys.readouterr() == (f"{output}: the summary of {N} cases.\n", "")
    text = output.read_text(encoding="utf-8")
    found = json.loads(text)
    assert text == json.dumps(found, sort_keys=True, indent=1) + "\n"
    expected = toy.summary(sweep(toy.task, toy.cases(), seed=toy.SEED))
    assert found == {
        "experiment": TOY,
        "command": f"python -m bn_experiments sweep {TOY}",
        "version": bnlib.__version__,
        "code": code_hash(toy.task),
        "cases": N,
        "seed": toy.SEED,
        "significant_digits": 6,
        "summary": experiment.rounded(expected),
    }
    assert found["summary"]["mean"] != expected["mean"]
    assert run_main(cache, "--cases", "4") == 0  # a trial says that it is one
    found = json.loads(capsys.readouterr().out)
    assert (found["cases"], found["command"][-9:]) == (4, "--cases 4")


def test_a_summary_overwrites_only_summaries_of_its_own(cache, tmp_path, capsys):
    (tmp_path / "real").mkdir()
    output = tmp_path / "toy.json"
    output.symlink_to(tmp_path / "real" / "toy.json")
    for others in ("my diary", "[1]", '{"experiment": "other"}', "\0\xff"):
        output.write_text(others, encoding="latin-1")
        # The cache is none: nothing runs before it is refused.
        assert run_main(output, "--output", str(output)) == 1
        assert "it was not touched" in capsys.readouterr().err
        assert output.read_text(encoding="latin-1") == others
    for place, told in ((tmp_path / "real", "not touched"), (tmp_path / "no" / "x", "no folder")):
        assert run_main(output, "--output", str(place)) == 1
        assert told in capsys.readouterr().err
    output.write_text("")
    for _ in range(2):
        assert run_main(cache, "--output", str(output)) == 0
    assert json.loads(output.read_text())["experiment"] == TOY
    assert output.is_symlink()
    assert [each.name for each in (tmp_path / "real").iterdir()] == ["toy.json"]


def test_an_old_summary_stays_if_a_new_one_cannot_be_made(cache, tmp_path, capsys, monkeypatch):
    output = tmp_path / "toy.json"
    assert run_main(cache, "--output", str(output)) == 0
    before = output.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    for value in (float("nan"), object()):
        monkeypatch.setattr(toy, "summary", lambda rows, value=value: {"x": value})
        assert run_main(cache, "--output", str(output)) == 1
        assert "must give what JSON can hold" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setattr(Path, "replace", full)
    assert run_main(cache, "--output", str(output)) == 1
    assert "No space left" in capsys.readouterr().err
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [before]


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers())
def test_rounding_reaches_every_float_and_nothing_else(number, n):
    deep = {"a": [number, {"b": (number, n, True, "0.123456789", None)}]}
    [first, inner] = experiment.rounded(deep)["a"]
    assert inner == {"b": [first, n, True, "0.123456789", None]}
    assert first == experiment.rounded(first) == pytest.approx(number, rel=5.1e-6, abs=1e-320)
    assert first == float(format(number, ".6g"))


def test_what_cannot_be_done_ends_with_1_and_a_reason(cache, capsys):
    assert run_main(cache, "--cases", str(N + 1)) == 1
    assert f"--cases: there are {N}, got {N + 1}" in capsys.readouterr().err
    assert run_main(Path(__file__)) == 1
    assert "results cannot be kept in" in capsys.readouterr().err

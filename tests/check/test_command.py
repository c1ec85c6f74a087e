"""``python -m bnlib check`` as its user meets it: what it prints, where, and its exit codes."""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure

import bnlib.__main__ as bnlib_command
from bn_experiments.check import check, command, plot
from bn_experiments.exact.verdict import verdict
from bn_experiments.sweeps.command import main as experiments
from bnlib import counterexample
from tests.check.test_report import CASES
from tests.oracles import agree, refused
from tools.project import CHAPTERS, ROOT

THREE = "x1,x2,t\n1,0,2\n0,1,0\n1,1,5\n"
EXITS = {"true": 0, "fails": 1, "void": 3, "undecided": 3}
PAGE = CHAPTERS / "check.md"


@pytest.fixture
def three(tmp_path, monkeypatch):
    """Return the counterexample as a file in the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("three.csv").write_text(THREE, encoding="utf-8")
    return Path("three.csv")


def written(data, path):
    names = [f"x{j}" for j in range(data.d)]
    rows = np.column_stack([data.inputs, data.targets]).tolist()
    lines = [",".join([*names, "t"]), *(",".join(map(repr, row)) for row in rows)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", CASES)
def test_the_exit_code_is_the_verdict(name, tmp_path, capsys):
    data, verdict, *_ = CASES[name]
    path = written(data, tmp_path / "a.csv")
    code = command.main([str(path), "--target", "t"])
    text = capsys.readouterr().out
    assert code == EXITS[verdict]
    assert text.startswith(f"{path}: {data.m} example")
    assert command.main([str(path), "--target", "t", "--json"]) == code
    assert json.loads(capsys.readouterr().out)["verdict"] == verdict


def test_the_two_commands_and_the_function_give_one_answer(three, capsys):
    arguments = [str(three), "--target", "t"]
    assert command.main(arguments) == experiments(["check", *arguments]) == 1
    first, second = capsys.readouterr().out.split("three.csv: ")[1:]
    assert first == second
    assert f"three.csv: {first}" == f"{check(three, 't')}\n"
    with pytest.raises(SystemExit) as end:
        experiments(["--help"])
    assert end.value.code == 0
    assert "ask whether the lemma holds on a table" in capsys.readouterr().out


def test_bnlib_finds_the_command_and_names_it_beside_an_unknown_one(three, capsys, monkeypatch):
    [found] = importlib.metadata.entry_points(group="bnlib.commands", name="check")
    assert found.load() is command.main
    program = [sys.executable, "-W", "error", "-m", "bnlib", "check", "three.csv", "--target"]
    run = subprocess.run([*program, "t"], capture_output=True, text=True, encoding="utf-8")
    assert (run.returncode, run.stderr) == (1, "")
    assert run.stdout == f"{check(three, 't')}\n"
    run = subprocess.run([*program, "T"], capture_output=True, text=True, encoding="utf-8")
    told = "Error: target: three.csv has no column 'T'; did you mean 't'? It has 'x1', 'x2', 't'."
    assert (run.returncode, run.stdout, run.stderr) == (2, "", f"{told}\n")
    assert bnlib_command.main(["-h"]) == bnlib_command.main(["--help"]) == 0
    shown = capsys.readouterr().out
    head = "usage: python -m bnlib [COMMAND ...]\n\nWithout a command: the verdict.\n  "
    assert shown.startswith(head)
    assert bnlib_command.main(["check", "three.csv", "--target", "t"]) == 1
    assert capsys.readouterr().out == f"{check(three, 't')}\n"
    assert re.search(r"^  check  Ask whether .*\.$", shown, re.MULTILINE)
    assert bnlib_command.main(["chek"]) == 2
    told = "Error: unknown command 'chek'; there are: check, verdict. See python -m bnlib --help.\n"
    assert capsys.readouterr().err == told
    assert bnlib_command.main([]) == 0
    assert capsys.readouterr().out == f"{verdict()}\n"
    monkeypatch.setattr(bnlib_command, "entry_points", lambda group: [])
    assert bnlib_command.main(["check"]) == 2
    assert "there are: none (install bnlib again, by pip)" in capsys.readouterr().err


def test_help_has_every_option_every_exit_code_and_examples_that_parse(capsys):
    with pytest.raises(SystemExit) as end:
        command.main(["--help"])
    shown = capsys.readouterr().out
    assert end.value.code == 0
    codes = set(map(int, re.findall(r"^ +(\d+)  \w", shown, re.MULTILINE)))
    assert codes == {*EXITS.values(), command.UNUSABLE, command.INTERRUPTED}
    examples = re.findall(r"^  .*?python -m bnlib check (.*?)(?: > .*)?$", shown, re.MULTILINE)
    assert len(examples) == 7
    for each in examples:
        assert command._parser("").parse_args(each.split()).target == "price"


def test_the_help_is_word_for_word_that_of_the_file_beside_this(capsys):
    shown = []  # without the usage; lines are wrapped in another way by other versions of Python
    for run, given in ((command.main, []), (experiments, []), (experiments, ["sweep"])):
        with pytest.raises(SystemExit):
            run([*given, "--help"])
        shown.append(capsys.readouterr().out.partition("\n\n")[2])
    stored = Path(__file__).with_name("help.txt").read_text("utf-8")
    assert " ".join(shown).split() == stored.split()


def test_misuse_ends_with_2_and_a_reason_on_the_standard_error(three, capsys):
    for arguments, told in (
        (["none.csv", "--target", "t"], "Error: none.csv: No such file or directory."),
        ([".", "--target", "t"], "Error: .: "),
        (["three.csv", "--target", "t", "--drop", "z"], "Error: drop: three.csv has no column 'z'"),
        (["three.csv", "--target", "t", "--plot", "a.png"], "Error: --plot: a.png is no SVG"),
        (["three.csv", "--target", "t", "--plot", "no/a.svg"], "Error: --plot: there is no folder"),
        (["three.csv", "--target", "t", "--scale", "-1"], "Error: scale: must be positive"),
        (["three.csv"], "arguments are required: --target"),
        (["three.csv", "--target", "t", "--delimiter", "ab"], "must be one character such as"),
        (["three.csv", "--target", "t", "--centre", "--standardise"], "not allowed with argument"),
    ):
        try:
            code = command.main(arguments)
        except SystemExit as end:  # from argparse
            code = end.code
        shown = capsys.readouterr()
        assert (code, shown.out) == (2, "")
        assert told in shown.err
        assert "Traceback" not in shown.err


def test_options_reach_the_function_and_constant_columns_are_named(tmp_path, capsys, three):
    path = tmp_path / "a.csv"
    path.write_text("a,one,t\n1,0.1,2\n2,0.1,0\n4,0.1,5\n", encoding="utf-8")
    assert command.main([str(path), "--target", "t", "--json"]) == 0
    shown = capsys.readouterr()
    assert shown.err == "Note: column 'one' is constant, 0.1 in every row.\n"
    assert json.loads(shown.out)["notes"] == ["column 'one' is constant, 0.1 in every row"]
    for options, expected in [
        (["--bias"], {"bias": True}),
        (["--center"], {"preparation": "centred"}),
        (["--standardize"], {"preparation": "standardised"}),
        (["--scale", "2.5"], {"scale": 2.5}),
        (["--columns", "x2", "x1"], {"columns": ["x2", "x1"]}),
        (["--drop", "x1"], {"drop": ["x1"]}),
        (["--delimiter", ","], {}),
    ]:
        command.main([str(three), "--target", "t", "--json", *options])
        assert capsys.readouterr().out == check(three, "t", **expected).to_json() + "\n"


def test_the_table_may_come_from_the_standard_input(three):
    program = [sys.executable, "-m", "bn_experiments", "check", "-", "--target", "t"]
    run = subprocess.run(program, input=THREE.encode(), capture_output=True, cwd=ROOT)
    shown = run.stdout.decode("utf-8")
    assert (run.returncode, run.stderr) == (1, b"")
    assert shown == f"{check(three, 't')}\n".replace("three.csv: ", "standard input: ")


def test_it_can_be_interrupted_run_out_of_memory_and_of_readers(three, monkeypatch, capsys):
    for error, code, told in [
        (KeyboardInterrupt(), 130, "Interrupted."),
        (MemoryError(), 2, "Error: the table does not fit in memory"),
    ]:

        def fails(*_, error=error, **__):
            raise error

        monkeypatch.setattr(command, "check", fails)
        assert command.main([str(three), "--target", "t"]) == code
        assert told in capsys.readouterr().err
    program = [sys.executable, "-m", "bn_experiments", "check", three.absolute(), "--target", "t"]
    run = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    run.stdout.close()  # long before there is an answer
    assert run.stderr.read() == b""
    assert run.wait() == 1
    run.stderr.close()


def test_the_figure_is_always_the_same_svg_or_there_is_nothing_to_draw(three, capsys, tmp_path):
    first, again = Path("a.svg"), Path("b.svg")
    for path in (first, again):
        assert command.main([str(three), "--target", "t", "--plot", str(path)]) == 1
    assert first.read_bytes() == again.read_bytes()
    text = first.read_text(encoding="utf-8")
    assert ET.fromstring(text).tag.endswith("svg")
    assert "12.53° apart" in text
    assert "<dc:date>" not in text
    plot.plot(check(three, "t", bias=True), again)
    assert ["f4c7b5" in each.read_text("utf-8").lower() for each in (first, again)] == [1, 0]
    ax, report = Figure().add_subplot(), check(three, "t")
    plot._draw(ax, report)
    assert [each.get_hatch() for each in ax.patches] == [None, None, "///"]
    assert ax.get_legend_handles_labels()[1][0] == "the hypothesis is false"
    foot = np.cos(report.theta) * np.array([np.cos(report.theta), np.sin(report.theta)])
    agree("to the ray", ax.lines[2].get_xydata(), [[1, 0], foot], 1e-12)
    path = written(CASES["a constant input"][0], tmp_path / "a.csv")
    figure = tmp_path / "none.svg"
    assert command.main([str(path), "--target", "t", "--plot", str(figure)]) == 0
    assert f"Note: {figure} was not written: there is no angle" in capsys.readouterr().err
    assert not figure.exists()
    refused("nothing to draw", lambda: plot.plot(check(CASES["equal examples"][0]), figure))


def test_the_page_and_the_readme_show_what_the_command_prints(three, capsys):
    page = PAGE.read_text(encoding="utf-8")
    assert f"```text\n{THREE}```" in page
    shown = re.search(r"```console\n\$ python -m bnlib check (three.*?)\n(.*?)```", page, re.DOTALL)
    assert command.main(shown[1].split()) == 1
    assert capsys.readouterr().out == shown[2]
    codes = dict(re.findall(r"^\| (\d+) \| (.*?) \|$", page, re.MULTILINE))
    assert set(codes) == {str(each) for each in (*EXITS.values(), 2, 130)}
    for option in re.findall(r"`(--[a-z]+)", page):
        assert option in command._parser("").format_help()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "python -m bnlib check" in readme
    said = re.search(r"θ = ([\d.]+)°", readme)
    theta = check(counterexample()).theta
    assert f"{np.degrees(theta):.2f}" == said[1]

"""The workflows are safe, pinned and bounded, and run commands that exist. Planted errors too."""

import os
import re
import shutil
import subprocess

import pytest
import yaml

from tests.project.test_project import MAKEFILE, PYPROJECT, fake
from tools import workflows
from tools.project import ROOT

TARGETS = set(re.findall(r"^([\w-]+):.*##", MAKEFILE, re.MULTILINE))
USES = re.compile(r"uses: (\S+)(.*)")
PINNED = re.compile(r"([\w.-]+/[\w./-]+)@([0-9a-f]{40})")
# What a job may be given; anything else is a mistake, or belongs here with its reason.
ALLOWED = {
    "deploy": {"pages": "write", "id-token": "write"},
    "publish": {"contents": "write", "id-token": "write", "attestations": "write"},
}
READ = {"contents": "read"}
NOT_OF_THE_LIBRARY = {"book", "oracles", "project", "proof"}  # `make test` runs them


def read(path):
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["on"] = document.pop(True)  # in YAML 1.1 the word on is a truth value
    return document


def each_step(folder):
    for path in sorted(folder.glob("*.yml")):
        for name, job in read(path)["jobs"].items():
            yield from ((path, name, step) for step in job["steps"])


def pins_are_commits(folder):
    known = {}
    for path in sorted(folder.glob("*.yml")):
        for used, comment in USES.findall(path.read_text(encoding="utf-8")):
            pinned = PINNED.fullmatch(used)
            if not pinned:
                yield f"{path.name}: {used} is not pinned to a commit"
            elif not re.fullmatch(r" # v\d+\.\d+\.\d+", comment):
                yield f"{path.name}: {used} has no version in a comment"
            elif known.setdefault(pinned[1], used + comment) != used + comment:
                yield f"{path.name}: {used} differs from another workflow's"


def permissions_are_least(folder):
    for path in sorted(folder.glob("*.yml")):
        document = read(path)
        if document["permissions"] != {}:
            yield f"{path.name}: permissions for every job"
        for name, job in document["jobs"].items():
            if job.get("permissions") != ALLOWED.get(name, READ):
                yield f"{path.name}: job {name} has permissions {job.get('permissions')}"


def credentials_are_not_left(folder):
    for path, name, step in each_step(folder):
        checkout = step.get("uses", "").startswith("actions/checkout@")
        if checkout and step.get("with", {}).get("persist-credentials") is not False:
            yield f"{path.name}: job {name} leaves its credentials in the checkout"


def runs_are_bounded(folder):
    for path in sorted(folder.glob("*.yml")):
        document = read(path)
        if set(document["concurrency"]) != {"group", "cancel-in-progress"}:
            yield f"{path.name}: concurrency"
        for name, job in document["jobs"].items():
            if not 0 < job.get("timeout-minutes", 0) <= 90:
                yield f"{path.name}: job {name} has no timeout of at most 90 minutes"
            if "latest" in str(job["runs-on"]):
                yield f"{path.name}: job {name} runs on whatever is the latest"


def scripts_hold_no_expressions(folder):
    for path, name, step in each_step(folder):
        if "${{" in step.get("run", ""):
            yield f"{path.name}: job {name} puts an expression into a script"


def commands_exist(folder):
    for path, name, step in each_step(folder):
        script = step.get("run", "")
        for target in re.findall(r"\bmake (?:--dry-run )?([\w-]+)", script):
            if target not in TARGETS:
                yield f"{path.name}: job {name} calls make {target}"
        for file in re.findall(r"(?<![\w/.])(?:tests/\w+|\.ci/\w+|requirements\S*)", script):
            if not (ROOT / file).exists():
                yield f"{path.name}: job {name} names {file}"


def machines_are_covered(folder):
    document = read(folder / "test.yml")
    matrix = document["jobs"]["library"]["strategy"]["matrix"]
    supported = PYPROJECT["project"]["requires-python"].removeprefix(">=")
    if matrix["python"] != [supported, "3.12", "3.13", "3.14"]:
        yield f"test.yml: Python {matrix['python']}"
    kinds = ["ubuntu-24.04", "ubuntu-24.04-arm", "macos-15", "windows-2025"]
    if matrix["os"] != kinds:
        yield f"test.yml: machines {matrix['os']}"
    rooms = {path.parent.name for path in ROOT.glob("tests/*/test_*.py")}
    for job in ("library", "versions"):
        scripts = " ".join(step.get("run", "") for step in document["jobs"][job]["steps"])
        lost = rooms - NOT_OF_THE_LIBRARY - set(re.findall(r"tests/(\w+)", scripts))
        if lost:
            yield f"test.yml: job {job} leaves out {sorted(lost)}"


def schedules_are_weekly(folder):
    for name in ("test.yml", "links.yml"):
        [when] = [at["cron"] for at in read(folder / name)["on"].get("schedule", [{"cron": ""}])]
        if not re.fullmatch(r"\d+ \d+ \* \* [0-6]", when):
            yield f"{name}: not every week"


PLANTED = {
    pins_are_commits: [
        ("pages.yml", r"(checkout@)\w+ # v.*", r"\1v7", "checkout@v7 is not pinned"),
        ("pages.yml", r"(checkout@\w+) # v.*", r"\1", "has no version in a comment"),
        ("pages.yml", r"checkout@\w{8}", "checkout@00000000", "differs from another"),
    ],
    permissions_are_least: [
        ("links.yml", "permissions: {}", "permissions: write-all", "for every job"),
        ("links.yml", "contents: read", "contents: write", "job links has"),
        ("release.yml", "contents: write", "packages: write", "job publish has"),
        ("pages.yml", r"    permissions:\n      contents: read\n", "", "job build has"),
    ],
    credentials_are_not_left: [
        ("links.yml", "persist-credentials: false", "fetch-depth: 1", "job links leaves")
    ],
    runs_are_bounded: [
        ("links.yml", r"    timeout-minutes: 30\n", "", "job links has no timeout"),
        ("links.yml", "minutes: 30", "minutes: 360", "job links has no timeout"),
        ("links.yml", "ubuntu-24.04", "ubuntu-latest", "the latest"),
        ("links.yml", r"  cancel-in-progress: true\n", "", "concurrency"),
    ],
    scripts_hold_no_expressions: [
        ("links.yml", "run: make book", "run: make book ${{ github.ref }}", "job links puts")
    ],
    commands_exist: [
        ("links.yml", "make book", "make books", "calls make books"),
        ("test.yml", "tests/solver", "tests/solvers", "names tests/solvers"),
        ("release.yml", r"run: \.ci/run", "run: .ci/start", "names .ci/start"),
    ],
    machines_are_covered: [
        ("test.yml", '"3.13", "3.14"', '"3.13"', "Python"),
        ("test.yml", "ubuntu-24.04-arm, ", "", "machines"),
        ("test.yml", " tests/sweeps\n        if", "\n        if", "library leaves out ['sweeps']"),
        ("test.yml", " tests/sweeps\n\n", "\n\n", "versions leaves out ['sweeps']"),
    ],
    schedules_are_weekly: [("links.yml", r"\* \* 3", "* * *", "links.yml: not every week")],
}
HERE = ROOT / ".github" / "workflows"


@pytest.mark.parametrize("rule", PLANTED, ids=lambda rule: rule.__name__)
def test_the_workflows_keep(rule):
    assert [*rule(HERE)] == []


@pytest.mark.parametrize(
    ("rule", "file", "old", "new", "told"),
    [(rule, *each) for rule, planted in PLANTED.items() for each in planted],
)
def test_a_planted_error_is_found_by_its_rule(rule, file, old, new, told, tmp_path):
    folder = shutil.copytree(HERE, tmp_path / "workflows")
    text = (folder / file).read_text(encoding="utf-8")
    changed = re.sub(old, new, text, count=1)
    assert changed != text
    (folder / file).write_text(changed, encoding="utf-8")
    found = [*rule(folder)]
    assert found
    assert any(told in each for each in found)


def zizmor(folder):
    return subprocess.run(workflows.zizmor(folder), cwd=folder, capture_output=True, text=True)


def test_zizmor_finds_nothing_and_finds_what_is_planted(tmp_path):
    folder = shutil.copytree(ROOT / ".github", tmp_path / ".github")
    found = zizmor(folder)
    assert found.returncode == 0, found.stdout + found.stderr
    path = folder / "workflows" / "pages.yml"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"(checkout@)\w+ # v.*", r"\1v7", text, count=1), encoding="utf-8")
    found = zizmor(folder)
    assert found.returncode != 0
    assert "unpinned-uses" in found.stdout


def test_actionlint_fails_with_what_it_finds_and_where_it_must_run(tmp_path, monkeypatch, capsys):
    fake(tmp_path / "actionlint", "exit 3")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert workflows.main() == 3
    monkeypatch.setattr(shutil, "which", lambda name: None)
    for required, code in (("", 0), ("1", 1)):
        monkeypatch.setenv("BNLIB_REQUIRE_ACTIONLINT", required)
        assert workflows.main() == code
        assert f"Remedy: {workflows.ACTIONLINT}" in capsys.readouterr().out
    assert workflows.ACTIONLINT in [step.get("run", "") for _, _, step in each_step(HERE)]


def test_issue_forms_and_dependabot_are_whole():
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
    assert [form.stem for form in forms] == ["bug", "question", "reproduction"]
    for form in forms:
        document = yaml.safe_load(form.read_text(encoding="utf-8"))
        assert document["name"]
        assert document["description"]
        ids = [field["id"] for field in document["body"]]
        assert len(set(ids)) == len(ids) >= 3
        assert any(field["validations"]["required"] for field in document["body"])
    text = (ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8")
    kinds = [each["package-ecosystem"] for each in yaml.safe_load(text)["updates"]]
    assert kinds == ["github-actions", "pip", "docker"]

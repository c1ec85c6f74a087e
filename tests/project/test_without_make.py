"""The commands for a machine without make are those that the workflow runs, and they work.

That they work takes as long as `make test`: with BNLIB_WITHOUT_MAKE=1 they are run in a fresh
copy, from nothing.
"""

import os
import re
import shlex
import subprocess
import time

import yaml

from tests.lacking import only_with
from tools.project import ROOT

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def documented(text):
    """Return the commands of the section for those without make."""
    section = text.partition("\n## Without make\n")[2].partition("\n## ")[0]
    [block] = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    return block.splitlines()


def of_the_workflow():
    text = (ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8")
    steps = yaml.safe_load(text)["jobs"]["without-make"]["steps"]
    return [step["run"] for step in steps if "run" in step]


def test_the_workflow_runs_what_is_documented():
    activate, *commands = documented(CONTRIBUTING)
    first, *others = of_the_workflow()
    assert others == commands
    # A step is a shell of its own: the environment is handed to the next one by its path.
    assert first == f'{activate} && echo "$VIRTUAL_ENV/bin" >> "$GITHUB_PATH"'


def test_the_commands_are_those_of_the_ecosystem_and_of_binder():
    programs = [shlex.split(command)[0] for command in documented(CONTRIBUTING)]
    assert programs == ["python3", "pip", "pip", "jupyter-book", "pytest"]
    assert "make" not in " ".join(documented(CONTRIBUTING))
    assert "--require-hashes" in documented(CONTRIBUTING)[1]
    install = documented(CONTRIBUTING)[2]
    script = (ROOT / "binder" / "postBuild").read_text(encoding="utf-8").splitlines()
    assert install == "pip install --no-deps -e ."
    assert script[-1] == install


@only_with("BNLIB_WITHOUT_MAKE", "takes as long as make test")
def test_the_commands_work_in_a_fresh_copy(tmp_path):
    folder = tmp_path / "copy"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    slow = {f"BNLIB_{each}" for each in ("DOWNLOADS", "PAGES", "RECIPES", "WITHOUT_MAKE")}
    left_out = {*slow, "VIRTUAL_ENV", "PYTHONPATH"}
    environ = {name: value for name, value in os.environ.items() if name not in left_out}
    environ = {name: value for name, value in environ.items() if "PYTEST" not in name}
    activate, *commands = documented(CONTRIBUTING)
    for command in [activate, *commands]:
        start = time.monotonic()
        script = f"set -e\n. .venv/bin/activate\n{command}" if command != activate else command
        shell = ["bash", "-c", script]
        done = subprocess.run(shell, cwd=folder, env=environ, capture_output=True, text=True)
        print(f"{time.monotonic() - start:7.1f} s  {command}")
        assert done.returncode == 0, f"{command}\n{done.stdout[-5000:]}{done.stderr[-5000:]}"
    assert (folder / "_build" / "html" / "index.html").is_file()

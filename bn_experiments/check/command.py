"""The command ``python -m bnlib check``: ask whether the lemma holds on a table of your own."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bn_experiments.check.plot import plot
from bn_experiments.check.report import check
from bn_experiments.check.table import DELIMITERS
from bn_experiments.check.verdict import FAILS, TRUE

EXITS = {TRUE: 0, FAILS: 1}
UNUSABLE, NO_VERDICT, INTERRUPTED = 2, 3, 130

_EXAMPLES = """\
The table has a line with the names of its columns, then a line of numbers for each example. All
columns but the target are inputs; nothing is left out unless you say so.

examples:
  {prog} houses.csv --target price
  {prog} houses.csv --target price --drop id --drop street
  {prog} houses.csv --target price --columns area rooms --standardise
  {prog} houses.csv --target price --bias
  {prog} houses.tsv --target price --plot houses.svg
  {prog} houses.csv --target price --json > houses.json
  zcat houses.csv.gz | {prog} - --target price

exit codes:
    0  the lemma is true on this table
    1  it fails: at some start that meets its hypothesis the inequality is false
    2  the table or the command line cannot be used; the reason is on the standard error
    3  no verdict: the lemma says nothing here, or working precision cannot tell
  130  interrupted
"""


def main(arguments: Sequence[str] | None = None, prog: str = "python -m bnlib check") -> int:
    """Ask whether Lemma 4.5 of Santurkar et al. (2018) holds on a table of your own."""
    chosen = _parser(prog).parse_args(arguments)
    try:
        return _answer(chosen)
    except MemoryError:
        print("Error: the table does not fit in memory; take some of its rows.", file=sys.stderr)
    except ValueError as error:
        print(f"Error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"Error: {error.filename}: {error.strerror}.", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return INTERRUPTED
    return UNUSABLE


def _answer(chosen: argparse.Namespace) -> int:
    if chosen.plot is not None and chosen.plot.suffix.lower() != ".svg":
        raise ValueError(f"--plot: {chosen.plot} is no SVG; name a file that ends in .svg.")
    if chosen.plot is not None and not chosen.plot.absolute().parent.is_dir():
        raise ValueError(f"--plot: there is no folder {chosen.plot.parent}; make it first.")
    names = ("columns", "drop", "preparation", "bias", "scale", "seed", "delimiter", "encoding")
    options = {name: getattr(chosen, name) for name in names}
    report = check(chosen.data, chosen.target, **options)
    for note in report.notes:
        print(f"Note: {note}.", file=sys.stderr)
    if hasattr(sys.stdout, "reconfigure"):  # a terminal that has no θ shows a question mark
        sys.stdout.reconfigure(errors="replace")
    try:
        print(report.to_json() if chosen.json else report, flush=True)
    except BrokenPipeError:  # of a reader like head, who has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if chosen.plot is not None and report.theta is None:
        told = "there is no angle between W* and a ray, so there is nothing to draw"
        print(f"Note: {chosen.plot} was not written: {told}.", file=sys.stderr)
    elif chosen.plot is not None:
        plot(report, chosen.plot)
    return EXITS.get(report.verdict, NO_VERDICT)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Ask whether Lemma 4.5 of Santurkar et al. (2018) holds for one linear neuron "
        "on a table of your own.",
        epilog=_EXAMPLES.format(prog=prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", metavar="DATA", help="a CSV or TSV file with a header; - for stdin")
    add = parser.add_argument
    add("--target", metavar="COLUMN", required=True, help="the column to be learnt")
    told = "the inputs (default: all other columns)"
    add("--columns", metavar="COLUMN", nargs="+", action="extend", help=told)
    told = "a column to leave out; may be given several times"
    add("--drop", metavar="COLUMN", action="append", default=[], help=told)
    how = parser.add_mutually_exclusive_group()
    told = "subtract from each input its mean"
    prepared: Any = {"action": "store_const", "dest": "preparation", "default": "raw"}
    how.add_argument("--centre", "--center", const="centred", help=told, **prepared)
    names, told = ("--standardise", "--standardize"), "and divide it by its standard deviation"
    how.add_argument(*names, const="standardised", help=told, **prepared)
    told = "a trained bias for the neuron without batch norm, trained γ > 0 and β for the other"
    add("--bias", action="store_true", help=told)
    told = "standard deviation of the initial weights (default: ‖W*‖/√d)"
    add("--scale", metavar="S", type=float, help=told)
    add("--seed", metavar="N", type=int, default=0, help="where shares are counted (default: 0)")
    told = "the separator, one character or 'tab' (default: found from suffix and header)"
    add("--delimiter", metavar="C", type=_delimiter, help=told)
    add("--encoding", metavar="NAME", default="utf-8", help="of the file (default: utf-8)")
    add("--plot", metavar="FILE.svg", type=Path, help="draw W*, the ray and where it is false")
    add("--json", action="store_true", help="print the answer as JSON, with all digits")
    return parser


def _delimiter(text: str) -> str:
    found = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(found) != 1 or found in '"\r\n ':
        known = ", ".join(map(repr, DELIMITERS))
        raise argparse.ArgumentTypeError(f"must be one character such as {known}, got {text!r}")
    return found

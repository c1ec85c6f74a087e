"""Ways to falsify a chapter, one for each class of output, and the cells to do it to."""

import re

from tests.book import guards
from tools import toc

STDOUT, LATEX, SVG = "stdout", "text/latex", "image/svg+xml"


def shows(cell, kind):
    return any(shown == kind for shown, _ in guards.data(cell))


def replace(cell, kind, pattern, new):
    """Replace the last match of `pattern` in what the cell shows as `kind`."""
    for output in cell["outputs"]:
        holder, key = (output, "text") if output.get("name") == kind else (output.get("data"), kind)
        if holder and key in holder:
            text = guards.text(holder[key])
            match = list(re.finditer(pattern, text))[-1]
            holder[key] = text[: match.start()] + new(match[0]) + text[match.end() :]
            return
    raise AssertionError(f"the cell shows no {kind}")


def other_digit(digit):
    return str((int(digit) + 1) % 10)


def swap_figure(cell):
    shown = next(text for kind, text in guards.data(cell) if kind == SVG)
    others = [figure for path in toc.notebooks() for figure in guards.figures(path)]
    other = next((figure for figure in others if figure != shown), None)
    assert other, "the book needs two different figures for this test"
    replace(cell, SVG, r"(?s).+", lambda _: other)


def add_output(cell):
    cell["outputs"].append({"name": STDOUT, "output_type": "stream", "text": ["42\n"]})


# What nbval must find. Class of tampering: (which cells it can be done to, how it is done).
COMPARED = {
    "a digit on stdout": (
        lambda cell: shows(cell, STDOUT) and re.search(r"\d", dict(guards.data(cell))[STDOUT]),
        lambda cell: replace(cell, STDOUT, r"\d", other_digit),
    ),
    "a LaTeX result": (
        lambda cell: shows(cell, LATEX) and re.search(r"\d", dict(guards.data(cell))[LATEX]),
        lambda cell: replace(cell, LATEX, r"\d", other_digit),
    ),
    "a coordinate in an SVG": (
        lambda cell: shows(cell, SVG),
        lambda cell: replace(cell, SVG, r'(?<= d="M \d)\d|(?<= d="M )\d', other_digit),
    ),
    "a figure swapped": (lambda cell: shows(cell, SVG), swap_figure),
    "an output deleted": (lambda cell: cell["outputs"], lambda cell: cell["outputs"].pop()),
    "all outputs deleted": (lambda cell: cell["outputs"], lambda cell: cell["outputs"].clear()),
    "an output added": (lambda cell: not cell["outputs"], add_output),
    "metadata of an output": (
        lambda cell: any("metadata" in output for output in cell["outputs"]),
        lambda cell: next(o for o in cell["outputs"] if "metadata" in o)["metadata"].update(x=1),
    ),
}


def strip_counts(cells):
    for cell in cells:
        cell["execution_count"] = None


def clear(cells):
    strip_counts(cells)
    for cell in cells:
        cell["outputs"] = []


def only_png(cells):
    output = next(o for cell in cells for o in cell["outputs"] if SVG in o.get("data", {}))
    del output["data"][SVG]
    output["data"]["image/png"] = "iVBORw0KGgo="


def first(cells):
    return next(cell for cell in cells if cell["outputs"])


def undescribe(cells):
    next(cell for cell in cells if shows(cell, SVG))["metadata"].pop("mystnb")


def mark(cells):
    cell = first(cells)
    cell["source"] = "# NBVAL_IGNORE_OUTPUT\n" + guards.text(cell["source"])


def tag(name):
    return lambda cells: first(cells)["metadata"].setdefault("tags", []).append(name)


def widen(cells):
    cell = next(cell for cell in cells if shows(cell, SVG))
    replace(cell, SVG, r'(?<= width=")[\d.]+(?=pt" height=)', lambda _: "518.4")


def idle_bar(cells):
    cells[0].update(outputs=[])
    cells[0]["metadata"]["tags"] = ["hide-input"]


def draw_more(cells):
    cell = next(cell for cell in cells if shows(cell, SVG))
    cell["outputs"] *= 5


def say(stream, text):
    new = {"name": stream, "output_type": "stream", "text": [text]}
    return lambda cells: first(cells)["outputs"].append(new)


# What the guards must find: (how it is done, what the message must say).
GUARDED = {
    "counts-stripped": (strip_counts, "was not executed"),
    "all-cleared": (clear, "was not executed"),
    "one-count-wrong": (lambda cells: first(cells).update(execution_count=99), "count 99"),
    "png-only": (only_png, "image of type image/png"),
    "comment-marker": (mark, "has the marker NBVAL_IGNORE_OUTPUT"),
    "tag-ignore": (tag("nbval-ignore-output"), "has the tag 'nbval-ignore-output'"),
    "tag-skip": (tag("nbval-skip"), "has the tag 'nbval-skip'"),
    "tag-raises": (tag("raises-exception"), "has the tag 'raises-exception'"),
    "stderr": (say("stderr", "warning\n"), "writes to stderr"),
    "address": (say("stdout", "<object at 0x7f0123456789>\n"), "shows a memory address"),
    "path": (say("stdout", "/home/me/book\n"), "shows a path of one machine"),
    "no-alt-text": (undescribe, "without alternative text"),
    "semicolon": (lambda cells: first(cells).update(source="1;"), "ends in ';'"),
    "empty-cell": (lambda cells: first(cells).update(source=""), "is an empty code cell"),
    "long-cell": (lambda cells: first(cells).update(source="1\n" * 20 + "1"), "has 21 lines"),
    "wide-figure": (widen, "draws a figure 7.2 inches wide"),
    "five-figures": (draw_more, "figures, more than 4"),
    "idle-bar": (idle_bar, "hides its code and shows nothing"),
    "same-ids": (lambda cells: [cell.update(id="same") for cell in cells], "with the id same"),
}


def code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def rounds(notebook):
    """Spread the tamperings over cells: in each round a cell is tampered with once."""
    cells, waiting, plan = code(notebook), dict(COMPARED), []
    options = {
        name: [i for i, c in enumerate(cells) if fits(c)] for name, (fits, _) in waiting.items()
    }
    if not all(options.values()):
        return []
    while waiting:
        used = {}
        for name in sorted(waiting, key=lambda name: len(options[name])):
            if free := [i for i in options[name] if i not in used.values()]:
                used[name] = free[0]
        waiting = {name: how for name, how in waiting.items() if name not in used}
        plan.append(used)
    return plan


def choose():
    """Return a chapter in which every class of output occurs, and its rounds of tampering."""
    books = [guards.read(path) for path in toc.notebooks()]
    planned = [(book, plan) for book in books if (plan := rounds(book))]
    assert planned, f"No chapter has all of: {', '.join(COMPARED)}. Remedy: test another selection"
    return min(planned, key=lambda each: (len(each[1]), len(each[0]["cells"])))

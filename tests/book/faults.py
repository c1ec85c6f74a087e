"""Ways to falsify what is stored in a chapter.

A kind is a function of the chapter's code cells and a random generator. It plants one fault and
returns the numbers of the cells that it changed, or nothing where the chapter has no place for it.
"""

import copy
import re
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from random import Random

from tests.book import guards
from tools import toc

STDOUT, LATEX, MARKDOWN, SVG = "stdout", "text/latex", "text/markdown", "image/svg+xml"
GLUED = "application/papermill.record/"
# What is in an SVG, but not seen: what is drawn only where it is named, and notes.
UNSEEN = re.compile(r"(?s)<defs>.*?</defs>|<metadata>.*?</metadata>|<!--.*?-->")
ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["no"]}


def shown(cell, kinds):
    """Return what the cell shows as one of these types: (where the text is, key there)."""
    streams = [(output, "text") for output in cell["outputs"] if output.get("name") in kinds]
    data = [output["data"] for output in cell["outputs"] if "data" in output]
    return streams + [(each, kind) for each in data for kind in kinds if kind in each]


def seen(text, pattern):
    """Return the matches of `pattern` that are seen."""
    hidden = [match.span() for match in UNSEEN.finditer(text)]
    found = re.finditer(pattern, text)
    return [m for m in found if not any(a <= m.start() < b for a, b in hidden)]


def edit(kinds, pattern, new):
    """Return the kind that changes one match of `pattern` in what is shown as one of `kinds`."""

    def plant(cells, random):
        texts = [(n, *place) for n, cell in enumerate(cells) for place in shown(cell, kinds)]
        places = [(*at, m) for at in texts for m in seen(guards.text(at[1][at[2]]), pattern)]
        if not places:
            return None
        number, holder, name, match = random.choice(places)
        text = guards.text(holder[name])
        changed = new(match[0], random)
        holder[name] = text[: match.start()] + changed + text[match.end() :]
        return {number}

    return plant


def digit(old, random):
    return random.choice([each for each in "0123456789" if each != old])


def on(fits, change):
    """Return the kind that changes the outputs of one cell that fits."""

    def plant(cells, random):
        found = [number for number, cell in enumerate(cells) if fits(cell["outputs"])]
        if not found:
            return None
        number = random.choice(found)
        change(cells[number]["outputs"], random)
        return {number}

    return plant


def add(outputs, random):
    new = {"name": STDOUT, "output_type": "stream", "text": ["42\n"]}
    outputs.insert(random.randint(0, len(outputs)), new)


def exchange(outputs, random):
    pairs = combinations(range(len(outputs)), 2)
    i, j = random.choice([(i, j) for i, j in pairs if outputs[i] != outputs[j]])
    outputs[i], outputs[j] = outputs[j], outputs[i]


def named(outputs):
    return [output for output in outputs if output.get("metadata")]


def rename(outputs, random):
    """Have one glued value appear in the prose in place of another."""
    first, second = random.sample(named(outputs), 2)
    first["metadata"], second["metadata"] = second["metadata"], first["metadata"]


def movable(outputs):
    """Return (from, to, type): what can be moved to the next output without changing an order."""
    pairs = [(a, b) for a, b in pairwise(outputs) if "data" in a and "data" in b]
    return [(a, b, kind) for a, b in pairs for kind in a["data"] if kind not in b["data"]]


def move(outputs, random):
    source, target, kind = random.choice(movable(outputs))
    target["data"][kind] = source["data"].pop(kind)


def printed(outputs):
    return [each for each in outputs if each.get("name") == STDOUT]


def overwrite(outputs, random):
    """Put before a line what a terminal would write over, and a page shows."""
    stream = random.choice(printed(outputs))
    lines = guards.text(stream["text"]).splitlines(keepends=True)
    number = random.choice([n for n, line in enumerate(lines) if line.strip()])
    lines[number] = f"42\r{lines[number]}"
    stream["text"] = lines


def long(outputs):
    """Return the printed texts of two lines or more, if something else comes after them."""
    texts = [o for o in printed(outputs) if len(guards.text(o["text"]).splitlines()) > 1]
    return texts if outputs[-1:] != printed(outputs)[-1:] else []


def split(outputs, random):
    """Move the end of a printed text behind what follows it."""
    stream = long(outputs)[0]
    first, *others = guards.text(stream["text"]).splitlines(keepends=True)
    outputs.append(dict(stream, text=others))
    stream["text"] = first


def replace(outputs, random):
    outputs[random.randrange(len(outputs))] = copy.deepcopy(ERROR)


def swap_cells(cells, random):
    pairs = [(a, b) for a, b in combinations(cells, 2) if a["outputs"] != b["outputs"]]
    a, b = random.choice(pairs)
    a["outputs"], b["outputs"] = b["outputs"], a["outputs"]
    return {cells.index(a), cells.index(b)}


def other_figure(old, random):
    figures = [each for path in toc.notebooks() for each in guards.figures(path)]
    return random.choice([each for each in figures if each != old])


def strip_one(cells, random):
    cell = random.choice([each for each in cells if each["outputs"]])
    cell["execution_count"] = None
    return {cells.index(cell)}


# What nbval must find, most of it alone: kind, and how it is planted.
COMPARED = {
    "a digit of a printed text": edit([STDOUT], r"\d", digit),
    "a minus sign of a printed text": edit([STDOUT], r"(?<!\w)[-−](?=\d)", lambda *_: " "),
    "a verdict": edit([STDOUT], r"\bTrue\b|\bFalse\b", lambda old, *_: str(old != "True")),
    "a digit of a number in the prose": edit([GLUED + "text/plain"], r"\d", digit),
    "a coefficient in LaTeX": edit([LATEX, GLUED + LATEX], r"\d", digit),
    "a value in a table": edit(["text/html", MARKDOWN, GLUED + MARKDOWN], r"\d", digit),
    "a coordinate in an SVG": edit([SVG], r"(?<=[ML] )\d(?=\d+\.)", digit),
    "a digit drawn in an SVG": edit([SVG], r'(?<=href="#DejaVuSans-1)[3-9](?=")', digit),
    "a colour in an SVG": edit([SVG], r"(?<=(?:fill|roke): #)\d", digit),
    "a figure swapped": edit([SVG], r"(?s)^.+$", other_figure),
    "an output removed": on(bool, lambda o, r: o.pop(r.randrange(len(o)))),
    "all outputs of a cell removed": on(bool, lambda o, _: o.clear()),
    "an output added": on(lambda _: True, add),
    "outputs of two cells swapped": swap_cells,
    "two outputs of a cell swapped": on(lambda o: any(each != o[0] for each in o), exchange),
    "two names of numbers swapped": on(lambda o: len(named(o)) > 1, rename),
    "a value moved to the next output": on(movable, move),
    "a text split around an output": on(long, split),
    "a text to be overwritten": on(printed, overwrite),
    "an error in place of an output": on(bool, replace),
    "a count stripped": strip_one,
}


def strip_counts(cells):
    for cell in cells:
        cell["execution_count"] = None


def clear(cells):
    strip_counts(cells)
    for cell in cells:
        cell["outputs"] = []


def drawn(cells):
    return next(cell for cell in cells if shown(cell, [SVG]))


def only_png(cells):
    data, _ = shown(drawn(cells), [SVG])[0]
    data["image/png"] = data.pop(SVG)


def first(cells):
    return next(cell for cell in cells if cell["outputs"])


def undescribe(cells):
    drawn(cells)["metadata"].pop("mystnb")


def mark(cells):
    cell = first(cells)
    cell["source"] = "# NBVAL_IGNORE_OUTPUT\n" + guards.text(cell["source"])


def tag(name):
    return lambda cells: first(cells)["metadata"].setdefault("tags", []).append(name)


def widen(cells):
    wide = edit([SVG], r'(?<= width=")[\d.]+(?=pt" height=)', lambda *_: "518.4")
    wide([drawn(cells)], Random(0))


def idle_bar(cells):
    cells[0].update(outputs=[])
    cells[0]["metadata"]["tags"] = ["hide-input"]


def draw_more(cells):
    drawn(cells)["outputs"] *= 5


def say(stream, text):
    new = {"name": stream, "output_type": "stream", "text": [text]}
    return lambda cells: first(cells)["outputs"].append(new)


# What the guards must find: (how it is done, what the message must say).
GUARDED = {
    "all counts stripped": (strip_counts, "was not executed"),
    "all outputs removed": (clear, "was not executed"),
    "a wrong count": (lambda cells: first(cells).update(execution_count=99), "count 99"),
    "a figure as PNG": (only_png, "image of type image/png"),
    "a comment that has it skipped": (mark, "has the marker NBVAL_IGNORE_OUTPUT"),
    "a tag that has it ignored": (tag("nbval-ignore-output"), "has the tag 'nbval-ignore-output'"),
    "a tag that has it skipped": (tag("nbval-skip"), "has the tag 'nbval-skip'"),
    "a tag that allows an error": (tag("raises-exception"), "has the tag 'raises-exception'"),
    "a warning": (say("stderr", "warning\n"), "writes to stderr"),
    "a memory address": (say("stdout", "<object at 0x7f0123456789>\n"), "shows a memory address"),
    "a path of one machine": (say("stdout", "/home/me/book\n"), "shows a path of one machine"),
    "a figure not described": (undescribe, "without alternative text"),
    "a semicolon at the end": (lambda cells: first(cells).update(source="1;"), "ends in ';'"),
    "an empty cell": (lambda cells: first(cells).update(source=""), "is an empty code cell"),
    "a long cell": (lambda cells: first(cells).update(source="1\n" * 20 + "1"), "has 21 lines"),
    "a wide figure": (widen, "draws a figure 7.2 inches wide"),
    "five figures": (draw_more, "figures, more than 4"),
    "a bar above nothing": (idle_bar, "hides its code and shows nothing"),
    "one id for all cells": (
        lambda cells: [cell.update(id="same") for cell in cells],
        "with the id same",
    ),
}

# What nbval says of a falsified cell. Anything else would be a mistake in the planting.
RED = ("Cell outputs differ", "Unrun reference cell", "Cell execution caused")


@dataclass
class Fault:
    """A planted fault: its kind, the chapter, the falsified notebook, and what became of it."""

    kind: str
    chapter: str
    notebook: dict
    cells: set = field(default_factory=set)  # that were falsified, where nbval compares outputs
    place: str = ""  # of a sign in the library: file and line
    files: dict = field(default_factory=dict)  # and that file: {path: text}
    name: str = ""  # of its notebook in the copy
    red: dict = field(default_factory=dict)  # {cell, "guards" or (file, test): message}

    @property
    def caught(self):
        """The check that found it, and nothing else that was not falsified; or nothing."""
        if self.kind in GUARDED:
            told = self.red.get("guards", "")
            return "guards" if GUARDED[self.kind][1] in told and "Remedy: " in told else None
        if any(isinstance(each, tuple) for each in self.red):
            return "tests"
        cells = {cell for cell in self.red if cell != "guards"}
        known = all(any(each in self.red[cell] for each in RED) for cell in cells)
        if self.cells:
            planted = {f"Cell {number}" for number in self.cells}
            told = any(f"{cell} " in self.red.get("guards", "") for cell in planted)
            known = known and cells <= planted and (cells or told)
        return ("nbval" if cells else "guards") if self.red and known else None


def code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]

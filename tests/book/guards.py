"""What every committed chapter must satisfy; what nbval does not look at.

Each guard yields (code cell, problem, remedy); `problems` makes readable lines of them.
A notebook is read as plain JSON here: what is on disk counts, not what nbformat repairs.
"""

import json
import re

from tools.project import ROOT

SVG = "image/svg+xml"
RERUN = "run `make rerun` and commit the result"

# What would make nbval skip a cell, not compare it, or expect its failure.
MARKERS = re.compile(r"^\s*#+\s*((NBVAL|PYTEST_VALIDATE)_\w+)", re.MULTILINE)
TAGS = re.compile(r"(nbval|pytest-validate)[-_].*|raises-exception|skip.*", re.IGNORECASE)
ADDRESS = re.compile(r"\bat 0x[0-9a-f]{4,}", re.IGNORECASE)
MACHINE = re.compile(
    r"(?<![\w./:-])(/(?:home|Users|root|tmp|var|opt|usr|mnt|private)/[\w.-]+"
    r"|[A-Za-z]:\\\\?(?:Users|Windows)\b)|" + re.escape(str(ROOT)) + r"\b"
)
DATE = re.compile(r"<dc:date>|\b20\d\d-\d\d-\d\dT\d\d:\d\d")


def text(value):
    """Return a multi-line string of the notebook format as one string."""
    return "".join(value) if isinstance(value, list) else str(value)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(notebook):
    """Return the code cells with the names nbval gives them, and their ids."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [(f"Cell {i} (id {cell.get('id')})", cell) for i, cell in enumerate(cells)]


def data(cell):
    """Yield (MIME type, text) of everything a cell shows, streams included."""
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            yield output["name"], text(output["text"])
        for kind, value in output.get("data", {}).items():
            yield kind, text(value)


def figures(path):
    """Return the SVG figures of a notebook in order."""
    cells = [cell for _, cell in code_cells(read(path))]
    return [value for cell in cells for kind, value in data(cell) if kind == SVG]


def executed(notebook):
    """Every code cell has code and was executed, in order, in a new kernel."""
    for number, (name, cell) in enumerate(code_cells(notebook), start=1):
        count = cell["execution_count"]
        if not text(cell["source"]).strip():
            yield name, "is an empty code cell", "delete it"
        if count is None:
            yield name, "was not executed, so nbval would not compare it", RERUN
        elif count != number:
            yield name, f"has execution count {count} where {number} is due", RERUN
        if any(output.get("execution_count", number) != number for output in cell["outputs"]):
            yield name, "has an output with another execution count", RERUN


def clean_outputs(notebook):
    """No error, no stderr, nothing that belongs to one machine or one run."""
    for name, cell in code_cells(notebook):
        if any(output["output_type"] == "error" for output in cell["outputs"]):
            yield name, "ends in an error", f"mend its code, then {RERUN}"
        streams = [output["name"] for output in cell["outputs"] if "name" in output]
        if len(set(streams)) < len(streams):  # nbval puts the pieces together, wherever they are
            yield name, "shows what it printed in pieces", RERUN
        for kind, shown in data(cell):
            if kind == "stderr":
                yield name, "writes to stderr", "remove what warns or logs there"
            if "\r" in shown:  # nbval leaves out what a terminal would write over, a page shows it
                yield name, "prints a carriage return", "print whole lines"
            if kind.startswith("image/") and kind != SVG:
                remedy = "draw it as SVG: nbval compares SVG, not pixels"
                yield name, f"shows an image of type {kind}", remedy
            if kind == SVG and DATE.search(shown):
                yield name, "has a date in its SVG", "save with metadata={'Date': None}"
            if kind != SVG and (match := ADDRESS.search(shown)):
                yield name, f"shows a memory address ({match[0]})", "print what matters instead"
            if match := MACHINE.search(shown):
                yield name, f"shows a path of one machine ({match[0]})", "print a relative path"


def nothing_skipped(notebook):
    """No marker makes nbval look away; no code behaves differently under it, or elsewhere."""
    for name, cell in code_cells(notebook):
        source, tags = text(cell["source"]), cell["metadata"].get("tags", [])
        found = [f"marker {match[1]}" for match in MARKERS.finditer(source)]
        if isinstance(tags, list):
            found += [f"tag {tag!r}" for tag in tags if TAGS.fullmatch(str(tag))]
        else:
            yield name, "has tags that are not a list", 'write "tags": ["hide-input"]'
        for each in found:
            yield name, f"has the {each}", "remove it: every output is compared"
        if source.rstrip().endswith(";"):
            remedy = "assign the value to a name, or end with plt.show()"
            yield name, "ends in ';', which nbval does not honour", remedy
        if match := MACHINE.search(source):
            yield name, f"names a path of one machine ({match[0]})", "use a relative path"


def described_figures(notebook):
    """Each figure has a name, a caption, and an alternative text stating its finding."""
    names = set()
    for name, cell in code_cells(notebook):
        drawn = sum(kind == SVG for kind, _ in data(cell))
        if not drawn:
            continue
        if drawn > 1:
            yield name, "draws more than one figure", "give each figure a cell of its own"
        mystnb = cell["metadata"].get("mystnb", {})
        if len(mystnb.get("image", {}).get("alt", "").strip()) < 30:
            remedy = "say in metadata.mystnb.image.alt what the figure shows (30 characters)"
            yield name, "draws a figure without alternative text", remedy
        figure = mystnb.get("figure", {})
        for part in ("name", "caption"):
            if not str(figure.get(part, "")).strip():
                remedy = f"set metadata.mystnb.figure.{part}"
                yield name, f"draws a figure without a {part}", remedy
        if figure.get("name") in names:
            yield name, f"repeats the figure name {figure['name']}", "choose another name"
        names.add(str(figure.get("name")))


def identity(notebook):
    """Format 4.5 or newer, unique cell ids, the plain kernel, no machine's metadata."""
    whole, metadata = "The notebook", notebook["metadata"]
    version = (notebook["nbformat"], notebook["nbformat_minor"])
    if version < (4, 5):
        yield whole, f"has format {version[0]}.{version[1]}, without cell ids", RERUN
    ids = [str(cell.get("id", "")) for cell in notebook["cells"]]
    for each in sorted(set(ids)):
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", each):
            yield whole, f"has a cell without a valid id ({each!r})", "give it one"
        elif ids.count(each) > 1:
            yield whole, f"has {ids.count(each)} cells with the id {each}", "make them unique"
    if metadata.get("kernelspec", {}).get("name") != "python3":
        yield whole, "does not name the kernel python3", RERUN
    extra = set(metadata) - {"kernelspec", "language_info"}
    if extra := extra | set(metadata.get("language_info", {})) - {"name"}:
        yield whole, f"carries metadata of a machine ({', '.join(sorted(extra))})", RERUN
    for name, cell in code_cells(notebook):
        if "execution" in cell["metadata"]:
            yield name, "carries the times of its execution", RERUN


WORDS, FIGURES, LINES, INCHES = 2000, 4, 20, 4.8


def unfolded(markdown):
    """Return Markdown without what a reader must open first: dropdowns of any kind."""
    kept, inside = [], None
    lines = markdown.split("\n")
    for number, line in enumerate(lines):
        if inside:
            inside = None if line.strip() == inside else inside
            continue
        if opened := re.match(r"\s*(`{3,}|:{3,})\{([^}]*)\}", line):
            options = lines[number + 1 : number + 4]
            folded = any(re.match(r"\s*:class:.*\bdropdown\b", each) for each in options)
            if folded or opened[2] == "dropdown":
                inside = opened[1]
                continue
        kept.append(line)
    return "\n".join(kept)


def words(notebook):
    """Count the words a reader meets; an inline formula counts as one, a display as none."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    shown = "\n\n".join(unfolded(text(cell["source"])) for cell in cells)
    shown = re.sub(r"(?s)\$\$.*?\$\$|```\{math\}.*?```", " ", shown)
    return len(re.sub(r"\$[^$]+\$", "x", shown).split())


def short(notebook):
    """What a chapter may ask of a reader: words, figures, lines of code, width on a phone."""
    drawn = [svg for _, cell in code_cells(notebook) for kind, svg in data(cell) if kind == SVG]
    if (count := words(notebook)) > WORDS:
        yield "The notebook", f"has {count} words, more than {WORDS}", "cut, or fold what few need"
    if len(drawn) > FIGURES:
        yield "The notebook", f"has {len(drawn)} figures, more than {FIGURES}", "keep the best"
    for name, cell in code_cells(notebook):
        if (lines := text(cell["source"]).count("\n") + 1) > LINES:
            yield name, f"has {lines} lines, more than {LINES}", "split or shorten it"
        for kind, shown in data(cell):
            width = kind == SVG and re.search(r'<svg[^>]*? width="([\d.]+)pt"', shown)
            if width and float(width[1]) > 72 * INCHES + 0.5:
                inches = f"{float(width[1]) / 72:.1f}"
                yield (
                    name,
                    f"draws a figure {inches} inches wide",
                    f"at most {INCHES}: stack panels",
                )


def nothing_behind_a_bar(notebook):
    """No bar that says "Show the code" where there is no output under it."""
    for name, cell in code_cells(notebook):
        glued = [output.get("metadata", {}).get("scrapbook") for output in cell["outputs"]]
        if "hide-input" in cell["metadata"].get("tags", []) and all(glued):
            remedy = "tag it remove-cell, or merge it with the cell that shows something"
            yield name, "hides its code and shows nothing", remedy


GUARDS = (
    executed,
    clean_outputs,
    nothing_skipped,
    described_figures,
    identity,
    short,
    nothing_behind_a_bar,
)


def problems(path):
    """Return one line for each rule the notebook breaks: file, cell, problem, remedy."""
    try:
        notebook = read(path)
    except ValueError as error:
        return [f"{path.name}: is not valid JSON ({error}). Remedy: restore it."]
    return [
        f"{path.name}: {where} {problem}. Remedy: {remedy}."
        for guard in GUARDS
        for where, problem, remedy in guard(notebook)
    ]

"""The signs in a program: which can be changed, and to which an execution comes."""

import ast
from random import Random

from tests.book import guards, replay
from tests.book.faults import Fault, code
from tools.project import ROOT

SIGNS = [f"a sign in {each}" for each in ("a cell", "bnlib", "bn_solver or bn_experiments")]
CELL_SIGN, LIBRARY_SIGN, ROOM_SIGN = SIGNS
OTHER_SIGN = {ast.USub: ast.UAdd, ast.Add: ast.Sub, ast.Sub: ast.Add}
# Beside the packages of a copy, where a sign is `marked.mark("bnlib/neuron.py 3", …)`.
MARK = """\
import os
seen = set()
def mark(name, value):
    if name not in seen:
        seen.add(name)
        with open(os.environ["REACHED"], "a") as file:
            file.write(name + "\\n")
    return value
"""


def signs(source):
    """Return the syntax tree of a program, and its nodes whose sign can be changed."""
    tree = ast.parse(source)
    nodes = [each for each in ast.walk(tree) if type(getattr(each, "op", None)) in OTHER_SIGN]
    return tree, [each for each in nodes if not any(map(no_number, ast.iter_child_nodes(each)))]


def no_number(node):
    return isinstance(node, (ast.JoinedStr, ast.List)) or type(getattr(node, "value", 0)) is str


class Marked(ast.NodeTransformer):
    """Has a program say which of its signs it comes to, and compute what it computed before."""

    def __init__(self, file, source):
        tree, nodes = signs(source)
        self.numbers = {id(node): f"{file} {number}" for number, node in enumerate(nodes)}
        self.text = ast.unparse(self.visit(tree))

    def visit(self, node):
        node, name = self.generic_visit(node), self.numbers.get(id(node))
        value = getattr(node, "value", node)  # x += value
        if name:
            mark = ast.parse(f"__import__('marked').mark({name!r})", mode="eval").body
            mark.args.append(value)
            if value is node:
                return mark
            node.value = mark
        return node


def other_sign(source, number):
    """Return the program with the other sign at one of its nodes, and what was changed."""
    tree, nodes = signs(source)
    before = ast.unparse(nodes[number])
    nodes[number].op = OTHER_SIGN[type(nodes[number].op)]()
    return ast.unparse(tree), f"`{before}` → `{ast.unparse(nodes[number])}`"


def key(notebook):
    """Return under which name the plugin keeps what a kernel answered to the last cell."""
    return replay.key([guards.text(cell["source"]) for cell in code(notebook)])


def plant_signs(path, answers):
    """Return a fault in a chapter's code, and two in what the chapter came to of the library."""
    chapter, random = guards.read(path), Random(f"{path.stem}, signs")
    places = {kind: [] for kind in SIGNS}
    for n, cell in enumerate(code(chapter)):
        source = guards.text(cell["source"])
        places[CELL_SIGN] += [(n, source, i) for i in range(len(signs(source)[1]))]
    reached = (answers / f"{key(chapter)}.reached").read_text(encoding="utf-8").splitlines()
    for file, number in sorted(line.split() for line in reached):
        kind = LIBRARY_SIGN if file.startswith("bnlib/") else ROOM_SIGN
        places[kind].append((file, (ROOT / file).read_text(encoding="utf-8"), int(number)))
    planted = []
    for kind, found in ((kind, each) for kind, each in places.items() if each):
        where, text, number = random.choice(found)
        fault = Fault(kind, path.stem, guards.read(path))
        changed, told = other_sign(text, number)
        if kind == CELL_SIGN:
            code(fault.notebook)[where]["source"] = changed
            where = f"{path.stem}, cell {where}"
        else:
            fault.files = {where: changed}
        fault.place = f"{where}, sign {number}: {told}"
        planted.append(fault)
    return planted

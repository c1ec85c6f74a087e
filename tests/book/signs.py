"""The signs in a program: which can be changed, and to which an execution comes."""

import ast

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

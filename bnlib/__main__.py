"""``python -m bnlib [COMMAND ...]``: the verdict on the lemma, or another command.

A command is an entry point of the group "bnlib.commands": a function that takes the arguments and
returns the exit code. So packages built on this one add theirs, and this one imports none of them.
"""

import sys
from importlib.metadata import entry_points


def main(arguments: list[str]) -> int:
    """Run a command, "verdict" by default; return its exit code, or 2 if it is unknown."""
    commands = {each.name: each for each in entry_points(group="bnlib.commands")}
    name, *rest = arguments or ["verdict"]
    if name in ("-h", "--help"):
        print("usage: python -m bnlib [COMMAND ...]\n\nWithout a command: the verdict.")
        for each, command in commands.items():
            print(f"  {each}  {command.load().__doc__.splitlines()[0]}")
        return 0
    if name in commands:
        return int(commands[name].load()(rest))
    known = ", ".join(commands) or "none (install bnlib again, by pip)"
    told = f"unknown command {name!r}; there are: {known}. See python -m bnlib --help."
    print(f"Error: {told}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

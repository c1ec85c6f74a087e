"""A plugin of pytest: kernels that keep what they answer, and kernels that repeat it.

A fault in a stored output changes no answer of the kernel. So each chapter is executed once, by
nbval as in `make test` (`--kernel=keep`), and nbval compares every falsified copy of it with
the same answers (`--kernel=repeat`). What a kernel answers depends on all that it was asked so far:
an answer is found by the sum of these sources; where a source was changed, there is none.
"""

import hashlib
import json
import os
from pathlib import Path

import nbval.plugin
import pytest
from nbval.kernel import RunningKernel

# Which operations of the packages under a folder were executed, kept in the kernel.
TRACE = """
def _trace(root, builtins, sys):
    builtins._reached = reached = set()
    def step(frame, event, argument):
        reached.add((frame.f_code, frame.f_lasti))
        return step
    def call(frame, event, argument):
        if frame.f_code.co_filename.startswith(root):
            frame.f_trace_lines, frame.f_trace_opcodes = False, True
            return step
    sys.settrace(call)
_trace({root!r}, __import__("builtins"), __import__("sys"))
del _trace
"""
TELL = """
def _tell(path, json):
    told = {{(c.co_filename, *[*c.co_positions()][at // 2]) for c, at in _reached if at >= 0}}
    with open(path, "w") as file:
        json.dump([*told], file)
_tell({path!r}, __import__("json"))
"""


def key(sources):
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


class Kernel(RunningKernel):
    """A real kernel, which imports the packages that lie beside its chapter's folder."""

    def __init__(self, name, cwd, **settings):
        self.root = os.environ["PYTHONPATH"] = str(Path(cwd).parent)
        super().__init__(name, cwd=cwd, **settings)


class Keeping(Kernel):
    """A kernel that writes down its answers, and what of the packages it executed."""

    asked, answer = (), ()

    def __init__(self, name, cwd, **settings):
        super().__init__(name, cwd, **settings)
        self.silently(TRACE.format(root=f"{self.root}{os.sep}bn"))

    def silently(self, code):
        message = self.kc.execute(code, silent=True)
        self.await_reply(message, timeout=60)
        self.await_idle(message, timeout=60)

    def execute_cell_input(self, source, allow_stdin=None):
        self.asked, self.answer = [*self.asked, source], []
        return super().execute_cell_input(source, allow_stdin)

    def get_message(self, stream, timeout=None):
        message = super().get_message(stream, timeout)
        if stream == "iopub" and self.asked:
            parent = {"msg_id": message["parent_header"].get("msg_id")}
            kept = {"msg_type": message["msg_type"], "content": message["content"]}
            self.answer.append({**kept, "parent_header": parent})
            if message["content"].get("execution_state") == "idle":
                path = ANSWERS / f"{key(self.asked)}.json"
                path.write_text(json.dumps(self.answer), encoding="utf-8")
        return message

    def stop(self):
        asked, self.asked = self.asked, ()
        self.silently(TELL.format(path=str(ANSWERS / f"{key(asked)}.reached.json")))
        super().stop()


class Repeating:
    """What nbval asks of a kernel, answered as before."""

    def __init__(self, name, cwd, **settings):
        self.asked, self.answer = [], iter(())

    def execute_cell_input(self, source, allow_stdin=None):
        self.asked.append(source)
        answer = json.loads((ANSWERS / f"{key(self.asked)}.json").read_text(encoding="utf-8"))
        self.answer = iter(answer)
        return answer[-1]["parent_header"]["msg_id"]

    def await_reply(self, message, timeout=None):
        """It is all there."""

    def get_message(self, stream, timeout=None):
        return next(self.answer)

    def is_alive(self):
        return True

    def stop(self):
        """Nothing was started."""


KERNELS = {"keep": Keeping, "repeat": Repeating, "until-red": Kernel}
ANSWERS = Path("answers")


def pytest_addoption(parser):
    parser.addoption("--kernel", choices=KERNELS, required=True)


def pytest_configure(config):
    global ANSWERS
    ANSWERS = config.rootpath / "answers"
    ANSWERS.mkdir(exist_ok=True)
    nbval.plugin.RunningKernel = KERNELS[config.option.kernel]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Leave out the rest of a chapter that is red already, if that is enough."""
    report = yield
    if report.failed and item.config.option.kernel == "until-red":
        item.parent.red = True
    return report


def pytest_runtest_setup(item):
    if getattr(item.parent, "red", False):
        pytest.skip("the chapter is red already")

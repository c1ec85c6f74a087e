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
from uuid import uuid4

import nbval.plugin
import pytest
from nbval.kernel import RunningKernel


def key(sources):
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


class Kernel(RunningKernel):
    """A real kernel, which imports the packages that lie beside its chapter's folder."""

    def __init__(self, name, cwd, **settings):
        os.environ["PYTHONPATH"] = str(Path(cwd).parent)
        super().__init__(name, cwd=cwd, **settings)


class Keeping(Kernel):
    """A kernel whose answers are written down, and which signs it came to."""

    asked, answer = (), ()

    def __init__(self, name, cwd, **settings):
        self.reached = os.environ["REACHED"] = str(ANSWERS / uuid4().hex)
        super().__init__(name, cwd, **settings)

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
        super().stop()
        Path(self.reached).replace(ANSWERS / f"{key(self.asked)}.reached")


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

"""Importing bnlib loads nothing heavy; the public names exist and are documented."""

import doctest
import functools
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpydoc.docscrape import FunctionDoc

import bn_experiments
import bnlib
from tests import lacking

HEAVY = (
    *("sympy", "scipy", "matplotlib", "jax", "IPython", "pandas"),
    *("sklearn", "tqdm", "distributed", "dask"),
)
PACKAGES = (bnlib, bn_experiments)
MODULES = [
    each.name
    for package in PACKAGES
    for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not each.name.endswith("__main__")
]
HERE = [name for name in MODULES if lacking.importable(name)]
# What a package lists in __all__ is public, wherever in the house it is defined.
PUBLIC = {
    f"{package.__name__}.{name}": getattr(package, name)
    for package in map(importlib.import_module, [each.__name__ for each in PACKAGES] + HERE)
    for name in getattr(package, "__all__", ())
    if callable(getattr(package, name))
}
CLASSES = [name for name, thing in PUBLIC.items() if inspect.isclass(thing)]


def loaded_after(code):
    """Return the names of the packages that a fresh interpreter has loaded after some code."""
    script = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    command = [sys.executable, "-W", "error", "-c", script]
    return {*subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()}


WORK_OF_THE_CHAPTERS = """
from bnlib import BatchNorm, Neuron, check_lemma, counterexample
data = counterexample()
neuron = Neuron('tanh', BatchNorm())
neuron.loss([3, 1], data), neuron.gradient([3, 1], data), neuron.hessian([3, 1], data)
check_lemma([3, 1], Neuron().optima(data), Neuron(normalization=BatchNorm()).optima(data))
"""
SIMULATIONS_AND_SWEEPS = """
import numpy as np
from bnlib import Point, Ray
from bn_experiments.datasets import RandomLearningSets, stacked_optima
from bn_experiments.probability import Sphere, check_weaker, he, simulate
from bn_experiments.sweeps import sweep
rng = np.random.default_rng(0)
found = stacked_optima(*RandomLearningSets(9, 2).sample(rng, 3))
star, ray = Point(found.stars[0]), Ray(found.slopes[0])
check_weaker(he(2).sample(rng, 5, 2), [star], [ray])
sweep(lambda n, rng: simulate(Sphere(), [star], [ray], n, rng), [50, 60], seed=0)
"""


def test_nothing_heavy_is_loaded_but_by_what_needs_it():
    for code in ("import bnlib", WORK_OF_THE_CHAPTERS, SIMULATIONS_AND_SWEEPS):
        assert not loaded_after(code).intersection(HEAVY), code
    bar = "sweep(lambda case, rng: case, [1], seed=0, progress=True)"
    assert "tqdm" in loaded_after(f"from bn_experiments.sweeps import sweep\n{bar}")
    assert "sympy" in loaded_after("from bn_experiments import exact")


def test_all_names_exist_and_are_sorted_and_some_docstrings_have_examples():
    assert bnlib.__all__ == sorted(set(bnlib.__all__))
    for name in bnlib.__all__:
        assert getattr(bnlib, name) is not None
    named = {name for name, value in vars(bnlib).items() if not inspect.ismodule(value)}
    assert {name for name in named if name[0] != "_"} <= set(bnlib.__all__)
    modules = [importlib.import_module(name) for name in HERE]
    found = [test for each in modules for test in doctest.DocTestFinder().find(each)]
    assert sum(bool(test.examples) for test in found) >= 4


def names(*entries):
    """Return the names that entries like ``a, b : float`` document."""
    return {name.strip() for each in entries for name in each.name.split(",")}


def made_by_calling(thing):
    """Return whether calling it makes one: neither a union nor a protocol does."""
    protocol = getattr(thing, "_is_protocol", False)
    return inspect.isroutine(thing) or (inspect.isclass(thing) and not protocol)


def contracts(thing, owner=None):
    """Return the docstring of an object, and of those that its See Also names.

    A contract that many functions share is written once, and the others point to it.
    """
    doc = FunctionDoc(thing)
    found = [doc]
    scope = {**vars(bnlib), **inspect.getmodule(thing).__dict__, **vars(owner or object)}
    for targets, _ in doc["See Also"]:
        for target, _ in targets:
            named, *attributes = target.split(".")
            assert named in scope, f"{thing.__qualname__}: See Also {target} is not there"
            found.append(FunctionDoc(functools.reduce(getattr, attributes, scope[named])))
    kin = [each for each in getattr(owner, "__mro__", ()) if each.__module__.startswith("bn")]
    for targets, _ in FunctionDoc(owner)["See Also"] if owner else ():
        kin += [scope[target] for target, _ in targets if inspect.isclass(scope[target])]
    # A parameter means the same in every method of a class.
    methods = [each for one in kin for each in vars(one).values() if inspect.isfunction(each)]
    found += map(FunctionDoc, methods)
    # It mirrors bnlib, whose docstrings hold.
    if thing.__module__.startswith("bn_experiments.exact"):
        same = functools.reduce(getattr, thing.__qualname__.split("."), bnlib)
        found += contracts(same, owner and getattr(bnlib, owner.__name__))
    return found


def documented(*docs):
    return names(*(each for doc in docs for each in (*doc["Parameters"], *doc["Attributes"])))


@pytest.mark.parametrize("name", PUBLIC)
def test_public_objects_document_what_they_take_and_return(name):
    thing = PUBLIC[name]
    doc, *others = contracts(thing)
    assert doc["Summary"], name
    taken = set(inspect.signature(thing).parameters) if made_by_calling(thing) else set()
    assert taken <= documented(doc, *others), (taken, documented(doc, *others))
    assert documented(doc) <= taken or not taken, documented(doc) - taken
    if inspect.isroutine(thing):
        assert any(each["Returns"] or each["Yields"] for each in (doc, *others)), name
        assert not taken or any(each["Raises"] for each in (doc, *others)), name


@pytest.mark.parametrize("name", CLASSES)
def test_public_methods_document_their_parameters(name):
    for method, function in vars(PUBLIC[name]).items():
        if method.startswith("_") or not inspect.isfunction(function):
            continue
        doc, *others = contracts(function, PUBLIC[name])
        assert doc["Summary"], method
        taken = set(inspect.signature(function).parameters) - {"self"}
        assert documented(doc) <= taken <= documented(doc, *others), method


@pytest.mark.parametrize("name", lacking.marked(MODULES))
def test_examples_in_docstrings_are_true(name):
    module = importlib.import_module(name)
    assert module.__doc__
    results = doctest.testmod(module, extraglobs={"bnlib": bnlib, "np": np})
    assert results.failed == 0


@lacking.needs_jax
def test_every_module_of_every_package_is_walked():
    files = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for package in PACKAGES
        for root in [Path(package.__path__[0]).parent]
        for path in Path(package.__path__[0]).rglob("*.py")
    }
    walked = {each.__name__ for each in PACKAGES}.union(MODULES)
    assert {each for each in files if not each.endswith("__main__")} == walked

"""The explorer beside `bnlib`: states, an engine that runs its script, and every difference."""

import json
import math
import shutil
import subprocess
from contextlib import contextmanager
from functools import cache

import numpy as np
import pytest
import sympy as sp

import bnlib
from tests.book import browser
from tools.project import ROOT

STATIC = ROOT / "_static"
SCRIPTS = [STATIC / f"explorer{part}.js" for part in ("", "-plane", "-view", "-widgets")]
FILES = [*SCRIPTS, STATIC / "explorer.css"]
CALL = "(([name, cases]) => cases.map(each => api[name](...each)))"

NODE = """
const api = new Function("module", require("fs").readFileSync(process.argv[1], "utf8") +
  "; return module.exports;")({exports: {}});
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(%s(given)));
"""


def by_node(name, cases, text=None, tmp=None, script=SCRIPTS[0]):
    """Return what a function of the script gives for each list of arguments, run by node."""
    path = script
    if text is not None:
        path = tmp / "mutant.js"
        path.write_text(text, encoding="utf-8")
    command, given = ["node", "-e", NODE % CALL, str(path)], json.dumps([name, cases])
    run = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@contextmanager
def engine(kind):
    """Yield a function like `by_node`, run by node or by a browser; skip where there is none."""
    if kind == "node":
        if shutil.which("node") is None:
            told = "no node found; a browser makes the same comparison"
            pytest.skip(f"{told}. Remedy: apt-get install nodejs")
        yield by_node
        return
    with browser.launch() as running:
        page = running.new_page()
        page.add_script_tag(path=str(SCRIPTS[0]))
        call = f"given => {{ const api = window.bnExplorer; return {CALL}(given); }}"
        yield lambda name, cases: page.evaluate(call, [name, cases])


@cache
def bnlib_says(text):
    """Return what `bnlib` finds of a state, given as JSON, under the names of the script."""
    state = json.loads(text)
    data, w0 = bnlib.LearningSet(state["x"], state["t"]), np.array(state["w0"])
    (star,) = bnlib.Neuron().optima(data)
    found = {"star": star.nearest(w0), "shortest": star.weights}
    try:
        (hat,) = bnlib.Neuron(normalization=bnlib.BatchNorm()).optima(data)
    except ValueError as error:
        if "divides by zero" not in str(error):
            raise
        return found | {"kind": "nowhere", "verdict": "void"}
    check = bnlib.check_lemma(w0, [star], [hat])
    kind = "everywhere"
    if isinstance(hat, bnlib.Ray):
        kind = "half-plane" if hat.along.size else "ray"
        found["u"] = hat.direction
    found |= {"kind": kind, "left": check.left, "right": check.right}
    truth = "undecided" if check.undecided else "false" if check.violated else "true"
    verdict = truth if check.applies and check.exists else "none closest"
    if not check.applies:
        verdict = "undecided" if check.undecided else "does not apply"
    theta, shares = None, None
    if kind == "ray" and star.weights.any() and not star.along.size:
        theta = bnlib.angle(star.weights, hat.direction)
        shares = [float(bnlib.failure_probability(theta, each)) for each in ("infimum", "strict")]
    return found | {"verdict": verdict, "infimum": truth, "theta": theta, "shares": shares}


def exactly(state):
    """Return the verdict and the infimum reading in rational arithmetic, by pseudo-inverses."""
    x, t, w0 = (sp.Matrix(state[name]).applyfunc(sp.nsimplify) for name in ("x", "t", "w0"))
    centring = sp.eye(3) - sp.ones(3, 3) / 3
    star = x.pinv() * t + (sp.eye(2) - x.pinv() * x) * w0
    xc = centring * x
    u = xc.pinv() * centring * t
    if xc.is_zero_matrix:
        return "void", None
    if star.dot(w0) <= 0:
        return "does not apply", None
    toward, across = u.dot(w0), xc.pinv() * xc * w0
    exists, left = toward > 0, across.dot(across)
    if u.is_zero_matrix:
        exists, left = not (xc * w0).is_zero_matrix, 0
    elif exists:
        left -= toward**2 / u.dot(u)
    gap, size = w0 - star, star.dot(star)
    right = gap.dot(gap) - (size - star.dot(w0)) ** 2 / size
    truth = "false" if left > right else "true"
    return (truth if exists else "none closest"), truth


def close(one, other, scale=1.0):
    return one is not None and np.allclose(one, other, rtol=1e-9, atol=1e-9 * scale)


def differences(state, shown):
    """Yield what the script shows of a state and `bnlib`, or exact arithmetic, does not find."""
    told = bnlib_says(json.dumps(state))
    size = max(1.0, float(np.dot(state["w0"], state["w0"])))
    for name in ("star", "shortest", "u", "left", "right"):
        if name in told and not close(shown[name], told[name], size):
            yield f"{name}: {shown[name]}, not {told[name]}"
    if shown["kind"] != told["kind"]:
        yield f"kind: {shown['kind']}, not {told['kind']}"
    theta = told.get("theta")
    if (shown["theta"] is None) != (theta is None) or (theta and not close(shown["theta"], theta)):
        yield f"theta: {shown['theta']}, not {theta}"
    yield from verdict_differs(state, shown, told)
    if theta is not None and 1e-9 < theta < math.pi - 1e-9:
        law = [shown["shares"]["infimum"], shown["shares"]["strict"]]
        if not close(law, told["shares"]):
            yield f"shares: {law}, not {told['shares']}"
    yield from fits_differ(state, shown)
    yield from flow_differs(state, shown, told)


def verdict_differs(state, shown, told):
    said = shown["verdict"], shown["infimum"]
    if told["verdict"] == "void":
        if said != ("void", None):
            yield f"verdict: {said}, not void"
        return
    # What bnlib decides is so, except at borders, where only exact arithmetic can tell.
    expected = told["verdict"], told["infimum"]
    if told["verdict"] == "does not apply":
        expected = "does not apply", None
    if said != expected:
        exact = exactly(state)
        if said != exact and not (told["infimum"] == "undecided" == shown["infimum"]):
            yield f"verdict: {said}, but bnlib says {expected}, exactly {exact}"


def fits_differ(state, shown):
    x, t = np.array(state["x"]), np.array(state["t"])
    rows = np.column_stack([x, np.ones(3)])
    slope = np.linalg.pinv(x - x.mean(axis=0)) @ (t - t.mean())
    fitted = rows @ np.linalg.lstsq(rows, t, rcond=None)[0]  # unique, whatever the slope
    expected = {"origin": x @ np.linalg.lstsq(x, t, rcond=None)[0], "intercept": fitted}
    for name, values in expected.items():
        if not close(shown["fits"][name], values, 10):
            yield f"fit {name}: {shown['fits'][name]}, not {values}"
    line = [*slope, t.mean() - x.mean(axis=0) @ slope]
    if not close([*shown["slope"], shown["intercept"]], line):
        yield f"slope and intercept: {shown['slope']}, {shown['intercept']}"


def flow_differs(state, shown, told):
    """Of the flow only what is certain: it keeps the norm, ends where the gradient is 0, on u."""
    end, w0 = shown["flow"]["end"], np.array(state["w0"])
    outputs = np.array(state["x"]) @ w0
    if (np.ptp(outputs) < 1e-12) != (end is None):
        yield f"flow: {shown['flow']} from outputs {outputs}"
    if end is None or np.ptp(np.array(state["x"]) @ end) < 1e-12:
        return
    data = bnlib.LearningSet(state["x"], state["t"])
    gradient = bnlib.Neuron(normalization=bnlib.BatchNorm()).gradient(end, data)
    scale = max(1.0, float(np.abs(state["t"]).max()) ** 2) / np.linalg.norm(w0)
    if not close(np.linalg.norm(end), np.linalg.norm(w0)) or not close(gradient, 0, 10 * scale):
        yield f"flow: ends at {end} with the gradient {gradient}"
    if told["kind"] == "ray":
        ends = np.linalg.norm(w0) * told["u"]
        ends = w0 if np.allclose(w0, -ends, atol=1e-12) else ends  # there it stands still
        if not close(end, ends, 10):
            yield f"flow: ends at {end}, not at {ends}"
    if not close(shown["reached"], np.sum((end - w0) ** 2), 10):
        yield f"reached: {shown['reached']}"


def states(n, seed):
    """Return n states of short numbers; every second one is degenerate on purpose."""
    rng = np.random.default_rng(seed)
    makers = [plain, collinear, through_zero, equal_inputs, uncorrelated, no_intercept]
    makers += [centred, no_star, border, at_star, biased, opposite_start, orthogonal, opposite_rays]
    kinds = [plain if i % 2 else makers[i // 2 % len(makers)] for i in range(n)]
    return [short(kind(rng)) for kind in kinds]


def short(state):
    x, t, w0 = (np.array(each, dtype=float).tolist() for each in state)
    return {"x": x, "t": t, "w0": w0}


def plain(rng):
    reach = int(rng.choice([1, 2, 6]))
    return [rng.integers(-reach, reach + 1, size) / 2 for size in ((3, 2), 3, 2)]


def collinear(rng):
    _, t, w0 = plain(rng)
    base, step = rng.integers(-2, 3, 2), rng.integers(-2, 3, 2)
    return base + rng.integers(-2, 3, (3, 1)) * step, t, w0


def through_zero(rng):
    _, t, w0 = plain(rng)
    return rng.integers(-3, 4, (3, 1)) * rng.integers(-2, 3, 2), t, w0


def equal_inputs(rng):
    _, t, w0 = plain(rng)
    return np.tile(rng.integers(-2, 3, 2), (3, 1)), t, w0


def uncorrelated(rng):
    x, t, w0 = plain(rng)
    return x, np.full(3, t[0]), w0


def no_intercept(rng):
    x, _, w0 = plain(rng)
    return x, x @ rng.integers(-3, 4, 2), w0


def centred(rng):
    x, t, w0 = plain(rng)
    return [x[0], x[1], -x[0] - x[1]], t, w0


def no_star(rng):
    """Targets orthogonal to both inputs: W* = 0."""
    x, _, w0 = plain(rng)
    return x, np.cross(x[:, 0], x[:, 1]), w0


def border(rng):
    """A start on the bisector of W* and a slope of equal, whole lengths: both sides are equal."""
    k, (p, q) = rng.integers(1, 5), [(-3, 4), (5, -12), (8, -15)][rng.integers(3)]
    slope = k * np.array([p, q])  # W* = (−q, −p) k: the intercept moves it along (1, 1)
    x = np.array([[1, 0], [0, 1], [1, 1]])
    return x, x @ slope - 1.5 * k * (p + q), np.array([p - q, q - p]) / 2


def at_star(rng):
    x, t, _ = plain(rng)
    return x, t, np.linalg.lstsq(x, t, rcond=None)[0].round(6)


def biased(rng):
    """A constant input, targets that are fitted, and W₀ on the ray of W*: both sides are 0."""
    star = rng.integers(1, 4, 2)
    x = np.column_stack([rng.permutation([0, 1, 3]), np.ones(3)])
    return x, x @ star, star * rng.integers(1, 4) / 2


def opposite_start(rng):
    """W₀ on the ray opposite to the BN optima."""
    slope, a = rng.integers(-3, 4, 2), int(rng.integers(-3, 4))
    x, _, _ = plain(rng)
    return x, x @ slope + a, -slope / 2


def orthogonal(rng):
    """⟨W₀, W*⟩ = 0, of an integer W*: the border of the hypothesis."""
    x, (p, q) = np.array([[1, 0], [0, 1], [1, 1]]), rng.integers(-4, 5, 2)
    return x, x @ [p, q] + rng.integers(-2, 3) * np.array([1, 1, -1]), [-q / 2, p / 2]


def opposite_rays(rng):
    """c parallel to the mean of the inputs, and an intercept that turns W* around: θ = π."""
    x, w = np.array([[1, 0], [0, 1], [1, 1]]), int(rng.integers(1, 4))
    return x, x @ [-w, -w] + rng.integers(3, 7) * w, rng.integers(-3, 4, 2)

"""The mathematics of the explorer against `bnlib`, exact arithmetic and a numerical flow."""

import json
import subprocess

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import bnlib
from tests.book import explorer, guards
from tests.project.test_project import run
from tools.project import CHAPTERS

MATHEMATICS, WIDGETS = explorer.SCRIPTS[0], explorer.SCRIPTS[-1]
CASES = explorer.states(500, seed=16)


@pytest.fixture(scope="module", params=["node", "browser"])
def call(request):
    with explorer.engine(request.param) as run:
        yield run


@pytest.fixture(scope="module")
def node():
    with explorer.engine("node") as run:
        yield run


def differing(cases, shown):
    for case, found in zip(cases, shown, strict=True):
        yield from (f"{case}: {each}" for each in explorer.differences(case, found))


def analysed(call, cases, *more):
    return call("analyse", [[case] for case in cases], *more)


def test_500_states_are_shown_as_bnlib_finds_them(call):
    shown = analysed(call, CASES)
    assert list(differing(CASES, shown)) == []


def test_the_states_reach_every_case(node):
    """Each verdict, kind of optima, relation and end of the flow occurs: nothing is untested."""
    shown = analysed(node, CASES)
    seen = {name: {each[name] for each in shown} for name in ("verdict", "kind", "relation")}
    verdicts = {"void", "does not apply", "none closest", "undecided", "false", "true"}
    assert seen["verdict"] == verdicts
    assert seen["kind"] == {"nowhere", "everywhere", "half-plane", "ray"}
    assert seen["relation"] == {"apart", "same", "opposite", "zero"}
    assert {each["flow"]["why"] for each in shown} == {"undefined", "flat", "maximum", "ray"}
    infima = {each["infimum"] for each in shown if each["verdict"] == "none closest"}
    assert infima == {"true", "false"}
    assert sum(each["along"] is not None for each in shown) > 10
    # An undecided verdict is a rare exception: a start on the border of the failing cone.
    assert 0 < sum(each["verdict"] == "undecided" for each in shown) < 30


PLANTED = {
    "Σ not centred": ("m * v - product[i]", "m * v"),
    "c not centred": ("m * v - mean[i] * target", "m * v"),
    "Σ of the sample, c of the population": ("m * v - product[i]", "(m * v - product[i]) * 2n"),
    "a sign in the inverse": ("c * r - b * s", "c * r + b * s"),
    "kernel turned": ("a ? [-b, a] : [1n, 0n]", "a ? [b, a] : [1n, 0n]"),
    "hypothesis not strict": ("applies: product > 0n", "applies: product >= 0n"),
    "hypothesis of the shortest W*": ("if (star.kernel) {\n    const", "if (0) {\n    const"),
    "ray closed": ("sign.toward > 0n;", "sign.toward >= 0n;"),
    "line instead of ray": ("return exists ? cross(u, w0) ** 2", "return 1 ? cross(u, w0) ** 2"),
    "half-plane as ray": ('if (kind === "half-plane") return exists', "if (0) return exists"),
    "sides swapped": ('excess > 0 ? "false" : "true"', 'excess < 0 ? "false" : "true"'),
    "a tie called false": ('return "undecided"', 'return "false"'),
    "rounding decides": ("ROUNDING = 72 * 2 ** -52", "ROUNDING = 0"),
    "no bias seen": ("const bias = kind", "const bias = false && kind"),
    "θ with a sign": ("Math.atan2(Math.abs(cross(closest, u))", "Math.atan2((cross(closest, u))"),
    "readings swapped": ("0.5 + turn, strict: 0.5 - turn", "0.5 - turn, strict: 0.5 + turn"),
    "no intercept": ("sums.target * hat.den - dot(sums.mean, hat.num)", "sums.target * hat.den"),
    "flow to the closest": ("u.map(v => v * length(w0))", "u.map(v => v * dot(u, w0))"),
    "flow leaves a maximum": ('return { why: "maximum"', 'if (0) return { why: "maximum"'),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_error_is_found(kind, node, tmp_path):
    source, (old, new) = MATHEMATICS.read_text(encoding="utf-8"), PLANTED[kind]
    assert source.count(old) == 1, "Remedy: plant the error in the code as it is now."
    shown = analysed(node, CASES, source.replace(old, new), tmp_path)
    assert any(differing(CASES, shown))


def test_decimals_are_taken_as_written(node):
    """Floats that are collinear but for rounding: bnlib refuses, the script reads the decimals."""
    tenth = {"x": [[0.1, 0.3], [0.2, 0.6], [0.3, 0.9]], "t": [1, 2, 4], "w0": [0.7, 0.1]}
    whole = {**tenth, "x": [[1, 3], [2, 6], [3, 9]]}
    short, long = analysed(node, [tenth, whole])
    assert short["kind"] == long["kind"] == "half-plane"
    assert short["verdict"] == long["verdict"]
    assert np.allclose(np.array(short["shortest"]) / 10, long["shortest"], rtol=1e-12)


def sector_of(sectors, angle):
    def inside(edges):
        low, high = sorted(edges)
        return low < low + (angle - low) % (2 * np.pi) < high

    return [name for name in ("none", "fails", "holds") if inside(sectors[name])]


def sectors_differ(cases, shown):
    """Return how many starts, all around, the drawn sectors put elsewhere than bnlib does."""
    wrong = 0
    for case, found in zip(cases, shown, strict=True):
        data = bnlib.LearningSet(case["x"], case["t"])
        angles = np.linspace(0.0037, 0.0037 + 2 * np.pi, 181)
        optima = [bnlib.Neuron(normalization=n).optima(data) for n in (None, bnlib.BatchNorm())]
        check = bnlib.check_lemma(np.column_stack([np.cos(angles), np.sin(angles)]), *optima)
        for i, angle in enumerate(angles):
            told = ["fails" if check.violated[i] else "holds"] if check.exists[i] else ["none"]
            told = told if check.applies[i] else []
            wrong += sector_of(found["sectors"], angle) != told and not check.undecided[i]
    return wrong


def test_the_drawn_sectors_are_those_of_bnlib(node, tmp_path):
    shown = analysed(node, CASES)
    both = [(case, each) for case, each in zip(CASES, shown, strict=True) if each["sectors"]]
    assert len(both) > 100
    cases, shown = zip(*both[:60], strict=True)
    assert sectors_differ(cases, shown) == 0
    source = MATHEMATICS.read_text(encoding="utf-8").replace("side * turn", "turn")
    assert sectors_differ(cases, analysed(node, cases, source, tmp_path)) > 100


def test_a_numerical_gradient_flow_ends_where_the_script_says(node):
    neuron, checked = bnlib.Neuron(normalization=bnlib.BatchNorm()), 0
    shown = analysed(node, CASES)
    for case, found in zip(CASES, shown, strict=True):
        data, w0 = bnlib.LearningSet(case["x"], case["t"]), np.array(case["w0"])
        if found["flow"]["why"] != "ray" or np.linalg.cond(data.input_covariance) > 10:
            continue

        def field(_, w, data=data):  # in the time that makes it independent of the unit
            return -(w @ w) * neuron.gradient(w, data)

        run = solve_ivp(field, (0, 200), w0, method="LSODA", rtol=1e-7, atol=1e-8)
        assert np.allclose(run.y[:, -1], found["flow"]["end"], atol=1e-4 * np.linalg.norm(w0)), case
        checked += 1
        if checked == 12:
            return
    pytest.fail("too few states with a ray")


def test_a_state_survives_the_address_and_nonsense_is_refused(node):
    told = node("encode", [[case] for case in CASES])
    texts = [f"https://book.example/page.html#{each}" for each in told]
    assert node("decode", [[text] for text in texts]) == CASES
    bad = ["1,2", "1,0,0,1,1,1,2,0,5,3,", "1e9," * 11, "1,0,0,1,1,1,2,0,5,3,1,7"]
    bad += ["a,0,0,1,1,1,2,0,5,3,1", "%zz"]
    bad = ["", "#sec-table", *(f"#explorer={each}" for each in bad)]
    assert node("decode", [[text] for text in bad]) == [None] * len(bad)


def test_random_sets_depend_on_the_seed_alone(node):
    first, again, other = node("randomState", [[1], [1], [2]])
    assert first == again != other
    many = node("randomState", [[seed] for seed in range(200)])
    numbers = np.array([np.concatenate([*each["x"], each["t"], each["w0"]]) for each in many])
    assert (np.abs(numbers) <= 5).all()
    assert (np.ptp(numbers, axis=0) >= 5).all()


def test_every_preset_is_what_its_name_says(node):
    script = f"require({json.dumps(str(MATHEMATICS))}).PRESETS"
    command = ["node", "-e", f"process.stdout.write(JSON.stringify({script}))"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    states = {each["name"]: each["state"] for each in json.loads(found.stdout)}
    shown = dict(zip(states, analysed(node, states.values()), strict=True))
    words = dict(zip(states, node("explain", [[each] for each in shown.values()]), strict=True))
    assert list(differing(states.values(), shown.values())) == []
    three, first = bnlib.counterexample(), states["the counterexample"]
    assert np.array_equal(first["x"], three.inputs)
    assert np.array_equal(first["t"], three.targets)
    assert np.isclose(shown["the counterexample"]["left"], 8 / 17)
    expected = {
        "the counterexample": ("false", ""),
        "intercept zero": ("true", "The intercept is 0"),
        "centred inputs": ("true", "The inputs are centred"),
        "a constant input": ("true", "a bias"),
        "no ray: c = 0": ("true", "uncorrelated"),
        "no ray: three equal inputs": ("void", "The three inputs are equal"),
        "inputs on a line through 0": ("true", "a line through 0"),
        "no BN optimum is closest": ("none closest", ""),
        "W* opposite to the ray": ("none closest", "exactly away"),
    }
    assert list(shown) == list(expected)
    for name, (verdict, part) in expected.items():
        assert shown[name]["verdict"] == verdict, name
        assert part in " ".join(words[name]["notes"]), name


def test_rows_of_the_decision_table_are_told_apart(node):
    cells = guards.code_cells(guards.read(CHAPTERS / "repairs.ipynb"))
    glued = "application/papermill.record/text/markdown"
    texts = [text for _, cell in cells for kind, text in guards.data(cell) if kind == glued]
    lines = [each.split("|")[1:-1] for each in "".join(texts).splitlines() if "(#sec-" in each]
    rows = {line[0].split("]")[0].strip(" ["): line[4].strip() for line in lines}
    kinds = node("rowKind", [list(each) for each in rows.items()], script=WIDGETS)
    tags = ("with", "other", "nothing", "inputs")
    of = {tag: {name for name, kind in zip(rows, kinds, strict=True) if kind[tag]} for tag in tags}
    assert len(rows) > 25
    uncentred = {"scale only", "scale only, β = 1", "any scale, not centred", "y/σ, not centred"}
    assert of == {
        "with": {"bias in the standard neuron", "a constant input", "γ, β and a bias trained"},
        "other": {"eight other activations"},
        "nothing": uncentred | {"y/‖w‖, weight normalization"},
        "inputs": {"centred inputs", "standardized inputs", "ridge, centred inputs"},
    }
    for (name, parameters), kind in zip(rows.items(), kinds, strict=True):
        assert kind["outputs"] != kind["nothing"], name
        assert kind["with"] != kind["without"], name
        assert kind["identity"] != kind["other"], name
        for tag in ("frozen", "trained"):
            assert kind[tag] == (tag in parameters), name


@pytest.mark.parametrize("path", sorted(explorer.STATIC.glob("*.js")), ids=lambda path: path.name)
def test_scripts_are_sound(path, node):
    """Node reads them as classic scripts; they ask for nothing and are short enough to read."""
    run("node", "--check", str(path))
    text = path.read_text(encoding="utf-8")
    assert '"use strict";' in text
    assert text.count("\n") <= 300
    for word in ("fetch(", "XMLHttpRequest", "import ", "import(", "export ", "eval(", "http"):
        assert word not in text.replace("http://www.w3.org/2000/svg", ""), word


def test_together_they_are_small():
    assert sum(path.stat().st_size for path in explorer.FILES) < 40_000

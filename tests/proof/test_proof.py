"""The machine-checked proof: it compiles, rests on nothing else, and says what `bnlib` says."""

import os
import re
import shutil
import subprocess

import numpy as np
import pytest

from bn_experiments import exact
from tools.project import CHAPTERS, ROOT

FILE = ROOT / "proof" / "lemma_4_5.v"
TEXT = FILE.read_text(encoding="utf-8")
# The real numbers of Coq's standard library, and nothing else.
AXIOMS = {
    "ClassicalDedekindReals.sig_forall_dec",
    "ClassicalDedekindReals.sig_not_dec",
    "FunctionalExtensionality.functional_extensionality_dep",
}
STATEMENTS = [
    "scale_invariance",
    "the_standard_optimum",
    "the_optima_with_batch_normalization",
    "the_closest_optimum",
    "the_squared_distance",
    "the_lemma_is_false",
    "it_fails_where_the_standard_optimum_is_lost",
    "it_holds_where_the_standard_optimum_is_kept",
]

needs_coq = pytest.mark.skipif(
    shutil.which("coqc") is None and "CI" not in os.environ,
    reason="coqc is not installed: on Debian  apt-get install --no-install-recommends "
    "coq libcoq-stdlib  (see make proof)",
)


def compile_text(text, folder):
    """Compile a file of this text; return the result."""
    (folder / "lemma_4_5.v").write_text(text, encoding="utf-8")
    command = ["coqc", "lemma_4_5.v"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def bare(text):
    """Return a text without its comments."""
    while (shorter := re.sub(r"\(\*(?:(?!\(\*|\*\)).)*\*\)", "", text, flags=re.DOTALL)) != text:
        text = shorter
    return text


def test_nothing_is_assumed_in_the_file():
    words = set(re.findall(r"\w+", bare(TEXT)))
    assert not words & {"Admitted", "admit", "Axiom", "Parameter", "Hypothesis", "Conjecture"}
    assert re.findall(r"^Theorem (\w+)", TEXT, re.MULTILINE) == STATEMENTS


def test_the_page_shows_the_statements_of_the_file():
    page = (CHAPTERS / "machine.md").read_text(encoding="utf-8")
    shown = re.findall(r"```coq\n(.*?)```", page, re.DOTALL)
    statements = [each.strip() for block in shown for each in block.split("\n\n")]
    assert [each for each in statements if each not in TEXT] == []
    names = re.findall(r"Theorem (\w+)", "\n".join(statements))
    assert sorted(names) == sorted(STATEMENTS)


@needs_coq
def test_it_compiles_and_rests_on_the_real_numbers_alone(tmp_path):
    asked = "".join(f"Print Assumptions {name}.\n" for name in STATEMENTS)
    result = compile_text(f"{TEXT}\n{asked}", tmp_path)
    assert result.returncode == 0, result.stderr
    assert set(re.findall(r"^(\w+\.\w+)\b", result.stdout, re.MULTILINE)) <= AXIOMS
    assert "Axioms:" in result.stdout


# Each changes the truth of a definition or of a statement.
PLANTED = {
    "another standard optimum": ("<-> w = W 3 1.", "<-> w = W 2 1."),
    "another squared distance": ("(9 / 17 * 3)) = 8 / 17.", "(9 / 17 * 3)) = 9 / 17."),
    "another ray": ("0 < k /\\ w = W (k * 5) (k * 3).", "0 < k /\\ w = W (k * 5) (k * 2)."),
    "both signs of the ray": ("0 < k /\\ w = W (k * 5)", "k <> 0 /\\ w = W (k * 5)"),
    "a strict inequality for a weak one": ("v w < r -> L S w <=", "v w < r -> L S w <"),
    "a mean without a point": ("rest => f p + sum f rest", "rest => sum f rest"),
    "sigma without the root": (":= sqrt (variance S w).", ":= variance S w."),
    "a loss that is not squared": ("=> (y w p - target p) ^ 2) S.", "=> y w p - target p) S."),
    "no centring": ("((y w p - mu S w) / sigma S w - target", "(y w p / sigma S w - target"),
    "another target": ("Example_of 1 1 5]", "Example_of 1 1 4]"),
    "the hypothesis the other way round": ("0 < inner w0 star ->\n", "inner w0 star < 0 ->\n"),
    "a scale of any sign": ("    0 < k -> 0 < sigma S w", "    k <> 0 -> 0 < sigma S w"),
}


@needs_coq
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_does_not_compile(name, tmp_path):
    old, new = PLANTED[name]
    assert old in TEXT
    result = compile_text(TEXT.replace(old, new), tmp_path)
    assert result.returncode != 0
    assert "Error" in result.stderr


def number(value):
    """Return a rational number for Coq."""
    return f"({value.p} / {value.q})"


def examples(seed):
    """Return what `bn_experiments.exact` says of a random learning set, as statements for Coq."""
    rng = np.random.default_rng(seed)
    while True:
        m = int(rng.integers(3, 6))
        inputs, targets = rng.integers(-6, 7, (m, 2)).tolist(), rng.integers(-6, 7, m).tolist()
        data = exact.LearningSet(inputs, targets)
        try:
            (star,) = exact.Neuron().optima(data)
            (ray,) = exact.Neuron(normalization=exact.BatchNorm()).optima(data)
        except ValueError:  # collinear inputs, or uncorrelated targets
            continue
        break
    pairs = zip(inputs, targets, strict=True)
    points = "; ".join(f"Example_of ({a}) ({b}) ({t})" for (a, b), t in pairs)
    w, u = (f"(W {number(v[0])} {number(v[1])})" for v in (star.weights, ray.direction))
    k = star.weights.dot(ray.direction) / ray.direction.dot(ray.direction)
    gap = star.weights - k * ray.direction
    variance = sum(v**2 for v in data.inputs * star.weights) / m
    variance -= (sum(data.inputs * star.weights) / m) ** 2
    facts = {
        "mean_of_inputs": f"mean x1 S{seed} = {number(sum(data.inputs[:, 0]) / m)}",
        "mean_of_targets": f"mean target S{seed} = {number(sum(data.targets) / m)}",
        "variance_at_star": f"variance S{seed} {w} = {number(variance)}",
        "loss_at_star": f"L S{seed} {w} = {number(exact.Neuron().loss(star.weights, data))}",
    }
    for axis in ("x1", "x2"):
        off = f"(y {w} p - target p) * {axis} p"
        facts[f"normal_equation_{axis}"] = f"mean (fun p => {off}) S{seed} = 0"
        # The covariances of the input with the fit and with the target are in the ratio of û.
        facts[f"ray_{axis}"] = (
            f"mean (fun p => ((y {u} p - mu S{seed} {u}) - {number(ratio(data, ray))} * "
            f"(target p - mean target S{seed})) * {axis} p) S{seed} = 0"
        )
    foot = f"(scaled {number(k)} {u})"
    facts["squared_distance"] = f"squared_distance {w} {foot} = {number(gap.dot(gap))}"
    text = f"Definition S{seed} : learning_set := [{points}].\n"
    unfolded = "unfold squared_distance, L, variance, mu, mean, scaled, y"
    for name, fact in facts.items():
        text += f"Example {name}_{seed} : {fact}.\nProof. {unfolded}; simpl; field. Qed.\n"
    return text


def ratio(data, ray):
    """Return the factor between the direction of the ray, in lowest terms, and the slope."""
    ones = data.targets * 0 + type(data.targets)([1] * data.m)
    x = data.inputs - ones * (ones.T * data.inputs) / data.m
    c, image = x.T * data.targets, x.T * x * ray.direction
    at = next(i for i in (0, 1) if c[i] != 0)
    return image[at] / c[at]


@needs_coq
def test_its_definitions_say_of_random_learning_sets_what_the_library_says(tmp_path):
    facts = "\n".join(examples(seed) for seed in range(20))
    result = compile_text(f"{TEXT}\n{facts}", tmp_path)
    assert result.returncode == 0, result.stderr
    # And they can be contradicted: a wrong mean is refused.
    wrong = examples(0).replace("mean x1 S0 = (", "mean x1 S0 = 1 + (")
    assert compile_text(f"{TEXT}\n{wrong}", tmp_path).returncode != 0

"""What is public and takes something of a user, with a sound value of each argument.

A new name that is neither in `ENTRIES` nor in `LEFT_OUT` fails a test of test_fuzz.py.
"""

import inspect
import re

import numpy as np
import sympy as sp

import bn_solver
import bnlib
from bn_experiments import certify, check, datasets, exact, probability, search, sweeps, variants
from bnlib import BatchNorm, LearningSet, Neuron

ROOMS = [bnlib, bn_solver, certify, check, datasets, exact, probability, search, sweeps, variants]

# Sound values: whole numbers, so that every kind of number holds them exactly.
X = np.array([[1.0, 0, 2], [0, 1, 1], [1, 1, 3], [3, -1, 0], [2, 2, -2]])
T, W = np.array([2.0, 0, 5, 1, -3]), np.array([3.0, 1, -2])
X2, SOFT = X[:, :2].copy(), LearningSet(X, [0.25, 0.5, 0.75, 0.5, 0.25])
DATA, DATA2 = LearningSet(X, T), LearningSet(X2, T)
STANDARD, BN, TANH = Neuron(), Neuron(normalization=BatchNorm()), Neuron("tanh", BatchNorm())
STARS, RAYS = STANDARD.optima(DATA), BN.optima(DATA)
KERNEL = np.array([[0.0], [0], [1]])
SECTOR = variants.best_sectors(DATA2)[0]
THREE = exact.counterexample()
EXACT = [[exact.Point(sp.Matrix([3, 1]))], [exact.Ray([5, 3])]]
NORM, UNCENTRED = BatchNorm(epsilon=0.5), variants.UncentredNeuron("rms")
BATCHES, CONVEX = variants.MiniBatchNeuron(TANH, 3), search.ConvexNeuron("logistic")


def rng():
    return np.random.default_rng(0)


def moments(inputs, targets):
    data = LearningSet(inputs, targets)
    names = ("mean_input", "mean_target", "input_covariance", "cross_covariance", "target_std")
    return [getattr(data, name) for name in names]


def parts(check):
    """Return a check with what its properties and its text say, for one start."""
    return check, check.margin, check.holds, repr(check)


# A sound value of each kind of argument.
SOUND = {
    "x": X, "x2": X2, "t": T, "w": W, "w2": W[:2], "y": T, "v": X[:, 0], "axis": W,
    "kernel": KERNEL, "starts2": X2, "shape": W[:2],
    "starts": np.array([[3.0, 1, -2], [0, 1, 1], [-3, 2, 0]]), "pair": np.array([0.0, 1.0]),
    "stack": np.stack([X, X + [0, 0, 1]]), "stacked": np.stack([T, T[::-1]]),
    "angles": np.array([0.0, 1, 2, 3]), "angle": np.float64(1), "number": np.float64(1),
    "data": DATA, "data2": DATA2, "soft": SOFT, "stars": STARS, "rays": RAYS, "sectors": [SECTOR],
    "option": "centred", "reading": "infimum", "name": "tanh", "source": "iris", "column": "t",
    "family": "logistic", "sweep": "networks", "flag": True, "n": 3, "d": 2, "m": 4, "many": 100,
    "table": {"a": X[:, 0], "b": X[:, 1], "t": T},
}  # fmt: skip
# The object whose method is called.
OBJECTS = {
    "bnlib.BatchNorm": BatchNorm(epsilon=0.5), "bnlib.LearningSet": DATA, "bnlib.Neuron": BN,
    "bnlib.Point": STARS[0], "bnlib.Ray": RAYS[0], "exact.Neuron": exact.Neuron(),
    "probability.Estimate": probability.Estimate(1.0, 0.5, 3),
    "search.ConvexNeuron": search.ConvexNeuron("logistic"), "variants.Sector": SECTOR,
    "variants.MiniBatchNeuron": variants.MiniBatchNeuron(TANH, 4),
    "variants.UncentredNeuron": variants.UncentredNeuron("rms"),
    "datasets.RandomLearningSets": datasets.RandomLearningSets(4, 2),
}  # fmt: skip
# What is called as it is, with the kinds of its arguments.
PLAIN = """
bnlib.BatchNorm flag flag number number number; bnlib.BatchNorm.forward y
bnlib.BatchNorm.derivative y v; bnlib.BatchNorm.second_derivative y v v y; bnlib.LearningSet x t
bnlib.LearningSet.with_targets t; bnlib.Neuron.columns data; bnlib.Neuron.output w data
bnlib.Neuron.loss w data; bnlib.Neuron.gradient w data; bnlib.Neuron.hessian w data
bnlib.Neuron.optima data; bnlib.Point w number kernel; bnlib.Point.exists starts
bnlib.Point.nearest starts; bnlib.Point.squared_distance starts; bnlib.Ray w number kernel
bnlib.Ray.exists starts; bnlib.Ray.nearest starts; bnlib.Ray.squared_distance starts
bnlib.activation name; bnlib.angle w axis; bnlib.check_lemma starts stars rays
bnlib.failure_probability angles reading; bnlib.mean_excess angles number
bn_solver.least_squares stack stacked; datasets.centred_targets data
datasets.independent_columns x; datasets.load source; datasets.prepare data option
datasets.stacked_optima stack stacked; datasets.with_fit data w number
datasets.without_intercept data; exact.LearningSet x t; exact.Ray w; exact.angle w axis
exact.failure_probability angle reading; exact.mean_excess angle number
probability.Estimate.of_mean number number n; probability.Estimate.of_proportion d n
probability.Estimate.z_score number; probability.check_reached starts stars rays
probability.check_weaker starts stars rays; probability.he n
probability.mean_gain angle number number reading
probability.point_failure_probability angle number; probability.verdict starts stars rays
probability.weaker_failure_probability angle number; search.ConvexNeuron family flag
search.ConvexNeuron.gradient w soft; search.ConvexNeuron.hessian w soft
search.ConvexNeuron.loss w soft; search.ConvexNeuron.optimum soft; sweeps.stored_summary sweep
variants.MiniBatchNeuron.batches data; variants.MiniBatchNeuron.columns data
variants.MiniBatchNeuron.gradient w data; variants.MiniBatchNeuron.loss w data
variants.MiniBatchNeuron.slope_rounding w data kernel; variants.Sector.contains starts2
variants.UncentredNeuron.columns data; variants.UncentredNeuron.gradient w data
variants.UncentredNeuron.loss w data; variants.UncentredNeuron.optima data2
variants.UncentredNeuron.size w data; variants.UncentredNeuron.slope_rounding w data kernel
variants.best_sectors data2; variants.evaluated_optima data w; variants.trained_parameters data
check.check.table table column
"""
BENT = Neuron("softplus")
# What also needs a generator of random numbers, an object, or an option.
BOUND = {
    "bnlib.LearningSet.moments": (moments, "x", "t"),
    "bnlib.Neuron": (lambda name, bias: Neuron(name, None, bias), "name", "flag"),
    "bnlib.Neuron.gradient.bent": (TANH.gradient, "w", "data"),
    "bnlib.Neuron.optima.standard": (STANDARD.optima, "data"),
    "bnlib.check_lemma.one": (lambda *a: parts(bnlib.check_lemma(*a)), "w", "stars", "rays"),
    "certify.certify": (lambda x, t, w: certify.certify(x, t, "identity", w), "x2", "t", "w2"),
    "certify.certify_trained": (
        lambda x, t, w, v: certify.certify_trained(x, t, "identity", w, v), "x2", "t", "w2", "w",
    ),
    "check.check": (lambda *a: vars(check.check(*a)) | {"source": ""}, "x", "t"),
    "check.check.option": (
        lambda p, b, s, n: check.check(DATA, preparation=p, bias=b, scale=s, seed=n),
        "option", "flag", "number", "n",
    ),
    "datasets.RandomLearningSets": (
        lambda *law: datasets.RandomLearningSets(*law).sample(rng(), 2),
        "m", "d", "number", "number", "number", "name",
    ),
    "datasets.load_tasks": (lambda p: datasets.load_tasks("iris", coding=p), "pair"),
    "exact.BatchNorm": (lambda *a: exact.BatchNorm(True, True, *a), "number", "number", "number"),
    "exact.Neuron.loss": (lambda w: exact.Neuron().loss(w, THREE), "w2"),
    "exact.check_lemma": (lambda w: exact.check_lemma(w, *EXACT), "w2"),
    "probability.reached_optimum": (lambda w: probability.reached_optimum(w, RAYS[0]), "starts"),
    "probability.resampled_angles": (
        lambda data, n: probability.resampled_angles(data, rng(), n), "data", "n",
    ),
    "probability.simulate": (
        lambda *a: probability.simulate(probability.Gaussian(), *a, rng()), "stars", "rays", "many",
    ),
    "probability.verdicts": (lambda *a: probability.verdicts(*a, rng()), "stars", "rays"),
    "search.numerical_optima": (lambda data: search.numerical_optima(BENT, data, rng()), "data"),
    "search.scan_directions": (lambda data: search.scan_directions(BN, data, n=32), "data2"),
    "search.search_weights": (lambda *a: search.search_weights(BENT, *a), "data", "starts"),
    "search.search_weights.pieces": (
        lambda *a: search.search_weights(Neuron("relu"), *a), "data2", "starts2",
    ),
    "search.slope_rounding": (lambda *a: search.slope_rounding(BN, *a), "w", "data", "kernel"),
    "variants.MiniBatchNeuron": (lambda n: variants.MiniBatchNeuron(BN, n), "n"),
    "variants.MiniBatchNeuron.optima": (variants.MiniBatchNeuron(BN, 4).optima, "data2"),
    "variants.UncentredNeuron": (lambda g: variants.UncentredNeuron("std", g), "number"),
    "variants.check_sectors": (
        lambda w, s: variants.check_sectors(w, STANDARD.optima(DATA2), s), "starts2", "sectors",
    ),
    "datasets.RandomLearningSets.sample": (
        lambda n: OBJECTS["datasets.RandomLearningSets"].sample(rng(), n), "n",
    ),
}  # fmt: skip
for kind in (probability.Gaussian, probability.Sphere, probability.Uniform):
    name = f"probability.{kind.__name__}"
    BOUND[name] = lambda s, kind=kind: kind(s).sample(rng(), 3, 2), "number"
    for draw in {"sample", "project"} & {*vars(kind)}:
        method = getattr(kind(), draw)
        BOUND[f"{name}.{draw}"] = lambda n, d, draw=method: draw(rng(), n, d), "n", "d"


def called(name):
    """Return what is called by a public name."""
    room, first, *more = name.split(".")
    value = getattr(next(each for each in ROOMS if each.__name__.endswith(room)), first)
    return getattr(OBJECTS.get(f"{room}.{first}", value), more[0], value) if more else value


ROWS = [each.split() for each in re.split("[;\n]", PLAIN.strip())]
ENTRIES = {name: (called(name), *kinds) for name, *kinds in ROWS} | BOUND

LEFT_OUT = {
    "results, which nobody calls": """bnlib.LemmaCheck bn_solver.LeastSquares check.Laws
    check.Report check.Report.to_dict check.Report.to_json certify.NotCertified certify.Verification
    datasets.StackedOptima datasets.Task exact.LemmaCheck probability.Estimate
    probability.Simulation search.DirectionScan search.FlatSector search.Landscape
    variants.Sector exact.Point""",
    "no argument, or functions": """bnlib.Activation probability.Initialization sweeps.sweep
    probability.Initialization.sample bnlib.counterexample exact.counterexample""",
    "what only SymPy makes, or read as exact.Neuron.loss does": """exact.BatchNorm.forward
    exact.Neuron exact.Neuron.gradient exact.Neuron.hessian exact.Neuron.optima
    exact.Neuron.output exact.Point.nearest exact.Ray.nearest""",
    "JSON: tests/certify and below": """certify.Certificate certify.TrainedCertificate
    certify.verify certify.verify_trained""",
}


def names():
    """Yield the public names, and of classes those of their methods that take something."""
    for room in ROOMS:
        for name in room.__all__:
            value, full = getattr(room, name), f"{room.__name__.rpartition('.')[2]}.{name}"
            if callable(value):
                yield full
            for method in vars(value) if inspect.isclass(value) else ():
                bound = getattr(value, method)
                if method[0] != "_" and callable(bound):
                    yield f"{full}.{method}"

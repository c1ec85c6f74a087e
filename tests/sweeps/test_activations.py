"""The experiment on activations: its counts against plain formulas, and planted errors."""

import json
from functools import partial

import numpy as np
import pytest

from bn_experiments.datasets import RandomLearningSets
from bn_experiments.search import search_weights
from bn_experiments.sweeps import activations, sweep
from bnlib import LearningSet, angle
from bnlib.activations import ACTIVATIONS
from bnlib.batch_norm import BatchNorm
from bnlib.closed_form import linear_optima
from tests.oracles import refused
from tests.sweeps.test_flat_minima import verdict

LINEAR = ("identity", "relu", "leaky_relu")
FAMILY = RandomLearningSets(6, 2, 1.0, 0.5, 0.3)


def test_every_activation_is_there_and_fewer_sets_are_the_first_cases_of_more():
    assert sorted(activations.NAMES) == sorted(ACTIVATIONS)
    assert activations.cases(20) == activations.cases()[: 2 * len(activations.NAMES)]
    assert sum(case["sets"] for case in activations.cases(25)) == 25 * len(activations.NAMES)
    refused("^sets: must be at least 1", activations.cases, 0)


@pytest.mark.parametrize("name", activations.NAMES)
def test_a_task_gives_what_json_can_hold_and_depends_on_its_generator_only(name):
    [case] = [each for each in activations.cases(2) if each["activation"] == name]
    case |= {"draws": 50, "starts": 6}
    first, second, again = (
        activations.task(case | {"block": block}, np.random.default_rng(seed))
        for block, seed in ((0, 1), (0, 2), (3, 1))
    )
    assert first == again != second
    assert json.loads(json.dumps(first, allow_nan=False)) == first
    assert len(first["sets"]) == 2
    for each in first["sets"]:
        assert all(0 <= theta <= np.pi for row in each["angles"] if row for theta in row)
        assert all(len(row) == each["rays"] for row in each["angles"] if row)


def test_the_counts_for_the_identity_are_those_of_the_closed_form():
    rng, other = np.random.default_rng(4), np.random.default_rng(4)
    x, t = FAMILY.sample(rng, 1)
    FAMILY.sample(other, 1)
    data = LearningSet(x[0], t[0])
    [star], [ray] = linear_optima(data), linear_optima(data, BatchNorm())
    other.standard_normal((5, 2))
    other.uniform(size=5)
    begin = other.standard_normal((300, 2))
    only, u = [(0.0, star.weights, True)], ray.direction[None]
    applies, fails, near, _ = np.array([verdict(start, only, u) for start in begin]).T
    found = activations.examine("identity", data, 5, 300, rng)
    assert found["applies"] == applies.sum() > 100
    assert found["violated"] == fails.sum() > 50
    assert found["violated_at_stars"] == found["strictly_violated_at_stars"] == 1
    counts = found["readings"]["isolated"]
    assert counts["closest"] == (applies & near).sum()
    assert 0 < counts["violated_closest"] == (fails & near).sum() < found["violated"]
    assert (counts["starts"], counts["without"]) == (300, 0)
    assert found["angles"] == [[pytest.approx(angle(star.weights, ray.direction), rel=1e-9)]]


def test_random_starts_have_the_lengths_that_are_promised(monkeypatch):
    seen, data = [], LearningSet([[1, 0], [0, 1], [1, 1]], [2, 0, 5])

    def search(neuron, data, starts):
        seen.extend(np.linalg.norm(starts, axis=1))
        return search_weights(neuron, data, starts[:1])

    monkeypatch.setattr(activations, "search_weights", search)
    activations.examine("tanh", data, 400, 1, np.random.default_rng(0))
    share = np.mean(np.array(seen[:400])[:, None] < [0.1, 1.0, 10.0], axis=0)
    assert (share[0], share[2]) == (0.0, 1.0)
    assert abs(share[1] - 0.5) < 0.1  # half of the exponents are negative


def test_without_optima_or_with_one_at_zero_there_is_nothing_to_count():
    """Targets that no sigmoid reaches: all W* are at infinity, and the lemma says nothing."""
    data, rng = LearningSet([[1, 0], [0, 1], [1, 1]], [2, 2, 2]), np.random.default_rng(0)
    found = activations.examine("sigmoid", data, 5, 30, rng)
    assert found["angles"] == []
    assert "applies" not in found
    assert found["readings"] == {}
    data = LearningSet([[1, 0], [0, 1], [-1, -1]], [-1, -1, -1])
    found = activations.examine("relu", data, 5, 30, rng)
    assert found["angles"] == [None]
    assert found.get("applies", 0) == 0
    assert sorted(found["readings"]) == sorted(activations.READINGS)
    assert activations.describe([found] * 3)["stars_at_zero"] == 3
    assert not activations.is_one_one(found)


def made_up(angles, applies=2000, violated=0, **more):
    """Return what `examine` could have returned."""
    rays = more.pop("rays", max((len(row or ()) for row in angles), default=0))
    made = {"outcomes": {"minimum": 6}, "kinks": 0, "angles": angles, "rays": rays}
    made |= {"flat_arcs": 0, "readings": {}}
    if applies is not None:
        stars = {"violated_at_stars": int(violated > 0), "strictly_violated_at_stars": 0}
        made |= {"applies": applies, "violated": violated, **stars}
        made["readings"]["isolated"] = of_starts(applies, violated, applies // 2, violated // 3)
    return made | more


def of_starts(applies, violated, closest, violated_closest, without=0):
    kinds = {"starts": 4000, "applies": applies, "violated": violated, "without": without}
    return kinds | {"closest": closest, "violated_closest": violated_closest}


VOID = made_up([], None, rays=1, outcomes={"escaping": 6})
MIXED = [
    *[made_up([[0.3]], 2000, 1090 + 10 * i) for i in range(3)],
    made_up([[0.2, 0.5], [1.0, 0.4]], 1900, 700, kinks=1),
    made_up([[0.7, 0.1]], 2100, 900),
    made_up([[1.2]], 2000, 0),  # of no violation at all
    *[VOID] * 4,
]


def check_counts(sets=MIXED):
    """Compare a summary with counts made one by one."""
    found = activations.summary([{"activation": "tanh", "sets": sets}])["activations"]["tanh"]
    tested = violated = one = 0
    for each in sets:
        tested += bool(each["angles"]) and each["rays"] > 0
        violated += each.get("violated", 0) > 0
        one += len(each["angles"]) == 1 and each["rays"] == 1
    assert found["sets"] == len(sets)
    assert found["without_star"] == sum(each is VOID for each in sets)
    assert (found["tested"], found["violated"]) == (tested, violated)
    share = found["share_violated"]
    assert share["value"] == violated / tested
    p = (violated + 1) / (tested + 2)
    assert share["standard_error"] == pytest.approx(np.sqrt(p * (1 - p) / tested))
    assert (found["one_one"]["sets"], found["several"]["sets"]) == (one, tested - one)
    assert found["strictly_violated"] == violated  # here both are of the same sets
    assert found["numbers_of_stars"] == {"0": 4, "1": 5, "2": 1}
    assert found["numbers_of_rays"] == {"1": 8, "2": 2}
    assert found["outcomes"] == {"escaping": 24, "minimum": 36}
    assert found["stars_at_kinks"] == 1
    histogram = found["nearest_angles"]["histogram"]
    expected = [np.degrees(theta) for theta in (0.3, 0.3, 0.3, 0.2, 0.4, 0.1, 1.2)]
    assert sum(histogram) == found["nearest_angles"]["n"] == 7
    assert [histogram[int(each // 5)] > 0 for each in expected] == [True] * 7
    assert found["nearest_angles"]["smallest_degrees"] == pytest.approx(np.degrees(0.1))


def binomial(law, n=400):
    """Return made-up learning sets with one W* and one ray whose starts fail by some law."""
    rng = np.random.default_rng(1)
    sets = []
    for theta in rng.uniform(0.01, 2.5, n):
        applies = int(rng.binomial(4000, 0.5))
        sets.append(made_up([[theta]], applies, int(rng.binomial(applies, law(theta)))))
    return sets


def check_law(sets):
    """Compare a comparison with the law with sums made one by one."""
    found = activations.compare(sets)
    z, differences = [], []
    for each in sets:
        p = 0.5 + min(each["angles"][0]) / (2 * np.pi)
        differences.append(each["violated"] / each["applies"] - p)
        z.append(differences[-1] / np.sqrt(p * (1 - p) / each["applies"]))
    assert found["chi_squared"] == pytest.approx(np.sum(np.square(z)))
    assert found["rms_in_standard_errors"] == pytest.approx(np.sqrt(np.mean(np.square(z))))
    assert found["mean_difference"] == pytest.approx(np.mean(differences))
    error = np.std(differences, ddof=1) / np.sqrt(len(sets))
    assert found["standard_error"] == pytest.approx(error, rel=1e-6)
    assert found["largest_difference"] == pytest.approx(np.abs(differences).max())
    assert sum(found["binned"]["sets"]) == len(sets)
    share, error, law = map(np.array, map(found["binned"].get, ("share", "standard_error", "law")))
    assert (np.abs(share - law) < 5 * error).all()
    assert abs(found["mean_difference"]) < 4 * found["standard_error"]
    assert found["p_value"] > 1e-3


def test_the_comparison_accepts_the_law_and_rejects_those_a_little_off(monkeypatch):
    def law(theta, turn=2 * np.pi):
        return 0.5 + theta / turn

    check_law(binomial(law))
    for wrong in (lambda theta: law(theta, 2.2 * np.pi), lambda theta: 0.01 + law(theta)):
        assert activations.compare(binomial(wrong))["p_value"] < 1e-6
    planted = partial(law, turn=2.1 * np.pi)
    monkeypatch.setattr(activations, "failure_probability", planted)
    with pytest.raises(AssertionError):
        check_law(binomial(law))


def test_with_several_optima_the_lowest_and_its_nearest_ray_are_compared():
    sets = [made_up([[0.9, 0.3], [0.01, 0.02]], 1000, 500 + i) for i in range(4)]
    found = activations.compare(sets)
    assert found["mean_law"] == pytest.approx(0.5 + 0.3 / (2 * np.pi))
    assert found["mean_share"] == pytest.approx(0.5015)
    assert found["binned"]["spread"] == [pytest.approx(np.std([0.5, 0.501, 0.502, 0.503]))]


def check_shares():
    """Compare the shares in a reading with sums made one by one."""
    dead = [(1000, 400, 900, 300), (3000, 600, 2000, 500, 80), (0, 0, 0, 0)]
    readings = [{"dead": of_starts(*each)} for each in dead]
    sets = [made_up([[0.3]], 100, 30 + i, readings=each) for i, each in enumerate(readings)]
    found = activations.shares(sets, "dead")
    assert found["sets"] == 2  # the third counts no start
    pairs = {"infimum": (0.4, 0.2), "strict": (0.3, 1 / 6), "given_closest": (1 / 3, 0.25)}
    for name, (a, b) in pairs.items():
        assert found[name]["value"] == pytest.approx((a + b) / 2)
        assert found[name]["standard_error"] == pytest.approx(abs(a - b) / 2)  # s/√n, n = 2
    assert found["without"] == pytest.approx(0.01)
    assert activations.shares(sets, "every") == {"sets": 0}


def test_shares_are_means_over_learning_sets_and_planted_errors_are_caught(monkeypatch):
    check_shares()

    def swapped(sets, reading):  # of the starts with the hypothesis, whatever is closest
        found = shares(sets, reading)
        return found | {"given_closest": found.get("strict")}

    def pooled(sets, reading):
        found = [each["readings"][reading] for each in sets if reading in each["readings"]]
        total = sum(each["applies"] for each in found) or 1
        value = sum(each["violated"] for each in found) / total
        return shares(sets, reading) | {"infimum": {"value": value, "standard_error": 0.1}}

    for wrong in (swapped, pooled):
        monkeypatch.setattr(activations, "shares", wrong)
        with pytest.raises(AssertionError):
            check_shares()


@pytest.mark.parametrize("sets", [[], [VOID], [VOID] * 3, MIXED[:1]])
def test_few_sets_give_a_summary_without_numbers_that_would_be_nan(sets):
    found = activations.summary([{"activation": "tanh", "sets": sets}])
    assert json.dumps(found, allow_nan=False)
    compared = found["activations"]["tanh"]["one_one"]["compared"]
    assert compared == sum(each is not VOID for each in sets)


@pytest.fixture(scope="module")
def run():
    cases = [{**case, "starts": 8} for case in activations.cases(4)]
    return sweep(activations.task, cases, seed=1)


def check_run(rows):
    found = activations.summary(rows)
    assert list(found["activations"]) == list(activations.NAMES)
    for each in found["activations"].values():
        assert each["tested"] + each["without_star"] + each["without_ray"] == each["sets"] == 4
        assert each["violated"] == each["violated_at_a_star"] == each["tested"] > 0
    together = found["all"]["one_one"]
    assert together["compared"] >= 10
    assert together["p_value"] > 1e-3
    half = together["shares"]["given_closest"]  # with one ray a fair coin
    assert abs(half["value"] - 0.5) < 4 * half["standard_error"] < 0.03
    relu = found["activations"]["relu"]["readings"]
    means = [relu[reading]["infimum"]["value"] for reading in activations.READINGS]
    assert means[0] < min(means[1:])
    for name, each in found["activations"].items():
        flat = [each["readings"][reading]["sets"] for reading in activations.READINGS[1:]]
        assert min(flat) == max(flat) == (4 if name in LINEAR else 0)
    angles = [tuple(row) for each in rows for one in each["sets"] for row in one["angles"]]
    assert len(set(angles)) == len(angles)  # no learning set comes twice


def test_live_is_the_beginning_of_the_full_sweep(monkeypatch):
    def numbers(case, rng):
        return {"activation": case["activation"], "draw": rng.standard_normal()}

    monkeypatch.setattr(activations, "task", numbers)
    monkeypatch.setattr(activations, "summary", lambda rows: rows)
    full = sweep(numbers, activations.cases(), seed=activations.SEED)
    assert activations.live(20) == full[: 2 * len(activations.NAMES)]


describe, proportion = activations.describe, activations.proportion
shares = activations.shares


def voids_counted(sets):
    """Describe learning sets, with those without a W* taken for violations."""
    good = describe(sets)
    count = good["violated"] + good["without_star"]
    return good | {"violated": count, "share_violated": proportion(count, good["sets"])}


PLANTS = {
    "describe": voids_counted,
    "proportion": lambda count, n: proportion(count, n + 4),
    "is_one_one": lambda each: len(each["angles"]) == 1,  # a W* with two rays, too
}


@pytest.mark.parametrize("name", PLANTS)
def test_the_summary_counts_and_planted_errors_are_caught(name, monkeypatch):
    check_counts()
    monkeypatch.setattr(activations, name, PLANTS[name])
    with pytest.raises(AssertionError):
        check_counts()


def test_a_small_run_finds_violations_and_the_law_and_not_with_other_angles(run):
    check_run(run)
    wrong = json.loads(json.dumps(run))
    for row in wrong:
        for each in row["sets"]:
            each["angles"] = [[theta + 0.3 for theta in angles] for angles in each["angles"]]
    with pytest.raises(AssertionError):
        check_run(wrong)


def test_a_planted_generator_shared_by_all_cases_is_caught():
    def task(case, rng):
        return activations.task(case, np.random.default_rng(0))

    cases = [{**case, "starts": 4, "draws": 50, "sets": 1} for case in activations.cases(20)]
    rows = sweep(task, [each for each in cases if each["activation"] == "identity"], seed=0)
    with pytest.raises(AssertionError):
        check_run(rows * len(activations.NAMES))
    angles = [each["sets"][0]["angles"] for each in rows]
    assert angles[0] == angles[1]

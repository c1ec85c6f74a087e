"""What is stored of the sweeps: described, whole, and as formulas say."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from bn_experiments.datasets import RandomLearningSets, stacked_optima
from bn_experiments.sweeps import activations
from bn_experiments.sweeps.experiment import EXPERIMENTS, experiment, rounded
from bnlib import angle
from tests import lacking

RESULTS = Path(__file__).resolve().parents[2] / "results"
FAMILY = RandomLearningSets(6, 2, 1.0, 0.5, 0.3)


@pytest.mark.parametrize("name", lacking.marked(EXPERIMENTS, "bn_experiments.sweeps."))
def test_stored_summaries_are_small_whole_and_described(name):
    path, module = RESULTS / f"{name}.json", experiment(name)
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert path.stat().st_size < 300_000
    assert stored["experiment"] == name
    assert stored["command"] == f"python -m bn_experiments sweep {name}"  # not of a trial
    assert (stored["cases"], stored["seed"]) == (len(module.cases()), module.SEED)
    assert re.fullmatch(r"\d+\.\d+\.\d+ [0-9a-f]{64}", f"{stored['version']} {stored['code']}")
    assert rounded(stored["summary"]) == stored["summary"]
    told = (RESULTS / "README.md").read_text(encoding="utf-8")
    assert f"`{path.name}`" in told
    assert f"`make sweep NAME={name}`" in told


@pytest.fixture(scope="module")
def summary():
    return dict(json.loads((RESULTS / "activations.json").read_text("utf-8"))["summary"])


def test_the_stored_angles_of_the_identity_are_those_of_the_closed_form(summary):
    """The learning sets are drawn again, and their optima come from another formula."""
    found = []
    every = activations.cases()
    seeds = np.random.SeedSequence(activations.SEED).spawn(len(every))
    for case, seed in zip(every, seeds, strict=True):
        if case["activation"] == "identity":
            optima = stacked_optima(*FAMILY.sample(np.random.default_rng(seed), case["sets"]))
            found += [angle(*pair) for pair in zip(optima.stars, optima.slopes, strict=True)]
    degrees = np.degrees(found)
    stored = summary["activations"]["identity"]["nearest_angles"]
    assert stored["n"] == len(found) == activations.SETS
    quantiles = np.quantile(degrees, activations.QUANTILES)
    assert np.allclose(stored["degrees_at_quantiles"], quantiles, rtol=1e-5)
    assert stored["histogram"] == np.histogram(degrees, activations.HISTOGRAM)[0].tolist()


def test_the_stored_counts_add_up(summary):
    assert sorted(summary["activations"]) == sorted(activations.NAMES)
    for found in summary["activations"].values():
        assert found["sets"] == activations.SETS
        assert found["tested"] == found["sets"] - found["without_star"] - found["without_ray"]
        assert found["violated"] <= found["tested"]
        assert sum(found["numbers_of_stars"].values()) == found["sets"]
        assert sum(found["numbers_of_rays"].values()) == found["sets"]
        assert found["one_one"]["sets"] + found["several"]["sets"] == found["tested"]
        for part in (found["one_one"], found["several"]):
            assert sum(part.get("binned", {"sets": []})["sets"]) == part["compared"]


def test_the_stored_shares_of_one_optimum_and_one_ray_follow_the_law(summary):
    together = summary["all"]["one_one"]
    assert together["p_value"] > 1e-3
    assert abs(together["mean_difference"]) < 4 * together["standard_error"]
    several = [each["several"] for each in summary["activations"].values()]
    assert max(each.get("rms_in_standard_errors", 0) for each in several) > 5  # a guess only

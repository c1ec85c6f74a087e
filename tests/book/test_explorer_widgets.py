"""The slider of the intercept and the filter of the decision table, in a browser."""

import re

import numpy as np

import bnlib


def test_the_slider_moves_the_intercept(opened):
    with opened('<div class="bn-intercept"></div>') as page:
        slider, x = page.locator("input[type=range]"), bnlib.counterexample().inputs
        for a in (-6, -3, -1.5, 0, 2, 6):
            slider.fill(str(a))
            data = bnlib.LearningSet(x, x @ [5, 3] + a)
            (star,) = bnlib.Neuron().optima(data)
            (ray,) = bnlib.Neuron(normalization=bnlib.BatchNorm()).optima(data)
            told = page.locator(".bn-intercept [aria-live]").inner_text().replace("−", "-")
            numbers = [float(each) for each in re.findall(r"-?[\d.]*\d", told)]
            turn = np.cross([*ray.direction, 0], [*star.weights, 0])[2]
            angle = np.degrees(bnlib.angle(star.weights, ray.direction)) * np.sign(turn)
            assert np.allclose(numbers[:4], [a, *star.weights, angle], rtol=1e-3, atol=1e-6)
            assert ("true" in told) == (a == 0)
            assert ("false" in told) == (a != 0)
        slider.fill("-3")
        slider.press("ArrowRight")
        assert "a = −2.9" in page.locator(".bn-intercept [aria-live]").inner_text()


def test_the_decision_table_is_filtered_and_printed_whole(opened):
    names = ["nothing repaired", "centred inputs", "γ and β trained", "a constant input"]
    names += ["scale only", "eight other activations"]
    rows = [(name, "trained" if "trained" in name else "frozen") for name in names]
    head = "".join(f"<th>{each}</th>" for each in ("assumption", "a", "b", "c", "γ, β", "Σ"))
    row = "<tr><td>{}</td><td></td><td></td><td></td><td>{}</td><td></td></tr>"
    body = "".join(row.format(*each) for each in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    with opened(table) as page:

        def shown():
            cells = page.locator("tbody td:first-child").all()
            return [each.inner_text() for each in cells if each.is_visible()]

        assert shown() == names
        for label, value, kept in [
            ("γ and β", "trained", [2]),
            ("centred", "inputs", [1]),
            ("bias", "with", [3]),
            ("centred", "nothing", [4]),
            ("activation", "other", [5]),
        ]:
            select = page.get_by_label(f"{label} ")
            select.select_option(value)
            assert shown() == [names[i] for i in kept]
            assert page.locator("output").inner_text() == "1 of 6 rows"
            page.emulate_media(media="print")
            assert shown() == names
            assert not page.locator("form").is_visible()
            page.emulate_media(media="screen")
            select.select_option("")
    with opened(table, java_script_enabled=False) as page:
        assert page.locator("form").count() == 0

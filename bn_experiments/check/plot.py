"""The picture of a report: the plane of W* and the ray, and where in it the lemma is false."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bn_experiments.check.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The colours of the book: the palette of Okabe and Ito.
_STAR, _RAY, _FALSE, _VOID, _EDGE = "#0072B2", "#D55E00", "#F4C7B5", "#BDBDBD", "#8A4B2A"
_REACH = 1.7
_STYLE: Any = {
    "svg.hashsalt": "bnlib",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "hatch.linewidth": 0.6,
}


def plot(report: Report, path: str | Path) -> None:
    """Write a figure as SVG, the same byte for byte for the same report.

    Drawn are the starts in the plane of W* and the ray, in units of ‖W*‖; in a direction across
    the plane both sides grow alike. ``ValueError`` if there is no such plane.
    """
    if report.theta is None:
        raise ValueError("plot: without an angle between W* and a ray there is nothing to draw.")
    from matplotlib import rc_context  # on request only
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(6.4, 4.6))
        ax = figure.add_axes((0.02, 0.2, 0.96, 0.7))
        _draw(ax, report)
        degrees = f"{np.degrees(report.theta):.4g}°"
        title = f"θ = {degrees} between W* and the ray of batch-norm optima"
        ax.set_title(title, fontsize=11)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=2, frameon=False)
        told = (
            f"The plane of W* and the batch-norm ray, {degrees} apart. The lemma is false for the "
            f"starts in the tinted cone, and its hypothesis is false in the grey half-plane."
        )
        metadata = {"Date": None, "Title": title, "Description": told}
        figure.savefig(path, format="svg", facecolor="white", metadata=metadata)


def _draw(ax: Axes, report: Report) -> None:
    from matplotlib.patches import Wedge

    theta = report.theta or 0.0
    turn = float(np.degrees(theta))

    def cone(begin: float, end: float, **look: Any) -> None:
        if end > begin:
            ax.add_patch(Wedge((0, 0), _REACH, begin, end, **look))

    cone(90, 270, color=_VOID, linewidth=0, label="the hypothesis is false")
    if report.verdict == "fails":
        cone(-90, turn / 2, color=_FALSE, linewidth=0, label="the inequality is false")
        label = "and no batch-norm optimum is closest"
        cone(
            -90, turn - 90, facecolor="none", edgecolor=_EDGE, hatch="///", linewidth=0, label=label
        )
    u = np.array([np.cos(theta), np.sin(theta)])
    far = _REACH * u
    ax.plot([0, far[0]], [0, far[1]], color=_RAY, linewidth=2, label="optima with batch norm")
    ax.plot(1, 0, "s", color=_STAR, markersize=8, label="W*, the optimum without")
    foot = max(u[0], 0.0) * u
    ax.plot([1, foot[0]], [0, foot[1]], "--", color="0.3", linewidth=1)
    ax.plot(0, 0, "o", color="0.2", markersize=3)
    ax.set_aspect("equal")
    ax.set(xlim=(-_REACH - 0.1, _REACH + 0.1), ylim=(-_REACH - 0.1, _REACH + 0.1))
    ax.axis("off")

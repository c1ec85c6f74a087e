"""How the book draws: one style, one colour for each role, the weight plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bn_solver.arrays import Array
from bnlib.optima import Ray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# One colour for each role in every figure; the palette of Okabe and Ito, which readers with
# any colour vision can tell apart.
STANDARD = "#0072B2"
"""The standard neuron: W*, the ray of W*, the right side."""
NORMALIZED = "#D55E00"
"""The BN neuron: its ray, its gradient, the left side."""
START = "#222222"
"""The initialization W₀."""
FAILS = "#F4C7B5"
"""Where the lemma applies and is false."""
VOID = "#BDBDBD"
"""Where the lemma's hypothesis is false."""


def use_style() -> None:
    """Draw in the book's style, as SVG that is the same byte for byte on every run.

    Matplotlib stamps an SVG with the date and draws its ids at random. The style file fixes
    the ids, and `round_layout` what they are made from; the date is left out here, where the
    notebook's figure format is chosen.
    """
    import matplotlib.pyplot as plt
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    plt.style.use("bn_experiments.book.book")
    set_matplotlib_formats("svg", metadata={"Date": None}, bbox_inches=None)  # type: ignore[no-untyped-call]


def round_layout(figure: Figure) -> None:
    """Give a new figure a constrained layout whose result does not hang on the last bits.

    The solver behind the layout may return positions that differ by rounding from one process
    to the next, and Matplotlib derives the ids in an SVG from them. Named in the style file, so
    that it is called for every figure.
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    class RoundedLayout(ConstrainedLayoutEngine):
        def execute(self, fig: Figure) -> None:
            super().execute(fig)
            for ax in fig.get_axes():
                bounds = np.round(ax.get_position(original=True).bounds, 6)
                ax.set_position(tuple(bounds), which="original")
                ax.set_in_layout(True)  # setting a position takes the axes out of the layout

    figure.set_layout_engine(RoundedLayout())


def weight_plane(ax: Axes, horizontal: tuple[float, float], vertical: tuple[float, float]) -> None:
    """Make `ax` the plane of the two weights, with their limits: equal units, lines through 0."""
    ax.set_aspect("equal")
    ax.set(xlim=horizontal, ylim=vertical, xlabel="$w_1$", ylabel="$w_2$")
    ax.axhline(0, color="0.8", linewidth=0.8, zorder=0.5)
    ax.axvline(0, color="0.8", linewidth=0.8, zorder=0.5)


def starts(horizontal: tuple[float, float], vertical: tuple[float, float], n: int) -> Array:
    """Return a grid of starts W₀ between limits of w₁ and w₂, shape (rows, n, 2).

    It has n points along w₁, and is as dense along w₂.
    """
    step = (horizontal[1] - horizontal[0]) / (n - 1)
    rows = round((vertical[1] - vertical[0]) / step) + 1
    w1, w2 = np.meshgrid(np.linspace(*horizontal, n), np.linspace(*vertical, rows))
    return np.stack([w1, w2], axis=-1)


def shade_failures(
    ax: Axes, grid: Array, margin: Array, *, decimals: int = 9, below: float = -1e-6
) -> None:
    """Colour where an inequality is false, in a weight plane.

    The margin, shape (rows, n), is right − left at each start of a grid made by `starts`. It is
    rounded to the decimals, so that no contour hangs on rounding; then the inequality is false
    where the margin is below the number `below`.
    """
    w1, w2 = np.moveaxis(grid, -1, 0)
    ax.contourf(w1, w2, margin.round(decimals), [-1e6, below], colors=[FAILS])


def shade_void(ax: Axes, star: Array, reach: float) -> None:
    """Colour the half-plane ⟨W₀, W*⟩ ≤ 0 of a weight plane, where the lemma does not apply.

    W* is `star`, shape (2,); `reach`, in units of the axes, must lead beyond the frame.
    """
    e = star / np.linalg.norm(star)
    edge = reach * np.array([-e[1], e[0]])
    corners = np.array([edge, -edge, -edge - reach * e, edge - reach * e])
    ax.fill(*corners.round(9).T, color=VOID, linewidth=0)


def draw_ray(
    ax: Axes, ray: Ray, color: str, label: str, *, dashed: bool = False, width: float = 1.8
) -> None:
    """Draw a ray of two weights, in a weight plane, from the origin to beyond the frame.

    The label is its name in the legend, the width that of the line in points.
    """
    reach = float(np.hypot(np.abs(ax.get_xlim()).max(), np.abs(ax.get_ylim()).max()))
    far = np.round(reach * ray.direction, 9)
    style = "--" if dashed else "-"
    (line,) = ax.plot([0, far[0]], [0, far[1]], style, color=color, scalex=False, scaley=False)
    line.set(label=label or "_nolegend_", linewidth=width)

"""What a search finds: isolated minima, and sectors in which the minima are not isolated."""

from typing import NamedTuple

from bnlib import Point


class FlatSector(NamedTuple):
    """A sector of the plane of weights in which the loss has minima, but no isolated one.

    Attributes
    ----------
    begin, end : float
        Its bounding directions, in radians, counter-clockwise from begin to end; equal for a
        single direction.
    kind : str
        ``"plateau"``: the loss is constant in the sector. ``"valley"``: it is constant along a
        straight segment or half-line of minima that crosses the sector.
    loss : float
        The loss there.
    """

    begin: float
    end: float
    kind: str
    loss: float


class Landscape(NamedTuple):
    """The local minima of a loss.

    Attributes
    ----------
    minima : list of Point
        The strict local minima, by increasing loss, each with a bound of its error.
    kinds : list of str
        For each ``"minimum"`` where the loss is smooth, ``"kink"`` where the activation has a
        kink: on the border of two pieces of the loss, the origin included.
    flat : list of FlatSector
        Where local minima are not isolated, if they have been enumerated.
    outcomes : dict of str to int
        Number of starts by what became of them, as `search_weights` lists it; without starts
        the number of minima, kinks and flat sectors.
    """

    minima: list[Point]
    kinds: list[str]
    flat: list[FlatSector]
    outcomes: dict[str, int]

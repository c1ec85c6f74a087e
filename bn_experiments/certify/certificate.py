"""What a certificate states, how it is printed, and its exact form in JSON."""

import json
import re
import textwrap
from contextlib import suppress
from dataclasses import dataclass, fields
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any, ClassVar, Self

Box = tuple[tuple[Fraction, Fraction], ...]
# So that a certificate from anywhere is checked in minutes: far more than any here has.
LONGEST, COUNT, BITS = 100_000, 1000, 1 << 22
"""Letters of its JSON; numbers in its inputs; these times the bits of precision."""


class Statement:
    """What certificates share: the learning set, the box of W*, and JSON."""

    FORMAT: ClassVar[str]
    NUMBERS: ClassVar[tuple[str, ...]]
    inputs: tuple[tuple[Fraction, ...], ...]
    targets: tuple[Fraction, ...]
    activation: str
    box: Box
    precision: int

    @property
    def m(self) -> int:
        """Number of examples."""
        return len(self.inputs)

    @property
    def d(self) -> int:
        """Number of weights."""
        return len(self.inputs[0])

    @property
    def is_point(self) -> bool:
        """Whether W* is known exactly: the box is one point."""
        return all(low == high for low, high in self.box)

    @property
    def centre(self) -> tuple[Fraction, ...]:
        """The middle of the box."""
        return tuple((low + high) / 2 for low, high in self.box)

    def to_json(self) -> str:
        """Return the certificate as JSON: fractions as strings ``"p/q"``, no float anywhere."""
        return json.dumps({"format": self.FORMAT, **vars(self)}, default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a certificate back, and refuse whatever `to_json` would not have written.

        Parameters
        ----------
        text : str
            JSON of `to_json`; white space between its parts does not matter.

        Raises
        ------
        ValueError
            If the text is not JSON, a key is missing, unknown or twice there, or a value is
            not of its type: fractions must be strings in lowest terms. If it is too long.
        """
        try:
            require(len(text) <= LONGEST, "text", f"has more than {LONGEST} letters")
            content = json.loads(text, object_pairs_hook=_without_duplicates)
            require(isinstance(content, dict), "text", "must be a JSON object")
            content |= {key: _read(key, content[key]) for key in cls.NUMBERS if key in content}
        except (TypeError, RecursionError) as error:
            raise ValueError(f"text: not the JSON of a certificate ({error}).") from error
        names = [each.name for each in fields(cls)]  # type: ignore[arg-type]
        require(content.pop("format", None) == cls.FORMAT, "format", f"must be {cls.FORMAT!r}")
        require(sorted(content) == sorted(names), "text", f"must have the keys {names}")
        return cls(**content)

    def check(self) -> None:
        """Raise ``ValueError`` if a field that certificates share has the wrong type or shape."""
        for name in ("inputs", "box"):
            rows = getattr(self, name)
            require(isinstance(rows, tuple) and rows, name, "must be a tuple with entries")
            require(all(_is_exact(row) for row in rows), name, "must hold tuples of Fraction")
        require(_is_exact(self.targets), "targets", "must be a tuple of Fraction")
        require(isinstance(self.activation, str), "activation", "must be a name")
        whole = isinstance(self.precision, int) and not isinstance(self.precision, bool)
        require(whole and 53 <= self.precision <= 65536, "precision", "must be 53 to 65536 bits")
        wide = {len(row) for row in self.inputs}
        require(wide == {self.d} and self.d > 0, "inputs", "must have d entries in each row")
        require(len(self.targets) == self.m, "targets", "must be one for each row of inputs")
        require({len(ends) for ends in self.box} == {2}, "box", "must hold pairs of ends")
        require(len(self.box) == self.d, "box", "must be one pair for each weight")
        count = self.m * self.d
        require(count <= COUNT, "inputs", f"must not hold more than {COUNT} numbers")
        require(count * self.precision <= BITS, "precision", "is too high for so many inputs")

    def printed(self, claims: dict[str, str]) -> str:
        """Return the lines of the printed certificate, the learning set and W* among them."""
        place = _shown_box(self.box)
        place = place if self.is_point else f"the only stationary point of L in {place}"
        data = {
            "inputs": ", ".join(map(_tuple, self.inputs)),
            "targets": ", ".join(map(_show, self.targets)),
            "W*": place,
        }
        hence = {"hence": "at W₀ = W* the lemma's right side is 0 and its left side is not"}
        parts = {"neuron": claims["neuron"]} | data | claims | hence
        wrap = textwrap.TextWrapper(80, subsequent_indent=" " * 12)
        lines = [wrap.fill(f"  {head:<10}{text}") for head, text in parts.items()]
        return "\n".join(["Certificate: Lemma 4.5 is false for", *lines])


@dataclass(frozen=True)
class Certificate(Statement):
    r"""The statement that Lemma 4.5 is false for one neuron, at W₀ = W*, in exact numbers.

    It claims (a) to (e) of `certify`: in short, the box contains exactly one stationary point W*
    of L, a strict local minimum and not 0; no point of it is stationary for the loss of the BN
    neuron, which has an optimum. `verify` says if it is *true*; wrong types are a ``ValueError``.

    Parameters
    ----------
    inputs, targets : tuple of tuple of Fraction, tuple of Fraction
        X, one row for each example, and t.
    activation, center : str, bool
        The name of φ; whether batch norm subtracts the mean before it divides by σ.
    gamma, beta : Fraction
        γ and β, frozen. ε = 0.
    box : tuple of (Fraction, Fraction)
        For each weight the lower and the upper end. Both are equal if W* is known exactly.
    bound : Fraction
        A lower bound of the length of :math:`\nabla\hat L` on the box.
    precision : int
        The number of bits with which the claims were proved, and can be checked.
    """

    inputs: tuple[tuple[Fraction, ...], ...]
    targets: tuple[Fraction, ...]
    activation: str
    center: bool
    gamma: Fraction
    beta: Fraction
    box: tuple[tuple[Fraction, Fraction], ...]
    bound: Fraction
    precision: int

    FORMAT: ClassVar[str] = "bnlib certificate 1"
    NUMBERS: ClassVar[tuple[str, ...]] = ("inputs", "targets", "gamma", "beta", "box", "bound")

    def __post_init__(self) -> None:
        self.check()
        for name in ("gamma", "beta", "bound"):
            require(type(getattr(self, name)) is Fraction, name, "must be a Fraction")
        require(isinstance(self.center, bool), "center", "must be true or false")

    def __str__(self) -> str:
        kind = "centre and scale" if self.center else "scale only"
        norm = f"{kind}, γ = {_show(self.gamma)}, β = {_show(self.beta)}, ε = 0"
        span = "at W*" if self.is_point else "on the box"
        what = "less their mean " if self.center else ""
        gradient = f"its gradient is at least {_show(self.bound)} long {span}"
        return self.printed(
            {
                "neuron": f"{self.activation}; batch norm: {norm}",
                "minimum": f"L has a positive definite Hessian {span}",
                "BN loss": f"{gradient}: no BN optimum there",
                "optima": f"BN has some, because the inputs {what}have rank {self.d}",
            }
        )


@dataclass(frozen=True)
class TrainedCertificate(Statement):
    r"""The same statement for a neuron without bias, against batch norm with trained γ > 0 and β.

    It claims (a) to (e) of `certify_trained`: in short, the box contains exactly one stationary
    point W* of L, a strict local minimum and not 0; whatever k > 0 and b are, (kW*, b) is no
    strict minimum of the loss of the neuron with a bias, and for a smooth φ not even stationary;
    that loss has a strict minimum elsewhere. Whether that is *true* is for `verify_trained` to
    say.

    Parameters
    ----------
    inputs, targets, activation, box, precision
        As in `Certificate`.
    with_bias : tuple of (Fraction, Fraction)
        A box like `box`, of d + 1 entries, for a strict minimum (v, b) of the loss with a bias.
    """

    inputs: tuple[tuple[Fraction, ...], ...]
    targets: tuple[Fraction, ...]
    activation: str
    box: Box
    with_bias: Box
    precision: int

    FORMAT: ClassVar[str] = "bnlib trained certificate 1"
    NUMBERS: ClassVar[tuple[str, ...]] = ("inputs", "targets", "box", "with_bias")

    def __post_init__(self) -> None:
        self.check()
        pairs = isinstance(self.with_bias, tuple) and all(
            _is_exact(ends) and len(ends) == 2 for ends in self.with_bias
        )
        require(pairs, "with_bias", "must be a tuple of pairs of Fraction")
        require(len(self.with_bias) == self.d + 1, "with_bias", "must be one pair more than d")

    def __str__(self) -> str:
        span = "at W*" if self.is_point else "on the box"
        kind = "strict minimum" if self.is_point else "stationary point"
        loss = f"no (kW*, b) with k > 0 is a {kind} of the loss with a bias"
        best = _shown_box(self.with_bias)
        place = f"at {best}" if self.is_point else f"in {best}"
        return self.printed(
            {
                "neuron": f"{self.activation}, no bias; batch norm: γ > 0 and β trained, ε = 0",
                "minimum": f"L has a positive definite Hessian {span}",
                "BN loss": f"{loss}: W* is on no ray of BN optima",
                "optima": f"BN has some: the loss with a bias has one {place}",
            }
        )


def require(condition: Any, name: str, problem: str) -> None:
    """Raise ``ValueError`` with the name of an argument and its problem, unless a condition."""
    if not condition:
        raise ValueError(f"{name}: {problem}; is this a certificate of bnlib?")


def _is_exact(values: Any) -> bool:
    """Return whether the values are a tuple of Fraction."""
    # Fraction itself: a subclass could say of itself whatever it likes.
    return isinstance(values, tuple) and all(type(each) is Fraction for each in values)


def _read(name: str, value: Any) -> Any:
    """Return lists as tuples, and each string as the fraction it is in lowest terms."""
    if isinstance(value, list):
        return tuple(_read(name, each) for each in value)
    with suppress(ValueError, ZeroDivisionError):  # more digits than Python reads, or p/0
        # Fraction itself would also read "1e999999999", and not come to an end.
        if isinstance(value, str) and re.fullmatch("-?[0-9]+(/[0-9]+)?", value):
            number = Fraction(value)
            if str(number) == value:  # one spelling for each number
                return number
    raise ValueError(f'{name}: {value!r:.60} is not a fraction "p/q" in lowest terms.')


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    require(len({key for key, _ in pairs}) == len(pairs), "text", "has a key twice")
    return dict(pairs)


def _is_short(value: Fraction) -> bool:
    return max(part.bit_length() for part in value.as_integer_ratio()) <= 40


def _show(value: Fraction) -> str:
    """Return a short fraction as it is, and a long one in decimals, marked as such."""
    return str(value) if _is_short(value) else f"≈{decimal(value, 12)}"


def _tuple(values: tuple[Fraction, ...]) -> str:
    return f"({', '.join(map(_show, values))})"


def _interval(low: Fraction, high: Fraction) -> str:
    if _is_short(low) and _is_short(high):
        return f"[{low}, {high}]"
    return f"(≈{decimal((low + high) / 2, 12)} ± {decimal((high - low) / 2, 3)})"


def _shown_box(box: Box) -> str:
    """Return a box as it is printed, with its middle; one point as that point."""
    if all(low == high for low, high in box):
        return f"the point {_tuple(tuple(low for low, _ in box))}"
    middle = [(low + high) / 2 for low, high in box]
    near = ", ".join(decimal(each, 4) for each in middle)
    return f"{' × '.join(_interval(*ends) for ends in box)}, near ({near})"


def decimal(value: Fraction, digits: int) -> str:
    """Return a fraction rounded to some digits, whatever its size."""
    context = Context(prec=digits)
    numerator, denominator = (Decimal(part) for part in value.as_integer_ratio())
    return format(context.divide(numerator, denominator).normalize(context), "g")

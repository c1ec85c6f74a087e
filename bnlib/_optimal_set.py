"""What a point and a ray of optimal weights have in common."""

from typing import Any

import numpy as np

from bn_solver.arrays import EPS, Array, frozen, real_array, real_number, unit
from bn_solver.doubled import length


class OptimalSet:
    """A set of optima as an immutable value: one vector, how far it is known, its kernel."""

    error: float
    along: Array
    along_error: float
    origin: bytes

    def keep(self, **fields: Any) -> None:
        """Check and keep the fields of a new set, the vector first."""
        d = len(next(iter(fields.values())))
        for name, value in fields.items():
            if name in ("along", "excluded"):
                value = real_array(
                    name, np.zeros((d, 0)) if value is None else value, shape="(d, k)"
                )
                with np.errstate(over="ignore", invalid="ignore"):
                    apart = np.abs(value.T @ value - np.eye(value.shape[1])).max(initial=0.0)
                if len(value) != d or not apart <= 1e-9:
                    raise ValueError(f"{name}: pass orthonormal columns of {d} entries.")
            elif name.endswith("error"):
                value = real_number(name, value, at_least=0.0)
            object.__setattr__(self, name, frozen(value) if np.ndim(value) else value)

    @property
    def vector(self) -> Array:
        """The weights of a point, the direction of a ray."""
        return np.asarray(next(iter(vars(self).values())))

    @property
    def d(self) -> int:
        """Number of weights."""
        return len(self.vector)

    @property
    def rounding(self) -> float:
        """What rounding, and the error of the kernel, do to a distance from 0 to 1."""
        k = float(np.sqrt(self.along.shape[1]))
        return 4 * k * self.along_error + 12 * (1 + k) * (self.d + 4) * EPS

    def _key(self) -> tuple[Any, ...]:
        # Where it lies, not how well that is known. Through tuples of floats, so that 0.0 and
        # -0.0, which are equal, hash alike.
        return type(self).__name__, tuple(self.vector), tuple(self.along.flat)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, OptimalSet) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Not through the constructor: normalizing again could change the last bit.
        for name, value in state.items():
            object.__setattr__(self, name, frozen(value) if np.ndim(value) else value)

    def __repr__(self) -> str:
        short = np.array2string(self.vector, precision=6, separator=", ", threshold=8)
        k = self.along.shape[1]
        more = f", along {k} direction{'s' if k > 1 else ''}" if k else ""
        return f"{type(self).__name__}({short}{more})"


def across(vector: Array, along: Array) -> tuple[Array, float]:
    """Return the part of a unit vector across orthonormal columns, made a unit vector; its size."""
    part = vector - along @ (along.T @ vector)
    size = float(length(part))
    for _ in range(2 if size > 1e-9 else 0):  # what cancelled the first time is lost the second
        part = unit(part - along @ (along.T @ part))
    return part, size

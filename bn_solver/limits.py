"""What float64 cannot hold is refused, not computed with."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np

Given = ParamSpec("Given")
Result = TypeVar("Result")


def within_range(cause: str) -> Callable[[Callable[Given, Result]], Callable[Given, Result]]:
    """Have a function refuse what is too large for float64 on its way: no warning, no NaN."""

    def guard(function: Callable[Given, Result]) -> Callable[Given, Result]:
        @functools.wraps(function)
        def guarded(*args: Given.args, **kwargs: Given.kwargs) -> Result:
            try:
                with np.errstate(over="raise", divide="raise", invalid="raise"):
                    return function(*args, **kwargs)
            except (ArithmeticError, np.linalg.LinAlgError) as error:
                raise ValueError(
                    f"{cause}: too large or too small for float64 on the way ({error}); rescale."
                ) from error

        return guarded

    return guard

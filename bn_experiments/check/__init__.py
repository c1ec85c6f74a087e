"""Ask whether the lemma holds on a table of your own."""

from bn_experiments.check.laws import Laws
from bn_experiments.check.report import Report, check

__all__ = ["Laws", "Report", "check"]

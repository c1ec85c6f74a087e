"""The large runs behind the chapters, one file each; ``python -m bn_experiments`` runs them."""

from bn_experiments.sweeps.experiment import stored_summary
from bn_experiments.sweeps.run import sweep

__all__ = ["stored_summary", "sweep"]

"""The large runs behind the chapters, one file each; ``python -m bn_experiments`` runs them."""

from bn_experiments.sweeps.run import sweep
from bn_experiments.sweeps.stored import stored_summary

__all__ = ["stored_summary", "sweep"]

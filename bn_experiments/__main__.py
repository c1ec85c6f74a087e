"""The command ``python -m bn_experiments``."""

import os
import sys

if __name__ == "__main__":
    # With one thread sums are added in one order, to the last digit. For several workers joblib
    # sees to it; a single one is this process, and NumPy reads these when it is imported.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    from bn_experiments.sweeps.command import main

    sys.exit(main())

"""How fast the library is, as ratios to what the same result costs otherwise.

`python -m benchmarks` (or `make bench`) measures and writes `benchmarks/results.md`. How right the
solver is, is another table: `python -m benchmarks.nist FOLDER` writes `benchmarks/nist.md`.
"""

import os

# Before NumPy is imported: one thread, as in the chapters, so that both sides get the same.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

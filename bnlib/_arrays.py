from bn_solver.arrays import *  # noqa

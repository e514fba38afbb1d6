"""Writes cifar10_python2.pickle as the authors of CIFAR-10 did, with cPickle of Python 2: python2 make_python2.py

NumPy pickles an array by three classes and functions. This script defines them under the names of NumPy, so it does not
need NumPy.
"""

import cPickle
import sys
import types

modules = {}
for name in ["numpy", "numpy.core", "numpy.core.multiarray"]:
    modules[name] = sys.modules[name] = types.ModuleType(name)


def _reconstruct(cls, shape, kind):
    raise NotImplementedError


class dtype(object):
    def __reduce__(self):
        return dtype, ("u1", 0, 1), (3, "|", None, None, None, -1, -1, 0)


class ndarray(object):
    def __init__(self, shape, content):
        self.shape, self.content = shape, content

    def __reduce__(self):
        return _reconstruct, (ndarray, (0,), "b"), (1, self.shape, the_type, False, self.content)


dtype.__module__ = ndarray.__module__ = "numpy"
_reconstruct.__module__ = "numpy.core.multiarray"
modules["numpy"].dtype, modules["numpy"].ndarray = dtype, ndarray
modules["numpy.core.multiarray"]._reconstruct = _reconstruct
the_type = dtype()

pixels = "".join(chr(i * 5 % 251) for i in range(2 * 3072))
batch = {
    "data": ndarray((2, 3072), pixels),
    "labels": [6, 9],
    "batch_label": "training batch 1 of 5",
    "filenames": ["leptodactylus_pentadactylus_s_000004.png", "camion_s_000148.png"],
}
with open("cifar10_python2.pickle", "wb") as f:
    cPickle.dump(batch, f, protocol=2)

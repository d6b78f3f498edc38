"""Hand-made results for the tests of what is made of results."""

import numpy as np

from train.reproduce.evaluations import Result
from train.reproduce.plan import Model


def result(method, semantic=None, depth=None, *, resampled=None, ms=10.0, **model):
    """A result with a few figures; resampled test sets repeat them unless given."""
    model = {'network': 'SegDepthFormer', 'backbone': 'mit_b0', **model}
    name = '-'.join([method, *map(str, model.values())])
    report = {
        'network': model['network'],
        'method': method,
        'semantic': semantic,
        'depth': depth,
        'inference_ms': {'median': ms, 'quartiles': [0.9 * ms, 1.1 * ms]},
    }
    fixed = {
        f'{task}.{figure}': np.full(4, value)
        for task, figures in (('semantic', semantic), ('depth', depth))
        for figure, value in (figures or {}).items()
    }
    return Result(Model(name, method=method, **model), report, {**fixed, **(resampled or {})}, {})

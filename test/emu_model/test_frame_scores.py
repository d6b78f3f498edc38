import numpy as np
import pytest
import torch

from emu_model.evaluation import Evaluation
from emu_model.frame_scores import FrameScores
from emu_model.prediction import Prediction
from emu_model.sampling import Distribution

CLASSES = 4


@pytest.fixture(scope='module')
def frames():
    """Predictions of a softmax and a Gaussian, with ground truth that has gaps."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(5):
        probabilities = torch.tensor(rng.dirichlet(np.ones(CLASSES), (8, 10))).float()
        distribution = Distribution(
            probabilities.permute(2, 0, 1)[None],
            torch.tensor(rng.uniform(1, 9, (1, 8, 10))).float(),
            torch.tensor(rng.uniform(0.1, 2, (1, 8, 10))).float(),
        )
        classes = rng.integers(0, CLASSES, (8, 10)).astype(np.uint8)
        classes[rng.random((8, 10)) < 0.2] = 255
        depth = rng.uniform(1, 9, (8, 10)).astype(np.float32)
        depth[rng.random((8, 10)) < 0.2] = 0
        found.append((distribution, classes, depth))
    return found


def prediction(distribution):
    outputs = ('classes', 'entropy', 'confidence', 'depth', 'depth_std')
    return Prediction(**{k: v[0].numpy() for k, v in distribution.maps(outputs).items()})


def assert_close(found, expected, skip=()):
    assert found.keys() == expected.keys()
    for task, figures in expected.items():
        for name, value in (figures or {}).items():
            if name not in skip:
                np.testing.assert_allclose(
                    np.array(found[task][name], float), np.array(value, float),
                    # The std is rounded to float32 before it is squared again.
                    rtol=1e-5, atol=1e-7, err_msg=f'{task} {name}',
                )  # fmt: skip


def test_figures_are_those_of_the_evaluation_on_data_sets(frames):
    expected = Evaluation(('semantic', 'depth'), CLASSES)
    scores = FrameScores(('semantic', 'depth'), CLASSES)
    for distribution, classes, depth in frames:
        expected.update(
            distribution, classes=torch.tensor(classes)[None], depth=torch.tensor(depth)[None]
        )
        scores.add(prediction(distribution), classes=classes, depth=depth)
    assert_close(scores.figures(), expected.figures(), skip=('brier', 'nll'))
    depth_nll = expected.figures()['depth']['nll']
    np.testing.assert_allclose(scores.figures()['depth']['nll'], depth_nll, rtol=1e-5)
    assert scores.figures()['semantic']['brier'] is None
    assert scores.curves().keys() == expected.curves().keys()


def test_a_frame_has_figures_of_its_own(frames):
    scores = FrameScores(('semantic', 'depth'), CLASSES)
    for distribution, classes, depth in frames:
        own = scores.add(prediction(distribution), classes=classes, depth=depth)
        right = distribution.probabilities.argmax(1)[0].numpy() == classes
        accuracy = right[classes != 255].mean()
        np.testing.assert_allclose(own['semantic']['pixel_accuracy'], accuracy, rtol=1e-12)


def test_sums_of_parts_add_up_to_the_whole_whoever_counted_them(frames):
    whole, joined = (FrameScores(('semantic', 'depth'), CLASSES) for _ in range(2))
    for part in (frames[:2], frames[2:]):
        own = FrameScores(('semantic', 'depth'), CLASSES)
        for distribution, classes, depth in part:
            own.add(prediction(distribution), classes=classes, depth=depth)
            whole.add(prediction(distribution), classes=classes, depth=depth)
        sums = {name: np.array(value) for name, value in own.sums().items()}
        joined.add_sums(sums)
    assert_close(joined.figures(), whole.figures(), skip=('brier',))
    joined.reset()
    assert joined.figures()['depth']['pixels'] == 0


def test_a_refused_frame_counts_for_nothing(frames):
    scores, untouched = (FrameScores(('semantic', 'depth'), CLASSES) for _ in range(2))
    distribution, classes, depth = frames[0]
    with pytest.raises(ValueError):  # noqa: PT011  (whatever the metric says)
        scores.add(prediction(distribution), classes=classes, depth=depth[:, 1:])
    distribution, classes, depth = frames[1]
    own = scores.add(prediction(distribution), classes=classes, depth=depth)
    assert own == untouched.add(prediction(distribution), classes=classes, depth=depth)
    assert scores.figures() == untouched.figures()


def test_sums_of_another_kind_are_refused():
    scores = FrameScores(('semantic',), CLASSES)
    with pytest.raises(ValueError, match='are not those of SemanticMetrics'):
        scores.add_sums(FrameScores(('semantic',), CLASSES + 1).sums())

import numpy as np
import pytest
import torch
from sklearn.metrics import jaccard_score

from emu_model.evaluation import Evaluation
from emu_model.normal_uncertainty import PIXELS_PER_FRAME, NormalUncertainty
from emu_model.sampling import Distribution


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 12, 16, generator=generator)
    depth = 1 + 9 * torch.rand(2, 12, 16, generator=generator)
    distribution = Distribution(logits.softmax(1), depth, torch.full((2, 12, 16), 0.25))
    classes = torch.randint(0, 3, (2, 12, 16), generator=generator)
    classes[:, :3] = 255
    target = depth + 0.5 * torch.randn(2, 12, 16, generator=generator)
    target[:, 3:6] = 0
    return distribution, classes, target


def test_figures_are_those_of_labelled_and_measured_pixels(batch):
    distribution, classes, depth = batch
    evaluation = Evaluation(('semantic', 'depth'), 3)
    for index in range(2):
        part = slice(index, index + 1)
        evaluation.update(distribution[part], classes=classes[part], depth=depth[part])
    figures = evaluation.figures()
    labelled, measured = classes != 255, depth > 0
    predicted = distribution.probabilities.argmax(1)
    miou = jaccard_score(classes[labelled], predicted[labelled], average='macro')
    error = (distribution.depth - depth)[measured]
    assert figures['semantic']['miou'] == pytest.approx(miou)
    assert figures['depth']['rmse'] == pytest.approx(error.square().mean().sqrt().item())
    assert figures['semantic']['pixels'] == labelled.sum()
    assert figures['semantic_all_pixels']['pixels'] == classes.numel()
    assert figures['depth_all_pixels']['pixels'] == depth.numel()


def test_a_task_that_the_network_lacks_is_none(batch):
    distribution, classes, _ = batch
    evaluation = Evaluation(('semantic',), 3)
    evaluation.update(Distribution(distribution.probabilities), classes=classes)
    figures = evaluation.figures()
    assert figures['depth'] is None
    assert figures['depth_all_pixels'] is None
    assert figures['semantic']['ece'] is not None


def test_ground_truth_of_one_task_alone_leaves_the_other_undefined(batch):
    distribution, _, depth = batch
    evaluation = Evaluation(('semantic', 'depth'), 3)
    evaluation.update(distribution, depth=depth)
    assert evaluation.figures()['semantic']['miou'] is None
    assert evaluation.figures()['depth']['delta1'] > 0


def test_normal_uncertainty_holds_the_quantiles_of_frames_and_pixels():
    rng = np.random.default_rng(0)
    frames = rng.gamma(2, 1, (40, 20, 30)).astype(np.float32)
    normal = NormalUncertainty()
    for start in range(0, 40, 8):
        normal.update({'entropy': frames[start : start + 8], 'depth': frames[:8]})
    quantiles = normal.quantiles()
    assert set(quantiles) == {'entropy'}
    for quantile in ('0.05', '0.5', '0.99'):
        means = np.quantile(frames.mean((1, 2), dtype=np.float64), float(quantile))
        assert quantiles['entropy']['frame_mean'][quantile] == pytest.approx(means, rel=1e-4)
        pixels = np.quantile(frames, float(quantile))
        assert quantiles['entropy']['pixel'][quantile] == pytest.approx(pixels, rel=1e-4)


def test_large_frames_add_a_fixed_number_of_pixels_spread_over_the_frame():
    normal = NormalUncertainty()
    ramp = np.linspace(0, 1, 1000 * 1000, dtype=np.float32).reshape(1, 1000, 1000)
    normal.update({'depth_std': ramp})
    assert sum(map(len, normal._pixels['depth_std'])) == PIXELS_PER_FRAME
    assert normal.quantiles()['depth_std']['pixel']['0.25'] == pytest.approx(0.25, abs=1e-3)

"""Folding heads changes nothing but the rounding, on every network and backbone."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mit_sizes import MIT
from torch import nn

from emu_model import DepthFormer, SegDepthFormer, SegFormer
from emu_model.folding import fold_head
from emu_model.heads import AllMLPHead, FoldedMLPHead, fold
from emu_model.sampling import MonteCarloDropout, SubEnsemble, predict_distribution

BACKBONES = (*MIT, 'pvt_v2_b0', 'convnext_atto', 'resnet18')
TOLERANCE = 1e-5
"""Largest difference over largest magnitude that fp32 rounding may cost."""


def with_lived_in_norms(network):
    """Batch norm statistics as training leaves them; fresh ones would hide a wrong fold."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
    return network.eval()


def assert_equal_up_to_rounding(folded, plain):
    assert folded.keys() == plain.keys()
    for task, value in plain.items():
        magnitude = value.abs().max()
        assert (folded[task] - value).abs().max() <= TOLERANCE * magnitude
    if 'semantic' in plain:
        best = plain['semantic'].topk(2, dim=1).values
        clear = best[:, 0] - best[:, 1] > TOLERANCE * plain['semantic'].abs().max()
        assert clear.float().mean() > 0.99
        same = folded['semantic'].argmax(1) == plain['semantic'].argmax(1)
        assert same[clear].all()


@pytest.mark.parametrize('backbone', BACKBONES)
def test_folded_network_is_the_plain_one(backbone):
    torch.manual_seed(0)
    network = with_lived_in_norms(SegDepthFormer(backbone, 7))
    image = torch.randn(2, 3, 65, 96)
    with torch.inference_mode():
        plain = network(image)
        assert_equal_up_to_rounding(fold(network)(image), plain)


@pytest.mark.parametrize('build', [lambda: SegFormer('mit_b0', 40), lambda: DepthFormer('mit_b0')])
@pytest.mark.parametrize('size', [(64, 64), (97, 131), (224, 32)])
def test_networks_with_one_head_fold_at_any_size(build, size):
    torch.manual_seed(0)
    network = with_lived_in_norms(build())
    image = torch.randn(1, 3, *size)
    with torch.inference_mode():
        plain = network(image)
        assert_equal_up_to_rounding(fold(network)(image), plain)


def test_borders_are_exact_too():
    # Folding moves the projections' biases past the upsampling, which is right at the border only
    # because bilinear weights sum to one there as well.
    torch.manual_seed(0)
    head = with_lived_in_norms(AllMLPHead([8, 16, 24, 32], 5, 64))
    for projection in head.projections:
        nn.init.normal_(projection.bias, std=10)
    sizes = [(16, 24), (8, 12), (4, 6), (2, 3)]
    features = [torch.randn(1, c, *s) for c, s in zip((8, 16, 24, 32), sizes)]
    with torch.inference_mode():
        plain, folded = head(features), FoldedMLPHead(head)(features)
    border = torch.ones(16, 24, dtype=torch.bool)
    border[1:-1, 1:-1] = False
    difference = (folded - plain).abs()[..., border].max()
    assert difference <= TOLERANCE * plain.abs().max()


def test_training_gives_the_plain_heads_output_and_gradients():
    torch.manual_seed(0)
    channels, sizes = (8, 16, 24), [(12, 20), (6, 10), (3, 5)]
    head = AllMLPHead(list(channels), 5, 32, dropout=0).double().train()
    features = [torch.randn(2, c, *s, dtype=torch.float64) for c, s in zip(channels, sizes)]

    def as_published(features):
        levels = []
        for feature, projection in zip(features, head.projections):
            level = torch.einsum('oc,bchw->bohw', projection.weight, feature)
            level = level + projection.bias[:, None, None]
            levels.append(F.interpolate(level, size=sizes[0], mode='bilinear'))
        return head.predict(F.relu(head.norm(head.fuse(torch.cat(levels[::-1], dim=1)))))

    target = torch.randn(2, 5, *sizes[0], dtype=torch.float64)
    found, expected = (
        torch.autograd.grad(((form(features) - target) ** 2).sum(), list(head.parameters()))
        for form in (head, as_published)
    )
    torch.testing.assert_close(head(features), as_published(features), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_all_heads_of_a_sub_ensemble_fold():
    torch.manual_seed(0)
    network = with_lived_in_norms(SubEnsemble(('semantic', 'depth'), 'mit_b0', 7, num_samples=3))
    image = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        plain = predict_distribution(network, image, (64, 96))
        folded = predict_distribution(fold(network), image, (64, 96))
    assert not any(isinstance(module, AllMLPHead) for module in network.modules())
    torch.testing.assert_close(folded.probabilities, plain.probabilities, rtol=0, atol=1e-5)
    torch.testing.assert_close(folded.depth_variance, plain.depth_variance, rtol=1e-4, atol=1e-4)


def test_heads_whose_dropout_samples_stay_plain():
    network = MonteCarloDropout(('depth',), 'mit_b0', num_samples=2, head_dropout=0.5).eval()
    assert isinstance(fold(network).heads['depth'], AllMLPHead)


def test_the_plain_head_is_left_as_it_was():
    head = with_lived_in_norms(AllMLPHead([8, 16, 24, 32], 5, 64))
    before = {name: value.clone() for name, value in head.state_dict().items()}
    FoldedMLPHead(head)
    torch.testing.assert_close(head.state_dict(), before, rtol=0, atol=0)


def test_folded_matrices_are_the_products_they_stand_for():
    torch.manual_seed(0)
    head = with_lived_in_norms(AllMLPHead([3, 4], 2, 5))
    state = {name: value.numpy() for name, value in head.state_dict().items()}
    folded = fold_head(state)
    fuse, scale = (
        state['fuse.weight'][:, :, 0, 0],
        state['norm.weight'] / np.sqrt(state['norm.running_var'] + 1e-5),
    )
    # Two levels of width 5: the fuse layer sees the coarser one first.
    finest = np.diag(scale) @ fuse[:, 5:] @ state['projections.0.weight']
    coarsest = np.diag(scale) @ fuse[:, :5] @ state['projections.1.weight']
    np.testing.assert_allclose(folded.projections[0], finest, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(folded.projections[1], coarsest, rtol=1e-5, atol=1e-6)


def test_folded_head_costs_a_twentieth_at_the_size_of_the_paper():
    # MiT-B2's head at 480x640: 47.7 against 2.4 billion multiply-adds (two heads 94.9 and 4.3).
    pixels = [120 * 160, 60 * 80, 30 * 40, 15 * 20]
    head = AllMLPHead([64, 128, 320, 512], 40, 768)
    folded = fold_head({name: value.numpy() for name, value in head.state_dict().items()})
    cost = sum(matrix.size * count for matrix, count in zip(folded.projections, pixels))
    cost += folded.classifier.size * pixels[0]
    assert cost == pytest.approx(2.4e9, rel=0.02)

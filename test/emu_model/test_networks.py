import pytest
import timm
import torch

from emu_model import DepthFormer, SegDepthFormer, SegFormer
from emu_model.backbones import create_backbone
from emu_model.mit_variants import VARIANTS

BACKBONES = (*VARIANTS, 'pvt_v2_b0', 'convnext_atto', 'resnet18')


def millions_of_parameters(network):
    return round(sum(weight.numel() for weight in network.parameters()) / 1e6, 2)


def test_parameter_counts_are_the_papers():
    # arXiv 2402.10580, tables 2 to 5 (27.3, 27.3 and 30.5 M); reference values to 0.01 M.
    assert millions_of_parameters(SegFormer('mit_b2', 40)) == 27.38
    assert millions_of_parameters(DepthFormer('mit_b2')) == 27.35
    assert millions_of_parameters(SegDepthFormer('mit_b2', 40)) == 30.53


@pytest.mark.parametrize('name', BACKBONES)
def test_any_pyramid_of_timm_can_be_the_backbone(name):
    network = SegDepthFormer(name, num_classes=5).eval()
    with torch.inference_mode():
        features = network.backbone(torch.randn(1, 3, 64, 96))
        raw = network(torch.randn(2, 3, 64, 96))
    assert [f.shape[1] for f in features] == network.backbone.feature_info.channels()
    assert network.backbone.feature_info.reduction() == [4, 8, 16, 32]
    assert raw['semantic'].shape == (2, 5, 16, 24)
    assert raw['depth'].shape == (2, 2, 16, 24)


def test_mit_is_a_timm_model_with_true_feature_info():
    encoder = timm.create_model('mit_b2', features_only=True)
    assert encoder.feature_info.channels() == [64, 128, 320, 512]
    assert encoder.feature_info.reduction() == [4, 8, 16, 32]
    two = timm.create_model('mit_b0', features_only=True, out_indices=(1, 3))
    shapes = [tuple(f.shape) for f in two(torch.zeros(1, 3, 64, 64))]
    assert shapes == [(1, 64, 8, 8), (1, 256, 2, 2)]


def test_mit_classifies_like_any_timm_model():
    model = timm.create_model('mit_b0', num_classes=7)
    assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 7)
    model.reset_classifier(0)
    assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 256)


def test_gradient_checkpointing_changes_no_gradient():
    torch.manual_seed(0)
    model = timm.create_model('mit_b0', num_classes=3)
    image = torch.randn(1, 3, 64, 64)
    gradients = []
    for enable in (False, True):
        model.set_grad_checkpointing(enable)
        model.zero_grad()
        model(image).square().sum().backward()
        gradients.append(model.stages[0].blocks[0].mlp.fc1.weight.grad.clone())
    torch.testing.assert_close(*gradients)


def test_stochastic_depth_grows_linearly_over_all_blocks():
    model = timm.create_model('mit_b1', drop_path_rate=0.1)
    rates = [
        getattr(block.drop_path1, 'drop_prob', 0.0)
        for stage in model.stages
        for block in stage.blocks
    ]
    assert rates == pytest.approx([0.1 * index / 7 for index in range(8)])


def test_odd_sizes_give_a_quarter_rounded_up():
    network = DepthFormer('mit_b0').eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 97, 131))['depth'].shape == (1, 2, 25, 33)


@pytest.mark.parametrize(
    ('build', 'message'),
    [
        (lambda: create_backbone('mit_b9'), "no backbone 'mit_b9': choose mit_b0"),
        (lambda: create_backbone('vit_tiny_patch16_224'), 'need a pyramid'),
        (lambda: create_backbone('swin_tiny_patch4_window7_224'), r'maps .B, H, W, C., which'),
        (lambda: create_backbone('resnet18', proj_drop_rate=0.2), 'does not take the options'),
        (lambda: SegFormer('mit_b0', 0), '0 classes cannot be built: give 1 to 255'),
        (lambda: SegFormer('mit_b0', 256), '256 classes cannot be built: give 1 to 255'),
    ],
)
def test_a_network_that_cannot_be_built_says_why(build, message):
    with pytest.raises(ValueError, match=message):
        build()

import torch

import emu_model
from emu_model import checkpoint, sampling
from emu_model.checkpoint import CheckpointInfo
from emu_model.labels import numbered
from emu_model.report import count_macs, count_parameters


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


def test_parameters_are_counted_without_loading_them(checkpoints, tmp_path):
    members = [checkpoints['SegDepthFormer']] * 2
    checkpoint.save_ensemble(tmp_path, members)
    for path in (*checkpoints.values(), tmp_path):
        assert count_parameters(path) == parameters(emu_model.load(path))


def test_multiply_accumulates_of_all_samples_are_counted_without_computing():
    labels = numbered(3)
    info = CheckpointInfo(
        'SegDepthFormer', 'mit_b0', 64, head_dropout=0.5, method='mc_dropout', num_samples=3,
        class_names=labels.class_names, palette=labels.palette,
    )  # fmt: skip
    network = sampling.MonteCarloDropout.from_info(info).eval()
    computed = count_macs(network, (32, 64))
    assert computed > 0
    assert count_macs(network.to('meta'), (32, 64)) == computed
    assert not any(weight.device == torch.device('cpu') for weight in network.parameters())

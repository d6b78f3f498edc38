import torch

import emu_model
from train.ensemble import main


def test_networks_become_an_ensemble(trained, tmp_path, capsys):
    folder = tmp_path / 'ensemble'
    assert main([str(folder), str(trained), str(trained), str(trained)]) == 0
    assert 'an ensemble of 3 networks' in capsys.readouterr().out
    network = emu_model.load(folder)
    assert (network.info.method, network.info.num_samples) == ('ensemble', 3)
    # What is normal for a member is not for the ensemble, which is less sure.
    assert emu_model.load(trained).info.normal_uncertainty
    assert not network.info.normal_uncertainty
    image = torch.rand(1, 3, 32, 48)
    alone = emu_model.load(trained)(image)
    for raw in network.samples(image):
        torch.testing.assert_close(raw, alone)


def test_a_missing_member_is_named(trained, tmp_path, capsys):
    assert main([str(tmp_path / 'ensemble'), str(trained), str(tmp_path / 'absent')]) == 1
    assert f"no checkpoint at '{tmp_path}/absent'" in capsys.readouterr().err
    assert not (tmp_path / 'ensemble').exists()

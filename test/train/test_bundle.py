from xml.etree import ElementTree

from source_files import ROOT

import emu_model
from emu_model.checkpoint import BUNDLED, ensemble_members
from train.bundle import main


def test_the_bundled_checkpoint_can_be_made_anew(scenes_folder, tmp_path):
    dest = tmp_path / 'made.safetensors'
    options = [f'--output={tmp_path / "runs"}', f'--dest={dest}', f'--root={scenes_folder}']
    options += ['--scale=quick', '--', '--trainer.accelerator=cpu', '--data.workers=0']
    assert main(options) == 0
    info = emu_model.load(dest).info
    assert info.training['initial_weights'] == 'runs/member-0/network.safetensors'
    assert len(ensemble_members(tmp_path / 'runs' / info.training['teacher'])) == 2
    assert dest.stat().st_size < 9e6
    table = (tmp_path / 'runs' / 'results.md').read_text()
    assert all(f'| {name} | 0.' in table for name in ('member-0', 'ensemble', 'student'))
    made = dest.read_bytes()
    assert main(options) == 0  # everything is there already
    assert dest.read_bytes() == made


def test_a_quick_try_leaves_the_bundled_checkpoint_alone(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr('train.bundle.carry_out', lambda *rest: written.append(rest[-1].args) or 0)
    for scale in ('quick', 'full'):
        assert main([f'--output={tmp_path}', f'--scale={scale}']) == 0
    assert written == [(tmp_path / 'student_half.safetensors',), (BUNDLED,)]


def test_the_bundled_checkpoint_explains_itself():
    network = emu_model.load()
    info = network.info
    assert (info.network, info.backbone) == ('SegDepthFormer', 'mit_b0')
    assert 'synthetic' in info.training_data
    assert info.licence == ElementTree.parse(ROOT / 'package.xml').findtext('license')
    assert info.focal_length_px > 0
    assert info.validation['semantic']['miou'] > 0.5
    assert info.validation['depth']['delta1'] > 0.5
    for uncertainty in ('entropy', 'depth_std'):
        assert set(info.normal_uncertainty[uncertainty]) == {'frame_mean', 'pixel'}

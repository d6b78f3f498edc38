import emu_model
from train.bundle import main


def test_the_bundled_checkpoint_can_be_made_anew(arguments, tmp_path):
    steps = ['--trainer.max_steps=2', '--trainer.val_check_interval=2', '--trainer.precision=32']
    dest = tmp_path / 'made.safetensors'
    options = [f'--output={tmp_path / "runs"}', f'--dest={dest}', '--', *arguments, *steps]
    assert main(options) == 0
    info = emu_model.load(dest).info
    assert info.training['initial_weights'].endswith('small/network.safetensors')
    assert dest.stat().st_size < 9e6
    assert main(options) == 0  # both runs are finished


def test_the_bundled_checkpoint_explains_itself():
    network = emu_model.load()
    info = network.info
    assert (info.network, info.backbone) == ('SegDepthFormer', 'mit_b0')
    assert 'synthetic' in info.training_data
    assert info.focal_length_px > 0
    assert info.validation['semantic']['miou'] > 0.5
    assert info.validation['depth']['delta1'] > 0.5
    for uncertainty in ('entropy', 'depth_std'):
        assert set(info.normal_uncertainty[uncertainty]) == {'frame_mean', 'pixel'}

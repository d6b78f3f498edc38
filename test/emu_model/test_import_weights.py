"""transformers' SegFormer is the oracle: the same weights must give the same numbers."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mit_sizes import MIT
from safetensors.torch import save_file

import emu_model
from emu_model.import_weights import main
from emu_model.labels import CITYSCAPES
from emu_model.mit_variants import VARIANTS

transformers = pytest.importorskip('transformers')

SIZES = {
    'mit_b0': (1, 64, 64),
    'mit_b1': (3, 50, 75),
    'mit_b2': (1, 97, 131),
    'mit_b3': (3, 64, 96),
    'mit_b4': (1, 33, 65),
    'mit_b5': (1, 95, 64),
}
TOLERANCE = 1e-5
"""Largest difference over largest magnitude: fp32 rounding of a few hundred layers' sums."""


def segformer(backbone, num_labels=19):
    depths, widths = VARIANTS[backbone]
    config = transformers.SegformerConfig(
        depths=list(depths),
        hidden_sizes=list(widths),
        decoder_hidden_size=256 if backbone in ('mit_b0', 'mit_b1') else 768,
        num_labels=num_labels,
    )
    torch.manual_seed(1)
    model = transformers.SegformerForSemanticSegmentation(config).eval()
    for module in model.modules():
        # Fresh norms are identities, which would hide a wrong order of weights.
        if isinstance(module, (torch.nn.LayerNorm, torch.nn.BatchNorm2d)):
            torch.nn.init.normal_(module.weight, 1, 0.2)
            torch.nn.init.normal_(module.bias, 0, 0.2)
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, 0, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model


def relative_difference(ours, theirs):
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def version_4_names(state):
    """State dict of transformers 5 under the names that versions up to 4 wrote."""
    renames = (
        (r'stages\.(\d)\.patch_embeddings\.', r'encoder.patch_embeddings.\1.'),
        (r'stages\.(\d)\.blocks\.', r'encoder.block.\1.'),
        (r'stages\.(\d)\.layer_norm\.', r'encoder.layer_norm.\1.'),
        ('layernorm_before', 'layer_norm_1'),
        ('layernorm_after', 'layer_norm_2'),
        ('attention.q_proj', 'attention.self.query'),
        ('attention.k_proj', 'attention.self.key'),
        ('attention.v_proj', 'attention.self.value'),
        ('attention.o_proj', 'attention.output.dense'),
        ('attention.sequence_reduction.sequence_reduction', 'attention.self.sr'),
        ('attention.sequence_reduction.layer_norm', 'attention.self.layer_norm'),
        ('mlp.fc1', 'mlp.dense1'),
        ('mlp.fc2', 'mlp.dense2'),
        ('linear_projections', 'linear_c'),
    )
    return _rename(state, renames)


def nvlabs_names(state):
    """State dict of transformers 4 under the names of NVlabs' files, keys and values joined."""
    renames = (
        (r'^segformer\.', 'backbone.'),
        (
            r'encoder\.patch_embeddings\.(\d)\.layer_norm',
            lambda m: f'patch_embed{int(m[1]) + 1}.norm',
        ),
        (r'encoder\.patch_embeddings\.(\d)\.', lambda m: f'patch_embed{int(m[1]) + 1}.'),
        (r'encoder\.block\.(\d)\.', lambda m: f'block{int(m[1]) + 1}.'),
        (r'encoder\.layer_norm\.(\d)\.', lambda m: f'norm{int(m[1]) + 1}.'),
        (r'layer_norm_([12])', r'norm\1'),
        ('attention.self.query', 'attn.q'),
        ('attention.self.sr', 'attn.sr'),
        ('attention.self.layer_norm', 'attn.norm'),
        ('attention.output.dense', 'attn.proj'),
        (r'mlp\.dense([12])', r'mlp.fc\1'),
        (r'linear_c\.(\d)\.', lambda m: f'linear_c{int(m[1]) + 1}.'),
        ('linear_fuse.weight', 'linear_fuse.conv.weight'),
        ('batch_norm', 'linear_fuse.bn'),
        ('decode_head.classifier', 'decode_head.linear_pred'),
    )
    renamed = _rename(version_4_names(state), renames)
    for key in [key for key in renamed if '.attention.self.key.' in key]:
        rows = [renamed.pop(key), renamed.pop(key.replace('.key.', '.value.'))]
        renamed[key.replace('.attention.self.key.', '.attn.kv.')] = torch.cat(rows)
    return renamed


def _rename(state, renames):
    renamed = {}
    for key, value in state.items():
        for pattern, replacement in renames:
            key = re.sub(pattern, replacement, key)
        renamed[key] = value
    return renamed


def imported(source, dest, *options):
    assert main([str(source), str(dest), *options]) == 0
    return emu_model.load(dest)


@pytest.mark.parametrize('backbone', MIT)
def test_imported_transformers_weights_give_the_same_features_and_logits(backbone, tmp_path):
    theirs = segformer(backbone)
    theirs.save_pretrained(tmp_path / 'model')
    ours = imported(tmp_path / 'model', tmp_path / 'imported.safetensors')
    batch, height, width = SIZES[backbone]
    image = torch.randn(batch, 3, height, width)
    with torch.inference_mode():
        expected = theirs(image, output_hidden_states=True)
        features = ours.backbone(image)
        logits = ours(image)['semantic']
    assert relative_difference(logits, expected.logits) <= TOLERANCE
    assert len(features) == len(expected.hidden_states) == 4
    for feature, hidden in zip(features, expected.hidden_states):
        assert relative_difference(feature, hidden) <= TOLERANCE


@pytest.mark.parametrize('names', [dict, version_4_names])
def test_every_transformers_naming_is_read(names, tmp_path):
    theirs = segformer('mit_b0')
    save_file(names(theirs.state_dict()), tmp_path / 'model.safetensors')
    ours = imported(tmp_path / 'model.safetensors', tmp_path / 'imported.safetensors')
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert relative_difference(ours(image)['semantic'], theirs(image).logits) <= TOLERANCE


def test_nvlabs_weights_run_with_the_eps_they_were_trained_with(tmp_path):
    theirs = segformer('mit_b1')
    state = nvlabs_names(theirs.state_dict())
    state['decode_head.conv_seg.weight'] = torch.zeros(19, 128, 1, 1)
    meta = {
        'CLASSES': list(CITYSCAPES.class_names),
        'PALETTE': [list(c) for c in CITYSCAPES.palette],
    }
    torch.save({'state_dict': state, 'meta': meta}, tmp_path / 'segformer.b1.pth')
    ours = imported(tmp_path / 'segformer.b1.pth', tmp_path / 'imported.safetensors')
    for name, module in theirs.named_modules():
        if isinstance(module, torch.nn.LayerNorm):
            embedding = 'patch_embeddings' in name or 'sequence_reduction' in name
            module.eps = 1e-5 if embedding else 1e-6
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert relative_difference(ours(image)['semantic'], theirs(image).logits) <= TOLERANCE
    assert ours.info.labels == CITYSCAPES
    assert 'non-commercial' in ours.info.licence


@pytest.mark.parametrize('prefix', ['', 'backbone.'])
def test_an_encoder_alone_becomes_a_checkpoint_without_heads(prefix, tmp_path):
    theirs = segformer('mit_b0')
    state = {
        key.replace('backbone.', prefix): value
        for key, value in nvlabs_names(theirs.state_dict()).items()
        if key.startswith('backbone.')
    }
    state |= {'head.weight': torch.zeros(1000, 256), 'head.bias': torch.zeros(1000)}
    torch.save(state, tmp_path / 'mit_b0.pth')
    ours = imported(tmp_path / 'mit_b0.pth', tmp_path / 'encoder.safetensors')
    assert ours.info.network == 'Encoder'
    assert ours(torch.zeros(1, 3, 32, 32)) == {}
    expected = theirs.segformer.stages[3].patch_embeddings.proj.weight
    assert torch.equal(ours.backbone.stages_3.patch_embed.proj.weight, expected)


def test_class_names_come_from_the_model_or_from_the_option(tmp_path):
    theirs = segformer('mit_b0', num_labels=2)
    theirs.config.id2label = {0: 'floor', 1: 'obstacle'}
    theirs.save_pretrained(tmp_path / 'two')
    assert imported(tmp_path / 'two', tmp_path / 'two.safetensors').info.class_names == (
        'floor',
        'obstacle',
    )
    segformer('mit_b0').save_pretrained(tmp_path / 'nineteen')
    named = imported(
        tmp_path / 'nineteen', tmp_path / 'nineteen.safetensors', '--labels', 'cityscapes'
    )
    assert named.info.labels == CITYSCAPES


def test_unmatched_weights_are_listed(tmp_path, capsys):
    state = segformer('mit_b0').state_dict()
    state['decode_head.extra.weight'] = torch.zeros(1)
    del state['segformer.stages.1.blocks.0.attention.q_proj.bias']
    state['decode_head.linear_fuse.weight'] = torch.zeros(256, 3, 1, 1)
    save_file(state, tmp_path / 'odd.safetensors')
    assert main([str(tmp_path / 'odd.safetensors'), str(tmp_path / 'dest.safetensors')]) == 1
    message = capsys.readouterr().err
    assert 'missing: backbone.stages_1.blocks.0.attn.q.bias' in message
    assert 'not known: decode_head.extra.weight' in message
    assert 'heads.semantic.fuse.weight (256, 3, 1, 1) for (256, 1024, 1, 1)' in message
    assert not (tmp_path / 'dest.safetensors').exists()


def test_files_that_hold_no_segformer_are_refused_with_a_reason(tmp_path, capsys):
    cases = {
        'absent.pth': 'no weights at',
        'folder': 'has neither model.safetensors nor pytorch_model.bin',
        'other.safetensors': 'it begins with layer.weight',
        'cut.safetensors': 'truncated',
        'cut.pth': 'truncated',
        'list.pth': 'holds a list',
    }
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'folder' / 'config.json').write_text(json.dumps({}))
    save_file({'layer.weight': torch.zeros(1)}, tmp_path / 'other.safetensors')
    (tmp_path / 'cut.safetensors').write_bytes(b'\x10\x00')
    torch.save({'a': torch.zeros(100)}, tmp_path / 'cut.pth')
    (tmp_path / 'cut.pth').write_bytes((tmp_path / 'cut.pth').read_bytes()[:200])
    torch.save([1, 2], tmp_path / 'list.pth')
    for name, reason in cases.items():
        assert main([str(tmp_path / name), str(tmp_path / 'dest.safetensors')]) == 1
        assert reason in capsys.readouterr().err


def test_a_pickle_with_code_in_it_is_not_run(tmp_path, capsys):
    class Malicious:
        def __reduce__(self):
            return print, ('this code ran',)

    torch.save({'state_dict': Malicious()}, tmp_path / 'bad.pth')
    assert main([str(tmp_path / 'bad.pth'), str(tmp_path / 'dest.safetensors')]) == 1
    assert 'this code ran' not in capsys.readouterr().out


def test_labels_of_another_length_are_refused(tmp_path, capsys):
    segformer('mit_b0', num_labels=7).save_pretrained(tmp_path / 'seven')
    options = [str(tmp_path / 'seven'), str(tmp_path / 'dest.safetensors')]
    assert main([*options, '--labels', 'cityscapes']) == 1
    assert "7 classes, label set 'cityscapes' has 19" in capsys.readouterr().err


@pytest.mark.parametrize('is_zip', [True, False])
@pytest.mark.parametrize(
    ('extra', 'name'),
    [(Path('checkpoints'), 'pathlib'), (np.float64(0.5), 'numpy'), (print, 'print')],
)
def test_a_file_with_more_than_tensors_is_refused_with_what_to_do(
    extra, name, is_zip, tmp_path, capsys
):
    path = tmp_path / 'training.pth'
    content = {'state_dict': {'a': torch.zeros(1)}, 'extra': extra}
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    assert main([str(path), str(tmp_path / 'dest.safetensors')]) == 1
    message = capsys.readouterr().err
    assert re.search(rf"training.pth' holds more than tensors: \S*{name}\S* was refused", message)
    assert 'save the state_dict alone' in message
    assert 'download' not in message


@pytest.mark.parametrize('meta', [None, [], {'CLASSES': None}])
def test_metadata_that_says_nothing_of_classes_leaves_them_numbered(meta, tmp_path):
    state = nvlabs_names(segformer('mit_b0', num_labels=2).state_dict())
    torch.save({'state_dict': state, 'meta': meta}, tmp_path / 'two.pth')
    info = imported(tmp_path / 'two.pth', tmp_path / 'dest.safetensors').info
    assert info.class_names == ('class 0', 'class 1')


@pytest.fixture(scope='module')
def folder_of_two(tmp_path_factory):
    """A transformers model of two classes."""
    folder = tmp_path_factory.mktemp('two')
    segformer('mit_b0', num_labels=2).save_pretrained(folder)
    return folder


@pytest.mark.parametrize('config', ['{}', '{"id2label": null}', '{"id2label": {}}'])
def test_a_config_without_class_names_leaves_them_numbered(config, folder_of_two, tmp_path):
    (folder_of_two / 'config.json').write_text(config)
    info = imported(folder_of_two, tmp_path / 'dest.safetensors').info
    assert info.class_names == ('class 0', 'class 1')


@pytest.mark.parametrize(
    ('config', 'reason'),
    [
        (b'{"id2label": {"0"', 'Expecting'),
        (b'\xff\xfe', 'utf-8'),
        (b'[]', 'it holds a list'),
        (b'{"id2label": ["floor", "obstacle"]}', 'its id2label is a list'),
        (b'{"id2label": {"floor": 0}}', "'floor'"),
    ],
)
def test_a_config_that_cannot_be_used_is_named(config, reason, folder_of_two, tmp_path, capsys):
    (folder_of_two / 'config.json').write_bytes(config)
    assert main([str(folder_of_two), str(tmp_path / 'dest.safetensors')]) == 1
    message = capsys.readouterr().err
    assert f"'{folder_of_two / 'config.json'}' does not describe a transformers model" in message
    assert reason in message

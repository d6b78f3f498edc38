"""How other code bases name SegFormer's weights, and how to give them our names."""

import re
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Format:
    """How one code base names SegFormer's weights.

    Attributes:
        name: What to call it.
        marker: Pattern of a key that only this format has.
        renames: Patterns and replacements that give our names, applied in order.
        dropped: Pattern of keys that have no place in our networks.
        norm_eps: LayerNorm eps of blocks and stages that the weights run with.
        licence: What to know before using the weights.
    """

    name: str
    marker: str
    renames: tuple[tuple[str, str], ...]
    dropped: str
    norm_eps: float
    licence: str


def _from_one(pattern: str, replacement: str) -> list[tuple[str, str]]:
    """A rename for each stage, for names that count stages from one; ours count from zero."""
    return [(pattern.format(stage + 1), replacement.format(stage)) for stage in range(4)]


_SHARED_HEAD = (
    (r'^decode_head\.linear_fuse\.(?:conv\.)?weight$', 'heads.semantic.fuse.weight'),
    (r'^decode_head\.(?:linear_fuse\.bn|batch_norm)\.', 'heads.semantic.norm.'),
    (r'^decode_head\.(?:linear_pred|classifier)\.', 'heads.semantic.predict.'),
)
_TRANSFORMERS_LICENCE = (
    "imported from a transformers model: transformers' code is Apache-2.0, the weights carry "
    "their authors' licence"
)

NVLABS = Format(
    name='NVlabs',
    marker=r'(^|\.)patch_embed1\.proj\.weight$',
    renames=(
        (r'^(?!decode_head\.)(?:backbone\.)?', 'backbone.'),
        *_from_one(r'\bpatch_embed{}\.', 'stages_{}.patch_embed.'),
        *_from_one(r'\bblock{}\.', 'stages_{}.blocks.'),
        *_from_one(r'^backbone\.norm{}\.', 'backbone.stages_{}.norm.'),
        (r'\.attn\.sr\.', '.attn.reduction.'),
        (r'\.dwconv\.dwconv\.', '.dwconv.'),
        *_from_one(r'^decode_head\.linear_c{}\.proj\.', 'heads.semantic.projections.{}.'),
        *_SHARED_HEAD,
    ),
    dropped=r'^(backbone\.)?head\.|^decode_head\.conv_seg\.',
    norm_eps=1e-6,
    licence='imported from an NVlabs SegFormer file: for non-commercial use only',
)

_TRANSFORMERS_ENCODER = (
    (r'^(?!decode_head\.)(?:segformer\.)?', 'backbone.'),
    (r'\.patch_embed\.layer_norm\.', '.patch_embed.norm.'),
    (r'\.blocks\.(\d+)\.(?:layer_norm_1|layernorm_before)\.', r'.blocks.\1.norm1.'),
    (r'\.blocks\.(\d+)\.(?:layer_norm_2|layernorm_after)\.', r'.blocks.\1.norm2.'),
    (r'\.dwconv\.dwconv\.', '.dwconv.'),
)

TRANSFORMERS_4 = Format(
    name='transformers 4',
    marker=r'(^|\.)encoder\.patch_embeddings\.0\.proj\.weight$',
    renames=(
        _TRANSFORMERS_ENCODER[0],
        (r'\bencoder\.patch_embeddings\.(\d)\.', r'stages_\1.patch_embed.'),
        (r'\bencoder\.block\.(\d)\.(\d+)\.', r'stages_\1.blocks.\2.'),
        (r'\bencoder\.layer_norm\.(\d)\.', r'stages_\1.norm.'),
        *_TRANSFORMERS_ENCODER[1:],
        (r'\.attention\.self\.query\.', '.attn.q.'),
        (r'\.attention\.self\.(key|value)\.', r'.attn.\1.'),
        (r'\.attention\.self\.sr\.', '.attn.reduction.'),
        (r'\.attention\.self\.layer_norm\.', '.attn.norm.'),
        (r'\.attention\.output\.dense\.', '.attn.proj.'),
        (r'\.mlp\.dense([12])\.', r'.mlp.fc\1.'),
        (r'^decode_head\.linear_c\.(\d)\.proj\.', r'heads.semantic.projections.\1.'),
        *_SHARED_HEAD,
    ),
    dropped=r'^classifier\.',
    norm_eps=1e-5,
    licence=_TRANSFORMERS_LICENCE,
)

TRANSFORMERS_5 = Format(
    name='transformers 5',
    marker=r'(^|\.)stages\.0\.patch_embeddings\.proj\.weight$',
    renames=(
        _TRANSFORMERS_ENCODER[0],
        (r'\bstages\.(\d)\.patch_embeddings\.', r'stages_\1.patch_embed.'),
        (r'\bstages\.(\d)\.layer_norm\.', r'stages_\1.norm.'),
        (r'\bstages\.(\d)\.', r'stages_\1.'),
        *_TRANSFORMERS_ENCODER[1:],
        (r'\.attention\.q_proj\.', '.attn.q.'),
        (r'\.attention\.k_proj\.', '.attn.key.'),
        (r'\.attention\.v_proj\.', '.attn.value.'),
        (r'\.attention\.o_proj\.', '.attn.proj.'),
        (r'\.attention\.sequence_reduction\.sequence_reduction\.', '.attn.reduction.'),
        (r'\.attention\.sequence_reduction\.layer_norm\.', '.attn.norm.'),
        (r'^decode_head\.linear_projections\.(\d)\.proj\.', r'heads.semantic.projections.\1.'),
        *_SHARED_HEAD,
    ),
    dropped=r'^classifier\.',
    norm_eps=1e-5,
    licence=_TRANSFORMERS_LICENCE,
)

FORMATS = (NVLABS, TRANSFORMERS_4, TRANSFORMERS_5)


def format_of(state: dict[str, Tensor]) -> Format | None:
    """The format whose names these weights have; None where they have none of them."""
    for form in FORMATS:
        if any(re.search(form.marker, key) for key in state):
            return form
    return None


def rename(state: dict[str, Tensor], form: Format) -> dict[str, Tensor]:
    """The weights under our names, without the dropped ones; key and value rows become one."""
    renamed = {}
    for key, value in state.items():
        if re.search(form.dropped, key):
            continue
        for pattern, replacement in form.renames:
            key = re.sub(pattern, replacement, key)
        renamed[key] = value
    for key in [key for key in renamed if '.attn.key.' in key]:
        value_key = key.replace('.key.', '.value.')
        if value_key in renamed:
            joined = torch.cat([renamed.pop(key), renamed.pop(value_key)])
            renamed[key.replace('.key.', '.kv.')] = joined
    return renamed

"""The graphs that a CPU runs strip by strip of rows, small enough to stay in its cache.

At full resolution a head's hidden maps or its upsampled logits take tens of megabytes, and moving
them to memory and back costs more than computing them.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import onnx

from emu_model.folding import FoldedHead
from emu_model.graphs.builder import GraphBuilder
from emu_model.resampling import linear_taps
from emu_model.tasks import TASKS

_LOG1P_ORDER = 15


def head_strip(
    head: FoldedHead,
    rows: int,
    width: int,
    coarse_rows: Sequence[int],
    coarse_widths: Sequence[int],
) -> onnx.ModelProto:
    """A strip of a folded head, from projected coarse levels to the raw output.

    Upsampling along a row is a matrix product, as is the projection of the finest level, so both
    and their sum are one: [feature | taps] @ [projection; coarse rows]. From row to row, pairs of
    coarse rows are mixed.

    Inputs: `feature`, a piece of the finest feature (rows, width, C); `taps`, for each row the
    same matrix (rows, width, sum of coarse_widths) that upsamples along it; for each coarser level
    l from 1 `coarse_l`, a piece of its projection (coarse_rows, coarse_width, hidden), and
    `low_l`, `high_l` int32 (rows,) and `share_l` (rows, 1, 1), the taps from row to row
    (emu_model.resampling) within that piece. Output: `raw` (rows, width, outputs).

    Args:
        head: The head.
        rows: Rows of the strip, at the finest level.
        width: Columns of the strip.
        coarse_rows: Rows of each coarser level that come with a strip.
        coarse_widths: Columns of each coarser level that come with a strip.
    """
    builder = GraphBuilder('head_strip')
    hidden, channels = head.projections[0].shape
    feature = builder.input('feature', 'float32', [rows, width, channels])
    taps = builder.input('taps', 'float32', [rows, width, sum(coarse_widths)])
    levels = []
    for level, (count, coarse_width) in enumerate(zip(coarse_rows, coarse_widths), start=1):
        coarse = builder.input(f'coarse_{level}', 'float32', [count, coarse_width, hidden])
        levels.append(_mix_rows(builder, coarse, *_row_taps(builder, rows, f'_{level}')))
    projection = builder.constant(np.broadcast_to(head.projections[0].T, (rows, channels, hidden)))
    left = builder.add('Concat', feature, taps, axis=2)
    right = builder.add('Concat', projection, *levels, axis=1)
    fused = builder.add('MatMul', left, right)
    active = builder.add('Relu', builder.add('Add', fused, builder.constant(head.bias)))
    # The output comes straight from the product: with anything in between, OpenVINO rounds it to
    # the network's precision, which for bf16 would give depth in steps of a quarter metre at 50 m.
    raw = builder.add('MatMul', active, builder.constant(head.classifier.T))
    builder.add('Add', raw, builder.constant(head.classifier_bias), output='raw')
    builder.output('raw', 'float32', [rows, width, len(head.classifier_bias)])
    return builder.model()


def tail_strip(
    channels: Mapping[str, int],
    outputs: Collection[str],
    raw_rows: int,
    raw_width: int,
    rows: int,
    width: int,
) -> onnx.ModelProto:
    """A strip of the maps from a few rows of the raw outputs: upsample, then activate.

    Inputs: `low`, `high` int32 (rows,) and `share` (rows, 1, 1), the row taps; `raw_<task>`, the
    raw outputs (raw_rows, channels, raw_width). Outputs: the maps, (rows, width).

    Args:
        channels: Channels of the raw output of each task that the outputs need.
        outputs: Names of the maps.
        raw_rows: Rows of the raw outputs that come with a strip.
        raw_width: Width of the raw outputs.
        rows: Rows of the strip of the maps.
        width: Width of the maps.
    """
    builder = GraphBuilder('tail_strip')
    taps = _row_taps(builder, rows)
    for task, count in channels.items():
        raw = builder.input(f'raw_{task}', 'float32', [raw_rows, count, raw_width])
        full = _mix_rows(builder, _widen(builder, raw, raw_width, width), *taps)
        _ACTIVATIONS[task](builder, full, outputs)
    for name in outputs:
        builder.output(name, 'uint8' if name == 'classes' else 'float32', [rows, width])
    return builder.model()


def _row_taps(builder: GraphBuilder, rows: int, suffix: str = '') -> tuple[str, str, str]:
    return (
        builder.input(f'low{suffix}', 'int32', [rows]),
        builder.input(f'high{suffix}', 'int32', [rows]),
        builder.input(f'share{suffix}', 'float32', [rows, 1, 1]),
    )


def _mix_rows(builder: GraphBuilder, x: str, low: str, high: str, share: str) -> str:
    low_rows = builder.add('Gather', x, low, axis=0)
    difference = builder.add('Sub', builder.add('Gather', x, high, axis=0), low_rows)
    return builder.add('Add', low_rows, builder.add('Mul', difference, share))


def _widen(builder: GraphBuilder, raw: str, source: int, target: int) -> str:
    low, high, share = linear_taps(source, target)
    left = builder.add('Gather', raw, builder.constant(low), axis=2)
    right = builder.add('Gather', raw, builder.constant(high), axis=2)
    difference = builder.add('Sub', right, left)
    return builder.add('Add', left, builder.add('Mul', difference, builder.constant(share)))


def _semantic(builder: GraphBuilder, logits: str, outputs: Collection[str]) -> None:
    axis = builder.constant([1], np.int64)
    if 'classes' in outputs:
        one = builder.constant([1], np.int64)
        top, index = builder.add_many('TopK', logits, one, outputs=[None, None], axis=1)
        index = builder.add('Squeeze', index, axis)
        builder.add('Cast', index, to=onnx.TensorProto.UINT8, output='classes')
    else:
        top = builder.add('ReduceMax', logits, axis, keepdims=1)
    if not {'entropy', 'confidence'}.isdisjoint(outputs):
        # With d = logit - highest logit and S = sum(exp d):
        # entropy = log S - sum(d exp d) / S, confidence = 1 / S.
        below = builder.add('Sub', logits, top)
        exponential = builder.add('Exp', below)
        total = builder.add('ReduceSum', exponential, axis, keepdims=0)
        if 'entropy' in outputs:
            weighted = builder.add('Mul', exponential, below)
            weighted = builder.add('ReduceSum', weighted, axis, keepdims=0)
            mean = builder.add('Div', weighted, total)
            entropy = builder.add('Sub', builder.add('Log', total), mean)
            builder.add('Relu', entropy, output='entropy')
        if 'confidence' in outputs:
            builder.add('Reciprocal', total, output='confidence')


def _depth(builder: GraphBuilder, raw: str, outputs: Collection[str]) -> None:
    axis = builder.constant([1], np.int64)
    mean, variance = builder.add_many('Split', raw, outputs=[None, None], axis=1, num_outputs=2)
    if 'depth' in outputs:
        builder.add('Relu', builder.add('Squeeze', mean, axis), output='depth')
    if 'depth_std' in outputs:
        # log(1 + exp x) = max(x, 0) + log(1 + exp(-|x|)) overflows nowhere.
        squeezed = builder.add('Squeeze', variance, axis)
        decay = builder.add('Exp', builder.add('Neg', builder.add('Abs', squeezed)))
        softplus = builder.add('Add', builder.add('Relu', squeezed), _log1p(builder, decay))
        builder.add('Sqrt', softplus, output='depth_std')


def _instance(builder: GraphBuilder, raw: str, outputs: Collection[str]) -> None:
    axis = builder.constant([1], np.int64)
    halves = builder.add_many('Split', raw, outputs=[None, None], axis=1, num_outputs=2)
    for name, half in zip(TASKS['instance'].outputs, halves):
        if name in outputs:
            builder.add('Squeeze', half, axis, output=name)


def _log1p(builder: GraphBuilder, x: str) -> str:
    """log(1 + x) of x in 0…1, accurate for small x too, in terms that no compiler simplifies.

    log(1 + x) = 2 atanh(s) = 2 (s + s³/3 + s⁵/5 + …) with s = x / (2 + x); as s is at most 1/3,
    what follows the terms below is less than fp32 resolves.
    """

    def number(value: float) -> str:
        return builder.constant(np.float32(value))

    s = builder.add('Div', x, builder.add('Add', x, number(2)))
    square = builder.add('Mul', s, s)
    series = number(2 / _LOG1P_ORDER)
    for order in range(_LOG1P_ORDER - 2, 0, -2):
        series = builder.add('Add', builder.add('Mul', series, square), number(2 / order))
    return builder.add('Mul', s, series)


_ACTIVATIONS = {'semantic': _semantic, 'depth': _depth, 'instance': _instance}

import io

import numpy as np
import pytest

from emu_model.labels import LabelSet
from emu_model.overlay import blend_classes
from emu_model.overview import OverviewRow, overview_figure
from emu_model.plots import DEPTH, DEPTH_STD, ENTROPY
from emu_model.prediction import Prediction

LABELS = LabelSet('three', ('road', 'tree', 'sky'), ((90, 60, 120), (30, 160, 60), (90, 150, 230)))


def row(title='t = 0 s', scale=1.0, without=(), size=(12, 16)):
    rng = np.random.default_rng(0)
    maps = {
        'classes': np.where(np.arange(size[1]) < 4, 2, 0)[None].repeat(size[0], 0).astype('u1'),
        'entropy': rng.random(size, np.float32) * scale,
        'depth': 1 + 9 * rng.random(size, np.float32) * scale,
        'depth_std': rng.random(size, np.float32) * scale,
    }
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    return OverviewRow(
        title, image, Prediction(**{k: v for k, v in maps.items() if k not in without})
    )


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def pictures(figure):
    return [axes.images[0].get_array() for axes in figure.axes if axes.images]


def units(figure):
    return [axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()]


def test_columns_are_camera_classes_and_the_maps_with_their_units():
    figure = overview_figure([row(), row('t = 1 s')], LABELS, 'A drive')
    assert titles(figure) == [
        'Camera',
        'Semantic classes',
        ENTROPY.title,
        DEPTH.title,
        DEPTH_STD.title,
    ]
    assert units(figure) == ['nats', 'm (logarithmic)', 'm']
    assert len(pictures(figure)) == 10
    assert [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()] == [
        't = 0 s',
        't = 1 s',
    ]


def test_the_camera_image_and_the_blended_classes_are_drawn_as_they_are():
    frame = row()
    camera, classes = pictures(overview_figure([frame], LABELS))[:2]
    assert (camera == frame.image).all()
    expected = blend_classes(frame.image, frame.prediction.classes, LABELS.palette)
    assert (classes == expected).all()


def test_an_overlay_that_is_given_is_drawn():
    overlay = np.full((12, 16, 3), 77, np.uint8)
    frame = row()
    frame = OverviewRow(frame.title, frame.image, frame.prediction, overlay)
    assert (pictures(overview_figure([frame], LABELS))[1] == 77).all()


def test_rows_share_a_colour_scale():
    sure, unsure = row(scale=0.1), row(scale=1.0)
    together = pictures(overview_figure([sure, unsure], LABELS))
    alone = pictures(overview_figure([sure], LABELS))
    # Columns are drawn one after the other: two cameras, two overlays, two entropies.
    assert together[4].mean() < together[5].mean()
    assert together[4].mean() < alone[2].mean()


def test_the_legend_names_the_classes_that_occur_most_frequent_first():
    figure = overview_figure([row()], LABELS)
    legend = next(axes.get_legend() for axes in figure.axes if axes.get_legend())
    assert [text.get_text() for text in legend.get_texts()] == ['road', 'sky']


def test_a_network_without_a_depth_head_gets_no_depth_columns():
    figure = overview_figure([row(without=('depth', 'depth_std'))], LABELS)
    assert titles(figure) == ['Camera', 'Semantic classes', ENTROPY.title]


def test_a_network_without_a_semantic_head_needs_no_labels():
    figure = overview_figure([row(without=('classes', 'entropy'))])
    assert titles(figure) == ['Camera', DEPTH.title, DEPTH_STD.title]
    assert not any(axes.get_legend() for axes in figure.axes)


def test_a_map_that_one_frame_lacks_leaves_its_place_empty():
    figure = overview_figure([row(), row(without=('depth',))], LABELS)
    assert len(pictures(figure)) == 9


def test_pictures_keep_the_camera_shape_and_nothing_overlaps():
    figure = overview_figure([row(size=(12, 40)), row(size=(12, 40))], LABELS, 'Wide')
    width, height = figure.get_size_inches()
    boxes = [axes.get_position() for axes in figure.axes]
    for axes, box in zip(figure.axes, boxes):
        if axes.images:
            assert box.width * width / (box.height * height) == pytest.approx(40 / 12)
        assert box.x0 >= 0
        assert box.x1 <= 1
        assert box.y0 >= 0
        assert box.y1 <= 1
    overlaps = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
    assert not overlaps


def test_the_figure_can_be_written_without_a_display():
    png = io.BytesIO()
    overview_figure([row()], LABELS).savefig(png)
    assert png.getvalue().startswith(b'\x89PNG')


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match='at least one row'):
        overview_figure([], LABELS)
    with pytest.raises(ValueError, match='give the label set'):
        overview_figure([row()])

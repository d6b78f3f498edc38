"""Average precision of instances against the benchmark's definition and its published code."""

import cv2
import numpy as np
import pytest
import torch

from emu_model.metrics import InstanceMetrics, InstancePrecision, bootstrap

SIZE = (48, 64)
THINGS = {11: 24, 12: 25, 13: 26}
"""Train id and label id of person, rider and car in Cityscapes."""

ROAD = 0
LEAST_PIXELS = 12
OVERLAPS = np.arange(0.5, 1.0, 0.05)


def frame(seed):
    """Objects, a group and unlabelled pixels; and instances that miss, merge and invent some."""
    rng = np.random.default_rng(seed)
    classes, ids = np.full(SIZE, ROAD, np.uint8), np.zeros(SIZE, np.uint16)
    found, kinds = np.zeros(SIZE, np.uint16), np.full(SIZE, ROAD, np.uint8)
    confidence = np.ones(SIZE, np.float32)
    for number in range(1, 13):
        top, left = rng.integers(0, (40, 56))
        height, width = rng.integers(3, 14, 2)
        thing = int(rng.choice(list(THINGS)))
        box = slice(top, top + height), slice(left, left + width)
        classes[box], ids[box] = thing, number if number > 1 else 0
        if rng.random() < 0.85:
            down, right = rng.integers(-1, 2, 2)
            moved = tuple(
                slice(max(0, s.start + d), s.stop + d) for s, d in zip(box, (down, right))
            )
            # Some share an id with the one before, as where two objects are not told apart.
            found[moved] = number if rng.random() < 0.9 else max(1, number - 1)
            kinds[moved] = thing if rng.random() < 0.9 else int(rng.choice(list(THINGS)))
    classes[:, 30:33], ids[:, 30:33] = 255, 0
    # Every id has one class, its first pixel's, and one score.
    for number in np.unique(found[found > 0]):
        own = found == number
        kinds[own] = kinds[own][0]
        confidence[own] = rng.integers(0, 101) / 100
    return found, kinds, confidence, ids, classes


FRAMES = [frame(seed) for seed in range(6)]


def measured(frames, **options):
    metric = InstancePrecision(tuple(THINGS), least_pixels=LEAST_PIXELS, **options)
    for each in frames:
        metric.update(*each)
    return {key: value.tolist() for key, value in metric.compute().items()}


def ap_of_class(frames, thing, overlap):
    """The benchmark's definition, one instance and one object at a time."""
    scored, missed, objects = [], 0, 0
    for found, kinds, confidence, ids, classes in frames:
        regions = [(classes == thing) & (ids == i) for i in np.unique(ids[classes == thing])]
        are_groups = [i == 0 for i in np.unique(ids[classes == thing])]
        masks = [
            (found == i) & (kinds == thing)
            for i in np.unique(found[(kinds == thing) & (found > 0)])
        ]
        scores = [confidence[mask].mean() for mask in masks]

        def iou(a, b):
            return (a & b).sum() / (a | b).sum()

        for region, is_group in zip(regions, are_groups):
            if is_group or region.sum() < LEAST_PIXELS:
                continue
            objects += 1
            matching = sorted(s for mask, s in zip(masks, scores) if iou(mask, region) > overlap)
            missed += not matching
            scored += [(s, False) for s in matching[:-1]] + [(s, True) for s in matching[-1:]]
        for mask, score in zip(masks, scores):
            if any(iou(mask, region) > overlap for region in regions):
                continue
            ignored = (mask & (classes == 255)).sum()
            for region, is_group in zip(regions, are_groups):
                times = int(is_group) + int(region.sum() < LEAST_PIXELS)
                ignored += times * (mask & region).sum()
            if ignored / mask.sum() <= overlap:
                scored.append((score, False))
    if not objects:
        return np.nan
    curve = []
    for threshold in sorted({round(s, 6) for s, _ in scored}):
        kept = [right for s, right in scored if round(s, 6) >= threshold]
        curve.append((sum(kept) / len(kept), sum(kept) / objects))
    precision = [p for p, _ in curve] + [1.0]
    recall = [r for _, r in curve] + [0.0]
    area = 0.0
    for k, p in enumerate(precision):
        before = recall[max(0, k - 1)]
        after = recall[k + 1] if k + 1 < len(recall) else 0.0
        area += p * (before - after) / 2
    return area


def test_ap_is_the_benchmarks_definition_in_a_plain_loop():
    expected = np.array(
        [[ap_of_class(FRAMES, thing, overlap) for overlap in OVERLAPS] for thing in THINGS]
    )
    found = measured(FRAMES)
    assert 0.05 < expected.mean() < 0.95
    assert found['ap'] == pytest.approx(expected.mean(), rel=1e-9)
    assert found['ap50'] == pytest.approx(expected[:, 0].mean(), rel=1e-9)
    assert found['class_ap'] == pytest.approx(expected.mean(axis=1), rel=1e-9)


def test_ap_is_that_of_the_published_code(tmp_path, monkeypatch):
    reason = 'cityscapesScripts is not installed'
    published = pytest.importorskip(
        'cityscapesscripts.evaluation.evalInstanceLevelSemanticLabeling', reason=reason
    )
    # The published code calls it by a name that NumPy 2.4 no longer has.
    monkeypatch.setattr(np, 'in1d', np.isin, raising=False)
    truth, predictions = [], []
    for index, (found, kinds, confidence, ids, classes) in enumerate(FRAMES):
        values = np.full(SIZE, 7, np.uint16)
        values[classes == 255] = 0
        for thing, label_id in THINGS.items():
            own = classes == thing
            values[own] = np.where(ids[own] > 0, 1000 * label_id + ids[own], label_id)
        truth.append(str(tmp_path / f'{index}_gtFine_instanceIds.png'))
        cv2.imwrite(truth[-1], values)
        lines = []
        for number in np.unique(found[found > 0]):
            mask = found == number
            name = f'{index}_{number}.png'
            cv2.imwrite(str(tmp_path / name), np.where(mask, np.uint8(255), np.uint8(0)))
            thing = int(kinds[mask][0])
            lines.append(f'{name} {THINGS[thing]} {float(confidence[mask][0]):.2f}')
        predictions.append(tmp_path / f'{index}.txt')
        predictions[-1].write_text('\n'.join(lines) + '\n')
    args = published.args
    args.quiet, args.predictionPath = True, str(tmp_path)
    args.gtInstancesFile = str(tmp_path / 'gt.json')
    args.minRegionSizes = np.array([LEAST_PIXELS])
    args.distanceThs, args.distanceConfs = np.array([np.inf]), np.array([-np.inf])
    published.setInstanceLabels(args)
    gt = published.getGtInstances(truth, args)
    matches = published.matchGtWithPreds([str(path) for path in predictions], truth, gt, args)
    precision = published.evaluateMatches(matches, args)
    by_class = {name: precision[0, place].mean() for place, name in enumerate(args.instLabels)}
    expected = [by_class[name] for name in ('person', 'rider', 'car')]
    assert measured(FRAMES)['class_ap'] == pytest.approx(expected, rel=1e-9)


def test_the_truth_itself_is_perfect_and_nothing_found_is_zero():
    *_, ids, classes = FRAMES[0]
    sure = np.ones(SIZE, np.float32)
    # A group is no instance, so the truth has nothing to say of it.
    perfect = measured([(ids, classes, sure, ids, classes)])
    assert perfect['ap'] == perfect['ap50'] == 1
    none = measured([(np.zeros(SIZE, np.uint16), classes, sure, ids, classes)])
    assert none['ap'] == 0
    assert none['instances'] == perfect['instances'] > 0


def test_without_objects_there_is_no_precision():
    empty, road = np.zeros(SIZE, np.uint16), np.full(SIZE, ROAD, np.uint8)
    found, kinds, confidence, _, _ = FRAMES[0]
    assert np.isnan(measured([(found, kinds, confidence, empty, road)])['ap'])
    group = InstanceMetrics(tuple(THINGS))
    assert group.compute() == {
        'offset_error': None, 'ap': None, 'ap50': None, 'class_ap': [None] * 3, 'instances': 0,
    }  # fmt: skip
    assert InstanceMetrics(()).compute()['ap'] is None


def batch(frames):
    """Frames as the group takes them, with votes that are right."""
    from emu_model.grouping import centroid_offsets

    _, kinds, confidence, ids, classes = (np.stack(values) for values in zip(*frames))
    offsets = np.stack([centroid_offsets(each) for each in ids])
    return (
        {'classes': torch.from_numpy(kinds), 'confidence': torch.from_numpy(confidence)},
        torch.from_numpy(offsets),
        torch.from_numpy(classes.astype(np.int64)),
        torch.from_numpy(ids.astype(np.int64)),
    )


def test_sums_of_frames_add_up_and_can_be_resampled():
    whole, parts = InstanceMetrics(tuple(THINGS)), []
    for index in range(len(FRAMES)):
        part = InstanceMetrics(tuple(THINGS))
        predicted, offsets, classes, ids = batch(FRAMES[index : index + 1])
        part.update(offsets + 1, ids)
        part.match(predicted, offsets, classes, ids)
        parts.append(part.sums())
        whole.add_sums(part.sums())
    at_once = InstanceMetrics(tuple(THINGS))
    predicted, offsets, classes, ids = batch(FRAMES)
    at_once.update(offsets + 1, ids)
    at_once.match(predicted, offsets, classes, ids)
    assert whole.compute() == at_once.compute()
    # A pixel to the right and one down too far: an L1 distance of 2.
    assert whole.compute()['offset_error'] == pytest.approx(2, rel=1e-6)
    resampled = bootstrap(InstanceMetrics(tuple(THINGS)), parts, resamples=20)
    low, high = resampled['ap50'].min(), resampled['ap50'].max()
    assert low <= whole.compute()['ap50'] <= high

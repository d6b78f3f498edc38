import pytest
from reproduced import result

from train.reproduce.results import ResultSet
from train.reproduce.settings import Settings
from train.reproduce.tables import make_tables

SEMANTIC = {
    'miou': 0.47,
    'ece': 0.15,
    'p_accurate_certain': 0.77,
    'p_uncertain_inaccurate': 0.66,
    'pavpu': 0.73,
}
DEPTH = {
    'rmse': 0.56,
    'p_accurate_certain': 0.78,
    'p_uncertain_inaccurate': 0.45,
    'pavpu': 0.59,
}


def tables(*results, data='synthetic', backbones=('mit_b0',)):
    made = make_tables(ResultSet(results), Settings(data, None, backbones, 'full'))
    return {table.title.partition(':')[0]: table for table in made}


def cells(line):
    return [cell.strip() for cell in line.replace('\\|', '/').strip('|').split('|')]


def test_the_main_table_has_the_papers_layout():
    table = tables(result('single', SEMANTIC, DEPTH, ms=22.34))['Tables 4, 5']
    lines = table.markdown().splitlines()
    assert lines[0] == (
        '### Tables 4, 5: baseline, teacher and student (synthetic scenes, mit_b0)'
    )
    assert cells(lines[2]) == [
        '',
        'mIoU ↑',
        'ECE ↓',
        'p(acc/cer) ↑',
        'p(unc/inacc) ↑',
        'PAvPU ↑',
        'RMSE, m ↓',
        'p(acc/cer) ↑',
        'p(unc/inacc) ↑',
        'PAvPU ↑',
        'ms ↓',
    ]
    assert cells(lines[4]) == [
        'single network',
        *('0.470', '0.150', '0.770', '0.660', '0.730'),
        *('0.560', '0.780', '0.450', '0.590', '22.3'),
    ]


def test_seeds_become_mean_and_standard_deviation():
    results = [
        result('single', {**SEMANTIC, 'miou': miou}, DEPTH, seed=seed)
        for seed, miou in enumerate((0.4, 0.5, 0.6))
    ]
    row = cells(tables(*results)['Tables 4, 5'].markdown().splitlines()[4])
    assert row[:2] == ['single network (3 seeds)', '0.500 ± 0.100']


def test_rows_come_in_the_papers_order_and_only_where_measured():
    results = [
        result('ensemble', SEMANTIC, DEPTH),
        result('mc_dropout_20', None, DEPTH, network='DepthFormer'),
        result('single', SEMANTIC, None, network='SegFormer'),
        result('single', SEMANTIC, DEPTH),
    ]
    grid = tables(*results)['Tables 2, 3']
    assert [row.label for row in grid.rows] == [
        'SegFormer, single network',
        'DepthFormer, MC dropout, 20 %',
        'SegDepthFormer, single network',
        'SegDepthFormer, deep ensemble',
    ]
    segformer = cells(grid.markdown().splitlines()[4])
    assert segformer[6:10] == ['–'] * 4


def test_the_papers_numbers_stand_below_ours_where_they_apply():
    table = tables(
        result('single', SEMANTIC, DEPTH, backbone='mit_b2'), data='nyuv2', backbones=('mit_b2',)
    )['Table 5']
    ours, theirs = table.rows[:2]
    assert (ours.from_paper, theirs.from_paper) == (False, True)
    assert theirs.values == (0.466, 0.151, 0.769, 0.659, 0.733, 0.558, 0.776, 0.446, 0.594, 22.3)


def test_synthetic_scenes_are_not_compared_with_the_papers_data():
    made = tables(result('single', SEMANTIC, DEPTH, backbone='mit_b2'), backbones=('mit_b2',))
    assert not any(row.from_paper for table in made.values() for row in table.rows)
    assert 'Table 8' not in made


def test_the_papers_accuracies_are_those_of_all_pixels():
    counted = result('single', SEMANTIC, DEPTH, backbone='mit_b2')
    counted.report['semantic_all_pixels'] = {**SEMANTIC, 'pavpu': 0.6}
    counted.report['depth_all_pixels'] = DEPTH
    made = make_tables(ResultSet([counted]), Settings('nyuv2', None, ('mit_b2',), 'full'))
    table = next(table for table in made if 'with all pixels' in table.title)
    pavpu = [column.key for column in table.columns].index('semantic_all_pixels.pavpu')
    assert [row.values[pavpu] for row in table.rows[:2]] == [0.6, 0.733]


def test_further_backbones_and_depth_losses_have_tables_of_their_own():
    made = tables(
        result('emuformer', SEMANTIC, DEPTH),
        result('emuformer', SEMANTIC, {**DEPTH, 'rmse': 0.6}, depth_loss='mse'),
        result('emuformer', SEMANTIC, DEPTH, backbone='mit_b2'),
        backbones=('mit_b0', 'mit_b2'),
    )
    assert [row.label for row in made['Tables 6, 7'].rows] == [
        'mit_b0, EMUFormer',
        'mit_b2, EMUFormer',
    ]
    ablation = made['Tables 9, 10']
    rmse = [column.key for column in ablation.columns].index('depth.rmse')
    assert [(row.label, row.values[rmse]) for row in ablation.rows] == [
        ('EMUFormer, GNLL', 0.56),
        ('EMUFormer, MSE', 0.6),
    ]


def test_sizes_are_in_millions_and_billions():
    single = result('single', SEMANTIC, DEPTH)
    single.report.update(parameters=27_380_000, macs=72_640_000_000)
    row = cells(tables(single)['Table 1'].markdown().splitlines()[4])
    assert row == ['SegDepthFormer', '27.38', '72.64', '10.0', '0.470', '0.560']


def test_numbers_are_kept_as_they_are_in_json():
    table = tables(result('single', {**SEMANTIC, 'miou': 1 / 3}, DEPTH))['Tables 4, 5']
    content = table.to_json()
    row = dict(zip(content['columns'], content['rows'][0]['values']))
    assert row['semantic.miou'] == pytest.approx(1 / 3, rel=1e-15)

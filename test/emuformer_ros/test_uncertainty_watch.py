import numpy as np
import pytest

from emu_model.checkpoint import CheckpointInfo
from emu_model.prediction import Prediction
from emuformer_ros.bag_evaluation.alarms import mark_alarms
from emuformer_ros.health.uncertainty_watch import UncertaintyWatch

NORMAL = {
    'entropy': {'frame_mean': {'0.95': 0.7, '0.99': 1.0}},
    'depth_std': {'frame_mean': {'0.95': 4.0, '0.99': 5.0}},
}
CALM, HIGH = 0.5, 1.5
TASKS = ('semantic', 'depth')


@pytest.fixture
def parameters():
    return {
        'uncertainty_alarm': True,
        'entropy_alarm_nats': 0.0,
        'depth_std_alarm_m': 0.0,
        'alarm_hold_s': 1.0,
    }


@pytest.fixture
def watch(parameters):
    return make_watch(parameters)


def make_watch(parameters, network='SegDepthFormer', normal=NORMAL, **training):
    info = CheckpointInfo(network, 'mit_b0', 256, normal_uncertainty=normal, training=training)
    return UncertaintyWatch(info, parameters.__getitem__)


def feed(watch, entropies, start_s=0.0, period_s=0.5, depth_std=1.0):
    """Whether there was an alarm after each frame of such mean entropies."""
    alarms = []
    for index, entropy in enumerate(entropies):
        maps = {
            'entropy': np.full((4, 6), entropy, np.float32),
            'depth_std': np.full((4, 6), depth_std, np.float32),
        }
        wanted = {name: values for name, values in maps.items() if name in watch.levels()}
        watch.update(start_s + index * period_s, Prediction(**wanted), TASKS)
        alarms.append(bool(watch.problems()))
    return alarms


def test_the_levels_are_the_quantiles_of_the_checkpoint(watch):
    levels = watch.levels()

    assert (levels['entropy'].raise_above, levels['entropy'].clear_below) == (1.0, 0.7)
    assert (levels['depth_std'].raise_above, levels['depth_std'].clear_below) == (5.0, 4.0)


def test_a_sustained_excess_is_an_alarm_that_ends_with_hysteresis(watch):
    between = 0.8
    assert feed(watch, [CALM, HIGH, HIGH, HIGH]) == [False, False, False, True]
    assert feed(watch, [between] * 4, start_s=2.0) == [True] * 4
    assert feed(watch, [CALM] * 3, start_s=4.0) == [True, True, False]


def test_the_message_has_the_mean_its_unit_the_level_and_what_to_do(watch):
    feed(watch, [HIGH] * 3)
    feed(watch, [HIGH], start_s=1.5, depth_std=20.0)
    feed(watch, [HIGH] * 2, start_s=2.0, depth_std=20.0)

    semantic, depth = watch.problems()
    assert semantic.startswith('semantic uncertainty has stayed above 1 nats (now 1.5), which')
    assert depth.startswith('depth uncertainty has stayed above 5 m (now 20), which')
    assert 'check lens, exposure and light' in depth


def test_what_is_shown_are_means_levels_and_states(watch):
    feed(watch, [HIGH], depth_std=2.0)

    assert watch.values() == {
        'entropy_mean': '1.5',
        'entropy_alarm_above': '1',
        'entropy_normal_below': '0.7',
        'entropy_state': 'excess',
        'depth_std_mean': '2',
        'depth_std_alarm_above': '5',
        'depth_std_normal_below': '4',
        'depth_std_state': 'normal',
    }


def test_a_level_of_the_user_goes_before_the_checkpoint_and_may_change_at_any_time(
    watch, parameters
):
    parameters['entropy_alarm_nats'] = 2.0
    assert feed(watch, [HIGH] * 4) == [False] * 4

    parameters['entropy_alarm_nats'] = 1.2
    assert feed(watch, [HIGH] * 3, start_s=2.0) == [False, False, True]

    parameters['entropy_alarm_nats'] = 2.0
    # Over once below nine tenths of the level for as long.
    assert feed(watch, [1.79] * 3, start_s=4.0) == [True, True, False]


def test_how_long_it_has_to_last_may_change_at_any_time(watch, parameters):
    assert feed(watch, [HIGH] * 2) == [False, False]
    parameters['alarm_hold_s'] = 0.0

    assert feed(watch, [HIGH], start_s=1.0) == [True]


def test_an_alarm_does_not_outlive_a_jump_back_in_time(watch):
    assert feed(watch, [HIGH] * 3, start_s=50.0)[-1]

    assert feed(watch, [HIGH, HIGH, HIGH], start_s=10.0) == [False, False, True]


def test_node_and_evaluation_agree_on_a_recording_that_jumps_back(watch):
    high = [HIGH] * 3
    stamps = [50.0, 50.5, 51.0, 10.0, 10.5, 11.0]
    rows = [
        {'bag': 'loop', 'frame': index, 'time_s': stamp, 'entropy_mean': HIGH}
        for index, stamp in enumerate(stamps)
    ]
    info = CheckpointInfo('SegDepthFormer', 'mit_b0', 256, normal_uncertainty=NORMAL)
    rises = mark_alarms(rows, info)

    expected = [False, False, True, False, False, True]
    assert feed(watch, high, start_s=50.0) + feed(watch, high, start_s=10.0) == expected
    assert [row['alarm'] == 'alarm' for row in rows] == expected
    assert [(rise.start_s, rise.end_s) for rise in rises] == [(50.0, 51.0), (10.0, 11.0)]


def test_nothing_is_watched_or_computed_when_the_alarm_is_off(watch, parameters):
    assert feed(watch, [HIGH] * 3)[-1]
    parameters['uncertainty_alarm'] = False

    assert watch.levels() == {}
    # At once: no frame may follow.
    assert (watch.problems(), watch.values()) == ([], {})
    assert feed(watch, [HIGH], start_s=9.0) == [False]
    assert watch.values() == {}


def test_a_network_without_normal_values_is_watched_by_the_levels_of_the_user_alone(parameters):
    watch = make_watch(parameters, normal={})
    assert watch.levels() == {}

    parameters['depth_std_alarm_m'] = 3.0
    assert set(watch.levels()) == {'depth_std'}


def test_an_uncertainty_is_computed_only_where_a_map_of_its_task_is_wanted(watch):
    assert watch.needs({'depth'}) == {'depth_std'}
    assert watch.needs({'semantic', 'depth'}) == {'entropy', 'depth_std'}
    assert watch.needs(()) == set()

    watch.update(0.0, Prediction(depth_std=np.ones((4, 6), np.float32)), TASKS)
    assert 'entropy_mean' not in watch.values()


def test_what_a_batch_has_for_another_camera_is_not_watched(watch):
    maps = {name: np.full((4, 6), 20.0, np.float32) for name in ('entropy', 'depth_std')}
    for second in range(3):
        watch.update(second, Prediction(**maps), {'semantic'})

    assert 'depth_std_state' not in watch.values()
    assert [problem.split(' has')[0] for problem in watch.problems()] == ['semantic uncertainty']


def test_a_level_for_a_task_that_the_network_lacks_is_ignored(parameters):
    parameters['entropy_alarm_nats'] = 1.0

    assert make_watch(parameters, network='DepthFormer', normal={}).levels() == {}


def test_pixels_that_the_network_did_not_see_do_not_count(watch):
    entropy = np.full((4, 6), 0.25, np.float32)
    entropy[:2] = np.nan
    watch.update(0.0, Prediction(entropy=entropy), TASKS)

    assert watch.values()['entropy_mean'] == '0.25'


@pytest.mark.filterwarnings('error')
def test_a_map_without_a_number_is_an_excess(watch):
    nothing = np.full((4, 6), np.nan, np.float32)
    for second in range(3):
        maps = Prediction(entropy=nothing, depth_std=np.ones((4, 6), np.float32))
        watch.update(second, maps, TASKS)

    assert '(now nan)' in watch.problems()[0]


def test_an_uncertainty_that_was_not_trained_is_not_watched_even_at_a_level_of_the_users(
    parameters,
):
    parameters['depth_std_alarm_m'] = 2.0

    assert make_watch(parameters, 'DepthFormer', {}, depth_loss='gnll').levels()
    watch = make_watch(parameters, 'DepthFormer', {}, depth_loss='huber')
    assert watch.levels() == {}
    assert 'not trained to know its uncertainty' in watch.why_not()

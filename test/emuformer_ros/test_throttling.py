from rclpy.clock import ClockType
from rclpy.logging import get_logger

from emuformer_ros.throttling import at_most_every


def test_a_place_logs_once_in_a_while_by_a_clock_that_nobody_sets_back(capfd):
    logger = get_logger('throttling')
    for _ in range(3):
        logger.warning('too often', **at_most_every(60.0))
    logger.warning('elsewhere', **at_most_every(60.0))
    printed = ''.join(capfd.readouterr())
    assert printed.count('too often') == printed.count('elsewhere') == 1
    assert at_most_every(1.0)['throttle_time_source_type'].clock_type == ClockType.STEADY_TIME

import numpy as np
import pytest

from emu_model.batches import batch_of


@pytest.mark.parametrize('count', [1, 3])
def test_a_batch_is_the_stacked_frames(count):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (4, 6, 3), np.uint8) for _ in range(count)]
    np.testing.assert_array_equal(batch_of(frames), np.stack(frames))


def test_a_single_frame_is_not_copied():
    frame = np.zeros((4, 6), np.float32)
    assert np.shares_memory(batch_of([frame]), frame)

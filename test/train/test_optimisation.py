import pytest
import torch

from train.optimisation import polynomial_factor


@pytest.mark.parametrize('power', [0.0, 0.9, 2.0])
def test_learning_rates_decay_as_pytorch_has_it(power):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=7, power=power)
    for step in range(7):
        found = polynomial_factor(step, 7, warmup_steps=0, power=power)
        assert found == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()


def test_warm_up_rises_in_equal_steps_to_the_full_rate():
    factors = [polynomial_factor(step, 100, warmup_steps=3, power=0) for step in range(6)]
    assert factors == [0.25, 0.5, 0.75, 1, 1, 1]

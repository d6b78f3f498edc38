"""Train a network: python -m train.fit --config FILE ... --output DIR.

With several --config FILE, each overrides those before: train/configs/data/NAME.yaml,
train/configs/network/NAME.yaml, train/configs/method/NAME.yaml (docs/training.md has them for
each row of the paper's tables). Everything in a configuration can be given on the command line as
well (--model.learning_rate 1e-4, --trainer.max_steps 100, --data.root DIR). A run that was
stopped goes on where it stood when the same command is given again; one that is finished is left
alone. DIR gets network.safetensors (the kept step), config.yaml, last.ckpt and best.ckpt to go on
from, metrics.csv and logs for TensorBoard.
"""

import sys

from train.cli import main
from train.module import NetworkModule

if __name__ == '__main__':
    sys.exit(main(NetworkModule, __doc__))

"""The perception node as users run it: a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


class NodeProcess:
    """`python -m emuformer_ros.perception_node` with ROS arguments; its output goes to a file.

    Args:
        log_path: File that takes what the process prints.
        parameters: ROS parameters.
        remaps: Topic remappings.
        program: What Python runs: a module's name after '-m', or a script.
    """

    def __init__(
        self,
        log_path: Path,
        parameters: dict[str, object] | None = None,
        remaps: dict[str, str] | None = None,
        program: Sequence[str] = ('-m', 'emuformer_ros.perception_node'),
    ) -> None:
        command = [sys.executable, *program, '--ros-args']
        for name, value in (parameters or {}).items():
            command += ['-p', f'{name}:={value}']
        for name, topic in (remaps or {}).items():
            command += ['-r', f'{name}:={topic}']
        self._log_path = log_path
        with log_path.open('w') as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONUNBUFFERED': '1'},
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        """What the process has printed so far."""
        return self._log_path.read_text()

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def stop(self, how: signal.Signals = signal.SIGINT, timeout_s: float = 60.0) -> int:
        """Send a signal and return the exit code; kills a process that does not end by it."""
        self.send(how)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = 60.0) -> int:
        """The exit code; kills a process that does not end in time."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            self._process.wait()
            raise AssertionError(
                f'the node did not end within {timeout_s} s:\n{self.log}'
            ) from error

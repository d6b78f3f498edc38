"""The perception node as a process of its own, started as a user would start it."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from emuformer_ros.demo import DemoError

_STOP_TIMEOUT_S = 15.0
_LINES_SHOWN = 20


class NodeProcess:
    """A running perception node; use it as a context manager, which ends it.

    Attributes:
        log: The file with all that the node writes.
    """

    def __init__(
        self,
        log: Path,
        remappings: Mapping[str, str],
        parameters: Mapping[str, str],
        module: str = 'emuformer_ros.perception_node',
    ) -> None:
        """Start the node.

        Args:
            log: Where to write what the node prints.
            remappings: ROS names and what they become.
            parameters: Names of parameters and values, as on a command line.
            module: The Python module to run.
        """
        command = [sys.executable, '-m', module, '--ros-args']
        for name, target in remappings.items():
            command += ['-r', f'{name}:={target}']
        for name, value in parameters.items():
            command += ['-p', f'{name}:={value}']
        self.log = log
        with log.open('wb') as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # What it says before it crashes must reach the log.
                env={**os.environ, 'PYTHONUNBUFFERED': '1'},
            )

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def require_alive(self) -> None:
        """DemoError with what the node wrote, if it has ended."""
        code = self._process.poll()
        if code is not None:
            raise self.failure(f'the perception node ended ({_ending(code)})')

    def failure(self, what: str) -> DemoError:
        """An error about the node, with what the node wrote first and last."""
        lines = self.log.read_text(errors='replace').splitlines()
        if len(lines) > 2 * _LINES_SHOWN:
            lines = [*lines[:_LINES_SHOWN], '…', *lines[-_LINES_SHOWN:]]
        said = '\n'.join(f'  {line}' for line in lines) or '  (nothing)'
        return DemoError(f'{what}; it wrote:\n{said}')

    def stop(self) -> None:
        """End the node as Ctrl-C does, or by force if it does not react."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> 'NodeProcess':
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _ending(code: int) -> str:
    return f'exit code {code}' if code >= 0 else f'signal {signal.Signals(-code).name}'

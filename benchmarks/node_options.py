"""What the programs that measure nodes share: options of the node, and a file of figures."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from emu_model.processor import core_count, processor_name

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PERCENTILES = (50, 95, 99, 100)
"""Of times, in every figure."""


def add_node_options(parser: argparse.ArgumentParser) -> None:
    """The camera's size, what the node runs, and where the figures go."""
    parser.add_argument('--height', type=int, default=480)
    parser.add_argument('--width', type=int, default=640)
    parser.add_argument('--checkpoint', type=Path, help='the bundled one by default')
    parser.add_argument('--engine')
    parser.add_argument('--device')
    parser.add_argument('--precision')
    parser.add_argument('--json', type=Path, help='file for the figures')


def node_parameters(options: argparse.Namespace, *further: str) -> dict[str, str]:
    """The node's parameters among the options that were given, and further ones."""
    names = ('checkpoint', 'engine', 'device', 'precision', *further)
    return {name: str(value) for name in names if (value := getattr(options, name))}


def this_machine() -> dict[str, str | int]:
    """What figures were measured on."""
    return {
        'machine': processor_name(),
        'cpus': core_count(),
    }


def write_figures(
    options: argparse.Namespace,
    results: 'Sequence[DataclassInstance]',
    runtime: dict[str, str],
) -> None:
    """Write the file of figures, if one is wanted.

    Args:
        options: As `add_node_options` reads them.
        results: Of each scenario.
        runtime: Engine, device and precision, as the node says.
    """
    if options.json is None:
        return
    found = {
        'results': [asdict(result) for result in results],
        'percentiles': PERCENTILES,
        'image': [options.height, options.width],
        **runtime,
        **this_machine(),
    }
    options.json.write_text(json.dumps(found, indent=2) + '\n', encoding='utf-8')

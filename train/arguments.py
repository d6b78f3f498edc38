"""Values of command lines, refused with a sentence where they make no sense."""

import json
from argparse import ArgumentTypeError
from typing import Any

_OWN_ARGUMENTS = {'name': '--data', 'root': '--root', 'split': '--split'}
"""Parameters of a data set that have arguments of their own."""

_WANTED = 'give names and values, such as {"max_depth_m": 50}'


def data_options(text: str) -> dict[str, Any]:
    """Further options of a data set, a JSON object."""
    try:
        options = json.loads(text)
    except ValueError as error:
        raise ArgumentTypeError(f"'{text}' is no JSON ({error}): {_WANTED}") from None
    if not isinstance(options, dict):
        raise ArgumentTypeError(f"'{text}' is no JSON object: {_WANTED}")
    for name, argument in _OWN_ARGUMENTS.items():
        if name in options:
            raise ArgumentTypeError(f"'{name}' has an argument of its own: give {argument}")
    return options

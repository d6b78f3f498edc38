"""Errors and interruptions as a user meets them."""

import sys

INTERRUPTED = 130
"""Exit code of a command that was interrupted, as shells have it."""


def print_error(error: Exception) -> None:
    """Print what an error says to stderr.

    Of an error in a process of a DataLoader that is the last line: the traceback of that process
    stands before it.
    """
    sentence = str(error)
    if sentence.startswith('Caught '):
        name, _, said = sentence.rstrip().rpartition('\n')[2].partition(': ')
        sentence = said or name
    print(f'error: {sentence}', file=sys.stderr)

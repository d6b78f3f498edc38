"""Names of devices, as every engine takes them; without importing any runtime."""


def parse_device(name: str) -> tuple[str, int]:
    """The kind of a device, 'auto', 'cpu' or 'cuda', and which of them.

    Args:
        name: 'auto', 'cpu', 'cuda' or 'cuda:N'.

    Raises:
        ValueError: If it is none of these.
    """
    kind, colon, index = name.partition(':')
    plain = kind in ('auto', 'cpu', 'cuda') and not colon
    if not plain and not (kind == 'cuda' and index.isdecimal()):
        raise ValueError(f"no device '{name}': choose 'auto', 'cpu', 'cuda' or 'cuda:N'")
    return kind, int(index or 0)

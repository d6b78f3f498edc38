"""The tables of docs/ros_interface.md, made from what the node declares.

    python -m emuformer_ros.interface_docs docs/ros_interface.md

writes each table anew between its markers and leaves the rest of the page as it is.
"""

import argparse
import sys
from pathlib import Path

from emuformer_ros.maps.label_info import LABEL_INFO_DESCRIPTION, LABEL_INFO_TOPIC, LABEL_INFO_TYPE
from emuformer_ros.maps.outputs import MAP_TOPICS, MapTopic
from emuformer_ros.parameters import PARAMETERS, Change, ParameterSpec

_WHEN = {
    Change.ANY_TIME: 'any time',
    Change.INACTIVE: 'while not active',
    Change.UNCONFIGURED: 'while unconfigured',
    Change.STARTUP: 'at start',
}
_YAML = {'': "''", "('',)": "['']", 'True': 'true', 'False': 'false'}
"""Values that YAML writes in another way than Python."""


def topic_row(topic: MapTopic) -> str:
    """A map topic as a row of Markdown."""
    kind = topic.msgtype.replace('/msg/', '/')
    kind += f', {topic.encoding}' if topic.encoding else ''
    return f'| `{topic.name}` | {kind} | {topic.description} |'


def topic_table() -> str:
    """The topics that are published for every camera, by task."""
    rows = [topic_row(topic) for topic in MAP_TOPICS]
    rows.append(f'| `{LABEL_INFO_TOPIC}` | {LABEL_INFO_TYPE} | {LABEL_INFO_DESCRIPTION} |')
    return '\n'.join(['| topic | type | what |', '|---|---|---|', *rows])


def parameter_row(spec: ParameterSpec) -> str:
    """A parameter as a row of Markdown."""
    default = _YAML.get(str(spec.default), spec.default)
    allowed = spec.allowed.replace("'", '')
    when = _WHEN[spec.change]
    return f'| `{spec.name}` | {default} | {allowed} | {when} | {spec.description} |'


def parameter_table() -> str:
    """All parameters of the node."""
    head = ['| parameter | default | allowed | may change | what |', '|---|---|---|---|---|']
    return '\n'.join([*head, *map(parameter_row, PARAMETERS.values())])


_TABLES = {'topics': topic_table, 'parameters': parameter_table}


def update(page: str) -> str:
    """A page with its tables as they should be.

    Raises:
        ValueError: If the page lacks the markers of a table.
    """
    for name, table in _TABLES.items():
        start, end = f'<!-- {name}, generated -->', f'<!-- end of {name} -->'
        if page.count(start) != 1 or page.count(end) != 1:
            raise ValueError(f"the page does not mark one table '{name}': {start} … {end}")
        before, _, rest = page.partition(start)
        _, _, after = rest.partition(end)
        page = f'{before}{start}\n{table()}\n{end}{after}'
    return page


def main(arguments: list[str] | None = None) -> int:
    """Bring the page up to date that the command line names."""
    parser = argparse.ArgumentParser(
        prog='python -m emuformer_ros.interface_docs',
        description="Write the generated tables of the node's documentation anew.",
    )
    parser.add_argument('page', type=Path, help='such as docs/ros_interface.md')
    page = parser.parse_args(arguments).page
    page.write_text(update(page.read_text(encoding='utf-8')), encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())

"""The paper's tables, in its layout, and those that go beyond it."""

from collections.abc import Sequence

from train.reproduce import paper
from train.reproduce.results import Repetitions, ResultSet
from train.reproduce.scale import SHIFTS
from train.reproduce.settings import VARIANTS, Settings
from train.reproduce.table import Column, Row, Table

METHODS = {
    'single': 'single network',
    'mc_dropout_20': 'MC dropout, 20 %',
    'mc_dropout_50': 'MC dropout, 50 %',
    'sub_ensemble': 'deep sub-ensemble',
    'ensemble': 'deep ensemble',
    'single_finetuned': 'single network, fine-tuned',
    'emuformer': 'EMUFormer',
}
"""Methods as tables name them."""

GRID_METHODS = ('single', 'mc_dropout_20', 'mc_dropout_50', 'sub_ensemble', 'ensemble')
NETWORKS = ('SegFormer', 'DepthFormer', 'SegDepthFormer')
MULTI_TASK = 'SegDepthFormer'
DEPTH_LOSSES = {'gnll': 'GNLL', 'mse': 'MSE', 'huber': 'Huber'}


def _uncertainty_columns(task: str, suffix: str = '') -> tuple[Column, ...]:
    group = task + suffix
    return (
        Column('p(acc\\|cer) ↑', f'{group}.p_accurate_certain'),
        Column('p(unc\\|inacc) ↑', f'{group}.p_uncertain_inaccurate'),
        Column('PAvPU ↑', f'{group}.pavpu'),
    )


_MIOU = Column('mIoU ↑', 'semantic.miou')
_RMSE = Column('RMSE, m ↓', 'depth.rmse')
_TIME = Column('ms ↓', 'inference_ms.median', 1)
_MAIN = (
    _MIOU,
    Column('ECE ↓', 'semantic.ece'),
    *_uncertainty_columns('semantic'),
    _RMSE,
    *_uncertainty_columns('depth'),
    _TIME,
)
_ALL_PIXELS = (
    Column('ECE ↓', 'semantic_all_pixels.ece'),
    *_uncertainty_columns('semantic', '_all_pixels'),
    *_uncertainty_columns('depth', '_all_pixels'),
)
_SIZE = (
    Column('parameters, M', 'parameters', 2, 1e6),
    Column('MACs, G', 'macs', 2, 1e9),
    _TIME,
    _MIOU,
    _RMSE,
)
_SEMANTIC_BEYOND = (
    Column('pixel accuracy ↑', 'semantic.pixel_accuracy'),
    Column('ECE, 10 bins ↓', 'semantic.ece_10_bins'),
    Column('Brier ↓', 'semantic.brier'),
    Column('NLL ↓', 'semantic.nll'),
    Column('AURC ↓', 'semantic.aurc', 4),
)
_DEPTH_BEYOND = (
    Column('δ1 ↑', 'depth.delta1'),
    Column('δ2 ↑', 'depth.delta2'),
    Column('δ3 ↑', 'depth.delta3'),
    Column('AbsRel ↓', 'depth.abs_rel'),
    Column('SILog ↓', 'depth.silog', 2),
    Column('NLL ↓', 'depth.nll'),
    Column('AUSE, m ↓', 'depth.ause'),
    Column('AURG, m ↑', 'depth.aurg'),
    Column('in 1σ (.683)', 'depth.coverage_1sigma'),
    Column('in 2σ (.954)', 'depth.coverage_2sigma'),
)


def make_tables(results: ResultSet, settings: Settings) -> list[Table]:
    """Every table that the results fill at least a row of, in the paper's order."""
    maker = _Maker(results, settings)
    tables = [
        maker.sizes(),
        maker.grid(),
        maker.student(),
        maker.student_all_pixels(),
        maker.backbones(),
        maker.literature(),
        maker.ablation(),
        maker.beyond('semantic', _SEMANTIC_BEYOND),
        maker.beyond('depth', _DEPTH_BEYOND),
        maker.shifts(),
        *maker.variants(),
    ]
    return [table for table in tables if any(not row.from_paper for row in table.rows)]


class _Maker:
    """Fills tables of one experiment."""

    def __init__(self, results: ResultSet, settings: Settings) -> None:
        self._results = results
        self._settings = settings
        self._data = settings.data
        self._backbone = settings.backbones[0]
        self._numbers = paper.TABLES[settings.data]

    def sizes(self) -> Table:
        rows = []
        for network in NETWORKS:
            found = self._results.of(self._backbone, network, 'single')
            rows += _row(network, _SIZE, found)
            if self._data == 'nyuv2':
                size = paper.SIZES.get((self._backbone, network), {})
                rows += _paper_row(_SIZE, size)
        note = 'MACs are multiply-accumulates of one frame; the paper calls them FLOPs.'
        return Table(self._title('Table 1', 'networks'), _SIZE, tuple(rows), note)

    def grid(self) -> Table:
        rows = [
            row
            for network in NETWORKS
            for method in GRID_METHODS
            for row in self._rows(f'{network}, {METHODS[method]}', network, method)
        ]
        title = self._title(self._number('grid'), 'uncertainty methods by network')
        return Table(title, _MAIN, tuple(rows))

    def student(self) -> Table:
        title = self._title(self._number('student'), 'baseline, teacher and student')
        return Table(title, _MAIN, self._student_rows(_MAIN))

    def student_all_pixels(self) -> Table:
        title = self._title(
            f'{self._number("student")} with all pixels counted', 'baseline, teacher and student'
        )
        note = (
            'Pixels without ground truth count as inaccurate, as they must have in the paper; '
            'everywhere else they do not count.'
        )
        return Table(title, _ALL_PIXELS, self._student_rows(_ALL_PIXELS), note)

    def backbones(self) -> Table:
        rows = []
        if len(self._settings.backbones) > 1:
            rows = [
                row
                for backbone in self._settings.backbones
                for method in ('single', 'ensemble', 'emuformer')
                for row in self._rows(
                    f'{backbone}, {METHODS[method]}', MULTI_TASK, method, backbone=backbone
                )
            ]
        title = self._title(self._number('backbones'), 'backbones')
        return Table(title, _MAIN, tuple(rows))

    def literature(self) -> Table:
        columns = (_MIOU, _RMSE)
        published = paper.LITERATURE.get(self._data, ())
        rows = []
        for backbone in self._settings.backbones if published else ():
            found = self._results.of(backbone, MULTI_TASK, 'emuformer')
            rows += _row(f'EMUFormer, {backbone}', columns, found)
        for label, figures in published:
            rows += _paper_row(columns, figures, f'{label} (paper)')
        return Table(self._title('Table 8', 'the literature'), columns, tuple(rows))

    def ablation(self) -> Table:
        rows = [
            row
            for depth_loss, name in DEPTH_LOSSES.items()
            for row in self._rows(
                f'EMUFormer, {name}', MULTI_TASK, 'emuformer', depth_loss=depth_loss
            )
        ]
        if len(rows) < 2:
            rows = []
        title = self._title(self._number('ablation'), "depth losses in the student's training")
        return Table(title, _MAIN, tuple(rows))

    def beyond(self, task: str, columns: tuple[Column, ...]) -> Table:
        rows = [
            row
            for network in NETWORKS
            for method in METHODS
            for row in _row(
                f'{network}, {METHODS[method]}',
                columns,
                self._results.of(self._backbone, network, method),
            )
            if any(value is not None for value in row.values)
        ]
        return Table(self._title('Beyond the paper', f'{task} task'), columns, tuple(rows))

    def shifts(self) -> Table:
        shifts = SHIFTS.get(self._data, ())
        columns = tuple(
            Column(f'{name}, {shift.replace("_", " ")}', f'shift_auroc.{output}.{shift}')
            for output, name in (('entropy', 'entropy'), ('depth_std', 'depth std'))
            for shift in (*shifts, 'all')
        )
        rows = [
            row
            for method in (METHODS if shifts else ())
            for row in _row(
                METHODS[method], columns, self._results.of(self._backbone, MULTI_TASK, method)
            )
        ]
        note = 'Area under the ROC curve of telling a shifted frame by its mean uncertainty.'
        title = self._title('Beyond the paper', 'shifted scenes, AUROC ↑')
        return Table(title, columns, tuple(rows), note)

    def variants(self) -> list[Table]:
        return [
            Table(
                self._title('Beyond the paper', f'depth {variant}'),
                (_RMSE, *_uncertainty_columns('depth')),
                tuple(
                    row
                    for method in METHODS
                    for row in _row(
                        METHODS[method],
                        (_RMSE, *_uncertainty_columns('depth')),
                        self._results.of(self._backbone, MULTI_TASK, method, variant=variant),
                    )
                ),
            )
            for variant in VARIANTS.get(self._data, {})
        ]

    def _student_rows(self, columns: tuple[Column, ...]) -> tuple[Row, ...]:
        return tuple(
            row
            for method in ('single', 'single_finetuned', 'ensemble', 'emuformer')
            for row in self._rows(METHODS[method], MULTI_TASK, method, columns=columns)
        )

    def _rows(
        self,
        label: str,
        network: str,
        method: str,
        *,
        backbone: str | None = None,
        depth_loss: str = 'gnll',
        columns: tuple[Column, ...] = _MAIN,
    ) -> list[Row]:
        """What was measured, and below it what the paper has."""
        backbone = backbone or self._backbone
        key = (backbone, network, method, depth_loss)
        figures = paper.measured(self._data, key)
        comparable = {
            column.key: figures.get(column.key.replace('_all_pixels', '')) for column in columns
        }
        return [*_row(label, columns, self._results.of(*key)), *_paper_row(columns, comparable)]

    def _number(self, table: str) -> str:
        numbers = self._numbers[table]
        return f'Table{"s" if "," in numbers else ""} {numbers}'

    def _title(self, number: str, what: str) -> str:
        return f'{number}: {what} ({paper.NAMES[self._data]}, {self._backbone})'


def _row(label: str, columns: Sequence[Column], found: Repetitions) -> list[Row]:
    """A measured row; none where nothing was evaluated."""
    if not found.results:
        return []
    repeated = f' ({len(found.results)} seeds)' if len(found.results) > 1 else ''
    return [
        Row(
            label + repeated,
            tuple(found.mean(column.key) for column in columns),
            tuple(found.spread(column.key) for column in columns),
        )
    ]


def _paper_row(
    columns: Sequence[Column], figures: dict[str, float], label: str = '– in the paper'
) -> list[Row]:
    """The paper's row; none where it has no figure."""
    values = tuple(figures.get(column.key) for column in columns)
    if all(value is None for value in values):
        return []
    return [Row(label, values, (None,) * len(values), from_paper=True)]

"""The networks: one backbone and one all-MLP head per task.

SegFormer is of arXiv 2105.15203; DepthFormer, SegDepthFormer and EMUFormer (a SegDepthFormer
trained by distillation) are of arXiv 2402.10580.
"""

from collections.abc import Iterator

from torch import Tensor, nn

from emu_model.backbones import create_backbone
from emu_model.checkpoint import CheckpointInfo
from emu_model.heads import AllMLPHead
from emu_model.labels import UNLABELLED
from emu_model.tasks import NETWORKS, TASKS

_HEAD_WIDTHS = {f'mit_b{size}': 768 for size in range(2, 6)}
_DEFAULT_HEAD_WIDTH = 256


class Network(nn.Module):
    """A backbone with a head for each task.

    Args:
        tasks: Names of the tasks, in the order of the heads.
        backbone: timm name of the encoder.
        num_classes: Classes of the semantic head.
        head_width: Channels of the heads; the paper's for MiT and 256 for others by default.
        head_dropout: Dropout rate before the last layer of the heads.
        num_samples: Samples that the network gives, for the networks that sample.
        **backbone_options: Keyword arguments of the encoder.

    Attributes:
        info: What the checkpoint said that this network was loaded from; None for a new one.

    Raises:
        ValueError: If the backbone cannot be used or the number of classes is not in 1…255.
    """

    def __init__(
        self,
        tasks: tuple[str, ...],
        backbone: str,
        num_classes: int | None = None,
        head_width: int | None = None,
        head_dropout: float = 0.1,
        num_samples: int = 1,
        **backbone_options,
    ):
        super().__init__()
        if 'semantic' in tasks and not 1 <= (num_classes or 0) <= UNLABELLED:
            raise ValueError(
                f'a semantic head with {num_classes} classes cannot be built: give 1 to '
                f'{UNLABELLED} (class maps are uint8 and {UNLABELLED} is unlabelled)'
            )
        self.info: CheckpointInfo | None = None
        self.tasks = tasks
        self.num_classes = num_classes
        self.num_samples = num_samples
        self.head_width = head_width or _HEAD_WIDTHS.get(backbone, _DEFAULT_HEAD_WIDTH)
        self.head_dropout = head_dropout
        self.backbone = create_backbone(backbone, **backbone_options)
        self.heads = self.build_heads()

    @classmethod
    def from_info(cls, info: CheckpointInfo) -> 'Network':
        """The network that a checkpoint describes, with random weights."""
        network = cls(
            info.tasks,
            info.backbone,
            len(info.class_names) or None,
            info.head_width,
            info.head_dropout,
            info.num_samples,
            **info.backbone_options,
        )
        network.info = info
        return network

    def build_heads(self) -> nn.ModuleDict:
        """A freshly initialised head for each task."""
        channels = self.backbone.feature_info.channels()
        return nn.ModuleDict(
            {
                task: AllMLPHead(
                    channels,
                    TASKS[task].channels or self.num_classes,
                    self.head_width,
                    self.head_dropout,
                )
                for task in self.tasks
            }
        )

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Raw outputs of a normalised image.

        Args:
            image: Float (B, 3, H, W), normalised by the checkpoint's mean and std.

        Returns:
            By task: 'semantic' logits (B, K, h, w); 'depth' (B, 2, h, w), the mean in metres
            before ReLU and the variance in m² before softplus (1/m and 1/m² where the target is
            inverse depth); 'instance' (B, 2, h, w), offsets right and down to the centroid of
            the pixel's object, in pixels of the image. h and w are the finest feature map's, for
            MiT a quarter of the image's, rounded up.
        """
        features = self.backbone(image)
        return {task: head(features) for task, head in self.heads.items()}

    def samples(self, image: Tensor) -> Iterator[dict[str, Tensor]]:
        """Raw outputs of each sample; a single network has one."""
        yield self(image)


class SegFormer(Network):
    """Semantic segmentation alone."""

    def __init__(self, backbone: str, num_classes: int, **options):
        super().__init__(NETWORKS['SegFormer'], backbone, num_classes, **options)


class DepthFormer(Network):
    """Depth alone, as a Gaussian per pixel."""

    def __init__(self, backbone: str, **options):
        super().__init__(NETWORKS['DepthFormer'], backbone, **options)


class SegDepthFormer(Network):
    """Semantic segmentation and depth on one encoder."""

    def __init__(self, backbone: str, num_classes: int, **options):
        super().__init__(NETWORKS['SegDepthFormer'], backbone, num_classes, **options)

"""The all-MLP head of SegFormer (arXiv 2105.15203, section 3.2), plain and folded."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emu_model.folding import fold_head
from emu_model.upsampling import upsample


class AllMLPHead(nn.Module):
    """Per-level linear, upsample to the finest level, concat, fuse, classify.

    In training the fuse layer's slice for a level is applied before upsampling, with which it
    commutes (folding.py): the same function of the same weights, in about half the time.

    Args:
        in_channels: Channels of the feature maps, finest first.
        out_channels: Channels of the raw output.
        width: Channels inside the head.
        dropout: Dropout rate before the last layer.
    """

    def __init__(
        self, in_channels: list[int], out_channels: int, width: int, dropout: float = 0.1
    ):
        super().__init__()
        self.projections = nn.ModuleList(nn.Linear(channels, width) for channels in in_channels)
        self.fuse = nn.Conv2d(len(in_channels) * width, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.act = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.predict = nn.Conv2d(width, out_channels, 1)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Feature maps, finest first, to the raw output (B, out_channels, h, w) at the finest."""
        fused = self._fuse_by_level(features) if self.training else self._fuse(features)
        return self.predict(self.dropout(self.act(self.norm(fused))))

    def _fuse(self, features: list[Tensor]) -> Tensor:
        size = features[0].shape[2:]
        levels = []
        for feature, projection in zip(features, self.projections):
            projected = projection(feature.movedim(1, -1)).movedim(-1, 1)
            levels.append(F.interpolate(projected, size=size, mode='bilinear'))
        # Coarsest first is the order of the original's fuse weights.
        return self.fuse(torch.cat(levels[::-1], dim=1))

    def _fuse_by_level(self, features: list[Tensor]) -> Tensor:
        size = tuple(features[0].shape[2:])
        slices = reversed(self.fuse.weight.chunk(len(features), dim=1))
        fused = 0
        for feature, projection, part in zip(features, self.projections, slices):
            part = part.flatten(1)
            weight, bias = part @ projection.weight, part @ projection.bias
            fused = fused + upsample(F.conv2d(feature, weight[:, :, None, None], bias), size)
        return fused


class FoldedMLPHead(nn.Module):
    """The same function as an AllMLPHead in eval mode, at a twentieth of the cost (folding.py).

    Args:
        head: The head to fold; it is left as it is.
    """

    def __init__(self, head: AllMLPHead):
        super().__init__()
        device = head.predict.weight.device
        folded = fold_head(
            {name: value.double().cpu().numpy() for name, value in head.state_dict().items()}
        )
        for level, matrix in enumerate(folded.projections):
            weight = torch.from_numpy(matrix)[:, :, None, None]
            self.register_buffer(f'projection_{level}', weight.to(device))
        self.levels = len(folded.projections)
        self.register_buffer('bias', torch.from_numpy(folded.bias).to(device))
        weight = torch.from_numpy(folded.classifier)[:, :, None, None]
        self.register_buffer('classifier', weight.to(device))
        self.register_buffer(
            'classifier_bias', torch.from_numpy(folded.classifier_bias).to(device)
        )

    def keep_outputs_exact(self) -> None:
        """Classify in fp32 whatever comes before: in bf16, depths at 50 m are 25 cm apart."""
        self.classifier = self.classifier.float()
        self.classifier_bias = self.classifier_bias.float()

    def forward(self, features: list[Tensor]) -> Tensor:
        """Feature maps, finest first, to the raw output (B, out_channels, h, w) at the finest."""
        fused = F.conv2d(features[0], self.projection_0, self.bias)
        size = tuple(fused.shape[2:])
        for level in range(1, self.levels):
            coarse = F.conv2d(features[level], getattr(self, f'projection_{level}'))
            fused = fused + upsample(coarse, size)
        fused = fused.relu().to(self.classifier.dtype)
        return F.conv2d(fused, self.classifier, self.classifier_bias)


def fold(network: nn.Module) -> nn.Module:
    """Replace plain heads by folded ones, for inference; where dropout is on, they stay.

    Args:
        network: Of emu_model.networks or emu_model.sampling, in eval mode; changed in place.
    """
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, AllMLPHead) and not child.dropout.training:
                module.register_module(name, FoldedMLPHead(child))
    return network

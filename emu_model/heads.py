"""The all-MLP head of SegFormer (arXiv 2105.15203, section 3.2)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AllMLPHead(nn.Module):
    """Per-level linear, upsample to the finest level, concat, fuse, classify.

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
        size = features[0].shape[2:]
        levels = []
        for feature, projection in zip(features, self.projections):
            projected = projection(feature.movedim(1, -1)).movedim(-1, 1)
            levels.append(F.interpolate(projected, size=size, mode='bilinear'))
        # Coarsest first is the order of the original's fuse weights.
        fused = self.fuse(torch.cat(levels[::-1], dim=1))
        return self.predict(self.dropout(self.act(self.norm(fused))))

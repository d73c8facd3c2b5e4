"""FiLM, feature-wise linear modulation (Perez et al. 2018): a query scales and shifts each channel of a map."""

from __future__ import annotations

from torch import Tensor, nn


class Film(nn.Module):
    """(1 + scale) · maps + shift, both linear in a query.

    The projection starts at zero, so that a new one changes nothing: what it is put into still does what it was trained for.
    """

    def __init__(self, query_width: int, channels: int) -> None:
        super().__init__()
        self.projection = nn.Linear(query_width, 2 * channels)
        nn.init.zeros_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)

    def forward(self, maps: Tensor, queries: Tensor) -> Tensor:
        """Maps (M, channels, h, w), each modulated by its query (M, query_width)."""
        projected: Tensor = self.projection(queries)
        scale, shift = projected[..., None, None].chunk(2, dim=1)
        return (1 + scale) * maps + shift

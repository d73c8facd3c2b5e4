"""How far a share that was counted on a few may be trusted (Wilson 1927)."""

from __future__ import annotations

from math import sqrt
from typing import Final

#: Quantiles of the normal distribution that bound 80 and 95 % from both sides.
Z80: Final = 1.2815515655446004
Z95: Final = 1.959963984540054


def wilson(yes: int, of: int, z: float) -> tuple[float, float]:
    """Wilson's interval of a share, for the quantile `z`; from 0 to 1 for none of none."""
    if not of:
        return 0.0, 1.0
    share, z2 = yes / of, z * z
    middle = share + z2 / (2 * of)
    spread = z * sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    # An end that is met is met, whatever rounding makes of it.
    low = 0.0 if yes == 0 else max(0.0, (middle - spread) / (1 + z2 / of))
    high = 1.0 if yes == of else min(1.0, (middle + spread) / (1 + z2 / of))
    return low, high

"""MBG/NBD: BG/NBD with one more coin, tossed right after the first purchase.

    purchases while alive   Poisson, rate lambda ~ Gamma(shape r, rate alpha)   per unit of time
    leaving                 with chance p ~ Beta(a, b), right after every purchase, the first too

So a customer with one purchase may have left at once, and `p_alive` is below 1 for x = 0, where
BG/NBD says 1 for ever. A customer who is alive after x repeat purchases has survived x + 1 coins
and is from then on a new BG/NBD customer with (r + x, alpha + T, a, b + x + 1); a new MBG/NBD
customer survives the first coin with chance b / (a + b). Everything else is BG/NBD's.

[BHS07] Batislam, Denizel & Filiztekin (2007), Int. J. of Research in Marketing 24(3):201-209.
[HW07]  Hoppe & Wagner (2007), Marketing - Journal of Research and Management 3(2):75-90.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from clvmodel.models.bg_nbd import BGNBD


@dataclass(frozen=True, slots=True)
class MBGNBD(BGNBD):
    """One point of the MBG/NBD family: parameters, units and methods as for `BGNBD`.

    >>> model = MBGNBD(r=0.525, alpha=6.183, a=0.891, b=1.614)  # CDNOW, in weeks
    >>> print(model.p_alive(x=0, t_x=0, T=38.86).round(2))
    0.39
    """

    title: ClassVar[str] = "MBG/NBD"
    first_coins: ClassVar[int] = 1

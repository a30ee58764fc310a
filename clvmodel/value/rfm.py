"""RFM segments: scores of recency, frequency and money from 1 to 5, and eleven named segments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clvmodel.tables.summary import Array, Summary
from clvmodel.value.windows import silent_days

Index = NDArray[np.intp]

# Codes RFM, 5 best; the widely copied table of 125 codes: exhaustive and exclusive.
TABLE = {
    "Champions": "555 554 544 545 454 455 445",
    "Loyal": "543 444 435 355 354 345 344 335",
    "Potential loyalist": "553 551 552 541 542 533 532 531 452 451 442 441 431 453 433 432 423 353 "
    "352 351 342 341 333 323",
    "New customers": "512 511 422 421 412 411 311",
    "Promising": "525 524 523 522 521 515 514 513 425 424 413 414 415 315 314 313",
    "Need attention": "535 534 443 434 343 334 325 324",
    "About to sleep": "331 321 312 221 213 231 241 251",
    "At risk": "255 254 245 244 253 252 243 242 235 234 225 224 153 152 145 143 142 135 134 133 "
    "125 124",
    "Cannot lose them": "155 154 144 214 215 115 114 113",
    "Hibernating": "332 322 233 232 223 222 132 123 122 212 211",
    "Lost": "111 112 121 131 141 151",
}
SEGMENTS = tuple(TABLE)
_SEGMENT_OF = np.zeros(125, np.intp)
for _place, _codes in enumerate(TABLE.values()):
    for _code in _codes.split():
        _r, _f, _m = (int(digit) - 1 for digit in _code)
        _SEGMENT_OF[25 * _r + 5 * _f + _m] = _place


@dataclass(frozen=True, eq=False)
class RFM:
    """Thresholds between the scores, learned from one summary and applied to any.

    Scores are quintiles of days since the last purchase (few: 5), of purchases, and of total value
    (purchases, without amounts). Customers alike get the same score, wherever a quintile would
    split them: with many one-purchase customers some scores stay empty.
    """

    recency: Array
    frequency: Array
    money: Array

    @classmethod
    def of(cls, summary: Summary) -> RFM:
        """Learn the quintiles of a summary."""
        cuts = (0.2, 0.4, 0.6, 0.8)
        return cls(*(np.quantile(values, cuts) for values in _columns(summary)))

    def scores(self, summary: Summary) -> tuple[Index, Index, Index]:
        """Scores of recency, frequency and money, 1 to 5, 5 best, one per customer."""
        silent, count, money = _columns(summary)
        r = 5 - np.searchsorted(self.recency, silent, side="left")
        f, m = (
            1 + np.searchsorted(cuts, values, side="left")
            for cuts, values in ((self.frequency, count), (self.money, money))
        )
        return r.astype(np.intp), f.astype(np.intp), m.astype(np.intp)

    def codes(self, summary: Summary) -> Index:
        """Place in SEGMENTS of each customer's segment."""
        r, f, m = self.scores(summary)
        return np.asarray(_SEGMENT_OF[25 * (r - 1) + 5 * (f - 1) + (m - 1)])


def _columns(summary: Summary) -> tuple[Array, Array, Array]:
    count = summary.frequency + 1
    money = summary.total_value
    return silent_days(summary), count, count if money is None else money

"""One file per model: the process, its likelihood, its predictions. Arrays in, arrays out."""

from typing import Any

from clvmodel.models.bg_bb import BGBB
from clvmodel.models.bg_nbd import BGNBD
from clvmodel.models.gamma_gamma import GammaGamma
from clvmodel.models.mbg_nbd import MBGNBD
from clvmodel.models.pareto_nbd import ParetoNBD
from clvmodel.models.sbg import SBG

PURCHASE_MODELS: dict[str, type[Any]] = {
    "BGNBD": BGNBD,
    "MBGNBD": MBGNBD,
    "ParetoNBD": ParetoNBD,
}
DISCRETE_MODELS: dict[str, type[Any]] = {"BGBB": BGBB}
SPEND_MODELS: dict[str, type[Any]] = {"GammaGamma": GammaGamma}
CONTRACT_MODELS: dict[str, type[Any]] = {"SBG": SBG}
MODELS = PURCHASE_MODELS | DISCRETE_MODELS | SPEND_MODELS | CONTRACT_MODELS
"""Every model by its name; listing a model here puts it under every law test."""

"""One file per model: the process, its likelihood, its predictions. Arrays in, arrays out."""

from typing import Any

from clvmodel.models.bg_nbd import BGNBD
from clvmodel.models.gamma_gamma import GammaGamma
from clvmodel.models.mbg_nbd import MBGNBD

PURCHASE_MODELS: dict[str, type[Any]] = {"BGNBD": BGNBD, "MBGNBD": MBGNBD}
SPEND_MODELS: dict[str, type[Any]] = {"GammaGamma": GammaGamma}
MODELS = PURCHASE_MODELS | SPEND_MODELS
"""Every model by its name; listing a model here puts it under every law test."""

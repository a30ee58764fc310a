"""One file per model: the process, its likelihood, its predictions. Arrays in, arrays out."""

from clvmodel.models.bg_nbd import BGNBD
from clvmodel.models.gamma_gamma import GammaGamma

PURCHASE_MODELS = {"BGNBD": BGNBD}
SPEND_MODELS = {"GammaGamma": GammaGamma}
MODELS = PURCHASE_MODELS | SPEND_MODELS
"""Every model by its name; listing a model here puts it under every law test."""

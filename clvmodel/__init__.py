"""Customer lifetime value: how often, for how long and for how much each customer will buy again.

`import clvmodel as clv`. Names are loaded when they are first used, so that the import is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "BGNBD": "clvmodel.models.bg_nbd",
    "MBGNBD": "clvmodel.models.mbg_nbd",
    "ParetoNBD": "clvmodel.models.pareto_nbd",
    "BGBB": "clvmodel.models.bg_bb",
    "GammaGamma": "clvmodel.models.gamma_gamma",
    "SBG": "clvmodel.models.sbg",
    "ContractSummary": "clvmodel.tables.contracts",
    "summarize_contracts": "clvmodel.tables.contracts",
    "value_contracts": "clvmodel.value.contracts",
    "Summary": "clvmodel.tables.summary",
    "summarize": "clvmodel.tables.summarize",
    "StoredSummary": "clvmodel.tables.stored",
    "summarize_to": "clvmodel.tables.stored",
    "open_summary": "clvmodel.tables.stored",
    "SparkSummary": "clvmodel.tables.spark_summary",
    "OpportunitySummary": "clvmodel.tables.opportunities",
    "summarize_opportunities": "clvmodel.tables.opportunities",
    "Audit": "clvmodel.tables.audit",
    "audit": "clvmodel.tables.audit",
    "Finding": "clvmodel.tables.findings",
    "Cells": "clvmodel.tables.cells",
    "Holdout": "clvmodel.tables.holdout",
    "holdout_split": "clvmodel.tables.holdout",
    "Fit": "clvmodel.fitting.fit",
    "fit": "clvmodel.fitting.estimate",
    "Posterior": "clvmodel.fitting.posterior",
    "CovariateModel": "clvmodel.fitting.covariates",
    "FitComparison": "clvmodel.fitting.compare",
    "compare_fits": "clvmodel.fitting.compare",
    "RFM": "clvmodel.value.rfm",
    "FittedRFM": "clvmodel.value.rfm",
    "SegmentRules": "clvmodel.value.segment_rules",
    "Segmentation": "clvmodel.value.segments",
    "segment": "clvmodel.value.deciding",
    "Tiers": "clvmodel.value.tiers",
    "Tiering": "clvmodel.value.tiering",
    "tier": "clvmodel.value.deciding",
    "UnitEconomics": "clvmodel.value.economics",
    "Cohorts": "clvmodel.value.cohorts",
    "cohorts": "clvmodel.value.cohorts",
    "ValueModel": "clvmodel.value.value_model",
    "FittedValueModel": "clvmodel.value.fitted",
    "Explanation": "clvmodel.value.explain",
    "load": "clvmodel.value.fitted",
    "StoreFormula": "clvmodel.value.formulas",
    "ProfitRetention": "clvmodel.value.formulas",
    "ChurnFormula": "clvmodel.value.formulas",
    "RunRate": "clvmodel.value.naive",
    "LastPeriod": "clvmodel.value.naive",
    "CourseFormula": "clvmodel.value.formulas",
    "RetentionFormula": "clvmodel.value.churn_formulas",
    "Mean": "clvmodel.value.rules",
    "HiatusRule": "clvmodel.value.rules",
    "HistoricValue": "clvmodel.value.rules",
    "TenureFormula": "clvmodel.value.rules",
    "AnnuityFormula": "clvmodel.value.rules",
    "CohortFormula": "clvmodel.value.rules",
    "BoostedTrees": "clvmodel.evaluate.trees",
    "Blend": "clvmodel.evaluate.blend",
    "Diagnosis": "clvmodel.evaluate.diagnose",
    "diagnose": "clvmodel.evaluate.diagnose",
    "Winner": "clvmodel.evaluate.comparison",
    "Comparison": "clvmodel.evaluate.comparison",
    "write_workbook": "clvmodel.present.workbook",
    "backtest": "clvmodel.evaluate.backtest",
    "ClvError": "clvmodel.errors",
    "ColumnError": "clvmodel.errors",
    "ConvergenceError": "clvmodel.errors",
    "DataError": "clvmodel.errors",
    "DriftWarning": "clvmodel.errors",
    "FileError": "clvmodel.errors",
    "IntegrationError": "clvmodel.errors",
    "MissingDependencyError": "clvmodel.errors",
    "ParameterError": "clvmodel.errors",
    "SparkError": "clvmodel.errors",
    "UnitError": "clvmodel.errors",
}

if TYPE_CHECKING:
    from clvmodel import datasets as datasets
    from clvmodel.errors import ClvError as ClvError
    from clvmodel.errors import ColumnError as ColumnError
    from clvmodel.errors import ConvergenceError as ConvergenceError
    from clvmodel.errors import DataError as DataError
    from clvmodel.errors import DriftWarning as DriftWarning
    from clvmodel.errors import FileError as FileError
    from clvmodel.errors import IntegrationError as IntegrationError
    from clvmodel.errors import MissingDependencyError as MissingDependencyError
    from clvmodel.errors import ParameterError as ParameterError
    from clvmodel.errors import SparkError as SparkError
    from clvmodel.errors import UnitError as UnitError
    from clvmodel.evaluate.backtest import backtest as backtest
    from clvmodel.evaluate.blend import Blend as Blend
    from clvmodel.evaluate.comparison import Comparison as Comparison
    from clvmodel.evaluate.comparison import Winner as Winner
    from clvmodel.evaluate.diagnose import Diagnosis as Diagnosis
    from clvmodel.evaluate.diagnose import diagnose as diagnose
    from clvmodel.evaluate.trees import BoostedTrees as BoostedTrees
    from clvmodel.fitting.compare import FitComparison as FitComparison
    from clvmodel.fitting.compare import compare_fits as compare_fits
    from clvmodel.fitting.covariates import CovariateModel as CovariateModel
    from clvmodel.fitting.estimate import fit as fit
    from clvmodel.fitting.fit import Fit as Fit
    from clvmodel.fitting.posterior import Posterior as Posterior
    from clvmodel.models.bg_bb import BGBB as BGBB
    from clvmodel.models.bg_nbd import BGNBD as BGNBD
    from clvmodel.models.gamma_gamma import GammaGamma as GammaGamma
    from clvmodel.models.mbg_nbd import MBGNBD as MBGNBD
    from clvmodel.models.pareto_nbd import ParetoNBD as ParetoNBD
    from clvmodel.models.sbg import SBG as SBG
    from clvmodel.present import plots as plots
    from clvmodel.present.workbook import write_workbook as write_workbook
    from clvmodel.tables.audit import Audit as Audit
    from clvmodel.tables.audit import audit as audit
    from clvmodel.tables.cells import Cells as Cells
    from clvmodel.tables.contracts import ContractSummary as ContractSummary
    from clvmodel.tables.contracts import summarize_contracts as summarize_contracts
    from clvmodel.tables.findings import Finding as Finding
    from clvmodel.tables.holdout import Holdout as Holdout
    from clvmodel.tables.holdout import holdout_split as holdout_split
    from clvmodel.tables.opportunities import OpportunitySummary as OpportunitySummary
    from clvmodel.tables.opportunities import summarize_opportunities as summarize_opportunities
    from clvmodel.tables.spark_summary import SparkSummary as SparkSummary
    from clvmodel.tables.stored import StoredSummary as StoredSummary
    from clvmodel.tables.stored import open_summary as open_summary
    from clvmodel.tables.stored import summarize_to as summarize_to
    from clvmodel.tables.summarize import summarize as summarize
    from clvmodel.tables.summary import Summary as Summary
    from clvmodel.value.churn_formulas import RetentionFormula as RetentionFormula
    from clvmodel.value.cohorts import Cohorts as Cohorts
    from clvmodel.value.cohorts import cohorts as cohorts
    from clvmodel.value.contracts import value_contracts as value_contracts
    from clvmodel.value.deciding import segment as segment
    from clvmodel.value.deciding import tier as tier
    from clvmodel.value.economics import UnitEconomics as UnitEconomics
    from clvmodel.value.explain import Explanation as Explanation
    from clvmodel.value.fitted import FittedValueModel as FittedValueModel
    from clvmodel.value.fitted import load as load
    from clvmodel.value.formulas import ChurnFormula as ChurnFormula
    from clvmodel.value.formulas import CourseFormula as CourseFormula
    from clvmodel.value.formulas import ProfitRetention as ProfitRetention
    from clvmodel.value.formulas import StoreFormula as StoreFormula
    from clvmodel.value.naive import LastPeriod as LastPeriod
    from clvmodel.value.naive import RunRate as RunRate
    from clvmodel.value.rfm import RFM as RFM
    from clvmodel.value.rfm import FittedRFM as FittedRFM
    from clvmodel.value.rules import AnnuityFormula as AnnuityFormula
    from clvmodel.value.rules import CohortFormula as CohortFormula
    from clvmodel.value.rules import HiatusRule as HiatusRule
    from clvmodel.value.rules import HistoricValue as HistoricValue
    from clvmodel.value.rules import Mean as Mean
    from clvmodel.value.rules import TenureFormula as TenureFormula
    from clvmodel.value.segment_rules import SegmentRules as SegmentRules
    from clvmodel.value.segments import Segmentation as Segmentation
    from clvmodel.value.tiering import Tiering as Tiering
    from clvmodel.value.tiers import Tiers as Tiers
    from clvmodel.value.value_model import ValueModel as ValueModel

__all__ = [
    *_HOME,
    "datasets",
    "plots",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its home when it is first used."""
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    elif name == "plots":
        value = importlib.import_module("clvmodel.present.plots")
    elif name == "datasets":
        value = importlib.import_module("clvmodel.datasets")
    else:
        raise AttributeError(f"module 'clvmodel' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted([*globals(), *__all__])

"""A network as integers: shapes, parameters, operations, memory, receptive field. Imports no numerical library."""

from cnnctl.architecture.plan import LayerPlan, Plan, PlanProblem
from cnnctl.architecture.planner import make_plan

__all__ = ["LayerPlan", "Plan", "PlanProblem", "make_plan"]

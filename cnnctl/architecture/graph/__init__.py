"""A functional network as a list of allowed nodes: shapes, counts and receptive fields without Keras."""

from cnnctl.architecture.graph.graph import Graph, Node, NodeStep

__all__ = ["Graph", "Node", "NodeStep"]

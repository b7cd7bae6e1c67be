"""The files that make model.onnx an MLflow model: `mlflow.pyfunc` and `mlflow.onnx` load it, its signature is shown."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cnnctl.runs import Run
from cnnctl.system import files
from cnnctl.tracking.model_metadata import model_metadata

_REQUIREMENTS, _ENVIRONMENT = "requirements.txt", "python_env.yaml"


def write_description(run: Run, number: str, folder: Path) -> list[Path]:
    """Write MLmodel and what it needs into a folder; the files. `number` is MLflow's of the model."""
    from mlflow.models import Model

    data, python = run.onnx_model.name, platform.python_version()
    model = Model(signature=signature(run), metadata=model_metadata(run), model_id=number)
    # what pyfunc.add_to_model does, whose import takes long and warns
    loader, environment = "mlflow.onnx", {"virtualenv": _ENVIRONMENT}
    model.add_flavor("python_function", loader_module=loader, data=data, env=environment, python_version=python)
    model.add_flavor("onnx", onnx_version=version("onnx"), data=data, providers=["CPUExecutionProvider"])
    model.model_size_bytes = len(run.read_bytes(run.onnx_model))
    model.save(str(folder / "MLmodel"))

    names = ("mlflow", "onnx", "onnxruntime", "numpy")
    files.write_text(folder / _REQUIREMENTS, "".join(f"{name}=={_version(name)}\n" for name in names))
    needed = f"python: {python}\nbuild_dependencies: [pip]\ndependencies: [-r {_REQUIREMENTS}]\n"
    files.write_text(folder / _ENVIRONMENT, needed)
    return [folder / name for name in ("MLmodel", _REQUIREMENTS, _ENVIRONMENT)]


def signature(run: Run) -> Any:
    """What model.onnx takes and gives: the names, types and shapes of its tensors, of any number of images."""
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    graph = onnx.load_model_from_string(run.read_bytes(run.onnx_model)).graph

    def tensor(value: Any) -> Any:
        kind = value.type.tensor_type
        sizes = tuple(one.dim_value if one.HasField("dim_value") else -1 for one in kind.shape.dim)
        return TensorSpec(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type), sizes, value.name)

    return ModelSignature(Schema([tensor(one) for one in graph.input]), Schema([tensor(one) for one in graph.output]))


def _version(name: str) -> str:
    """Of a package; mlflow may be installed as mlflow-skinny."""
    try:
        return version(name)
    except PackageNotFoundError:
        return version(f"{name}-skinny")

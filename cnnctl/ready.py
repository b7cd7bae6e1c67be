"""The names of the ready configs, which `cnnctl init --example` writes."""

EXAMPLES = {
    "digits": "digits.yaml",
    "lenet5": "lenet5.yaml",
    "article": "article-cats-dogs.yaml",
    "cats-dogs": "cats-dogs.yaml",
    "cifar10": "cifar10.yaml",
    "cifar10-airbench": "cifar10-airbench.yaml",
    "csv-digits": "csv-digits.yaml",
}
"""Names as the user writes them -> files in init/configs/."""


def how_to_write(file: str) -> str | None:
    """The command that writes a ready config of this file name; None where there is none."""
    name = next((name for name, known in EXAMPLES.items() if file in (name, known)), None)
    return f"cnnctl init --example {name}" if name else None

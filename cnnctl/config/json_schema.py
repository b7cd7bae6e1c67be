"""The JSON Schema of a config, for editors and for other programs."""

from typing import Any

from cnnctl.config.schema import Config


def json_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12, of the YAML text of a config."""
    schema = Config.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cnnctl config",
        **{key: value for key, value in schema.items() if key != "title"},
    }

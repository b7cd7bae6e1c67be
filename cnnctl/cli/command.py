"""A command that knows the keys of a config from its own options."""

from typing import Any

from typer.core import TyperCommand


class Command(TyperCommand):
    """Answers `--epochs 3`, which is no option, with the `--set` that does it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except Exception as error:  # NoSuchOption: of click, or of the copy of it that newer Typers have
            name = getattr(error, "option_name", None)
            if name and any("--set" in option.opts for option in self.params):
                from cnnctl.config.meant import key_called

                key = key_called(name)
                if key:
                    error.possibilities = [f"--set {key}=VALUE"]  # type: ignore[attr-defined]
            raise

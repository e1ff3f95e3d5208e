"""A command whose exit status 2 means "something would change", so that every failure of it is 1."""

from typing import Any

import typer
from typer.core import TyperCommand

from pagemind.cli.report import report
from pagemind.errors import PagemindError

FAILED = 1


class ComparingCommand(TyperCommand):
    """Leaves with 1 where the command line or the configuration is wrong, as where the work itself fails."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as usual; a mistake on the command line is shown as usual and leaves with 1."""
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            error.exit_code = FAILED
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run as usual; an error that the work has not shown itself is shown here and leaves with 1."""
        try:
            return super().invoke(ctx)
        except PagemindError as error:
            report(error, as_json=bool(ctx.params.get("as_json")))
            raise typer.Exit(FAILED) from error

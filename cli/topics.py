"""The help of gristmill as a whole: its commands by topic, a line each."""

from typing import Any

from typer.core import TyperGroup

from cli.program import COMMANDS, TOPICS, program

MORE = "'{program} COMMAND --help' has the options of a command."


class Topics(TyperGroup):
    """The group of all commands, whose help lists them by topic."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, a topic at a time."""
        wide = max(map(len, COMMANDS))
        room = formatter.width - 6 - wide
        for topic, listed in TOPICS.items():
            with formatter.section(topic):
                formatter.write_dl(
                    [(name.ljust(wide), self.commands[name].get_short_help_str(room)) for name in listed]
                )
        formatter.write_paragraph()
        formatter.write_text(MORE.format(program=program()))

"""The shell of ``gristmill sql``: asks for statements, one after another, and shows the answers."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from cli.results.formats import FORMATS
from cli.results.line_editing import line_editing
from cli.results.statements import is_whole
from cli.terminal import say
from schemas.errors import UserError, nearest, unknown

if TYPE_CHECKING:
    import duckdb

PROMPT, MORE = "gristmill> ", "      ...> "
SHOWN = FORMATS[:-1]  # a terminal can show no Parquet
HELP = {
    ".tables": "the tables and views",
    ".schema TABLE": "the columns of a table",
    ".format FORMAT": f"how rows are shown: {', '.join(SHOWN)}",
    ".limit N": "the most rows that are shown",
    ".refresh": "look at the store again: a run that goes on has made more",
    ".help": "this",
    ".quit": "or exit, or Ctrl-D",
}
ENDS = ("exit", "quit")  # lines that end the shell, as in others


class Shell:
    """Reads statements from a person and shows the answers.

    Attributes:
        format: How rows are shown.
        limit: The most rows that are shown.
    """

    def __init__(
        self,
        connect: "Callable[[], duckdb.DuckDBPyConnection]",
        answer: "Callable[[duckdb.DuckDBPyConnection, str, str, int], None]",
        format: str,
        limit: int,
    ) -> None:
        """Begin with the store as it is now.

        Args:
            connect: Returns a connection to the store's tables.
            answer: Shows the answers to statements; it takes the connection, the text, the format and the limit.
            format: How rows are shown.
            limit: The most rows that are shown.
        """
        self.connect, self.answer, self.format, self.limit = connect, answer, format, limit
        self.con = connect()
        self.tables, self.names = _tables(self.con), _names(self.con)

    def loop(self) -> None:
        """Ask and answer until the person ends it. A mistake is a line; Ctrl-C ends the statement, Ctrl-D the shell."""
        say("Statements end with ; (or \\G: each row's values below one another). .help lists commands, Ctrl-D ends.")
        with line_editing(lambda: self.names, self._commands_with_words):
            while True:
                try:
                    text = self._next()
                    if text is None:
                        break
                    if text.startswith("."):
                        self._command(*text.split())
                    else:
                        self.answer(self.con, text, self.format, self.limit)
                except UserError as error:
                    say(f"error: {error}", err=True)
                except KeyboardInterrupt:
                    say("(stopped)", err=True)
                except EOFError:
                    break
        self.con.close()

    def _next(self) -> str | None:
        """Return the next statement or command; None at the end."""
        lines: list[str] = []
        while True:
            try:
                line = input(MORE if lines else PROMPT)
            except KeyboardInterrupt:  # what was typed so far is dropped
                lines = []
                say("")
                continue
            except EOFError:
                say("")
                return None
            if not lines and (not line.strip() or line.lstrip().startswith(".")):
                if line.strip():
                    return line.strip()
                continue
            if not lines and line.strip().removesuffix(";").lower() in ENDS:
                return ".quit"
            lines.append(line)
            if is_whole(self.con, "\n".join(lines)):
                return "\n".join(lines)

    def _commands_with_words(self) -> dict[str, list[str]]:
        """Return the commands, each with what may follow it."""
        follow = {".schema": self.tables, ".format": [*SHOWN]}
        return {name: follow.get(name, []) for name in (line.split()[0] for line in HELP)}

    def _command(self, name: str, *rest: str) -> None:
        """Do what a command says. Raises ``UserError`` where there is none of that name; ``EOFError`` to end."""
        commands: dict[str, Callable[[str], None]] = {
            ".tables": lambda _: self._ask("SELECT name FROM (SHOW TABLES)"),
            ".schema": self._schema,
            ".format": self._set_format,
            ".limit": self._set_limit,
            ".refresh": self._refresh,
            ".help": lambda _: say("\n".join(f"  {command:16} {meaning}" for command, meaning in HELP.items())),
            ".quit": _quit,
        }
        if name not in commands:
            raise UserError(f"no command {name!r}{nearest(name, sorted(commands))} (.help lists them)")
        commands[name](" ".join(rest))

    def _ask(self, query: str) -> None:
        self.answer(self.con, query, self.format, 1000)

    def _schema(self, table: str) -> None:
        tables = _tables(self.con)  # one may have been made since
        if table not in tables:
            raise unknown("table", table, tables)
        self._ask(f'SELECT column_name, column_type FROM (DESCRIBE "{table}")')

    def _set_format(self, format: str) -> None:
        if format not in SHOWN:
            raise unknown("format", format, SHOWN)
        self.format = format

    def _set_limit(self, limit: str) -> None:
        if not limit.isdecimal() or not 0 < int(limit) < 10**9:
            raise UserError(f".limit: expected a number of rows from 1, found {limit!r}")
        self.limit = int(limit)

    def _refresh(self, _: str) -> None:
        self.con.close()
        self.con = self.connect()
        self.tables, self.names = _tables(self.con), _names(self.con)


def _quit(_: str) -> None:
    raise EOFError


def _tables(con: "duckdb.DuckDBPyConnection") -> list[str]:
    return [row[0] for row in con.execute("SELECT name FROM (SHOW TABLES)").fetchall()]


def _names(con: "duckdb.DuckDBPyConnection") -> list[str]:
    """Return the names of the tables and of their columns."""
    columns = con.execute("SELECT DISTINCT column_name FROM duckdb_columns() WHERE NOT internal ORDER BY 1").fetchall()
    return list(dict.fromkeys([*_tables(con), *(row[0] for row in columns)]))

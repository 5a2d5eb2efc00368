"""What is wrong with a text that is no YAML, in words that name the remedy."""

from ruamel.yaml.error import MarkedYAMLError

SPACES = "the keys of a mapping, and the dashes of a list, stand below each other, after equally many spaces"
# The parser's words -> ours. The first that occurs counts.
WORDS = {
    "expected <block end>": f"this line is not indented as those that it belongs to; {SPACES}",
    "'\\t'": "this line is indented with a tab; indent it with spaces",
    "mapping values are not allowed here": "a ': ' where no key can be: the line above is indented otherwise or has no "
    "colon, or a text has a ': ' in it, and needs quotes",
    "could not find expected ':'": "a line that is neither a key with a colon nor a '- ' of a list; a text of several "
    "words or lines needs quotes",
    "unexpected end of stream": "a quotation mark that is opened here is not closed",
    "expected ',' or '}'": "a '}' or a comma is missing, or a text with a ': ' or a comma needs quotes; the '{' is in "
    "line {context}",
    "expected ',' or ']'": "a ']' or a comma is missing, or a text with a comma or a bracket needs quotes; the '[' "
    "is in line {context}",
    "found undefined alias": "{said}: a text that begins with * is the name of another part, and there is none of this "
    "name; quote it if it is a text",
    "cannot start any token": "a text that begins with %, @ or ` needs quotes",
}


def yaml_mistake(error: MarkedYAMLError) -> tuple[int, str]:
    """Return the line that is to be mended, and what is wrong there, in words that a person can act on."""
    said = str(error.problem or error.context)
    mark, context = error.problem_mark or error.context_mark, error.context_mark or error.problem_mark
    if "unexpected end of stream" in said:
        mark = context  # where the quotation begins; the parser's place is the end of the file
    words = next((ours for theirs, ours in WORDS.items() if theirs in said), said)
    began = str(context.line + 1) if context else "1"
    return mark.line + 1 if mark else 1, words.replace("{context}", began).replace("{said}", said)

"""An Ollama TEMPLATE (Go) that prints conversations as a model's chat template (Jinja) does; or why there is none."""

import json
import re

from curate.models.chat.chat_template import ChatTemplate, TemplateRefused
from train.export.chat_parts import ChatParts, NotFixed, chat_parts
from train.export.go_template import GoTemplateError, ollama_prompt

SAID = {  # texts that a careless template or a careless file would change
    "system": 'Answer in "one" line.\n\nBe {{ kind }}.',
    "user": "Grüß dich! 日本語?\n{{ .System }} <b>x</b>",
    "assistant": "Yes: `a`,\n\n- b \U0001f600",
}
# The conversations that are compared, by the roles of their messages; the first is the one that is always compared.
CONVERSATIONS = ("suau", "u", "su", "uau", "uauau", "suauau")
LATER_SYSTEM = ("uasu", "suasuau")  # where the place of a system message does not matter
ROLES = {"s": "system", "u": "user", "a": "assistant"}
USER, ASSISTANT = '{{ if eq .Role "user" }}', '{{ else if eq .Role "assistant" }}'


def ollama_template(template: ChatTemplate, bos: str) -> str:
    """Return the text of TEMPLATE that prints conversations exactly as a chat template does.

    Conversations of system, user and assistant in several forms are printed by both and compared. A chat template that
    takes no system message has its text before the first user's, as gristmill's own requests have it.

    Args:
        template: The model's chat template.
        bos: The text of the token that llama.cpp puts before every prompt; empty where it puts none.

    Raises:
        NotFixed: No such text prints them exactly; the message says why.
    """
    parts = chat_parts(template)
    made = _write(parts, bos)
    for roles in CONVERSATIONS + (LATER_SYSTEM if parts.own_turn else ()):
        if "s" in roles and parts.system is None:
            continue
        messages = _conversation(roles)
        try:
            wanted = template.render(messages, add_generation_prompt=True)
        except TemplateRefused as error:
            raise NotFixed(f"it refuses a conversation of {_named(roles)}: {error}") from error
        try:
            found = bos + ollama_prompt(made, messages)
        except GoTemplateError as error:
            raise NotFixed(f"its texts can't stand in a TEMPLATE: {error}") from error
        if found != wanted:
            raise NotFixed(f"of a conversation of {_named(roles)} {_difference(wanted, found)}")
    return made


def strips(template: ChatTemplate) -> bool:
    """Return whether a chat template takes white space off the ends of texts, which a TEMPLATE can't."""
    return any(_changes(template, roles, " \nqz{}qz \n") for roles in ("uau", "su"))


def drops_traces(template: ChatTemplate) -> bool:
    """Return whether a chat template leaves the reasoning traces of earlier answers out, which a TEMPLATE can't."""
    return _changes(template, "uau", "<think>\nqz{}qz\n</think>\n\nqzqz")


def joins_system(template: ChatTemplate) -> bool:
    """Return whether a chat template prints no system text, so that a TEMPLATE has it in the first user's turn."""
    return chat_parts(template).system is None


def _changes(template: ChatTemplate, roles: str, text: str) -> bool:
    """Return whether a chat template prints one of these messages otherwise than it stands there."""
    messages = [{"role": ROLES[role], "content": text.format(i)} for i, role in enumerate(roles)]
    try:
        printed = template.render(messages, add_generation_prompt=True)
    except TemplateRefused:
        return False
    return any(message["content"] not in printed for message in messages)


def _write(parts: ChatParts, bos: str) -> str:
    before_user = parts.answered.removeprefix(parts.after_answer)
    before_answer = parts.asked.removeprefix(parts.after_user)
    ending = _literal(parts.last.removeprefix(parts.after_user))
    answer = ASSISTANT + _literal(before_answer) + "{{ .Content }}" + _literal(parts.after_answer)
    said = "{{ .Content }}" + _literal(parts.after_user)
    if parts.own_turn is not None and parts.system is not None:
        opening, closing = parts.own_turn
        begin = parts.system[0].removesuffix(opening)
        default = _literal(parts.first.removeprefix(begin).removesuffix(before_user))
        return (
            _literal(_without(begin, bos))
            + "{{ range $i, $_ := .Messages }}"
            + (f'{{{{ if and (eq $i 0) (ne .Role "system") }}}}{default}{{{{ end }}}}' if default else "")
            + f'{{{{ if eq .Role "system" }}}}{_literal(opening)}{{{{ .Content }}}}{_literal(closing)}'
            + USER.replace("{{ if", "{{ else if")
            + _literal(before_user)
            + said
            + answer
            + "{{ end }}{{ end }}"
            + ending
        )
    first = _literal(_without(parts.first, bos))
    if parts.system is None:
        before, at_user = first + "{{ if $.System }}{{ $.System }}\n\n{{ end }}", ""
    elif parts.system_last:
        before, (open_last, close_last) = first, parts.system
        at_user = (
            "{{ if and $.System (eq (len (slice $.Messages $i)) 1) }}"
            + f"{_literal(open_last)}{{{{ $.System }}}}{_literal(close_last)}{{{{ end }}}}"
        )
    else:
        opening, behind = _literal(_without(parts.system[0], bos)), _literal(parts.system[1])
        before = f"{{{{ if $.System }}}}{opening}{{{{ $.System }}}}{behind}{{{{ else }}}}{first}{{{{ end }}}}"
        at_user = ""
    return (
        "{{ $first := true }}{{ range $i, $_ := .Messages }}"
        + USER
        + f"{{{{ if $first }}}}{{{{ $first = false }}}}{before}{{{{ else }}}}{_literal(before_user)}{{{{ end }}}}"
        + at_user
        + said
        + answer
        + "{{ end }}{{ end }}"
        + ending
    )


def _without(text: str, bos: str) -> str:
    """Return a text without the token that llama.cpp puts before every prompt."""
    if not text.startswith(bos):
        raise NotFixed(f"it does not begin with {bos!r}, which llama.cpp puts before every prompt of this model")
    return text.removeprefix(bos)


def _literal(text: str) -> str:
    """Return a text as it stands in a TEMPLATE between three quotes of a Modelfile.

    Two braces would begin an action (the second may be that of the action behind the text), three quotes would end the
    text, and Ollama drops characters that it can't print.
    """
    text = re.sub(r"\{\{|\{$", r'{{ "\g<0>" }}', text).replace('"""', '{{ "\\"\\"\\"" }}')
    odd = {c for c in text if not c.isprintable() and c not in "\n\t"}
    if any(ord(c) > 0xFFFF for c in odd):
        raise NotFixed(f"it prints a character that a Modelfile can't hold: {sorted(odd)!r}")
    for one in odd:
        text = text.replace(one, f"{{{{ {json.dumps(one)} }}}}")
    return text


def _conversation(roles: str) -> list[dict[str, str]]:
    return [{"role": ROLES[role], "content": f"{SAID[ROLES[role]]} {i}"} for i, role in enumerate(roles)]


def _named(roles: str) -> str:
    return ", ".join(ROLES[role] for role in roles)


def _difference(wanted: str, found: str) -> str:
    at = next((i for i, (a, b) in enumerate(zip(wanted, found, strict=False)) if a != b), min(len(wanted), len(found)))
    return f"it prints {wanted[at : at + 40]!r} where a TEMPLATE prints {found[at : at + 40]!r}"

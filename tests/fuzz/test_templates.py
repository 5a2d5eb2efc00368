"""A chat template of any text is printed, or refused in one line, in bounded work; it reads nothing."""

import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("jinja2")
from cli.shipped_recipes import RECIPES  # noqa: E402
from curate.models.chat import sandbox  # noqa: E402
from curate.models.chat.chat_template import ChatTemplate, TemplateRefused, syntax_error  # noqa: E402
from curate.models.chat.template_support import support_of  # noqa: E402
from schemas.recipe_values import with_values  # noqa: E402
from tests.fuzz.fuzzing import EXAMPLES, fuzz, works_or_says_why  # noqa: E402
from tests.fuzz.mutations import TOKENS, texts, values  # noqa: E402
from tests.models.chat.styles import STYLES, style  # noqa: E402

pytestmark = pytest.mark.slow


SHIPPED = [(RECIPES / name).read_text(encoding="utf-8") for name in ("chat.jinja", "tools.jinja")]
HOSTILE = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.environ }}",
    "{{ self._TemplateReference__context }}",
    "{{ messages.__class__.__base__ }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as x %}",
    "{{ ('{0.__class__.__init__.__globals__}').format(messages) }}",
    "{{ '{0[0].__class__}'.format_map(messages) }}",
    "{% extends 'a' %}",
    "{{ messages | map(attribute='__class__') | list }}",
    "{{ messages | attr('__class__') }}",
    "{{ namespace.__init__ }}",
    "{{ strftime_now('%Y') }}",
    "{% for a in range(10 ** 5) %}{% for b in range(10 ** 5) %}{% endfor %}{% endfor %}",
    "{{ 'a' * 10 ** 9 }}",
    "{{ 'a'.join(['b' * 1000] * 100000) }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% set x = [] %}{% for i in range(9) %}{{ x.append(x) }}{% endfor %}{{ x }}",
    "{{ [0] * 10 ** 9 }}",
    "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
    "{{ '%*d' % (10 ** 9, 1) }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ messages | tojson(indent=10 ** 9) }}",
    "{{ range(10 ** 9) | list }}",
    "{{ 'x' | center(10 ** 9) }}",
    "{{ messages | batch(2) | list | tojson }}",
    "{{ range(99999) | groupby('real') | list | length }}",
    "{{ range(99999) | sort | sum }}",
    "{{ 'a b' | wordwrap(1) | indent(9) | title | urlize }}",
]
JINJA = (
    *TOKENS,
    "{% for m in messages %}",
    "{% endfor %}",
    "{% if tools %}",
    "{% else %}",
    "{% endif %}",
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    " | tojson",
    " | join",
    "loop.index0",
    "messages[0].content",
    "m['role']",
    "range(100000)",
    " ~ ",
    " * ",
    " ** ",
    "{% set x = ",
    "namespace()",
    "raise_exception('x')",
    " | list",
    ".split('a')",
    "[::-1]",
    "{% generation %}",
    "{% endgeneration %}",
    "recursive",
    "{% break %}",
    "{%- ",
    " -%}",
    "none",
    "**messages[0]",
    " | map('upper')",
    " | replace('', 'aaaa')",
    " | format(1)",
    "'{:>99999}'",
    " | selectattr('role')",
    "caller()",
    "99999",
)
TOOL = {
    "type": "function",
    "function": {"name": "add", "description": "adds", "parameters": {"type": "object", "properties": {}}},
}
CALL = {"id": "abcdefghi", "type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
TURNS = [
    {"role": "system", "content": "s"},
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "", "tool_calls": [CALL], "reasoning_content": "h"},
    {"role": "tool", "content": "3", "tool_call_id": "abcdefghi", "name": "add"},
    {"role": "assistant", "content": "3"},
]
SECRET = "b4d5ecret"
os.environ["GRISTMILL_FUZZ_TEMPLATE"] = SECRET


@pytest.fixture(scope="module", autouse=True)
def less_work():
    """A template may do a tenth of the work in ``make test``: the same bounds, found sooner."""
    with pytest.MonkeyPatch.context() as patch:
        if not os.environ.get(EXAMPLES):
            patch.setattr(sandbox, "MOST_STEPS", 40_000)
            patch.setattr(sandbox, "MOST_CHARACTERS", 1 << 20)
        yield


sources = texts([*SHIPPED, *(style(name).source for name in STYLES), *HOSTILE], JINJA)


@fuzz(60)
@given(sources, st.booleans())
@example(HOSTILE[1], False)
def test_any_template_prints_or_is_refused(source, tools):
    with works_or_says_why("templates", TemplateRefused):
        problem = syntax_error(source)
        assert problem is None or (problem.strip() and problem.isprintable())
        printed = ChatTemplate(source, (("bos_token", "<s>"),)).render(
            TURNS, [TOOL] if tools else None, add_generation_prompt=tools
        )
        assert SECRET not in printed and "root:x:" not in printed


@fuzz(40)
@given(values([TURNS]), st.sampled_from([*SHIPPED, *(style(name).source for name in STYLES)]))
def test_any_messages_are_printed_or_refused(messages, source):
    with works_or_says_why("templates", TemplateRefused):
        ChatTemplate(source).render([one for one in messages if isinstance(one, dict)], [TOOL])


@fuzz(4)
@given(sources)
def test_what_any_template_supports_is_found(source):
    with works_or_says_why("templates", TemplateRefused):
        support_of(ChatTemplate(source))


RECIPE = {
    "values": {"a": "x", "n": 3},
    "name": "${a} $${a} ${n}",
    "steps": [{"system": "Your name is ${a}.", "m": "${n}"}],
}


@fuzz(100)
@given(values([RECIPE]))
def test_any_values_of_a_recipe_are_filled_in_or_refused(recipe):
    with works_or_says_why("templates"):
        if isinstance(recipe, dict):
            with_values(recipe, lambda keys: "r.yaml:1")

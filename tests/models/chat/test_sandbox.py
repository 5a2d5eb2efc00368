"""Templates that would loop for good or fill the memory are refused; all others are printed as transformers does."""

import pytest

pytest.importorskip("jinja2")
from curate.models.chat import sandbox  # noqa: E402
from curate.models.chat.chat_template import ChatTemplate, TemplateRefused, syntax_error  # noqa: E402
from curate.models.chat.template_support import support_of  # noqa: E402
from tests.models.chat.styles import STYLES, style  # noqa: E402

MANY = "{% for i in range(100000) %}"
DOUBLED = "{% set n = namespace(s='ab') %}{% for i in range(60) %}{% set n.s = n.s @ n.s %}{% endfor %}"
LONG = "{% set a = 'a' * 60000000 %}"
STEPS, LENGTH, PARTS = "it takes more than 400,000 steps", "it makes a text of more than", "it asks for a text"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (f"{MANY}{MANY}{{% endfor %}}{{% endfor %}}", STEPS),
        (f"{MANY}{{% for j in range(100000) if false %}}{{% endfor %}}{{% endfor %}}", STEPS),
        (f"{MANY}{{% set x = range(100000) | list | length %}}{{% endfor %}}", STEPS),
        (f"{LONG}{MANY}{{% set x = a.upper() | upper %}}{{% endfor %}}", STEPS),
        ("{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}", STEPS),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "maximum recursion depth exceeded"),
        ("{{ 'a' * 300000000 }}", LENGTH),
        ("{% set x = [1] * 300000000 %}", LENGTH),
        (DOUBLED.replace("@", "~"), LENGTH),
        (DOUBLED.replace("@", "+"), LENGTH),
        (DOUBLED.replace("'ab'", "[1, 2]").replace("@", "+"), LENGTH),
        (DOUBLED.replace("'ab'", "7").replace("@", "*"), "too many digits"),
        (f"{MANY}{{{{ 'a' * 1000 }}}}{{% endfor %}}", LENGTH),
        (f"{{% set b %}}{MANY}{{{{ 'a' * 1000 }}}}{{% endfor %}}{{% endset %}}", LENGTH),
        ("{{ 10 ** 100000000 }}", "too many digits"),
        ("{{ 'a'.center(1000000000) }}", PARTS),
        ("{{ 'a' | center(1000000000) }}", PARTS),
        ("{{ messages | tojson(indent=1000000000) }}", PARTS),
        ("{{ '{:>1000000000}'.format('a') }}", PARTS),
        ("{{ '{:{}}'.format('a', 1000000000) }}", PARTS),
        ("{{ '%1000000000s' % 'a' }}", PARTS),
        ("{{ '%1000000000s' | format('a') }}", PARTS),
        ("{{ '%*s' | format(1000000000, 'a') }}", PARTS),
        ("{{ 1.5 | round(1000000000) }}", PARTS),
        ("{{ lipsum(n=1000000000) }}", PARTS),
        (f"{LONG}{{{{ a.replace('a', a) }}}}", LENGTH),
        (f"{LONG}{{{{ a | replace('a', a) }}}}", LENGTH),
        (f"{LONG}{{{{ range(100000) | join(a) }}}}", "it joins texts by a very long one"),
    ],
)
def test_what_takes_too_much_is_refused(source: str, said: str, monkeypatch):
    if said == STEPS:
        monkeypatch.setattr(sandbox, "MOST_STEPS", 400_000)  # quicker
    assert syntax_error(source) is None, "and is not computed when it is compiled"
    with pytest.raises(TemplateRefused, match=said):
        ChatTemplate(source).render([{"role": "user", "content": "hi"}])
    assert said in support_of(ChatTemplate(source)).refusal


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        ("{{ '-' * 80 }}", "-" * 80),
        ("{{ 'a' ~ 1 ~ none ~ nosuch ~ 'b' }}", "a1Noneb"),
        ("{{ 1 + 2 * 3 ** 2 }} {{ [1] + [2] }} {{ 'a' + 'b' }} {{ 7 % 4 }}", "19 [1, 2] ab 3"),
        ("{{ '%05.1f|%s' % (1.25, 'x') }} {{ '%s!' | format('a') }} {{ '{:>4}'.format('a') }}", "001.2|x a!    a"),
        ("{% for m in messages if m.role == 'user' %}{{ loop.index }}/{{ loop.length }}{% endfor %}", "1/1"),
        ("{% for i in [1, [2, [3]]] recursive %}{{ i if i is number else loop(i) }}{% endfor %}", "123"),
        ("{% for i in range(5) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% else %}none{% endfor %}", "01"),
        ("{% macro f(x) %}<{{ x }}{{ caller() }}>{% endmacro %}{% call f(1) %}in{% endcall %}", "<1in>"),
        ("{% generation %}{{ 'a b'.replace('a', 'c') | replace('b', 'd') }}{% endgeneration %}", "c d"),
        ("{{ ['a', 'b'] | join(', ') }} {{ 'a' | center(3) }} {{ messages | tojson | length }}", "a, b  a  35"),
        ("{% set n = 1700000000 %}{{ n + 1 }} {{ 'abc'.find('c', 0) }} {{ 'tools'[:2000000] }}", "1700000001 2 tools"),
    ],
)
def test_what_is_usual_is_printed_as_before(source: str, printed: str):
    assert ChatTemplate(source).render([{"role": "user", "content": "hi"}]) == printed


@pytest.mark.parametrize("name", STYLES)
def test_a_long_conversation_is_printed(name: str):
    turns = [{"role": ("user", "assistant")[i % 2], "content": "word " * 400} for i in range(1000)]
    for _ in range(2):  # each rendering has work of its own
        assert len(style(name).render(turns)) > 1000 * 400 * 5

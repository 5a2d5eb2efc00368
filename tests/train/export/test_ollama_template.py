"""An Ollama TEMPLATE prints conversations as the model's chat template does, and there is none where it can't."""

import pytest

from curate.models.chat.chat_template import ChatTemplate
from tests.models.chat.styles import SPECIAL, STYLES, style
from tests.optional import needs
from train.export.chat_parts import NotFixed, chat_parts
from train.export.go_template import GoTemplateError, ollama_prompt, render
from train.export.ollama_template import drops_traces, joins_system, ollama_template, strips

pytestmark = needs("jinja2")

# As SmolLM2's: a system message of its own where none is given.
SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}"
    "{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# As Llama 2's: a system text within the first user's turn, the tokens of the beginning and the end around each pair.
LLAMA2 = (
    "{% if messages[0].role == 'system' %}{% set turns = messages[1:] %}{% set system = messages[0].content %}"
    "{% else %}{% set turns = messages %}{% set system = false %}{% endif %}{% for m in turns %}"
    "{% if loop.index0 == 0 and system != false %}{% set text = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' + m.content %}"
    "{% else %}{% set text = m.content %}{% endif %}{% if m.role == 'user' %}"
    "{{ bos_token + '[INST] ' + text.strip() + ' [/INST]' }}{% elif m.role == 'assistant' %}"
    "{{ ' ' + m.content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
TALK = [("system", "Be brief."), ("user", "Name a river."), ("assistant", "The Nile."), ("user", "And a lake?")]


def messages(*turns):
    return [{"role": role, "content": text} for role, text in turns]


@pytest.mark.parametrize("name", [*STYLES, "smollm2", "llama2"])
def test_each_family_is_printed_exactly(name):
    template = ChatTemplate({"smollm2": SMOLLM2, "llama2": LLAMA2}.get(name) or STYLES[name], SPECIAL)
    made = ollama_template(template, "")
    for turns in (TALK, TALK[1:], TALK[1:2], TALK[:2], [*TALK, ("assistant", "Chad."), ("user", "A sea?")]):
        if name == "gemma" and turns[0][0] == "system":
            continue  # it takes no system message
        expected = template.render(messages(*turns), add_generation_prompt=True)
        assert ollama_prompt(made, messages(*turns)) == expected
    if name == "gemma":  # as gristmill's own requests have it
        joined = [("user", "Be brief.\n\nName a river."), *TALK[2:]]
        expected = template.render(messages(*joined), add_generation_prompt=True)
        assert ollama_prompt(made, messages(*TALK)) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", [*STYLES, "smollm2"])
def test_it_is_what_transformers_prints(tiny, name):
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    tokenizer.chat_template = SMOLLM2 if name == "smollm2" else STYLES[name]
    tokenizer.bos_token, tokenizer.eos_token = "<s>", "</s>"
    made = ollama_template(ChatTemplate(tokenizer.chat_template, SPECIAL), "")
    for turns in (TALK, TALK[1:]):
        if name == "gemma" and turns is TALK:
            continue
        printed = tokenizer.apply_chat_template(messages(*turns), tokenize=False, add_generation_prompt=True)
        assert ollama_prompt(made, messages(*turns)) == printed


def test_a_default_system_message_gives_way_to_a_given_one():
    made = ollama_template(ChatTemplate(SMOLLM2), "")
    without, given = ollama_prompt(made, messages(*TALK[1:])), ollama_prompt(made, messages(*TALK))
    assert without.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM")
    assert "SmolLM" not in given and given.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n")
    later = messages(*TALK[1:3], ("system", "Be kind."), ("user", "Why?"))  # its place is kept
    assert ollama_prompt(made, later) == ChatTemplate(SMOLLM2).render(later, add_generation_prompt=True)


def test_the_token_that_the_server_adds_is_left_out():
    made = ollama_template(style("mistral"), "<s>")
    assert "<s>" + ollama_prompt(made, messages(*TALK)) == style("mistral").render(messages(*TALK))
    with pytest.raises(NotFixed, match="does not begin with '<s>', which llama.cpp puts"):
        ollama_template(style("phi"), "<s>")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ strftime_now('%d %b %Y') }}{% for m in messages %}{{ m.role }}{{ m.content }}{% endfor %}", "the date"),
        ("{% for m in messages %}{{ loop.index }}{{ m.content }}{% endfor %}", "other texts around a second turn"),
        ("{% for m in messages %}{{ m.content | length }}{% endfor %}", "not print each text"),
        ("{% for m in messages | reverse %}{{ m.content }}{% endfor %}", "in another order"),
        ("{{ raise_exception('never') }}", "refuses a conversation"),
        ("{% for m in messages %}{{ m.content | upper | replace('QZ', 'qz') }}{% endfor %}", "not print each text"),
        ("{% for m in messages %}{{ m.role }}:{{ m.content | replace('Yes', 'No') }}{% endfor %}", "prints .* where"),
    ],
)
def test_what_is_not_exact_is_refused_with_the_reason(source, reason):
    with pytest.raises(NotFixed, match=reason):
        ollama_template(ChatTemplate(source), "")


def test_texts_that_would_end_an_action_or_the_file_are_escaped():
    source = '{% for m in messages %}{{ \'{{a}} """ \\u00a0\' }}{{ m.role }}{{ m.content }}|{% endfor %}'
    made = ollama_template(ChatTemplate(source), "")
    assert '"""' not in made and "\u00a0" not in made
    assert ollama_prompt(made, messages(*TALK)) == ChatTemplate(source).render(messages(*TALK))


def test_whether_a_template_strips_texts():
    assert strips(style("llama")) and not strips(style("chatml"))
    assert chat_parts(style("mistral")).system_last and not chat_parts(style("chatml")).system_last


# The part of Go's templates ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('a {{- " b " -}} c', "a b c"),
        ("{{ if .System }}yes{{ else if .Messages }}some{{ else }}none{{ end }}", "some"),
        ("{{ range $i, $m := .Messages }}{{ if eq $i 1 }}{{ $m.Role }}{{ end }}{{ end }}", "user"),
        ('{{ $x := "1" }}{{ range .Messages }}{{ $x = .Role }}{{ end }}{{ $x }}', "user"),
        ('{{ if and (ne (len .Messages) 0) (not .System) }}{{ "{{" }}{{ end }}', "{{"),
        ("{{ range .System }}x{{ else }}empty{{ end }}", "empty"),
    ],
)
def test_go_templates_are_rendered_as_go_does(template, text):
    data = {"System": "", "Messages": [{"Role": "system", "Content": "s"}, {"Role": "user", "Content": "u"}]}
    assert render(template, data) == text


@pytest.mark.parametrize("template", ["{{ template }}", "{{ if .A }}", "{{ end }}", "{{ .A", "{{ .None }}", "{{ 3 }}"])
def test_what_it_does_not_know_is_an_error(template):
    with pytest.raises(GoTemplateError):
        render(template, {"A": "x"})


def test_messages_of_one_role_are_joined_as_ollama_joins_them():
    turns = messages(("user", "a"), ("user", "b"), ("system", "s"), ("user", "c"), ("system", "t"))
    assert ollama_prompt("{{ .System }}|{{ range .Messages }}{{ .Role }}={{ .Content }};{{ end }}", turns) == (
        "s\n\nt|user=a\n\nb;system=s;user=c;system=t;"
    )


def test_a_brace_before_a_text_begins_no_action():
    template = ChatTemplate("{% for m in messages %}{{ '{' + m.role + ':{{{' + m.content + '}}}' }}{% endfor %}{")
    made = ollama_template(template, "")
    assert ollama_prompt(made, messages(*TALK)) == template.render(messages(*TALK), add_generation_prompt=True)
    assert "{{{" not in made


def test_what_a_template_can_not_do_is_known():
    def source(content: str) -> ChatTemplate:
        return ChatTemplate("{% for m in messages %}{{ m.role }}:{{ " + content + " }}\n{% endfor %}")

    assert not strips(source("m.content")) and not drops_traces(source("m.content"))
    for role in ("user", "assistant", "system"):
        assert strips(source(f"m.content | trim if m.role == '{role}' else m.content")), role
    assert drops_traces(source("m.content.split('</think>')[-1] if m.role == 'assistant' else m.content"))
    assert joins_system(style("gemma")) and not joins_system(style("chatml"))
    silent = ChatTemplate("{% for m in messages if m.role != 'system' %}{{ m.role }}:{{ m.content }}\n{% endfor %}")
    assert joins_system(silent), "it leaves a system text out without a word"

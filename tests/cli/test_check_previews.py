"""What ``gristmill check`` shows of trainings: from the sources before a run, from the datasets after it."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli import check as cli_check
from curate import load_recipe
from tests.command import Result, call, mistake
from tests.optional import needs

pytestmark = [needs("torch", "tokenizers", "jinja2", "trl"), pytest.mark.slow]  # the tiny model

# Prints tools, calls, their results, and the trace of the last answer.
WHOLE = (
    "{% if tools %}tools: {{ tools | tojson }}\n{% endif %}{% for m in messages %}{{ m.role }}: "
    "{% if m.reasoning_content and loop.last %}({{ m.reasoning_content }}) {% endif %}{{ m.content }}"
    "{% for c in m.tool_calls or [] %}<{{ c.function.name }} {{ c.function.arguments | tojson }}>{% endfor %}"
    "{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)
ALTERNATING = (
    "{% for m in messages %}{% if m.role == 'system' or (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
SFT = "sft: {type: sft}"
TRAIN = "one: {trainer: sft, dataset: sft, model: student%s}"
TOOL = {"type": "function", "function": {"name": "add", "description": "adds", "parameters": {"type": "object"}}}
CALL = {"id": "a1b2c3d4e", "type": "function", "function": {"name": "add", "arguments": {"a": 2}}}
CONVERSATION = {
    "messages": [
        {"role": "user", "content": "2+2?"},
        {"role": "assistant", "content": "4"},
        {"role": "user", "content": "sure?"},
        {"role": "assistant", "content": "yes"},
    ]
}
CALLING = {
    "messages": [
        {"role": "user", "content": "2+2?"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "content": "4", "tool_call_id": "a1b2c3d4e"},
        {"role": "assistant", "content": "It is 4."},
    ],
    "tools": [TOOL],
}


@pytest.fixture
def student(tiny: Path, tmp_path: Path):
    """A function that returns the folder of the tiny model, with another chat template."""

    def with_template(template: str | None) -> Path:
        folder = tmp_path / "model"
        folder.mkdir()
        for file in tiny.iterdir():
            (folder / file.name).symlink_to(file)
        (folder / "chat_template.jinja").unlink(missing_ok=True)
        if template is not None:
            (folder / "chat_template.jinja").write_text(template)
        return folder

    return with_template


def write(
    folder: Path, model: Path | str, *rows: dict[str, Any], datasets: str = SFT, train: str = TRAIN % "", more: str = ""
) -> Path:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "r.yaml").write_text(
        f"name: r\nmodels:\n  student: {model}\nprompts:\n  - source: rows.jsonl\n{more}datasets:\n  {datasets}\n"
        f"train:\n  {train}\n"
    )
    return folder


def shown(done: Result) -> str:
    """What a good check prints below the table of the plan."""
    assert done.code == 0, done.err
    return done.out[done.out.index("train.one: ") :]


def test_every_learnt_turn_is_shown_before_a_run_and_after_it(tmp_path: Path, student):
    write(tmp_path, student(WHOLE), CONVERSATION)
    before = shown(call(tmp_path, "check", "r.yaml"))
    text = "  user: 2+2?⏎\n  assistant: ⟦4⏎⟧\n  user: sure?⏎\n  assistant: ⟦yes⏎⟧\n"
    lines = before.splitlines()
    assert lines[0] == (
        "train.one: the dataset is not built yet: rows straight from the sources, before anything is selected"
    )
    assert lines[1].startswith("train.one: of 1 row: 2 turns, ") and lines[1].endswith(" tokens learnt")
    assert lines[2].startswith("train.one: the chat template prints no mark after an answer, so that the model does ")
    assert lines[3] == "train.one: what is learnt is shown in ⟦brackets⟧"
    assert "\ntrain.one, row rows.jsonl:1: " in before and before.endswith(text)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model", "r.yaml", "rows.jsonl"], "nothing is written"
    assert call(tmp_path, "run", "r.yaml").code == 0
    after = shown(call(tmp_path, "check", "r.yaml"))
    assert "not built" not in after and "\ntrain.one, row r_" in after and after.endswith(text)
    assert after.splitlines()[0] == lines[1], "the counts are the same"
    assert "train.one: " not in call(tmp_path, "check", "r.yaml", "--rows", "0").out


def test_tool_calls_are_learnt_and_results_are_context(tmp_path: Path, student):
    write(tmp_path, student(WHOLE), CALLING)
    text = shown(call(tmp_path, "check", "r.yaml"))
    assert "of 1 row: 2 turns (1 tool call), " in text
    assert '  assistant: ⟦<add {"a": 2}>⏎⟧\n  tool: 4⏎\n  assistant: ⟦It is 4.⏎⟧\n' in text
    assert '  tools: [{"type": "function"' in text


def test_a_row_of_several_sequences_is_shown_in_parts(tmp_path: Path, student):
    turns = [
        {**turn, "reasoning_content": "why"} if turn["role"] == "assistant" else turn
        for turn in CONVERSATION["messages"]
    ]
    write(tmp_path, student(WHOLE), {"messages": turns})
    text = shown(call(tmp_path, "check", "r.yaml"))
    assert "2 turns in 2 sequences, " in text
    assert ", part 1 of 2: " in text and ", part 2 of 2: " in text
    assert "  user: 2+2?⏎\n  assistant: ⟦(why) 4⏎⟧\n" in text
    assert "  user: 2+2?⏎\n  assistant: 4⏎\n  user: sure?⏎\n  assistant: ⟦(why) yes⏎⟧\n" in text


def test_the_trainings_own_settings_decide(tmp_path: Path, student):
    model = student(WHOLE)
    write(tmp_path, model, CONVERSATION, train=TRAIN % ", completion_only_loss: true")
    text = shown(call(tmp_path, "check", "r.yaml"))
    assert "of 1 row: 1 turn, " in text and "assistant: 4⏎" in text and "assistant: ⟦yes⏎⟧" in text
    long = {"prompt": "2+2?", "completion": "four " * 90}
    write(tmp_path, model, long, train=TRAIN % ", max_length: 40")
    text = shown(call(tmp_path, "check", "r.yaml"))
    assert "; 1 cut at max_length, so that " in text and ": 40 tokens, " in text and " at max_length\n" in text
    write(tmp_path, model, CONVERSATION, train=TRAIN % ", packing: true")
    assert "sequences are packed into blocks of 1024 tokens (packing_strategy: bfd)" in shown(
        call(tmp_path, "check", "r.yaml")
    )


def test_rows_that_are_left_out_are_shown_with_the_reason(tmp_path: Path, student):
    twice = {"messages": [{"role": "user", "content": "a"}, *CONVERSATION["messages"]]}
    system = {"messages": [{"role": "system", "content": "be brief"}, *CONVERSATION["messages"]]}
    write(tmp_path, student(ALTERNATING), twice, system)
    for _ in range(2):
        text = shown(call(tmp_path, "check", "r.yaml"))
        reason = "left out: the model's chat template refuses it: Roles must alternate"
        assert "of 2 rows: 2 turns, " in text and f"; 1 {reason}\n" in text and f": {reason}\n" in text
        assert "changed, as the chat template needs it: system text in the first user turn (1 row)" in text
        assert "  user: be brief⏎\n  ⏎\n  2+2?⏎\n  assistant: ⟦4⏎⟧\n" in text
        call(tmp_path, "run", "r.yaml")


def test_marks_of_turns_count_before_a_run_as_after_it(tmp_path: Path, student):
    first, last = CONVERSATION["messages"][:2], CONVERSATION["messages"][2:]
    wrong = {"messages": [*CONVERSATION["messages"][:3], {**last[1], "weight": 0}]}
    thanks = {"messages": [*first, {"role": "user", "content": "thanks"}]}
    marked = {"messages": [first[0], {**first[1], "train": False}, *last]}
    ends = "sft: {type: sft, learn: last}"
    model = student(WHOLE)
    for datasets, turns in ((SFT, 4), (ends, 3)):
        write(tmp_path, model, CONVERSATION, wrong, thanks, marked, datasets=datasets)
        before = shown(call(tmp_path, "check", "r.yaml", "--rows", "4"))
        assert f"of 4 rows: {turns} turns, " in before and "; 1 left out: its last turn is not to be learnt" in before
        assert "rows.jsonl:1, answer 2: left out: its last turn is not to be learnt (weight: 0)" in before
        assert "  user: sure?⏎\n  assistant: ⟦yes⏎⟧\n" in before and "thanks" not in before
        assert before.count("assistant: ⟦4⏎⟧") == turns - 2
        assert call(tmp_path, "run", "r.yaml").code == 0
        after = shown(call(tmp_path, "check", "r.yaml", "--rows", "4"))
        assert f"of 3 rows: {turns} turns, " in after and after.count("assistant: ⟦4⏎⟧") == turns - 2


@pytest.mark.parametrize(
    ("where", "kept", "said"),
    [
        ("label = 1", 1, "those with label = 1, before anything else is selected"),
        ("response = 'no' and label = 0", 1, "those with response = 'no' and label = 0, before anything else"),
        ("words < 5", 2, "before anything is selected (where: reads what is not there yet)"),
    ],
)
def test_a_condition_on_what_is_recorded_is_applied(tmp_path: Path, tiny: Path, where: str, kept: int, said: str):
    rows = [{"prompt": "a", "completion": "yes", "label": True}, {"prompt": "b", "completion": "no", "label": False}]
    more = "completions:\n  - score: {use: length, as: words}\n"
    write(tmp_path, tiny, *rows, datasets=f'sft: {{type: sft, where: "{where}"}}', more=more)
    text = shown(call(tmp_path, "check", "r.yaml", "--rows", "2"))
    assert said in text and f"of {kept} row{'s' * (kept > 1)}: {kept} turn" in text


def test_a_condition_that_no_row_or_prompt_fulfils(tmp_path: Path, tiny: Path):
    rows = [{"prompt": "a", "completion": "yes", "ground_truth": "1"}, {"prompt": "b", "completion": "no"}]
    write(tmp_path, tiny, *rows, datasets="sft: {type: sft, where: \"response = 'x'\"}")
    assert "no row that it could have is there" in shown(call(tmp_path, "check", "r.yaml"))
    rl = "one: {trainer: grpo, dataset: rl, model: student, rewards: [math]}"
    write(tmp_path, tiny, *rows, datasets="rl: {type: prompt, where: \"prompt = 'b'\"}", train=rl)
    text = shown(call(tmp_path, "check", "r.yaml", "--rows", "2"))
    assert "of 1 prompt: " in text and "those with prompt = 'b', before anything else is selected" in text


def test_rows_of_one_name_are_told_apart(tmp_path: Path, tiny: Path):
    other = {"prompt": "b", "completion": " "}
    write(tmp_path, tiny, {"prompt": "a", "completion": "yes"}, more="  - source: more/rows.jsonl\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "rows.jsonl").write_text(json.dumps(other | {"completions": ["no", ""]}) + "\n")
    text = shown(call(tmp_path, "check", "r.yaml"))
    assert "row rows.jsonl:1: " in text and "row rows.jsonl:1 (2): " in text


def test_a_model_without_a_chat_template_can_not_be_trained(tmp_path: Path, student):
    write(tmp_path, student(None), CONVERSATION)
    for rows in ("0", "2"):
        said = mistake(call(tmp_path, "check", "r.yaml", "--rows", rows))
        assert said.startswith("r.yaml:9: train.one: the model 'student' has no chat template")
        assert "models: {student: {model: ..., chat_template: FILE.jinja}}" in said
    (tmp_path / "own.jinja").write_text(WHOLE)
    write(tmp_path, f"{{model: {tmp_path / 'model'}, chat_template: own.jinja}}", CONVERSATION)
    assert "assistant: ⟦yes⏎⟧" in shown(call(tmp_path, "check", "r.yaml"))


def test_what_a_template_does_not_print_is_said_before_a_run(tmp_path: Path, tiny: Path):
    write(tmp_path, tiny, CALLING)
    done = call(tmp_path, "check", "r.yaml")
    assert "of 1 row: 2 turns" in shown(done)
    assert done.err.startswith("warning: train.one: rows of the sources: the chat template of 'student' prints no ")
    assert "unshown: leave_out" in done.err and len(done.err.splitlines()) == 1
    assert call(tmp_path, "check", "r.yaml", "--strict").code == 2
    assert call(tmp_path, "run", "r.yaml").code == 0
    assert "the chat template of 'student' prints no " in mistake(call(tmp_path, "check", "r.yaml"))
    leaving = write(tmp_path, tiny, CALLING, CONVERSATION, train=TRAIN % ", unshown: leave_out")
    done = call(leaving, "check", "r.yaml")
    assert done.err == "" and "; 1 left out: the model's chat template prints no tools" in shown(done)


def test_answers_that_are_still_to_be_written(tmp_path: Path, tiny: Path):
    generate = "completions:\n  - generate: {use: sample, model: student, n: 2, max_tokens: 8}\n"
    write(tmp_path, tiny, {"prompt": "2+2?"}, {"prompt": "3+3?"}, more=generate)
    text = shown(call(tmp_path, "check", "r.yaml"))
    assert text.startswith("train.one: the answers are still to be written; the prompts, as the model will see them:\n")
    assert "  <|im_start|>user⏎\n  3+3?<|im_end|>⏎\n  <|im_start|>assistant⏎\n" in text and "⟦" not in text


def test_prompts_that_would_be_refused_are_no_rows_to_learn(tmp_path: Path, tiny: Path):
    generate = "completions:\n  - generate: {use: sample, model: student, n: 2, max_tokens: 8}\n"
    asked = {"messages": CALLING["messages"][:1], "tools": [TOOL]}
    done = call(write(tmp_path, tiny, asked, more=generate), "check", "r.yaml")
    assert "would be refused (see the warning); the prompts as the template prints them:" in shown(done)
    assert "learnt" not in shown(done) and "prints no tools" in done.err


def test_a_template_that_prints_no_turns_is_refused(tmp_path: Path, student):
    write(tmp_path, student("{{ bos_token }}"), CONVERSATION)
    said = mistake(call(tmp_path, "check", "r.yaml"))
    assert "the chat template of 'student' can't print a question and its answer, neither as text nor as parts" in said
    assert "chat_template: FILE.jinja" in said


def test_a_template_of_parts_is_given_parts(tmp_path: Path, student):
    parts = "{% for c in m.content %}{{ c.text }}{% endfor %}"
    begun = "{% if add_generation_prompt %}assistant: {% endif %}"
    template = "{% for m in messages %}{{ m.role }}: " + parts + "|{% endfor %}" + begun
    write(tmp_path, student(template), CONVERSATION)
    text = shown(call(tmp_path, "check", "r.yaml"))
    assert "2 turns" in text and "texts as parts of the type 'text' (1 row)" in text and "⟦yes|⟧" in text


def test_recorded_answers_beside_those_still_to_be_written(tmp_path: Path, tiny: Path):
    generate = "completions:\n  - generate: {use: sample, model: student, n: 2, max_tokens: 8}\n"
    write(tmp_path, tiny, {"prompt": "2+2?", "completion": "4"}, {"prompt": "3+3?"}, more=generate)
    done = call(tmp_path, "check", "r.yaml")
    assert shown(done).splitlines()[0].endswith("before anything is selected; further answers are still to be written")
    assert "of 1 row: 1 turn, " in done.out and "⟦4<|im_end|>⏎⟧" in done.out
    requests, tokens = (
        int(n) for n in re.findall(r"(\d+) requests left to make: about (\d+) prompt tokens", done.out)[0]
    )
    length = int(re.findall(r"row rows.jsonl:1: (\d+) tokens", done.out)[0]) - 3  # "4", the mark, the line end
    assert (requests, tokens) == (4, 4 * length), "the prompts are counted with the model's own tokenizer"


def test_online_rl_shows_no_tools(tmp_path: Path, student):
    train = "one: {trainer: grpo, dataset: sft, model: student, rewards: [length], max_completion_length: 8}"
    asked = {"messages": CALLING["messages"][:1], "tools": [TOOL]}
    write(tmp_path, student(WHOLE), asked, datasets="sft: {type: prompt}", train=train)
    done = call(tmp_path, "check", "r.yaml")
    assert done.code == 0 and "column tools: TRL would not show a row's tools to the model" in done.err
    assert call(tmp_path, "run", "r.yaml").code == 0
    said = mistake(call(tmp_path, "check", "r.yaml"))
    assert said.startswith("r.yaml:9: train.one: row r_") and "column tools: TRL would not show" in said


def test_pairs_and_prompts(tmp_path: Path, tiny: Path):
    pair = {"prompt": "2+2?", "chosen": "It is 4.", "rejected": "five"}
    trainings = (
        "one: {trainer: dpo, dataset: dpo, model: student}\n  two: {trainer: reward, dataset: dpo, model: student}\n"
        "  six: {trainer: grpo, dataset: rl, model: one, rewards: [length], max_completion_length: 8}"
    )
    write(tmp_path, tiny, pair, datasets="dpo: {type: preference}\n  rl: {type: prompt}", train=trainings)
    for number in range(2):
        text = shown(call(tmp_path, "check", "r.yaml"))
        first = "; a pair is of recorded answers" if number == 0 else "of 1 pair: 2 turns, "
        assert first in text.splitlines()[0]
        for side, answer in (("chosen", "It is 4."), ("rejected", "five")):
            assert text.count(f" ({side}): ") == 2 and text.count(f"⟦{answer}<|im_end|>⏎⟧") == 2
        assert "train.two: the answer is shown in ⟦brackets⟧" in text and "whole conversations are rewarded" in text
        assert "train.six: of 1 prompt: " in text and text.endswith("  <|im_start|>assistant⏎\n")
        call(tmp_path, "run", "r.yaml")


def test_a_pair_of_answers_stands_for_one_that_is_not_chosen_yet(tmp_path: Path, tiny: Path):
    rows = [{"prompt": "2+2?", "completions": ["4", "4", "five"]}, {"prompt": "3+3?", "completions": ["6"]}]
    score = "completions:\n  - score: {use: length, as: words}\n"
    train = "one: {trainer: dpo, dataset: dpo, model: student}"
    dpo = "dpo: {type: preference, by: words, select: best_vs_worst}"
    text = shown(call(write(tmp_path, tiny, *rows, datasets=dpo, train=train, more=score), "check", "r.yaml"))
    assert "of 1 pair: " in text and "⟦4<|im_end|>⏎⟧" in text and "⟦five<|im_end|>⏎⟧" in text


def test_without_pairs_or_rows_the_preview_says_so(tmp_path: Path, tiny: Path):
    score = "  - filter: {all: 'true'}\ncompletions:\n  - score: {use: length, as: words}\n"
    train = "one: {trainer: dpo, dataset: dpo, model: student}\n  two: {trainer: sft, dataset: sft, model: student}"
    dpo = "dpo: {type: preference, by: words, select: best_vs_worst}\n  sft: {type: sft}"
    write(tmp_path, tiny, {"prompt": "a", "completion": "b"}, datasets=dpo, train=train, more=score)
    text = shown(call(tmp_path, "check", "r.yaml"))
    assert text.startswith(
        "train.one: the dataset is not built yet, and no prompt has two different answers; the prompts"
    )
    assert "  a<|im_end|>⏎" in text and "⟦b<|im_end|>⏎⟧" in text
    assert call(tmp_path, "run", "r.yaml").code == 0, "the filter drops all"
    changes = ("--set", "datasets.dpo.margin=1", "--set", "datasets.sft.learn=last")
    text = shown(call(tmp_path, "check", "r.yaml", *changes))
    assert text.count("the dataset is not built yet, and no row that it could have is there\n") == 2


def test_each_source_has_its_turn(tmp_path: Path, tiny: Path):
    write(
        tmp_path, tiny, *({"prompt": f"a{i}", "completion": "yes"} for i in range(3)), more="  - source: more.jsonl\n"
    )
    (tmp_path / "more.jsonl").write_text(json.dumps({"prompt": "b", "completions": ["no", "never"]}) + "\n")
    text = shown(call(tmp_path, "check", "r.yaml", "--rows", "4"))
    names = [line.split(", ", 1)[1].split(": ")[0] for line in text.splitlines() if line.startswith("train.one, ")]
    assert names == ["row rows.jsonl:1", "row more.jsonl:1", "row more.jsonl:1, answer 2", "row rows.jsonl:2"]


def test_counts_are_of_the_first_rows_of_many(tmp_path: Path, tiny: Path, monkeypatch):
    monkeypatch.setattr("cli.check.MOST_ROWS", 3)
    monkeypatch.setattr("cli.token_preview.MOST_ROWS", 3)
    write(tmp_path, tiny, *({"prompt": f"a{i}", "completion": "yes"} for i in range(5)))
    assert "train.one: of the first 3 rows: 3 turns, " in shown(call(tmp_path, "check", "r.yaml"))
    call(tmp_path, "run", "r.yaml")
    assert "train.one: of the first 3 of 5 rows: 3 turns, " in shown(call(tmp_path, "check", "r.yaml"))


def test_a_model_that_is_not_here_is_only_a_note(tmp_path: Path):
    write(tmp_path, "somebody/something@0123456789abcdef0123456789abcdef01234567", CONVERSATION)
    done = call(tmp_path, "check", "r.yaml")
    assert "no preview of tokenised rows" in shown(done) and done.err == ""


def test_texts_of_a_file_do_not_steer_the_terminal(tmp_path: Path, tiny: Path):
    write(tmp_path, tiny, {"prompt": "a\x1b[2J", "completion": "\x1b]0;owned\x07"})
    text = shown(call(tmp_path, "check", "r.yaml"))
    assert "\x1b" not in text and "\x07" not in text and "⟦\\x1b]0;owned\\x07<|im_end|>⏎⟧" in text


def test_colours_on_a_terminal(tmp_path: Path, tiny: Path, monkeypatch):
    write(tmp_path, tiny, CONVERSATION)
    out = io.StringIO()
    for no_color, expected in ((False, "\x1b[32myes<|im_end|>⏎"), (True, "⟦yes<|im_end|>⏎⟧")):
        terminal = Console(file=out, force_terminal=True, color_system="standard", no_color=no_color, width=120)
        monkeypatch.setattr(cli_check, "console", lambda terminal=terminal: terminal)
        cli_check.show_plan(load_recipe(tmp_path / "r.yaml"), None, 2)
        assert expected in out.getvalue()
        assert ("what is learnt is shown in green" in out.getvalue()) or no_color

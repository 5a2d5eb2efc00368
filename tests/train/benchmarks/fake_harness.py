"""Stands for lm-evaluation-harness: a small program with its command line, its way to ask, and its files.

Its tasks: ``words`` (answers are written), ``likely`` (answers are given), ``offline`` (its data can't be loaded),
``broken`` (it fails), ``slow`` (it asks once and then waits for its end), ``mixed`` (a group of both kinds).
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROMPTS = ["the cat", "a dog sings", "red lines", "seven"]
KINDS = {"words": "generate_until", "likely": "multiple_choice"}


def described(name):
    version = os.environ.get("FAKE_VERSION", "1.0")
    known = {"num_fewshot": None, "data": f"hub/{name}", "missing": [], "unsafe": name == "unsafe", "content": "c"}
    return {"name": name, "kind": KINDS.get(name, "generate_until"), "version": version, **known}


def describe(names):
    found = {}
    for name in names:
        tasks = ["words", "likely"] if name == "mixed" else [name]
        known = name in (*KINDS, "mixed", "offline", "broken", "slow", "unsafe") or name.endswith(".yaml")
        found[name] = {"tasks": [described(t) for t in tasks]} if known else {"error": "unknown", "near": ["words"]}
    sys.stdout.write(json.dumps({"version": "0.0-fake", "names": found}))


def ask(config, path, body):
    arguments = config["model_args"]
    assert arguments["base_url"].endswith(path), arguments["base_url"]
    headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}", "Content-Type": "application/json"}
    body = {"model": arguments["model"], "temperature": 0, "seed": arguments["seed"], **body}
    request = urllib.request.Request(arguments["base_url"], json.dumps(body).encode(), headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return json.loads(opener.open(request, timeout=300).read())["choices"][0]


def write(config, prompt):
    chat = config["apply_chat_template"]
    tokens = config.get("gen_kwargs", {}).get("max_gen_toks", 6)
    if chat:
        messages = [{"role": "user", "content": prompt}]
        found = ask(config, "/chat/completions", {"messages": messages, "max_tokens": tokens})
        return [json.dumps(messages)], found["message"]["content"]
    return prompt, ask(config, "/completions", {"prompt": prompt, "max_tokens": tokens})["text"]


def written(config, task):
    prompts = PROMPTS[: config.get("limit")] + (["many " * 400] if os.environ.get("FAKE_LONG") else [])
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda prompt: write(config, prompt), prompts))
    for at, (asked, text) in enumerate(answers):
        text = "LMEVAL_MODEL_NONE_ANSWER_PLACEHOLDER" if text is None else text
        yield {
            "doc_id": at,
            "target": "x",
            "arguments": {"gen_args_0": {"arg_0": asked, "arg_1": {"until": []}}},
            "resps": [[text]],
            "filtered_resps": [text],
            "filter": "none",
            "metrics": ["even", "parts", "pair"],
            "even": float(len(text) % 2 == 0),
            "parts": [True, len(text) > 3, False],
            "pair": [text, "x"],
        }


def likely(config, task):
    for at in range(len(PROMPTS)):
        chances = []
        for last in (7, 9):
            body = {"prompt": [[5, 6 + at, last]], "echo": True, "logprobs": 1, "max_tokens": 1}
            found = ask(config, "/completions", body)["logprobs"]
            chances.append(sum(found["token_logprobs"][2:-1]))
        yield {
            "doc_id": at,
            "target": 0,
            "arguments": {
                f"gen_args_{i}": {"arg_0": f"Q{at}", "arg_1": choice} for i, choice in enumerate(" a, b".split(","))
            },
            "resps": [[[str(chance), "False"]] for chance in chances],
            "filtered_resps": [[str(chance), "False"] for chance in chances],
            "filter": "none",
            "metrics": ["acc"],
            "acc": float(chances[0] > chances[1]),
        }


def run(config):
    (task,) = config["tasks"]
    sys.stderr.write(f"loading {task}\n")
    if task == "offline":
        sys.exit("ConnectionError: Couldn't reach 'hub/offline' on the Hub (LocalEntryNotFoundError)")
    if task == "broken":
        sys.exit("Traceback\nValueError: no such column \x1b[2J")
    if task == "slow":
        write(config, PROMPTS[0])
        Path(os.environ["FAKE_ASKED"]).touch()
        time.sleep(600)
    samples = list((likely if task == "likely" else written)(config, task))
    folder = Path(config["output_path"]) / config["model_args"]["model"]
    folder.mkdir(parents=True)
    numbers = {
        "even,none": [s["even"] for s in samples if "even" in s],
        "acc,none": [s["acc"] for s in samples if "acc" in s],
        "parts,none": [0.25] if task == "words" else [],  # summed up otherwise than by a mean of rows
    }
    means = {name: sum(values) / len(values) for name, values in numbers.items() if values}
    results = {
        task: {"alias": task, "even_stderr,none": "N/A", **({"pair,none": 0.5} if task == "words" else {}), **means}
    }
    held = {"results": results, "configs": {task: {}}, "n-shot": {task: config.get("num_fewshot", 0)}}
    (folder / "results_2026-01-01.json").write_text(json.dumps(held))
    lines = "".join(json.dumps(sample) + "\n" for sample in samples)
    (folder / f"samples_{task}_2026-01-01.jsonl").write_text(lines)


if sys.argv[1] == "-I":
    describe(sys.argv[4:])
else:
    assert sys.argv[1:5] == ["-m", "lm_eval", "run", "--config"], sys.argv
    run(json.loads(Path(sys.argv[5]).read_text()))

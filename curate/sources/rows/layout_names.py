"""The names that public data sets give to prompts, answers, verdicts and ratings: data, read by ``row_layout``.

Names are compared in lower case, with ``-`` and white space as ``_``: ``chosen-rating`` is ``chosen_rating``. Where a
row has several of a group, the first in the group is used. docs/data.md has the same tables.
"""

# A conversation: a list of messages, of texts by turns, or of rounds (``ROUNDS``).
MESSAGES = ("messages", "conversations")
CONVERSATIONS = (
    "conversation", "dialogue", "dialog", "chat_messages", "turns", "items", "data", "trajectory",
    "contents",
)  # fmt: skip
TEXT_TURNS = ("messages", "conversations", "conversation", "dialogue", "dialog", "data")  # may be texts by turns
ROUNDS = (
    ("input", "output"),
    ("human", "assistant"),
    ("user", "assistant"),
    ("question", "answer"),
    ("prompt", "response"),
)
# The prompt as a text; the second group in rows that have an answer too, the third beside what it is paired with.
PROMPTS = ("prompt", "instruction", "question", "query", "problem")
PROMPTS_WITH_ANSWERS = (
    "inputs", "input", "user_prompt", "user_message", "inputs_pretokenized", "message_1", "context", "history",
)  # fmt: skip
SPEAKERS = (("user", "assistant"), ("human", "assistant"), ("human", "gpt"), ("human", "bot"), ("user", "bot"))
# A text that belongs to the prompt, and is put below it unless it is in it already.
CONTEXTS = ("input", "context", "passage", "article", "paragraph", "document", "contexts", "documents")
BLANKS = ("<noinput>", "nan", "none", "null", "n/a")  # texts that writers leave for no context and no system text
# Parts that are not read; a key of this name that holds something is said.
NOT_READ = (
    "references", "evidence", "definition", "instructions", "image", "images", "video", "videos", "audio",
    "loss_mask", "loss_masks", "loss_weights", "train_mask", "turn_mask", "turn_weights", "assistant_mask",
    "assistant_masks",
)  # fmt: skip
SYSTEMS = ("system", "system_prompt", "system_message", "system_instruction", "systeminstruction")
TOOLS = ("tools", "functions", "available_tools")

# One answer. ``answer``, ``solution``, and ``content`` and ``text``, are answers in some rows only (docs/data.md).
PLAIN_ANSWERS = ("completion", "response", "output")  # each may be a number too, which is read as its text
ANSWERS = (
    *PLAIN_ANSWERS, "generation", "generated_solution", "model_response", "model_output", "assistant",
    "assistant_response", "reply", "attempt", "targets", "target", "bot", "gpt", "llm_response", "model_answer",
    "targets_pretokenized", "message_2",
)  # fmt: skip
# Several answers: a list of texts, messages or mappings.
ANSWER_LISTS = ("completions", "generations", "responses", "all_generated_responses", "all_responses")
ONLY_LISTS = (
    "candidates",
    "outputs",
    "samples",
    "inferences",
    "answers",
    "solutions",
)  # where there is no other answer
# The keys of the text in a mapping of such a list.
ANSWER_TEXTS = (
    "messages", "response", "content", "solution", "text", "answer", "generation", "completion", "output", "inference",
)  # fmt: skip
# Answers named after their model: gpt4_response, llama_answer, deepseek_attempt; the name has one of these stems.
NAMED = ("response", "attempt", "answer", "output", "completion", "generation", "solution")
MODEL_STEMS = (
    "gpt", "claude", "gemini", "gemma", "llama", "mistral", "mixtral", "qwen", "deepseek", "phi", "falcon", "vicuna",
    "alpaca", "koala", "bard", "palm", "davinci", "command", "yi", "glm", "internlm", "baichuan", "bloom", "olmo",
    "tulu", "zephyr", "wizard", "orca", "grok", "kimi", "nemotron", "smollm", "granite", "dolly", "human",
)  # fmt: skip
# A mapping with a ``solution`` is a model's recorded solution, but not under these names.
NO_SOLUTIONS = ("metadata", "meta", "extra_info", "info", "extra", "reward_model", "source")
# Numbered answers: response_0, response_1; response_a, response_b; answer_0; human_ref_A; r1_solution_1.
NUMBERED = (
    "response", "completion", "output", "generation", "generated_solution", "r1_solution", "answer", "human_ref",
    "conversation", "model_output", "reply", "assistant", "summary",
)  # fmt: skip
NEED_A_VERDICT = ("answer",)  # numbered like the choices of a question; answers only where the row says which is better

# The two sides of a preference: (chosen, rejected); also a word of ``SIDE_WORDS`` before or after a ``SIDE_NOUNS``.
SIDES = (
    ("chosen", "rejected"),
    ("preferred_output", "non_preferred_output"),
    ("messages", "rejected_messages"),
    ("messages", "rejected_response"),
    ("response", "rejected_response"),
    ("response_j", "response_k"),
    ("preferred", "dispreferred"),
    ("y_w", "y_l"),
)
SIDE_WORDS = (
    ("chosen", "rejected"), ("preferred", "dispreferred"), ("accepted", "rejected"), ("good", "bad"),
    ("better", "worse"), ("positive", "negative"), ("safe", "unsafe"), ("correct", "incorrect"), ("win", "lose"),
    ("winning", "losing"), ("w", "l"),
)  # fmt: skip
SIDE_NOUNS = ("response", "answer", "output", "completion", "text", "messages", "conversation", "solution")
ALL_SIDES = (
    *SIDES,
    *(
        pair
        for one, other in SIDE_WORDS
        for noun in SIDE_NOUNS
        for pair in ((f"{one}_{noun}", f"{other}_{noun}"), (f"{noun}_{one}", f"{noun}_{other}"))
    ),
)
# Which of two or more numbered answers is better. The value is the number or the letter of the answer (also
# ``model_a``, ``response_1``, ``A>B``), or a tie. With ``text`` it must be a text; with ``sign``, below 0 is the first
# and above 0 the second; with ``first``, 1 is the first and 0 the second.
WINNERS = {
    "better_response_id": "preference",
    "safer_response_id": "safer",
    "winner": "preference",
    "preferred": "preference",
    "preference": "preference",
    "choice": "preference",
    "chosen": "preference",
    "better": "preference",
    "best": "preference",
    "labels": "preference first",
    "label": "preference text",
    "overall_preference": "preference sign",
    "preference_strength": "preference sign",
}
TIES = ("tie", "both", "neither", "equal", "same", "draw")
# Keys of one side (``chosen``, ``response_0``), or of its number or letter, and the name of the score each becomes.
SIDE_RATINGS = {
    "{side}_rating": "rating", "{side}_score": "rating", "score_{side}": "rating", "rating_{side}": "rating",
    "{side}_avg_rating": "rating", "{side}_reward": "reward", "reward_{side}": "reward", "rm_{side}": "reward",
    "{side}_rank": "rank", "rank_{number}": "rank", "score_{number}": "rating", "rating_{number}": "rating",
    "reward_{number}": "reward",
    "is_{side}_safe": "is_safe", "is_{side}_correct": "is_correct", "{side}_is_correct": "is_correct",
    "{side}_severity_level": "severity_level", "winner_model_{number}": "preference",
    "{number}_score": "score", "{number}_rating": "rating", "{number}_grade": "grade", "{number}_correct": "is_correct",
}  # fmt: skip
SIDE_REASONING = (
    "{side}_reasoning", "{side}_reasoning_content", "{side}_thinking", "{number}_thinking_trajectory",
    "{number}_reasoning", "{number}_thinking", "reasoning_{number}",
)  # fmt: skip
ALTERNATIVES = ("thinking_trajectories",)
SIDE_MODELS = ("{side}_model", "model_{side}", "{side}_source", "model_{number}", "{side}_policy", "generator_{number}")

# Beside one answer, a number, true/false or a word for it becomes a score of this name.
KTO_LABELS = ("label", "kto_tag")  # both become the score ``label``
# Scores of a recorded answer that say whether it is right or preferred: 1 is yes, and 0 (or -1) is no.
VERDICTS = (
    "preference", "label", "is_correct", "correct", "is_safe", "safe", "passed", "pass", "verified", "is_verified",
    "accepted", "is_good", "is_valid", "is_helpful", "is_harmless", "desirable", "success", "is_preferred",
    "selected", "upvoted", "correctness_math_verify", "correctness_llama", "safer",
)  # fmt: skip
# Scores that order the answers to a prompt; the least value is the best.
RANKS = ("rank",)
RATINGS = (
    "rating", "score", "reward", "quality", "overall_score", "overall_rating", "average_rating", "avg_rating",
    "helpfulness", "correctness", "coherence", "complexity", "verbosity", "honesty", "harmlessness", "truthfulness",
    "instruction_following", "instruct_reward", "rm_score", "reward_score", "judge_score", "quality_score", "toxicity",
    "orig_score",
)  # fmt: skip
WORDS = {
    "true": 1.0, "yes": 1.0, "good": 1.0, "chosen": 1.0, "desirable": 1.0, "correct": 1.0, "pass": 1.0, "passed": 1.0,
    "thumbs_up": 1.0, "up": 1.0, "accepted": 1.0, "safe": 1.0,
    "false": 0.0, "no": 0.0, "bad": 0.0, "rejected": 0.0, "undesirable": 0.0, "incorrect": 0.0, "fail": 0.0,
    "failed": 0.0, "thumbs_down": 0.0, "down": 0.0, "unsafe": 0.0,
}  # fmt: skip
WORD_SCORES = ("grade",)  # no verdict, but may be a word too
VERDICT_VALUES = (-1.0, 0.0, 1.0)  # a number under a verdict's name that is none of these is no verdict
# A list as long as the list of answers: the score of each. A list of numbers whose name has one of ``SCORE_WORDS`` is a
# score of its own name.
LIST_SCORES = {
    "scores": "score", "rewards": "reward", "ratings": "rating", "all_rm_scores": "rm_score", "ranks": "rank",
    "rm_scores": "rm_score", "is_corrects": "is_correct",
}  # fmt: skip
SCORE_WORDS = (
    "score", "reward", "rating", "rank", "correct", "verif", "pass", "quality", "grade", "safe", "logprob",
    "perplexity", "prefer", "label", "complete",
)  # fmt: skip
NO_SCORES = ("id", "index", "created", "seed", "timestamp")  # numbers beside an answer in a list that are no scores
LIST_MODELS = ("generation_models", "model_names", "models", "completion_models", "response_models")
LIST_FINISH_REASONS = ("finish_reasons",)
LIST_REASONING = ("reasonings", "reasoning_contents", "thinkings", "thoughts")

MODELS = (
    "model", "generation_model", "model_name", "response_model", "response_source", "generator", "completion_model",
    "llm",
)  # fmt: skip
# The reasoning of the one answer: a text, or a list of texts; of trajectories (alternatives) the first is meant.
REASONING = (
    "reasoning_content", "reasoning", "thinking", "reasoning_trace", "chain_of_thought", "complex_cot", "think",
    "cot", "model_reasoning",
    "thought", "deepseek_reasoning", "deepseek_thinking_trajectory", "thinking_trajectory", "thinking_trajectories",
    "think_content", "r1_reasoning",
)  # fmt: skip

# The ground truth, which answers are compared with. ``{a}.{b}`` is the key b of the mapping a.
TRUTHS = (
    "ground_truth", "expected_answer", "reference_answer", "final_answer", "gold_answer", "correct_answer", "gold",
    "reference_solution", "ground_truth_solution", "canonical_solution", "gold_standard_solution",
    "reward_model.ground_truth", "best_answer", "answerkey", "ideal", "reference",
)  # fmt: skip
INSTRUCTIONS = ("instruction_id_list", "kwargs")  # IFEval's, both together, where there is no other ground truth
TRUTH_PROMPTS = ("question", "problem")  # beside them, and beside other answers, ``answer`` is the ground truth
CHOICES = ("choices", "options")  # of a question: they follow it as "A. ...", and a number as the answer is a letter
CHOICE_TRUTHS = ("answer_index", "answer_idx", "correct_option", "correct", "label", "gold", "cop", "target")
# Keys that look like an answer by themselves; where one of them is not used, it is said.
LOOK_LIKE_ANSWERS = (
    *ANSWERS, *ANSWER_LISTS, *ONLY_LISTS, *CHOICES, "answer", "solution", "chosen", "rejected", "original_response",
    "raw_response", "instances", "code", "edited_response",
)  # fmt: skip
# Where one of these is a text that repeats a message, it is left out of the metadata.
COPIES = (*PROMPTS, *PLAIN_ANSWERS, "generation", "model_response", "assistant", "reply", "text")

# The names of layouts, by the keys of the prompt and of the answer; another layout has these two keys as its name.
KNOWN = {
    ("instruction", "output"): "Alpaca", ("instruction", "completions"): "UltraFeedback",
    ("instruction", "response"): "Dolly", ("instruction", ""): "Alpaca", ("question", ""): "question-answer",
    ("prompt", "completions"): "prompt with completions", ("conversations", ""): "ShareGPT", ("prompt", ""): "prompt",
}  # fmt: skip

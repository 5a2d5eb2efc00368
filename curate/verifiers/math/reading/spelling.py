r"""One spelling for answers that differ in typesetting only: wrappers, spaces, fonts, Unicode signs, forms of digits.

``clean`` keeps the words of ``\text{}`` apart from letters of mathematics, and single spaces; ``key`` drops both, so
that two answers with the same key are the same answer. Neither changes a value: a space between two digits stays.
"""

import re
import unicodedata
from functools import lru_cache

from curate.verifiers.math.reading.quoted_lists import only_item

SIGNS = {
    **dict.fromkeys("−﹣–", "-"), "×": r" \times ", "·": r" \cdot ", "⋅": r" \cdot ", "∙": r" \cdot ", "÷": r" \div ",
    "≤": r" \le ", "⩽": r" \le ", "≥": r" \ge ", "⩾": r" \ge ", "≠": r" \neq ", "≈": r" \approx ", "±": r" \pm ",
    "∓": r" \mp ", "π": r"\pi ", "∞": r"\infty ", "∪": r" \cup ", "∩": r" \cap ", "∈": r" \in ", "∅": r"\emptyset ",
    "√": r"\sqrt ", "°": r"^\circ ", "º": r"^\circ ", "′": "'", "’": "'", "‘": "'", "″": '"', "“": '"', "”": '"',
    "，": ",", "、": ", ", "。": ".", "；": ";", "：": ":", "٫": ".", "٬": ",", "⟨": r"\langle ", "⟩": r"\rangle ",
    "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}",
    "∖": r" \setminus ",
    "→": r" \to ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "λ": r"\lambda ", "⌊": r"\lfloor ",
    "⌋": r"\rfloor ",
    "⌈": r"\lceil ", "⌉": r"\rceil ", "…": r"\ldots ", "∗": "*", "⁄": "/", "\u200b": "", "\ufeff": "", "\u2009": " ",
}  # fmt: skip
SAME = [
    (r"\\(?:left|right|[bB]igg?[lrm]?)(?![A-Za-z])\s*\.?(?=\\?[^.]|$)", ""),
    (r"\\(?:displaystyle|textstyle|limits|nolimits|hfill|rm|bf|it|Large|large)(?![A-Za-z])", " "),
    (r"\\(?:hspace|vspace|phantom|tag|label)\*?\{[^{}]*\}", " "),
    (r"\\\\\s*\[[^\[\]]*\]|\\\\|\\cr(?![a-z])", r" \\\\ "),  # [4pt] after the end of a row
    (r"(?<=\d)(?:,\\!|\\[,!;: ]|\{,\}|~)\s*(?=\d{3}(?!\d))", ","),  # thousands: 11,\!111 and 1\,234 and 11{,}111
    (r"(?<!\\)\\[,!;: ]|(?<!\\)~|\\(?:quad|qquad|enspace|thinspace|medspace|space)(?![A-Za-z])", " "),
    (r"\\[dtc]frac(?![A-Za-z])", r"\\frac"), (r"\\[dt]binom(?![A-Za-z])", r"\\binom"),
    (r"\{([^{}]*)\\over(?![A-Za-z])([^{}]*)\}|^([^{}]*)\\over(?![A-Za-z])([^{}]*)$", r"\\frac{\1\3}{\2\4}"),
    (r"\{([^{}]*)\\choose(?![A-Za-z])([^{}]*)\}|^([^{}]*)\\choose(?![A-Za-z])([^{}]*)$", r"\\binom{\1\3}{\2\4}"),
    (r"\\(?:mathbf|boldsymbol|bm)\s*\{\s*([A-Za-z])\s*\}|\\math(?:rm|it)\s*\{\s*([ie])\s*\}", r"\1\2"),
    (r"\\(?:mbox|textbf|textit|textrm|textsf|texttt|textnormal|textsc|emph|hbox|mathrm|mathbf|mathit|mathsf|boldsymbol"
     r"|bm|operatorname\*?|underline)\s*\{", r"\\text{"),
    (r"\\text\{\s*([A-Za-z])\s*\}(?=[_^'(])|\\text\{([ie])\}", r"\1\2"),
    (r"\\leq?(?:slant)?(?![A-Za-z])", r"\\le "), (r"\\geq?(?:slant)?(?![A-Za-z])", r"\\ge "),
    (r"\\ne(?![A-Za-z])", r"\\neq "),
    (r"<=|≦", r"\\le "), (r">=|≧", r"\\ge "), (r"!=", r"\\neq "), (r"\+/-|\+-", r"\\pm "),
    (r"\\lt(?![A-Za-z])", "<"), (r"\\gt(?![A-Za-z])", ">"), (r"\\[lr]vert(?![A-Za-z])|\\mid(?![A-Za-z])", "|"),
    (r"\\lbrace(?![A-Za-z])", r"\\{"), (r"\\rbrace(?![A-Za-z])", r"\\}"), (r"\\[lr]brack(?![A-Za-z])", ""),
    (r"\\varnothing(?![A-Za-z])", r"\\emptyset "), (r"\\(?:dots|cdots|dotsc)(?![A-Za-z])|\.\.\.", r"\\ldots "),
    (r"\\big(cup|cap)(?![A-Za-z]|\s*_)", r"\\\1 "),
    (r"\\colon(?![A-Za-z])", ":"), (r"\\%", "%"), (r"\\#", "#"), (r"\\&(?=\s*[A-Za-z])", " and "),
    (r"\^\s*\{\s*\\circ\s*\}|\\degree(?![A-Za-z])|\^\s*\\circ(?![A-Za-z])", r"^\\circ "),
    (r"\\mathbb\s*([A-Z])", r"\\mathbb{\1}"), (r"\\([RNZQC])(?![A-Za-z])", r"\\mathbb{\1}"),
    (r"\\var(epsilon|phi|theta|rho|sigma)(?![A-Za-z])", r"\\\1"),
    (r"\\ast(?![A-Za-z])", "*"), (r"\\infin(?![A-Za-z])", r"\\infty"),
    (r"\\(?:rightarrow|longrightarrow)(?![A-Za-z])", r"\\to"),
]  # fmt: skip
PATTERNS = [(re.compile(pattern), put) for pattern, put in SAME]
WRAPPERS = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"\$\$([^$]+)\$\$", r"\$((?:[^$\\]|\\.)+)\$", r"\\\((.*)\\\)", r"\\\[(.*)\\\]",
        r"\*\*([^*]+)\*\*", r"__([^_]+)__",
        r"\*([^*]+)\*", r"`+([^`]+)`+", r"\"([^\"]+)\"",
    )
]  # fmt: skip
BOX = re.compile(r"\\(?:boxed|fbox|text|mathrm|textbf|mathbf|mbox)\s*(\{.*\})", re.DOTALL)
BRACED = [
    (re.compile(r"\\frac\s*(\d)\s*(\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s*(\d)\s*\{"), r"\\frac{\1}{"),
    (re.compile(r"(\\frac\s*\{[^{}]*\})\s*(\d)"), r"\1{\2}"),
    (re.compile(r"\\sqrt\s*(\d|[A-Za-z])(?![A-Za-z])"), r"\\sqrt{\1}"),
    (re.compile(r"\\p?mod\s*\{?(\w+)\}?"), r"\\pmod{\1}"),
    (re.compile(r"([\^_])\s*(-?\d+|[A-Za-z])"), r"\1{\2}"),
]
BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
LONG = 1_000  # characters beyond which only white space is changed: the patterns below take quadratic time
PLAIN = re.compile(r"-?(?:\d+(?:\.\d+)?|[A-Za-z]+)")


@lru_cache(8192)
def clean(text: str) -> str:
    """Return an answer without its box, dollars, bold, fonts and spacing commands, with LaTeX for Unicode signs."""
    text = text.strip()
    if PLAIN.fullmatch(text):
        return text
    if len(text) > LONG:
        return re.sub(r"\s+", " ", text)
    text = unwrapped(ascii_signs(only_item(text)))
    text = re.sub(r"(?<!\\)\$((?:[^$\\]|\\.)+?)(?<!\\)\$(?!\d)", r" \1 ", text)  # mathematics in a sentence
    text = re.sub(r"(?<!\\)\$", r"\\$", text)  # the dollars that are left are money
    for pattern, put in PATTERNS:
        text = pattern.sub(put, text)
    return unwrapped(re.sub(r"\s+", " ", text))


@lru_cache(8192)
def key(cleaned: str) -> str:
    r"""Return a cleaned answer without ``\text{}`` and needless spaces and braces."""
    if len(cleaned) > LONG:
        return cleaned
    text = without_text(cleaned)
    for pattern, put in BRACED:
        text = pattern.sub(put, text)
    text = re.sub(r"(?<=\d), (?=\d{3}(?!\d))", ",  ", text)  # 1, 234 is no 1,234
    return re.sub(r"(?<![0-9A-Za-z ]) (?! )|(?<! ) (?![0-9A-Za-z ])", "", text).strip()


def without_text(cleaned: str) -> str:
    r"""Return a cleaned answer with the words of ``\text{}`` in place of the command."""
    while (bare := re.sub(r"\\text\s*\{([^{}]*)\}", r" \1 ", cleaned)) != cleaned:
        cleaned = bare
    return re.sub(r"\s+", " ", cleaned).strip()


def unwrapped(text: str) -> str:
    """Return a text out of the wrappers that enclose all of it, without punctuation at its end or ``=`` before it."""
    before = None
    while text != before:
        before = text
        text = re.sub(r"(?:(?<!\\)[;:,]|\s)+$|(?<!\.)[.](?:\s*)$", "", text.strip())
        text = re.sub(r"(?:(?<=[A-Za-z}\]])!)+$", "", text) if re.search(r"[A-Za-z]{4}!$", text) else text
        text = re.sub(r"^(?:=|:|\\approx|\\therefore|\\sim)(?![A-Za-z=])\s*", "", text)
        for wrapper in WRAPPERS:
            if found := wrapper.fullmatch(text):
                text = found[1]
        if (found := BOX.fullmatch(text)) and closing(found[1], 0) == len(found[1]) - 1:
            text = found[1][1:-1]
        if text.startswith("{") and closing(text, 0) == len(text) - 1:
            text = text[1:-1]
    return text


def closing(text: str, start: int, longest: int | None = None) -> int:
    r"""Return where the brace that opens at ``start`` closes; ``\{`` and ``\}`` are no braces. -1: nowhere.

    Args:
        text: A text.
        start: The place of an opening brace.
        longest: The largest number of characters between the braces; None for any.
    """
    depth, end = 0, len(text) if longest is None else start + 1 + longest
    for found in BRACES.finditer(text, start, end):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth == 0:
            return found.start()
    return -1


def ascii_signs(text: str) -> str:
    """Return a text with ASCII digits and letters for those of full width and of other scripts, and LaTeX for signs."""
    if text.isascii():
        return text
    text = re.sub(r"√\s*(\d+(?:\.\d+)?|\w)", r"\\sqrt{\1}", text)
    made = "".join(map(_ascii_sign, text))
    # x^{1}^{2} for two raised digits is one exponent.
    made = re.sub(r"\}\^\{|\}_\{", "", made)
    return re.sub(r"(?<=\d) ?(?=\\frac\{\d+\}\{\d+\} )", "", made)


@lru_cache(4096)
def _ascii_sign(sign: str) -> str:
    if sign in SIGNS:
        return SIGNS[sign]
    if sign.isascii():
        return sign
    if (digit := unicodedata.decimal(sign, None)) is not None:
        return str(digit)
    form = unicodedata.decomposition(sign)
    flat = unicodedata.normalize("NFKC", sign)
    if form.startswith("<fraction>"):
        top, _, bottom = flat.partition("⁄")
        return rf"\frac{{{top}}}{{{bottom}}} "
    if form.startswith("<circle>"):
        return rf"\textcircled{{{flat}}}"
    if form.startswith(("<super>", "<sub>")):
        return ("^" if form.startswith("<super>") else "_") + "{" + SIGNS.get(flat, flat) + "}"
    if form.startswith(("<wide>", "<noBreak>", "<font>", "<compat> 0020")):
        return flat
    return " " if sign.isspace() else sign

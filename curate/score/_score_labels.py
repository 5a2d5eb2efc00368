"""The names that judges give to scores: whether a name is that of the whole response's score, or of one criterion's."""

import re

NOUNS = (
    "score", "scores", "rating", "ratings", "grade", "puntuación", "puntuacion", "calificación", "calificacion",
    "puntaje", "pontuação", "pontuacao", "punteggio", "valutazione", "bewertung", "punktzahl", "wertung",
    "gesamtbewertung", "gesamtpunktzahl", "gesamtnote", "gesamtwertung", "оценка", "балл",
)  # fmt: skip
CJK_NOUNS = ("评分", "評分", "得分", "分数", "分數", "打分", "总分", "總分", "スコア", "点数", "評価", "점수", "평점")
_OVERALL = {
    "overall", "final", "total", "aggregate", "combined", "global", "general", "globale", "finale", "générale",
    "generale", "totale", "complessivo", "gesamt", "insgesamt", "итоговая",
    "gesamtbewertung", "gesamtpunktzahl", "gesamtnote", "gesamtwertung",
}  # fmt: skip
_CJK_OVERALL = ("总", "總", "最终", "最終", "综合", "綜合", "整体", "整體", "総合", "최종", "총", "종합")
# Words that a score's name may have beside it, and that alone name one loosely: "Answer: 8", "Quality: 8".
_GENERIC = {
    "quality", "answer", "response", "verdict", "result", "evaluation", "assessment", "judgement", "judgment", "points",
    "mark", "marks", "note", "nota", "voto", "output", "helpfulness", "honesty", "truthfulness", "instruction",
    "following", "own",
}  # fmt: skip
# A score of something else.
_OTHER = {
    "max", "maximum", "min", "minimum", "possible", "highest", "lowest", "best", "worst", "perfect", "full", "initial",
    "previous", "old", "original", "earlier", "former", "expected", "reference", "baseline", "threshold", "target",
    "passing", "potential", "confidence", "weight", "example", "sample", "hypothetical", "suggested", "claimed",
    "requested", "correct", "right", "true", "actual", "gold", "golden",
    "human", "user", "user's", "users", "reader", "readers", "critic", "critics", "self", "embedded", "injected",
    "injection", "attempt", "imdb", "film", "film's", "movie", "game", "stated", "reported", "quoted", "alleged",
    "inserted", "hidden", "fake", "满分", "滿分",
}  # fmt: skip
_FILLER = {
    "the", "my", "a", "an", "this", "that", "your", "our", "its", "it", "so", "thus", "therefore", "hence", "and", "i",
    "would", "is", "here", "here's", "now", "actually", "wait", "no", "correction", "corrected", "revised", "updated",
    "new", "assistant", "assistant's", "numeric", "numerical", "value", "number", "judge", "given", "assigned", "ai",
    "in", "of", "for", "as", "conclusion", "summary", "sum", "short", "we", "have", "give", "gives", "get", "gets",
    "die", "der", "das", "meine", "la", "el", "mi", "ma", "il", "then", "think", "at", "to", "be",
}  # fmt: skip
# A sentence about something, no name of a score: "The team won with a score".
_TOLD = {"with", "by", "from", "got", "gave", "was", "were", "won", "ended", "had", "has", "not", "film", "cannot"}
_BESIDE = {
    "solid",
    "strong",
    "good",
    "decent",
    "weak",
    "mediocre",
    "excellent",
    "great",
    "fair",
    "poor",
    "it's",
    "that's",
}
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[^\W\d_](?:['’]?[^\W_]){0,40}")


def classify(name: str) -> tuple[int, str] | None:
    """Return what the score of a name is about, and the words that say so; None where it is a score of something else.

    2 is the whole response, said so ("Overall score"); 1 the response ("Score"); 0 a criterion ("Clarity score"), or a
    loose name of the whole ("Answer"); -1 a name that is not known ("Clarity", "Errors").
    """
    words = [word.lower() for word in _WORD.findall(_CAMEL.sub(" ", name))]
    if any(word in _OTHER for word in words) or ("own" in words and "my" not in words):
        return None
    if any(word in _TOLD for word in words):
        return -1, " ".join(words)
    rest = [word for word in words[:-1] if word not in _FILLER]
    rest += [word for word in words[-1:] if word not in _FILLER or len(word) == 1]  # "Score A"
    plain = [word for word in rest if word not in _OVERALL]
    about = " ".join(word for word in plain if word not in NOUNS)
    cjk = next((word for word in plain if word.removesuffix("结果").endswith(CJK_NOUNS)), None)
    if cjk:
        whole = any(mark in cjk for mark in _CJK_OVERALL)
        return (2, "") if whole else (1, "") if len(cjk.removesuffix("结果")) <= 3 or cjk.startswith("我") else (0, cjk)
    if all(word in NOUNS or word in _GENERIC for word in plain):
        if len(plain) < len(rest):
            return 2, ""
        if any(word in NOUNS for word in plain):
            return (0, about) if about and about != "answer" and about != "response" else (1, "")
        return (0, about) if plain else (-1, "")
    return (0, about) if any(word in NOUNS or word in _OVERALL & set(NOUNS) for word in rest) else (-1, about)


def classify_words(before: str) -> tuple[int, str] | None:
    """Return what a number is about by the words before it in its sentence, as ``classify`` does; 1 where none says it.

    A number behind "the answer is" is that of an answer: None.
    """
    words = [word.lower() for word in _WORD.findall(before)]
    told = [word for word in words if word not in _FILLER and word not in _BESIDE]
    if not told:
        return 1, ""
    if told[-1] in ("answer", "answers", "result", "solution") or len(words) > 10:
        return None
    return classify(" ".join(told))

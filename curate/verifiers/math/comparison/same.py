"""Whether two answers that have been read are the same: kind by kind, exactly, never by a part of one.

``Unsure`` is raised where the two can't be told apart or together (its text is the reason), never guessed away.
"""

from curate.verifiers.math.comparison.same_quantity import same_based, same_moments
from curate.verifiers.math.comparison.same_range import is_range
from curate.verifiers.math.comparison.same_relation import Relations, is_condition
from curate.verifiers.math.comparison.wording import HOLDS, same_words, words_against
from curate.verifiers.math.reading.kinds import Based, Choice, Node, Opaque, Plain, Unsure, Words
from curate.verifiers.math.reading.moments import Moment
from curate.verifiers.math.reading.relations import as_plain


class Comparison(Relations):
    """Compares nodes of any kind."""

    def same(self, truth: Node, answer: Node) -> bool:
        """Tell whether an answer is the right one.

        Raises:
            Unsure: If that can't be told, with the reason.
            TooCostly: If a number is too large to compute.
        """
        if truth == answer and not isinstance(truth, Opaque):
            return True
        if isinstance(truth, Choice) or isinstance(answer, Choice):
            return self.choices(truth, answer)
        for whose, node in (("ground_truth", truth), ("answer", answer)):
            if isinstance(node, Opaque):
                raise Unsure(f"{whose} {node.reason}")
        if isinstance(truth, Words) or isinstance(answer, Words):
            return (
                same_words(truth, answer)
                if isinstance(truth, Words) and isinstance(answer, Words)
                else words_against(truth, answer)
            )
        if is_condition(truth) or is_condition(answer):
            return self.relations(truth, answer)
        if is_range(truth) or is_range(answer):
            return self.ranges(truth, answer)
        return self.mathematics(truth, answer)

    def mathematics(self, truth: Node, answer: Node) -> bool:
        """Compare dates, numbers, expressions and groups."""
        if isinstance(truth, Moment) or isinstance(answer, Moment):
            return same_moments(truth, answer)
        if isinstance(truth, Based) or isinstance(answer, Based):
            return same_based(truth, answer)
        if isinstance(truth, Plain) and isinstance(answer, Plain):
            return self.plain(truth, answer)
        return self.several(truth, answer)

    def choices(self, truth: Node, answer: Node) -> bool:
        """Compare where at least one is the letter of a choice."""
        if isinstance(truth, Choice) and isinstance(answer, Choice):
            if truth.marked or answer.marked:
                return truth.letter.upper() == answer.letter.upper() and self.same_texts(truth, answer)
            return truth.letter == answer.letter or self.same(as_plain(truth), as_plain(answer))
        if isinstance(truth, Choice):
            if truth.text is not None:
                return self.same(truth.text, answer)
            if isinstance(answer, Words) and (len(answer.words) == 1 or answer.words == ("not", truth.letter.lower())):
                return False
            if isinstance(answer, Words) or (isinstance(answer, Plain) and answer.unit and answer.unit.noun):
                raise Unsure("ground_truth is a letter, and the answer is words")  # "A likelihood function"
            return False if truth.marked else self.same(as_plain(truth), answer)
        assert isinstance(answer, Choice)
        if answer.text is not None:
            return self.same(truth, answer.text)
        if isinstance(truth, Words) and not answer.marked:
            return False if answer.letter.isupper() else words_against(truth, answer)
        if answer.marked:
            raise Unsure("the answer is the letter of a choice, and ground_truth is none")
        return self.same(truth, as_plain(answer))

    def same_texts(self, truth: Choice, answer: Choice) -> bool:
        """Tell that the texts after one letter are the same too; "A. 3" may be a part or a name, and not a choice.

        Raises:
            Unsure: If they differ.
        """
        if truth.text is None or answer.text is None or truth.text == answer.text:
            return True
        try:
            if self.same(truth.text, answer.text):
                return True
        except Unsure as error:
            if str(error) == HOLDS:  # (B) the nucleus, (B) nucleus of the cell
                return True
        raise Unsure("the letters are the same, and the texts after them differ")

"""A letter before a bracket: P(2) may be the value of a function, or a product."""

from collections.abc import Callable

from curate.verifiers.math.expressions.tree import Tree

LONGEST_ARGUMENT = 7  # tokens in the brackets of P(2), E(X^{2})


def is_argument(tree: Tree, of_capital: bool) -> bool:
    """Tell whether f is often written with this argument: a number or a letter, or for P and E also 2X and X^2."""
    if tree.op in ("number", "var", "const"):
        return True
    if tree.op == "neg":
        return is_argument(tree.args[0], False)
    return of_capital and tree.op in ("mul", "pow") and all(part.op in ("number", "var") for part in tree.args)


def on_last(tree: Tree, make: Callable[[Tree], Tree]) -> Tree:
    """Return an operation on an atom: on all of a value P(2), but on the last factor of a product."""
    if tree.op != "either":
        return make(tree)
    call, product = tree.args
    return Tree("either", (make(call), Tree("mul", (product.args[0], make(product.args[1])))))

"""Budgets: nothing is let through that might not fit, and what is let through is all that fits."""

import json
from time import monotonic, sleep

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curate.models.budget import LIMITS, Budget, SpendingLimit, spending_limit
from schemas.requests import Reply, Sampling, Spent, make_request, most_tokens
from schemas.yaml_file import override

NOTHING = dict.fromkeys(("requests", "prompt_tokens", "completion_tokens", "cost", "seconds"), 0.0)


def group(number, n=1, max_tokens=20, text="a question"):
    messages = json.dumps([{"role": "user", "content": f"{text} {number}"}])
    return [make_request("m", messages, None, Sampling(max_tokens=max_tokens), i) for i in range(n)]


def budget(limits=None, of_recipe=None, **more):
    owners = {"models.a": limits or {}, "budget": of_recipe or {}}
    return Budget([spending_limit(owner, most, NOTHING) for owner, most in owners.items()], **more)


def answers(group, completion_tokens=5):
    return [Reply(r.key, "x", prompt_tokens=4, completion_tokens=completion_tokens) for r in group]


def test_without_limits_everything_goes_and_costs_are_counted():
    free = budget(prompt_price=2.0, completion_price=10.0)
    assert all(free.reserve(group(i)) for i in range(1000)) and free.reserved == {}
    cost, seconds = free.record(answers(group(0)), Spent(1, 500_000, 100_000))
    assert cost == 2.0 and 0 <= seconds < 60
    assert free.cost(1_000_000, 0) == 2.0 and free.cost(0, 1_000_000) == 10.0


@pytest.mark.parametrize("owner", ["models.a", "budget"])
def test_requests_are_let_through_one_by_one_up_to_the_limit(owner):
    limits = {"max_requests": 3}
    one = budget(limits if owner == "models.a" else {}, limits if owner == "budget" else {})
    assert [one.reserve(group(i)) for i in range(5)] == [True, True, True, False, False]
    assert one.refused.startswith(f"{owner}.max_requests is reached: 0 of 3 spent")
    one.record(answers(group(0)), Spent(1, 4, 5))
    assert not one.reserve(group(3)), "two in flight and one spent"
    one.record([], Spent())
    assert not one.reserve(group(3))
    assert (
        f"1 of 3 spent, the next request might not fit; to continue, run again with --set {owner}.max_requests=6"
        in (one.refused)
    )


def test_a_group_is_let_through_whole_or_not_at_all():
    one = budget({"max_requests": 5})
    assert one.reserve(group(0, 4)) and not one.reserve(group(1, 4)) and one.reserve(group(2, 1))
    assert len(one.reserved) == 5
    one.record(answers(group(0, 4)), Spent(1, 4, 20))  # four samples in one request
    assert not one.reserve(group(1, 4)) and one.reserve(group(3, 3))


def test_a_failed_attempt_and_a_failed_request_are_counted():
    one = budget({"max_requests": 4})
    assert one.reserve(group(0)) and one.reserve(group(1))
    one.record([], Spent(1, 10, 0))
    assert one.reserve(group(2)) and not one.reserve(group(3)), "one spent, three in flight"
    one.record([Reply(r.key, error="no") for r in group(0)], Spent(1))
    assert not one.reserve(group(3))
    one.record([Reply(r.key, error="refused before it was sent") for r in group(1)], Spent(0))
    assert one.reserve(group(3))


def test_tokens_that_were_not_needed_are_free_again():
    most = sum(most_tokens(group(0)[0]))
    one = budget({"max_tokens": 2 * most + 10})
    assert one.reserve(group(0)) and one.reserve(group(1)) and not one.reserve(group(2))
    one.record(answers(group(0)), Spent(1, 4, 5))
    assert one.reserve(group(2)) and not one.reserve(group(3))
    assert one.reserved_total["max_tokens"] == 2 * most


def test_what_was_spent_before_counts_and_a_larger_limit_goes_on():
    before = {**NOTHING, "requests": 7, "prompt_tokens": 100, "completion_tokens": 30, "cost": 0.5, "seconds": 9.0}
    used = spending_limit("budget", {}, before).used
    assert used == {"max_requests": 7, "max_tokens": 130, "max_cost": 0.5, "max_seconds": 9.0}
    for limit, low, high in (("max_requests", 7, 8), ("max_tokens", 200, 400), ("max_seconds", 9.0, 60)):
        assert not Budget([spending_limit("budget", {limit: low}, before)]).reserve(group(0))
        assert Budget([spending_limit("budget", {limit: high}, before)]).reserve(group(0))
    for limit, fits in ((0.51, False), (5.0, True)):
        limits = [spending_limit("budget", {"max_cost": limit}, before)]
        assert Budget(limits, prompt_price=1000.0, completion_price=1000.0).reserve(group(0)) is fits


def test_seconds_pass_while_a_request_is_out():
    one = budget({"max_seconds": 0.2})
    assert one.reserve(group(0))
    sleep(0.25)
    assert not one.reserve(group(1)) and one.refused.startswith("models.a.max_seconds is reached: 0 of 0.2 spent")
    _, seconds = one.record(answers(group(0)), Spent(1, 4, 5))
    of_model, of_recipe = one.spending_limits
    assert 0.25 <= seconds < 5 and 0.25 <= of_model.used["max_seconds"] == of_recipe.used["max_seconds"]
    assert not one.reserve(group(1))
    before = one.clock
    assert one.lap() >= 0 and monotonic() >= one.clock >= before


def test_a_dearer_request_than_expected_raises_the_next_holds():
    one = budget({"max_tokens": 10_000})
    assert one.reserve(group(0))
    most = sum(most_tokens(group(0)[0]))
    one.record([Reply(group(0)[0].key, "x", prompt_tokens=most + 80, completion_tokens=20)], Spent(1, most + 80, 20))
    assert one.reserve(group(1)) and one.reserved_total["max_tokens"] == most + 100


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(LIMITS), st.one_of(st.integers(0, 10**9), st.floats(0, 1e9)))
@example("max_requests", 500_001)
@example("max_requests", 0)
@example("max_cost", 1e-9)
def test_a_spent_budget_names_a_larger_limit_of_its_kind(name, most):
    """It is given as ``--set``, whose value is read as YAML: it must come out a number, and a whole one for a count."""
    most = int(most) if name in ("max_requests", "max_tokens") else float(most)
    said = SpendingLimit("budget", {name: most}, {name: most}).reached(name)
    data = {}
    override(data, said.split("--set ")[1])
    found = data["budget"][name]
    assert found > most and type(found) in ({int} if isinstance(most, int) else {int, float})


LOOP = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 60), st.integers(0, 60)), min_size=1, max_size=25)


@settings(max_examples=150, deadline=None)
@given(
    LOOP,
    st.fixed_dictionaries(
        {},
        optional={
            "max_requests": st.integers(0, 60),
            "max_tokens": st.integers(0, 4000),
            "max_cost": st.floats(0, 0.02),
        },
    ),
    st.fixed_dictionaries({}, optional={"max_requests": st.integers(0, 60), "max_tokens": st.integers(0, 4000)}),
    st.randoms(),
    st.booleans(),
)
def test_no_budget_is_ever_passed_whatever_is_in_flight(wanted, limits, of_recipe, random, together):
    """Groups are held as long as that goes and settled in any order, all at once or a sample a time."""
    one = budget(limits, of_recipe, prompt_price=3.0, completion_price=7.0)
    waiting = [group(i, n, most) for i, (n, most, _) in enumerate(wanted)]
    takes = {r.key: min(need, most) for g, (_, most, need) in zip(waiting, wanted, strict=True) for r in g}
    flying, done, spent = [], 0, {"max_requests": 0, "max_tokens": 0, "max_cost": 0.0}
    while True:
        while waiting and len(flying) < 5 and one.reserve(waiting[0]):
            flying.append(waiting.pop(0))
        if not flying:
            break
        part = flying.pop(random.randrange(len(flying)))
        for replies in [part] if together else [[r] for r in part]:
            prompt = most_tokens(replies[0])[0] - random.randrange(40)
            new = sum(takes[r.key] for r in replies)
            given_ = [Reply(r.key, "x", prompt_tokens=prompt, completion_tokens=takes[r.key]) for r in replies]
            cost, _ = one.record(given_, Spent(1, prompt, new))
            spent["max_requests"] += 1
            spent["max_tokens"] += prompt + new
            spent["max_cost"] += cost
            done += len(replies)
            for limit, most in [*limits.items(), *of_recipe.items()]:
                assert spent[limit] <= most + 1e-9, (limit, most, spent)
    assert one.reserved == {} and all(total == 0 for total in one.reserved_total.values()), (
        "nothing is held when all is settled"
    )
    assert done == len(takes) or waiting
    for owner in one.spending_limits if one.spending_limits[0].limits or one.spending_limits[1].limits else []:
        for name, amount in spent.items():
            assert owner.used[name] == pytest.approx(amount)
    if waiting:  # what was refused would really not have fitted at its worst
        prompt, new = (sum(x) for x in zip(*map(most_tokens, waiting[0]), strict=True))
        worst = {"max_requests": len(waiting[0]), "max_tokens": prompt + new, "max_cost": one.cost(prompt, new)}
        assert any(spent[k] + worst[k] > most for k, most in [*limits.items(), *of_recipe.items()])
        assert one.refused


def test_failed_attempts_never_exceed_a_limit():
    one = budget({"max_requests": 4}, {"max_tokens": 10_000})
    assert one.reserve(group(0)) and one.reserve(group(1)) and one.reserve(group(2)) and one.overdrawn() is None
    one.record([], Spent(1, 10, 0))
    assert one.overdrawn() is None, "three in flight and one spent"
    one.record([], Spent(1, 10, 0))
    assert one.overdrawn().startswith("models.a.max_requests is reached: 2 of 4 spent")
    one.record([Reply(group(0)[0].key, error="not tried again")], Spent())
    assert one.overdrawn() is None, "the two that are left may go on"
    one.record(answers(group(1)), Spent(1, 4, 5))
    one.record([], Spent(1, 9_000, 0))
    assert one.spending_limits[0].used["max_requests"] == 4 and one.overdrawn().startswith("models.a.max_requests")

"""Which of several servers gets a request: laws that hold whatever happens, and each rule on a small table."""

from hypothesis import given
from hypothesis import strategies as st

from curate.models.clients.http.balancer import BUSIER, LONGEST_REST, MOST_HOMES, Balancer

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "ask", "work", "fail", "unreachable", "busy", "refuse", "back", "look", "wait"]),
        st.integers(0, 9),
    ),
    max_size=60,
)


def happen(balancer, event, number, now, out):
    """Let something happen at one of the servers; return the time after it."""
    at = number % len(balancer.servers)
    server = balancer.servers[at]
    if event == "wait":
        return now + number
    if event in ("work", "fail", "unreachable", "busy", "refuse") and at in out:
        out.remove(at)
        balancer.release(at)
        if event == "work":
            balancer.worked(at)
        elif event == "fail":
            balancer.failed(at, now, "HTTP 500")
        elif event == "unreachable":
            balancer.unreachable(at, now, "refused")
        elif event == "busy":
            balancer.turned_away(at, now, number / 2)
        else:
            balancer.refuse(at, now, "no such model")
    elif event == "look" and server.status == "down" and server.until <= now:
        balancer.still_down(at, now, "refused")
    elif event == "back" and server.status == "down" and server.until <= now:
        balancer.back(at)
    return now


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), EVENTS)
def test_laws_of_what_is_asked(limits, events):
    balancer, now, out = Balancer(limits), 0.0, []
    for event, number in events:
        if event != "ask":
            now = happen(balancer, event, number, now, out)
        else:
            rooms = {at: one.room for at, one in enumerate(balancer.servers)}
            ready = balancer.ready(now)
            avoid = {number % len(limits)}
            at = balancer.pick(number, now, avoid)
            if at is None:
                home = balancer.homes.get(number)
                with_room = [one for one in (ready - avoid or ready) if rooms[one]]
                waits = home in (ready - avoid or ready) and not rooms[home] and balancer.servers[home].status == "up"
                assert not with_room or waits, "there was room, and nobody was asked"
                assert all(1 - balancer.servers[one].load <= max(BUSIER, 1 / limits[home]) for one in with_room)
            else:
                out.append(at)
                assert at in ready and rooms[at]
                assert at not in avoid or ready <= avoid, "asked again where it failed, while another could be asked"
        for at, one in enumerate(balancer.servers):
            assert one.in_flight == out.count(at) <= one.limit
            assert one.status != "down" or one.until <= now + LONGEST_REST
        assert (balancer.dark_since is None) == any(one.status == "up" for one in balancer.servers)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(0, 150))
def test_servers_are_equally_busy_relative_to_their_limits(limits, count):
    balancer = Balancer(limits)
    picked = [balancer.pick(number, 0.0) for number in range(count)]
    assert picked.count(None) == max(0, count - sum(limits))
    loads = [one.load for one in balancer.servers]
    for one in balancer.servers:  # moving a request to any other would make that one busier than this one is
        assert all(one.load - 1 / one.limit <= load + 1e-9 for load in loads)


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(2, 5))
def test_a_prompt_stays_where_it_was_while_all_are_equally_busy(prompts, count):
    balancer, homes = Balancer([8] * count), {}
    for prompt in prompts:
        at = balancer.pick(prompt, 0.0) or 0
        assert homes.setdefault(prompt, at) == at
        balancer.release(at)


def test_a_prompt_leaves_a_server_that_is_clearly_busier():
    balancer = Balancer([8, 8])
    home = balancer.pick(1, 0.0) or 0
    assert [balancer.pick(1, 0.0) for _ in range(2)] == [home, home]  # three there, none at the other
    assert balancer.pick(1, 0.0) == 1 - home


def test_a_prompt_waits_for_its_server_unless_it_is_much_busier():
    balancer = Balancer([4, 4])
    home = balancer.pick(1, 0.0) or 0
    picked = [balancer.pick(number, 0.0) for number in range(2, 9)]
    assert picked.count(home) == 3 and None not in picked
    balancer.release(1 - home)
    assert balancer.pick(1, 0.0) is None, "three there, four at its own"
    balancer.release(1 - home)
    assert balancer.pick(1, 0.0) == 1 - home


def test_next_in_line_is_whose_prompt_the_server_has_seen():
    balancer = Balancer([4, 4])
    homes = [balancer.pick(number, 0.0) for number in range(8)]
    mine, others = homes.index(0), homes.index(1)
    nobody: set[int] = set()
    assert balancer.next_in_line([(mine, nobody)], 0) is None, "there is no room"
    balancer.release(0)
    line = [(others, nobody), (99, nobody), (mine, nobody)]
    assert balancer.next_in_line(line, 0) == 2
    assert balancer.next_in_line([*line[:2], (mine, {0})], 0) == 1
    assert balancer.next_in_line(line[:1], 0) is None
    balancer.release(0)
    assert balancer.next_in_line(line[:1], 0) == 0, "there is much room"


def test_a_trial_is_one_request_and_an_answer_ends_it():
    balancer = Balancer([4, 4])
    assert balancer.unreachable(0, 0.0, "refused") and not balancer.unreachable(0, 0.0, "refused")
    assert [balancer.pick(n, 0.0) for n in range(2)] == [1, 1]
    balancer.back(0)
    assert [balancer.pick(n, 1.0) for n in range(3)] == [0, 1, 1]
    balancer.release(0)
    assert balancer.worked(0) and not balancer.worked(0)
    assert [balancer.pick(n, 1.0) for n in range(2)] == [0, 0]


def test_rests_double_up_to_a_bound_until_a_good_answer():
    balancer, rests = Balancer([1]), []
    for _ in range(12):
        balancer.failed(0, 0.0, "HTTP 500")
        balancer.failed(0, 0.0, "HTTP 500")
        balancer.failed(0, 0.0, "HTTP 500")
        rests.append(balancer.servers[0].until)
        balancer.back(0)
    assert rests[:4] == [0.25, 0.5, 1, 2] and rests[-1] == LONGEST_REST
    balancer.worked(0)
    balancer.unreachable(0, 100.0, "refused")
    assert balancer.servers[0].until == 100.25
    for _ in range(12):
        balancer.still_down(0, 100.0, "refused")
    assert balancer.servers[0].until == 100 + LONGEST_REST


def test_a_server_rests_as_long_as_it_kept_a_request_waiting():
    balancer = Balancer([1, 1])
    taken_down = [balancer.failed(0, 600.0, "no reply within 600 s", seconds=600.0) for _ in range(3)]
    assert taken_down == [False, False, True] and balancer.servers[0].until == 1200


def test_a_pause_holds_for_one_server_and_ends():
    balancer = Balancer([1, 1])
    balancer.turned_away(0, 0.0, 5.0)
    assert [balancer.pick(1, 4.0), balancer.pick(2, 4.0)] == [1, None]
    assert balancer.next_change(4.0) == 1.0
    assert balancer.pick(2, 5.0) == 0


def test_a_wave_of_refusals_is_one_pause():
    balancer = Balancer([8])
    for _ in range(8):
        balancer.turned_away(0, 0.0, 0.0)
    assert balancer.servers[0].paused_until == 0.1
    balancer.turned_away(0, 1.0, 0.0)
    assert balancer.servers[0].paused_until == 1.2


def test_servers_that_are_down_are_waited_for_anew():
    balancer = Balancer([1])
    balancer.unreachable(0, 10.0, "refused")
    assert (balancer.dark_since, balancer.servers[0].until) == (10.0, 10.25)
    balancer.begin(500.0)
    assert (balancer.dark_since, balancer.servers[0].until) == (500.0, 10.25)
    balancer.still_down(0, 500.0, "refused")
    balancer.begin(500.1)
    assert balancer.servers[0].until == 500.1


def test_it_does_not_remember_every_prompt():
    balancer = Balancer([1])
    for prompt in range(MOST_HOMES + 5):
        balancer.pick(prompt, 0.0)
        balancer.release(0)
    assert len(balancer.homes) == MOST_HOMES and 0 not in balancer.homes

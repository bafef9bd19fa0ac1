from datetime import datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from analytics.alerting.lifecycle import Purpose
from analytics.alerting.mailbox import AddressedNotice, Habits, Letter, Mailbox, deliver
from analytics.domain.severity import SEVERITIES, Severity
from tests.analytics.alerting.makers import MINUTE, T0, ZONE

HABITS = Habits(zone=ZONE, quiet_from=time(22), quiet_to=time(7), burst=3, window=10 * MINUTE)
NIGHT = T0 + timedelta(hours=14)  # midnight in Shanghai


def post(alert: str, purpose: Purpose = Purpose.RAISE, at: datetime = T0, **facts: object) -> AddressedNotice:
    severity = facts.pop("severity", Severity.WARNING)
    assert isinstance(severity, Severity)
    return AddressedNotice(
        alert=alert, purpose=purpose, severity=severity, level=0, at=at, first=bool(facts.pop("first", True)),
        urgent=bool(facts.pop("urgent", False)),
    )  # fmt: skip


class Reader:
    """A mailbox that is fed, and asked whenever it is due."""

    def __init__(self, habits: Habits) -> None:
        self.habits = habits
        self.mailbox = Mailbox()
        self.letters: list[Letter] = []
        self.now = T0

    def feed(self, posts: list[AddressedNotice], at: datetime) -> None:
        self.run(at)
        self._deliver(posts, at)

    def run(self, until: datetime) -> None:
        for _ in range(2000):
            if self.mailbox.next_at is None or self.mailbox.next_at > until:
                break
            self._deliver([], max(self.mailbox.next_at, self.now))
        else:
            raise AssertionError("never comes to rest")
        self.now = max(until, self.now)

    def _deliver(self, posts: list[AddressedNotice], at: datetime) -> None:
        self.now = at
        self.mailbox, letters = deliver(self.mailbox, posts, at, self.habits)
        self.letters += letters


def test_letters_of_before_the_clock_was_set_back_hold_nothing_up() -> None:
    ahead = (T0 + 480 * MINUTE,) * HABITS.burst
    held = Mailbox(left_at=ahead, urgent_at=ahead)
    mailbox, letters = deliver(held, [post("A", urgent=True)], T0, HABITS)
    assert len(letters) == 1
    assert (mailbox.left_at, mailbox.next_at) == ((T0,), None)


arrivals = st.lists(
    st.tuples(
        st.integers(0, 120),
        st.lists(
            st.tuples(st.integers(0, 20), st.sampled_from(list(Purpose)), st.sampled_from(SEVERITIES), st.booleans()),
            max_size=8,
        ),
    ),
    max_size=25,
)


@given(arrivals, st.integers(1, 4))
def test_nothing_waits_for_ever_and_no_more_than_a_burst_leaves(
    arriving: list[tuple[int, list[tuple[int, Purpose, Severity, bool]]]], burst: int
) -> None:
    reader = Reader(Habits(zone=ZONE, quiet_from=time(22), quiet_to=time(7), burst=burst, window=10 * MINUTE))
    raised: set[str] = set()
    cleared: set[str] = set()
    seen: set[str] = set()
    for wait, posts in arriving:
        at = reader.now + wait * MINUTE
        fresh = []
        for alert, purpose, severity, urgent in posts:
            name = f"A{alert}"
            fresh.append(post(name, purpose, at, severity=severity, first=name not in seen, urgent=urgent))
            seen.add(name)
            (cleared if purpose is Purpose.CLEAR else raised).add(name)
        reader.feed(fresh, at)
    reader.run(reader.now + timedelta(days=2))
    assert reader.mailbox.waiting == ()
    told = {one.alert for letter in reader.letters for one in letter.posts}
    assert raised - cleared <= told, "what was not taken back was told"
    times = [letter.at for letter in reader.letters]
    for at in times:
        assert sum(at - reader.habits.window < other <= at for other in times) <= 2 * burst
    at_once = [letter.at for letter in reader.letters if any(one.urgent for one in letter.posts)]
    grouped = [letter.at for letter in reader.letters if not any(one.urgent for one in letter.posts)]
    for sent in (at_once, grouped):
        for at in sent:
            assert sum(at - reader.habits.window < other <= at for other in sent) <= burst
    for letter in reader.letters:
        if reader.habits.quiet_until(letter.at) is not None:
            assert all(one.severity is Severity.SERIOUS for one in letter.posts)


def test_a_storm_is_a_handful_of_letters_the_worst_first() -> None:
    reader = Reader(HABITS)
    for second in range(60):
        posts = [post(f"A{second}-{n}", severity=SEVERITIES[n % 3]) for n in range(10)]
        reader.feed(posts, T0 + timedelta(seconds=second))
    reader.run(T0 + timedelta(hours=1))
    assert len(reader.letters) <= 4
    assert sum(len(letter.posts) for letter in reader.letters) == 600
    assert reader.letters[0].posts[0].severity is Severity.SERIOUS


def test_a_burst_of_other_letters_holds_up_no_serious_fault_of_a_meter() -> None:
    reader = Reader(HABITS)
    for second in range(3):
        reader.feed([post(f"finding {second}", severity=Severity.SERIOUS)], T0 + timedelta(seconds=second))
    assert len(reader.letters) == HABITS.burst, "the room is taken"
    reader.feed([post("finding 3", severity=Severity.SERIOUS)], T0 + MINUTE)
    assert len(reader.letters) == HABITS.burst
    reader.feed([post("a meter stands still", severity=Severity.SERIOUS, urgent=True)], T0 + MINUTE)
    assert [one.alert for one in reader.letters[-1].posts] == ["a meter stands still"]
    for second in range(5):
        reader.feed([post(f"fault {second}", urgent=True)], T0 + 2 * MINUTE + timedelta(seconds=second))
    assert len(reader.letters) == 2 * HABITS.burst, "not without end either"
    reader.run(T0 + timedelta(hours=1))
    assert reader.mailbox.waiting == ()


def test_quiet_hours_keep_what_can_wait_until_their_end() -> None:
    reader = Reader(HABITS)
    reader.feed([post("a"), post("b", severity=Severity.SERIOUS)], NIGHT)
    assert [letter.posts[0].alert for letter in reader.letters] == ["b"]
    reader.run(NIGHT + timedelta(hours=7) - MINUTE)
    assert len(reader.letters) == 1
    reader.run(NIGHT + timedelta(hours=7))
    assert [letter.posts[0].alert for letter in reader.letters] == ["b", "a"]


def test_raised_and_cleared_over_night_is_told_nobody() -> None:
    reader = Reader(HABITS)
    reader.feed([post("a")], NIGHT)
    reader.feed([post("a", Purpose.CLEAR, first=False)], NIGHT + MINUTE)
    reader.run(NIGHT + timedelta(days=1))
    assert reader.letters == []


def test_who_was_told_of_it_is_told_of_its_end() -> None:
    reader = Reader(HABITS)
    reader.feed([post("a")], T0)
    reader.feed([post("a", Purpose.ESCALATE, first=False), post("a", Purpose.CLEAR, first=False)], NIGHT)
    reader.run(NIGHT + timedelta(days=1))
    assert [letter.posts[0].purpose for letter in reader.letters] == [Purpose.RAISE, Purpose.CLEAR]

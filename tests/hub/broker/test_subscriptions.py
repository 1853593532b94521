from hypothesis import given
from hypothesis import strategies as st

from hub.broker.subscriptions import Subscriptions, is_filter, matching

levels = st.sampled_from(["a", "b", "", "$s"])
topics = st.lists(levels, min_size=1, max_size=4).map("/".join)
filters = st.tuples(st.lists(st.sampled_from(["a", "b", "", "$s", "+"]), max_size=4), st.booleans()).map(
    lambda parts: "/".join([*parts[0], "#"] if parts[1] or not parts[0] else parts[0])
)


def literally_matches(topic: str, topic_filter: str) -> bool:
    """The standard's rules (4.7), level by level."""
    if topic.startswith("$") and topic_filter[0:1] in ("+", "#"):
        return False
    asked, given_levels = topic_filter.split("/"), topic.split("/")
    for index, level in enumerate(asked):
        if level == "#":
            return True
        if index >= len(given_levels) or level not in ("+", given_levels[index]):
            return False
    return len(asked) == len(given_levels)


@given(st.lists(st.tuples(st.sampled_from("xyz"), filters, st.integers(0, 1))), topics)
def test_the_tree_finds_whom_the_standard_names_with_the_highest_qos(
    subscribed: list[tuple[str, str, int]], topic: str
):
    tree = Subscriptions()
    newest: dict[tuple[str, str], int] = {}
    for client, topic_filter, qos in subscribed:
        tree.add(client, topic_filter, qos)
        newest[client, topic_filter] = qos
    expected: dict[str, int] = {}
    for (client, topic_filter), qos in newest.items():
        if literally_matches(topic, topic_filter):
            expected[client] = max(qos, expected.get(client, 0))
    assert tree.readers(topic) == expected


@given(st.lists(st.tuples(st.sampled_from("xy"), filters), max_size=8), topics)
def test_what_is_removed_leaves_nothing_behind(subscribed: list[tuple[str, str]], topic: str):
    tree = Subscriptions()
    for client, topic_filter in subscribed:
        tree.add(client, topic_filter, 1)
    tree.remove_client("x")
    assert set(tree.readers(topic)) <= {"y"}
    assert tree.of("x") == {}
    tree.remove_client("y")
    assert tree._root.children == {}


@given(st.lists(topics, unique=True), filters)
def test_retained_topics_are_found_by_the_same_rules(retained: list[str], topic_filter: str):
    expected = [topic for topic in retained if literally_matches(topic, topic_filter)]
    assert matching(retained, topic_filter) == expected


def test_a_filter_that_was_never_there_can_be_removed():
    tree = Subscriptions()
    tree.add("x", "a/+", 1)
    tree.remove("x", "a/b")
    tree.remove("y", "a/+")
    assert tree.readers("a/b") == {"x": 1}


def test_only_well_formed_filters_are_filters():
    assert all(map(is_filter, ["a", "a/b", "+/a", "a/#", "#", "+"]))
    assert not any(map(is_filter, ["", "a+", "a/b#", "#/a", "a/#/b", "+a/b"]))

"""Which client gets a message: topic filters in a tree, a level of the topic a step.

amqtt compares a message with every filter there is. With three filters a device that is a hundred
times the work of delivering it.
"""

from collections.abc import Iterable, Iterator


class _Node:
    __slots__ = ("children", "readers")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.readers: dict[str, int] = {}


class Subscriptions:
    """Client id -> topic filter -> QoS, to be asked by topic."""

    def __init__(self) -> None:
        self._root = _Node()
        self._filters: dict[str, dict[str, int]] = {}

    def add(self, client_id: str, topic_filter: str, qos: int) -> None:
        """Subscribe; the same filter again changes its QoS."""
        node = self._root
        for level in topic_filter.split("/"):
            node = node.children.setdefault(level, _Node())
        node.readers[client_id] = qos
        self._filters.setdefault(client_id, {})[topic_filter] = qos

    def remove(self, client_id: str, topic_filter: str) -> None:
        """Unsubscribe; nothing happens if there is no such subscription."""
        filters = self._filters.get(client_id, {})
        if filters.pop(topic_filter, None) is None:
            return
        if not filters:
            del self._filters[client_id]
        self._prune(client_id, topic_filter.split("/"))

    def remove_client(self, client_id: str) -> None:
        for topic_filter in self.of(client_id):
            self.remove(client_id, topic_filter)

    def of(self, client_id: str) -> dict[str, int]:
        """The filters of a client with their QoS; a copy."""
        return dict(self._filters.get(client_id, {}))

    def readers(self, topic: str) -> dict[str, int]:
        """Who gets a message on a topic, each once, with the highest QoS of its matching filters."""
        found: dict[str, int] = {}
        for node in self._matching(topic.split("/")):
            for client_id, qos in node.readers.items():
                found[client_id] = max(qos, found.get(client_id, 0))
        return found

    def _matching(self, levels: list[str]) -> Iterator[_Node]:
        nodes = [self._root]
        for index, level in enumerate(levels):
            # [MQTT-4.7.2-1] a filter that begins with a wildcard does not see `$SYS`.
            wild = index > 0 or not level.startswith("$")
            following = []
            for node in nodes:
                children = node.children
                if wild and (rest := children.get("#")):
                    yield rest
                if wild and (any_level := children.get("+")):
                    following.append(any_level)
                if exact := children.get(level):
                    following.append(exact)
            nodes = following
        for node in nodes:
            yield node
            # `a/#` matches `a` as well.
            if rest := node.children.get("#"):
                yield rest

    def _prune(self, client_id: str, levels: list[str]) -> None:
        path = [self._root]
        for level in levels:
            path.append(path[-1].children[level])
        del path[-1].readers[client_id]
        for parent, level, node in zip(reversed(path[:-1]), reversed(levels), reversed(path), strict=False):
            if node.readers or node.children:
                break
            del parent.children[level]


def is_filter(topic_filter: str) -> bool:
    """Whether `#` and `+` each have a level of their own, and `#` the last one."""
    levels = topic_filter.split("/")
    wild = all(level in ("#", "+") or not ("#" in level or "+" in level) for level in levels)
    return bool(topic_filter) and wild and "#" not in levels[:-1]


def matching(topics: Iterable[str], topic_filter: str) -> list[str]:
    """The topics that one filter matches: the question of retained messages, asked the other way round."""
    one = Subscriptions()
    one.add("", topic_filter, 0)
    # Optimization: of thousands of retained topics hardly any begins as the filter of a device does.
    beginning = topic_filter.partition("#")[0].partition("+")[0].rstrip("/")
    return [topic for topic in topics if topic.startswith(beginning) and one.readers(topic)]

"""Portions: dealt by length, and shared without waiting for what others have begun."""

from functools import partial

from specfair.audit.portions import portions, shared
from specfair.errors import BusyError
from specfair.texts.prompts import Prompt


def prompt(i: int) -> Prompt:
    return Prompt(f"p{i:02}", "ab"[i // 10], "c", "t", "x" * (1 + i))


def test_every_portion_has_its_part_of_long_texts_and_of_each_group() -> None:
    some = [prompt(i) for i in range(20)]
    dealt = portions(some[::-1], 7)
    assert dealt == portions(some, 7)
    assert [len(portion) for portion in dealt] == [7, 7, 6]
    sizes = [sum(len(p.text) for p in portion) / len(portion) for portion in dealt]
    assert max(sizes) - min(sizes) <= 2
    assert all({p.group for p in portion} == {"a", "b"} for portion in dealt)
    assert portions([], 7) == []


def test_what_others_have_begun_is_left_to_them_until_nothing_else_is_left() -> None:
    done: list[tuple[str, bool]] = []
    busy = {"a": 1, "b": 9}  # how often somebody is at it

    def job(name: str, *, wait: bool) -> str:
        if busy.get(name, 0) and not wait:
            busy[name] -= 1
            raise BusyError
        done.append((name, wait))
        return name

    assert sorted(shared([partial(job, name) for name in "abc"])) == ["a", "b", "c"]
    assert done == [("c", False), ("a", False), ("b", True)]

"""What two versions of a list do not share."""

from __future__ import annotations

from random import Random

from api_gateway_service_mesh.control.apart import apart


def test_what_is_not_the_same_object_is_told_in_order() -> None:
    random = Random(3)
    things: list[list[int]] = [[number] for number in range(50)]
    for _ in range(300):
        new = [list(thing) if random.random() < 0.05 else thing for thing in things]
        if random.random() < 0.5:
            new.insert(random.randrange(len(new) + 1), [0])
        if random.random() < 0.5:
            del new[random.randrange(len(new))]
        if random.random() < 0.1:
            random.shuffle(new)
        gone, come = apart(things, new)
        assert [id(one) for one in gone] == [id(one) for one in things if not any(one is other for other in new)]
        assert [id(one) for one in come] == [id(one) for one in new if not any(one is other for other in things)]
        things = new
    assert apart(things, things) == ([], [])

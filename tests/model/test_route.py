"""What a route reaches, whichever way it chooses."""

from __future__ import annotations

from api_gateway_service_mesh.model import Mirror, SplitTarget
from tests.support.routes import route

SHADOW = Mirror("ex:shadow", "ex:copies")


def test_one_service() -> None:
    plain = route("r", "/", upstream="ex:s", subset=("eu",), mirrors=(SHADOW,))
    assert plain.targets == (("ex:s", ("eu",)),)
    assert plain.upstreams == ("ex:s",)
    assert plain.reached == ("ex:s", "ex:copies")


def test_splits_take_the_place_of_the_service_whatever_their_share_is() -> None:
    splits = (
        SplitTarget("ex:stable", "ex:old", 100),
        SplitTarget("ex:canary", "ex:new", 0, subset=("v2",)),
        SplitTarget("ex:again", "ex:old", 0),
    )
    shared = route("r", "/", upstream="ex:fallback", splits=splits, subset=("eu",))
    assert shared.targets == (("ex:old", ("eu",)), ("ex:new", ("eu", "v2")), ("ex:old", ("eu",)))
    assert shared.upstreams == shared.reached == ("ex:old", "ex:new")


def test_nowhere() -> None:
    assert route("r", "/").targets == route("r", "/").upstreams == ()
    assert route("r", "/", mirrors=(SHADOW,)).reached == ("ex:copies",)

"""Routes on their way into a configuration: what they add to it, and what of it they speak of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pyoxigraph import Literal, Triple

from api_gateway_service_mesh.errors import ConfigError, Finding
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.terms import Term, lexical
from api_gateway_service_mesh.vocabulary import AGW, RDF_TYPE

from .config import RouteConfig
from .triples import route_iri, route_triples, service_iri, service_triples

__all__ = ["Draft", "gateways_of"]


def gateways_of(source: SourceGraph) -> list[str]:
    """The IRIs of the gateways that `source` declares."""
    return [
        lexical(subject)
        for subject, predicate, value in source.rows
        if predicate.value == RDF_TYPE and lexical(value) == AGW.ApiGateway
    ]


class Draft:
    """Collects the ``triples`` of new routes.

    Args:
        source: the configuration they are for.
        added: routes that were added before, by method and path. It is not changed; ``added`` is a copy that grows.
        gateway: the gateway that is to have them; None where the graph names none.
        in_mesh: whether new services live in the service mesh.
    """

    def __init__(
        self, source: SourceGraph, added: Mapping[tuple[str, str], str], gateway: str | None, *, in_mesh: bool
    ) -> None:
        self.triples: list[Triple] = []
        self.added = dict(added)
        self._source = source
        self._gateway = gateway
        self._in_mesh = in_mesh
        self._taken = {lexical(subject) for subject, _, _ in source.rows}
        self._services = {
            value.value: lexical(subject)
            for subject, predicate, value in source.rows
            if predicate.value == AGW.address and isinstance(value, Literal)
        }

    def add(self, config: RouteConfig) -> str:
        """Add a route; a backend that the source or an earlier route has is shared. The route's IRI.

        Raises:
            ConfigError: there is a route for this method and path.
        """
        key = (config.method.upper(), config.path)
        if key in self.added:
            raise ConfigError(
                Finding(
                    "conflicting-routes",
                    f"there is a route for {key[0]} {key[1]} already: {self.added[key]}",
                    subject=self.added[key],
                    predicate=AGW.routePath,
                    value=config.path,
                    remedy="change its path or method; shares of one route's traffic are said with agw:hasTrafficSplit",
                )
            )
        service = self._services.get(config.backend_service)
        if service is None:
            service = self._services[config.backend_service] = service_iri(config.backend_service, self._taken)
            self._add(service_triples(service, config.backend_service, in_mesh=self._in_mesh))
        iri = self.added[key] = route_iri(config, self._taken)
        self._add(route_triples(iri, config, service, self._gateway))
        return iri

    def _add(self, triples: Iterator[Triple]) -> None:
        for triple in triples:
            self.triples.append(triple)
            self._taken.add(lexical(triple.subject))

    def alone(self) -> SourceGraph:
        """The new triples with what the source says of the things they speak of, and of what those point at in turn.

        Everything that can be wrong with the new routes is wrong here too, however many routes there are beside them.
        """
        known: dict[Term, list[Triple]] = {}
        for triple in self._source.triples:
            known.setdefault(triple.subject, []).append(triple)
        context: list[Triple] = []
        todo: list[Term] = [term for triple in self.triples for term in (triple.subject, triple.object)]
        while todo:
            for triple in known.pop(todo.pop(), ()):
                if triple.predicate.value != AGW.hasRoute:  # the routes of before have been judged
                    context.append(triple)
                    todo.append(triple.object)
        triples = tuple(dict.fromkeys((*context, *self.triples)))
        # The documents stay: relative file names start at the folder of the file that states them.
        source = self._source
        rows = [(s, p, o) for s, p, o in triples]
        return SourceGraph(rows, triples, source.documents, source.prefixes, source.findings)

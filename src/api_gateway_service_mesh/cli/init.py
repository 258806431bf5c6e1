"""``agw init``."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import AgwError
from .writing import write_new

__all__ = ["SCAFFOLD", "command"]

SCAFFOLD = """\
# A first gateway. Check it:  agw validate {name}      Serve it:  agw serve {name}
# Every agw: term is explained in the ontology; a misspelt one is an error with a suggestion.
@prefix agw: <https://ggen.ai/ontology/api-gateway#> .
@prefix ex:  <http://example.org/gateway#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .

ex:gateway a agw:ApiGateway ;
    agw:hasListener [ a agw:Listener ; agw:port 8080 ] ;
    agw:hasRoute ex:hello, ex:users .

# Everything below /hello, whatever the method.
ex:hello a agw:Route ;
    agw:routePath "/hello/*" ;
    agw:hasBackendService ex:helloService .

# One user: 50 requests a second for each client address, tried twice more when the backend
# cannot be reached, cut off after 2 seconds, and left alone for 10 once it failed 5 times in a row.
ex:users a agw:Route ;
    agw:routePath "/api/v1/users/{{id}}" ;
    agw:httpMethod "GET" ;
    agw:hasBackendService ex:usersService ;
    agw:hasRateLimiter [ a agw:RateLimiter ;
        agw:requestsPerSecond 50 ; agw:burstSize 100 ; agw:limitKey "client-address" ] ;
    agw:hasRetryPolicy [ a agw:RetryPolicy ; agw:retryAttempts 2 ; agw:initialDelayMs 25 ; agw:backoffMultiplier 2.0 ] ;
    agw:hasTimeout [ a agw:Timeout ; agw:timeoutSeconds 2 ] ;
    agw:hasCircuitBreaker [ a agw:CircuitBreaker ;
        agw:failureThreshold 5 ; agw:timeoutSeconds 10 ; agw:halfOpenRequests 1 ] .

ex:helloService a agw:BackendService ; agw:address "127.0.0.1:9001" .

ex:usersService a agw:BackendService ;
    agw:hasInstance [ a agw:ServiceInstance ; agw:address "127.0.0.1:9002" ] ,
                    [ a agw:ServiceInstance ; agw:address "127.0.0.1:9003" ] .
"""


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
def command(folder: Path) -> int:
    """Write FOLDER/gateway.ttl, a small commented configuration to start from. Never overwrites."""
    path = folder / "gateway.ttl"
    try:
        write_new(path, SCAFFOLD.format(name=path))
    except FileExistsError:
        raise AgwError(
            f"{path} is there already and stays as it is", remedy="name another folder, or move the file away"
        ) from None
    click.echo(f"wrote {path}")
    click.echo(f"next: agw validate {path} && agw serve {path}")
    return 0

# A slip: the paths go, and with them the routes. It is refused, with a report, and nothing changes.
PREFIX agw: <https://ggen.ai/ontology/api-gateway#>
DELETE WHERE { ?route agw:routePath ?path }

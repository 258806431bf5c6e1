# Every timeout twice as long.
PREFIX agw: <https://ggen.ai/ontology/api-gateway#>
DELETE { ?timeout agw:timeoutSeconds ?before }
INSERT { ?timeout agw:timeoutSeconds ?after }
WHERE  { ?timeout agw:timeoutSeconds ?before BIND(?before * 2 AS ?after) }

"""The control plane of Envoys: what they are to serve, over one gRPC stream each (xDS, aggregated).

Rules of this package: `goal` is what an Envoy is to have; `conversation` decides what is said next and never waits
(state of the world and delta alike); `server` alone knows gRPC; `encode` alone knows protobuf. grpcio and xds-protos
are the extra ``xds``.

The order in which things are said (make before break): clusters and endpoints, then listeners, then routes, and last
the clusters that nobody needs any more. What an Envoy refuses is told once, is an alarm, and is not said again.
"""

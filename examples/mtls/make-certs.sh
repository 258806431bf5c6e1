#!/bin/sh
# Make an authority, and certificates for the gateway, the ledger and one caller, in certs/ beside this file.
set -eu
cd "$(dirname "$0")"
agw=${AGW:-agw}
$agw cert ca -d certs --name "vault example authority"
$agw cert issue -d certs --name gateway.localhost --name 127.0.0.1 --uri spiffe://vault.example/gateway
$agw cert issue -d certs --name ledger.localhost --uri spiffe://vault.example/ledger
$agw cert issue -d certs --name teller.localhost --uri spiffe://vault.example/teller
$agw cert status -d certs

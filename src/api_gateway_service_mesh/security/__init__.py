"""Who is who: TLS from the model and what certificates say, tokens and keys that callers show.

`tls` makes contexts, `material` reads and checks the files behind them, `facts` tells what a certificate says,
`authority` issues some. `authentication` decides about a route's callers: `token` takes apart what strangers send,
`jwk` judges an issuer's keys, `jwks` keeps them fresh, `jwt` checks and remembers tokens, `api_key` looks up keys.

Rules of this package: private keys are resolved here alone and never printed; no token or key ever stands in a message,
a log or an error; what cannot be checked is refused; joserfc does the cryptography of tokens and nothing else.
"""

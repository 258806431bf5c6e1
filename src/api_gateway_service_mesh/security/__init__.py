"""TLS from the model: contexts, what certificates say, and a small authority.

`tls` makes contexts, `material` reads and checks the files behind them, `facts` tells what a certificate says,
`authority` issues some. Private keys are resolved here alone and never printed.
"""

"""A stand-in for an identity provider: makes a key, publishes it in jwks.json, prints a token that ends in an hour.

python examples/auth/issue.py alice orders:write
"""

import json
import sys
import time
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey

name = sys.argv[1] if len(sys.argv) > 1 else "alice"
scope = " ".join(sys.argv[2:])
now = int(time.time())  # noqa: TID251 - a token's dates are dates
key = ECKey.generate_key("P-256", {"kid": f"made-{now}", "use": "sig", "alg": "ES256"})

keys = Path(__file__).with_name("jwks.json")
known = json.loads(keys.read_text())["keys"]
keys.write_text(json.dumps({"keys": [*known[-3:], key.as_dict(private=False)]}, indent=2) + "\n")

claims = {"iss": "https://id.orders.example/", "aud": "orders", "sub": name, "iat": now, "exp": now + 3600}
print(jwt.encode({"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}, {**claims, "scope": scope}, key))

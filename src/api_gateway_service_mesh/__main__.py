"""``python -m api_gateway_service_mesh`` is ``agw``."""

from .cli import main

if __name__ == "__main__":
    main()

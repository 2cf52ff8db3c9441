#!/usr/bin/env python3
import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036  # says so instead of a SyntaxError
    sys.exit(f"Spot Optimizer needs Python 3.11 or newer; this is {sys.version.split()[0]}.")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spot_optimizer.settings")
    from django.core.management import execute_from_command_line

    from spot_optimizer.bootstrap.secrets import check_environment, generate_missing_secrets

    generate_missing_secrets()
    check_environment()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()

"""Reads, writes and removes a secret of the deployment (`npx sls peer-keys` runs it where JavaScript has no client).

The value goes through standard input and output only: arguments are seen by everybody on the machine.
"""

import argparse
import importlib
import json
import sys

from core.errors import StepError

_VALUE_MAX_BYTES = 65_536  # "AWS Secrets Manager quotas" (User Guide)


def main(arguments: list[str]) -> int:
    """Run one verb. `read` prints {"value", "version"}, or null. Returns the exit status: 0 done, 1 not done."""
    options = _parser().parse_args(arguments)
    make_secret = importlib.import_module(f"providers.{options.cloud}.secret").make_secret
    try:
        secret = make_secret(name=options.name, stack=options.stack)
        match options.verb:
            case "read":
                found = secret.read()
                print(json.dumps(None if found is None else {"value": found.value, "version": found.version}))
            case "write":
                secret.write(sys.stdin.read(_VALUE_MAX_BYTES))
            case _:
                secret.remove()
    except StepError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m handlers.secret", description="a secret of the deployment")
    parser.add_argument("verb", choices=("read", "write", "remove"))
    parser.add_argument("--cloud", required=True, choices=("aws",))
    parser.add_argument("--name", required=True)
    parser.add_argument("--stack", required=True, help="whose it is")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

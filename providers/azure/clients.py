"""The services' clients: made when first used, once for each service, and kept while the function is warm."""

import os
from functools import cache

from providers.azure.account import Account, Service, read_account
from providers.azure.rest import Storage

SETTING = "SLUICE_STORAGE"


def blobs() -> Storage:
    return _client(Service.BLOB)


def queues() -> Storage:
    return _client(Service.QUEUE)


def tables() -> Storage:
    return _client(Service.TABLE)


@cache
def _client(service: Service) -> Storage:
    return Storage(_account(), service)


@cache
def _account() -> Account:
    return read_account(os.environ, setting=SETTING)

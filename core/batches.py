"""Messages for queues that take several in one request, up to a count and a size."""

from collections.abc import Iterator, Sequence


def batches(bodies: Sequence[str], *, max_count: int, max_bytes: int) -> Iterator[list[str]]:
    """Yield the bodies in their order, as many at once as both limits allow; one that is too large goes alone."""
    batch: list[str] = []
    size_bytes = 0
    for body in bodies:
        body_bytes = len(body.encode())
        if batch and (len(batch) == max_count or size_bytes + body_bytes > max_bytes):
            yield batch
            batch, size_bytes = [], 0
        batch.append(body)
        size_bytes += body_bytes
    if batch:
        yield batch

"""What the ledger knows of deleted objects."""

from dataclasses import replace

from core.ports import Ledger
from core.record import record_of
from core.upload import Deleted, Deletion, Upload, deletion_id_of


def was_deleted(ledger: Ledger, upload: Upload) -> bool:
    """Whether this version was deleted, or its key after this version came.

    Raises:
        StepError: The ledger cannot be asked, or the deletion's row not read.
    """
    of_version = Deletion(
        deleted=Deleted.VERSION,
        cloud=upload.cloud,
        bucket=upload.bucket,
        key=upload.key,
        version=upload.version,
        sequencer="",
    )
    if ledger.get(deletion_id_of(of_version)):
        return True
    of_key = ledger.get(deletion_id_of(replace(of_version, deleted=Deleted.KEY, version="")))
    return of_key is not None and record_of(of_key).upload.sequencer > upload.sequencer

"""What can go wrong while a model is fetched and put in place."""

from kernel.errors import Conflict, Invalid, Unavailable


class DownloadFailed(Unavailable):
    """A file could not be fetched; what was fetched of it is kept, and the next try goes on from there."""

    code = "model_download_failed"


class WrongFile(Invalid):
    """A file is not the one that the catalogue names, or is damaged."""

    code = "model_file_wrong"


class StoreFull(Unavailable):
    """The disk has no room for the model."""

    code = "model_store_full"
    retryable = False


class StoreLocked(Conflict):
    """Another command is changing the same model at the moment."""

    code = "model_store_locked"

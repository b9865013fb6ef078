"""NiFi processor: files that arrive in a landing folder become FlowFiles."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import lake_objects
from nifiapi.flowfilesource import FlowFileSource, FlowFileSourceResult
from nifiapi.properties import ExpressionLanguageScope, PropertyDescriptor, StandardValidators

LIST_SECONDS = 5.0
"""Between two looks into the landing folder."""
AGAIN_SECONDS = 600.0
"""After which a file that is still not in bronze is fetched once more: somebody may have emptied a queue."""
IDLE_SECONDS = 0.5
"""How long a call waits that found nothing: NiFi calls again at once, so that files follow each other at once."""
LOOKS = 200
"""Files of which one call asks whether they are in bronze."""
AHEAD = 4
"""Files that are fetched while NiFi takes the one before: each at most lake_objects.LARGE in memory."""


class FetchLanding(FlowFileSource):
    """Fetches what is in the landing folder and not yet in bronze.

    Bronze itself is the memory of what has been done: each file has one key there, made from its name and content. So
    nothing is lost with NiFi's state, and a file that is fetched twice lands once.
    """

    class Java:
        implements = ["org.apache.nifi.python.processor.FlowFileSource"]

    class ProcessorDetails:
        version = "1.0.0"
        description = "Fetches files of an S3 landing folder that have not reached the bronze layer yet."
        tags = ["s3", "lake", "landing", "dataplatform"]

    LANDING_BUCKET = PropertyDescriptor(
        name="Landing Bucket",
        description="Bucket where files arrive",
        required=True,
        validators=[StandardValidators.NON_EMPTY_VALIDATOR],
        expression_language_scope=ExpressionLanguageScope.ENVIRONMENT,
    )
    LANDING_PREFIX = PropertyDescriptor(
        name="Landing Prefix",
        description="Folder in it, with a slash at the end",
        required=True,
        validators=[StandardValidators.NON_EMPTY_VALIDATOR],
        expression_language_scope=ExpressionLanguageScope.ENVIRONMENT,
    )
    BRONZE_BUCKET = PropertyDescriptor(
        name="Bronze Bucket",
        description="Bucket of the bronze layer",
        required=True,
        validators=[StandardValidators.NON_EMPTY_VALIDATOR],
        expression_language_scope=ExpressionLanguageScope.ENVIRONMENT,
    )
    BRONZE_PREFIX = PropertyDescriptor(
        name="Bronze Prefix",
        description="Folder of the data set in it, without a slash at the end",
        required=True,
        validators=[StandardValidators.NON_EMPTY_VALIDATOR],
        expression_language_scope=ExpressionLanguageScope.ENVIRONMENT,
    )

    def __init__(self, **_kwargs):
        super().__init__()
        self._s3 = None
        self._pool: ThreadPoolExecutor | None = None
        self._forget()

    def getPropertyDescriptors(self):
        return [self.LANDING_BUCKET, self.LANDING_PREFIX, self.BRONZE_BUCKET, self.BRONZE_PREFIX]

    def onScheduled(self, context):
        def value(descriptor):
            return context.getProperty(descriptor).evaluateAttributeExpressions().getValue()

        self._s3 = lake_objects.client()
        self._landing, self._folder = value(self.LANDING_BUCKET), value(self.LANDING_PREFIX)
        self._bronze, self._prefix = value(self.BRONZE_BUCKET), value(self.BRONZE_PREFIX)
        self._pool = ThreadPoolExecutor(AHEAD, thread_name_prefix="landing")
        self._forget()

    def onStopped(self, context):
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        if self._s3 is not None:
            self._s3.close()
        self._forget()

    def create(self, context):
        found = self._next()
        if found is None:
            time.sleep(IDLE_SECONDS)
            return None
        file, content = found
        copied = content is None
        self._fetched[file] = time.monotonic()
        return FlowFileSourceResult(
            "success",
            contents=content,
            attributes={
                "filename": file.name,
                "mime.type": "text/csv" if file.name.endswith(".csv") else "application/octet-stream",
                "landing.bucket": self._landing,
                "landing.key": file.key,
                "landing.etag": file.etag,
                "landing.bytes": str(file.bytes),
                # Content that is too large for this way stays in the store, which copies it itself.
                "landing.copy": "true" if copied else "false",
                "lake.key": file.bronze_key(self._prefix),
            },
        )

    def _forget(self):
        self._waiting: deque[lake_objects.Landed] = deque()
        self._ahead: deque[tuple[lake_objects.Landed, Future]] = deque()
        self._fetched: dict[lake_objects.Landed, float] = {}
        self._in_bronze: set[lake_objects.Landed] = set()
        self._listed = float("-inf")

    def _next(self) -> tuple[lake_objects.Landed, bytes | None] | None:
        """A file that is not in bronze, and its content unless that is too large; or None.

        Looks at a limited number of files, since NiFi waits meanwhile.
        """
        if not self._waiting and not self._ahead and time.monotonic() - self._listed >= LIST_SECONDS:
            self._list()
        for _ in range(LOOKS):
            while self._waiting and len(self._ahead) < AHEAD:
                file = self._waiting.popleft()
                self._ahead.append((file, self._pool.submit(self._look, file)))
            if not self._ahead:
                break
            file, looking = self._ahead.popleft()
            in_bronze, content = looking.result()
            if not in_bronze:
                return file, content
            self._fetched.pop(file, None)
            self._in_bronze.add(file)
        return None

    def _list(self):
        self._listed = time.monotonic()  # also when it fails: the next look waits
        files = list(lake_objects.landed(self._s3, self._landing, self._folder))
        self._in_bronze &= set(files)
        for file in files:
            since = self._listed - self._fetched.get(file, float("-inf"))
            if file not in self._in_bronze and since >= AGAIN_SECONDS:
                self._waiting.append(file)

    def _look(self, file: lake_objects.Landed) -> tuple[bool, bytes | None]:
        """Whether a file is in bronze, and its content if it is not and not too large."""
        if lake_objects.exists(self._s3, self._bronze, file.bronze_key(self._prefix)):
            return True, None
        if file.bytes > lake_objects.LARGE:
            return False, None
        # Another content under the same name is another file: the next look finds it.
        answer = self._s3.get_object(Bucket=self._landing, Key=file.key, IfMatch=f'"{file.etag}"')
        return False, answer["Body"].read()

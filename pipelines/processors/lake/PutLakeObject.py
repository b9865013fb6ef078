"""NiFi processor: one FlowFile becomes one immutable object of the lake."""

from __future__ import annotations

import lake_objects
from nifiapi.flowfiletransform import FlowFileTransform, FlowFileTransformResult
from nifiapi.properties import ExpressionLanguageScope, PropertyDescriptor, StandardValidators
from nifiapi.relationship import Relationship


class PutLakeObject(FlowFileTransform):
    """Writes the content under a key that the flow has set before, so that it is the same on every attempt.

    Whatever may succeed later raises: NiFi routes the FlowFile to `failure`, and the flow retries it for ever.
    """

    class Java:
        implements = ["org.apache.nifi.python.processor.FlowFileTransform"]

    class ProcessorDetails:
        version = "1.0.0"
        description = "Writes a FlowFile to S3 as one immutable object: checksums, no overwriting, at least once."
        tags = ["s3", "lake", "put", "dataplatform"]
        # boto3 comes with the host: see the role nifi, tasks/extensions.yml

    BUCKET = PropertyDescriptor(
        name="Bucket",
        description="Bucket of the lake's layer",
        required=True,
        validators=[StandardValidators.NON_EMPTY_VALIDATOR],
        expression_language_scope=ExpressionLanguageScope.FLOWFILE_ATTRIBUTES,
    )
    KEY = PropertyDescriptor(
        name="Object Key",
        description="Key of the object. Set it in an attribute upstream: it must not change between attempts",
        required=True,
        default_value="${lake.key}",
        validators=[StandardValidators.NON_EMPTY_VALIDATOR],
        expression_language_scope=ExpressionLanguageScope.FLOWFILE_ATTRIBUTES,
    )
    SPOOL = PropertyDescriptor(
        name="Spool Folder",
        description="Folder with content over 16 MB, put there by the flow in a file that lake.spool names",
        required=False,
        validators=[StandardValidators.ALWAYS_VALID],
        expression_language_scope=ExpressionLanguageScope.FLOWFILE_ATTRIBUTES,
    )

    def __init__(self, **_kwargs):
        super().__init__()
        self._s3 = None

    def getPropertyDescriptors(self):
        return [self.BUCKET, self.KEY, self.SPOOL]

    def getRelationships(self):
        return {
            Relationship("success", "The object is stored, and the store has checked its checksum"),
            Relationship("rejected", "Cannot succeed by trying again: a bad key, or one that holds other content"),
        }

    def onScheduled(self, context):
        self._s3 = lake_objects.client()

    def onStopped(self, context):
        if self._s3 is not None:
            self._s3.close()

    def transform(self, context, flowfile):
        try:
            stored = self._store(context, flowfile)
        except lake_objects.Rejected as error:
            self.logger.warn(f"rejected: {error}")
            return FlowFileTransformResult("rejected", attributes={"lake.error": str(error)[:500]})
        return FlowFileTransformResult(
            "success",
            attributes={
                "lake.bucket": stored.bucket,
                "lake.key": stored.key,
                "lake.content.id": stored.identity,
                "lake.bytes": str(stored.bytes),
                "lake.outcome": stored.outcome,
            },
        )

    def _store(self, context, flowfile) -> lake_objects.Stored:
        def value(descriptor):
            return context.getProperty(descriptor).evaluateAttributeExpressions(flowfile).getValue()

        bucket, key = value(self.BUCKET), lake_objects.checked_key(value(self.KEY))
        content_type = flowfile.getAttribute("mime.type")
        source = flowfile.getAttribute("landing.key")
        if source and flowfile.getAttribute("landing.copy") == "true":
            size, etag = int(flowfile.getAttribute("landing.bytes")), flowfile.getAttribute("landing.etag")
            landed = lake_objects.Landed(source, etag, size, "")
            return lake_objects.copy(self._s3, flowfile.getAttribute("landing.bucket"), landed, bucket, key)
        spooled = lake_objects.spool_file(value(self.SPOOL), flowfile.getAttribute("lake.spool"))
        if spooled is not None:
            stored = lake_objects.put_file(self._s3, bucket, key, spooled, content_type)
            lake_objects.remove(spooled)
            return stored
        return lake_objects.put_bytes(self._s3, bucket, key, flowfile.getContentsAsBytes(), content_type)

"""Object stores as sources: ``type: s3``, ``type: gcs`` and ``type: azure``.

======================  ====================================================================================
module                  holds
======================  ====================================================================================
`objects.settings`      what a configuration says of a bucket, checked without any SDK
`objects.aws`           credentials and region from the environment and from AWS's own files
`objects.stores`        obstore's clients, made of settings
`objects.failures`      a store's refusals as sentences, and what kind of error each is
`objects.request`       one signed request, with back-off; answers only whole ones
`objects.pages`         a page of ListObjectsV2, read strictly
`objects.bucket`        the seam of the three: what a bucket lists, and how it proves that it is the bucket
`objects.s3_bucket`     S3 and everything that speaks it
`objects.cloud_bucket`  Google Cloud Storage and Azure Blob Storage
`objects.keys`          keys as uris, and keys that are none
`objects.descriptions`  content types and user metadata, asked for once a version
`objects.connector`     what the connectors share: `list`, `stat`, `fetch`
`objects.services`      the three connectors
======================  ====================================================================================

`obstore` signs, fetches and finds credentials, and lists for Google and Azure. It does not list for S3: its
reader of pages takes any XML for an empty listing (that of another endpoint, of a portal), sees neither
``IsTruncated`` nor ``KeyCount``, shows ``/a``, ``a/`` and ``a`` as one, and fails for good at the first key
with an empty segment. Many services speak S3, and a listing cut short would be a deletion. So a page of S3 is
asked for by a url that obstore has signed, and read by `objects.pages`.

Invariants:

- **A listing proves its bucket.** An S3 page is a ``ListBucketResult`` of this bucket; a listing of the
  others ends with a question for a name that nobody has, to which only the bucket says ``NoSuchKey`` or
  ``BlobNotFound``.
- **A listing proves its end.** After the last key, one more request asks whether anything follows.
- **A key has one uri, and a uri one key.** The uri is the key below the prefix, spelled as file names are
  (`connectors.paths`). A key that no path can be is named in `Listing.unlisted`. An empty object whose key
  ends with a slash is a folder as consoles make them, and no document.
- **`stat` asks what `list` asks**, for one key. That a key is gone only the bucket's own answer says.
- **One version.** A body is read from one answer, resumed with the same ETag or not at all.

The token is the ETag, which every store changes with the bytes; with versioning on, the current version's.
Listings are sorted on disk: no store's order is relied on. Times are whole seconds: headers have no more.
"""

"""What boto3 does with buckets and objects, as it is configured by default: over plain HTTP, where it sends checksums ahead, and over TLS,
where they come behind the body. Takes the two addresses; key and secret by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""

import io
import os
import sys
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

calls = 0
MIB = 1 << 20


def check(what, holds):
    global calls
    calls += 1
    if not holds:
        raise SystemExit(f"boto3: {what} is not as it should be")


def refused(what, code, call):
    try:
        call()
    except ClientError as error:
        found = error.response["Error"]["Code"]
        check(f"{what}: {found}", found == code)
        return
    raise SystemExit(f"boto3: {what} was not refused")


def run(address, bucket):
    s3 = boto3.client(
        "s3", endpoint_url=address, region_name="auto", verify=os.environ.get("WASMYARD_S3_CA"),
        config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
    )
    sent = []
    s3.meta.events.register("before-send.s3", lambda request, **_: sent.append(dict(request.headers)))

    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "auto"})
    refused("the bucket again", "BucketAlreadyOwnedByYou", lambda: s3.create_bucket(Bucket=bucket))
    check("the buckets", bucket in [found["Name"] for found in s3.list_buckets()["Buckets"]])
    check("the bucket", s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 200)
    s3.get_bucket_location(Bucket=bucket)

    put = s3.put_object(Bucket=bucket, Key="a b/å+~", Body=b"0123456789", ContentType="text/x-own", Metadata={"by": "me"})
    is_trailed = "X-Amz-Trailer" in sent[-1]
    check("the form of the body", is_trailed == address.startswith("https"))
    check("the checksum that is kept", put.get("ChecksumCRC32") == "poTHxg==")
    got = s3.get_object(Bucket=bucket, Key="a b/å+~", ChecksumMode="ENABLED")
    check("the object", got["Body"].read() == b"0123456789" and got["ContentType"] == "text/x-own" and got["Metadata"] == {"by": "me"})
    check("its encoding", "ContentEncoding" not in got)
    check("its checksum", got["ChecksumCRC32"] == "poTHxg==" and got["ChecksumType"] == "FULL_OBJECT")
    head = s3.head_object(Bucket=bucket, Key="a b/å+~")
    check("the head", head["ContentLength"] == 10 and head["ETag"] == put["ETag"])
    part = s3.get_object(Bucket=bucket, Key="a b/å+~", Range="bytes=3-5")
    check("the range", part["Body"].read() == b"345" and part["ContentRange"] == "bytes 3-5/10")
    refused("an etag that it has not", "PreconditionFailed", lambda: s3.put_object(Bucket=bucket, Key="a b/å+~", Body=b"", IfNoneMatch="*"))
    refused("a key that is not there", "NoSuchKey", lambda: s3.get_object(Bucket=bucket, Key="none"))
    refused("another checksum", "BadDigest", lambda: s3.put_object(Bucket=bucket, Key="x", Body=b"x", ChecksumSHA256="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="))
    refused("the list of access", "NotImplemented", lambda: s3.get_object_acl(Bucket=bucket, Key="a b/å+~"))
    refused("a key of the caller's", "NotImplemented", lambda: s3.put_object(Bucket=bucket, Key="x", Body=b"x", Tagging="a=b"))
    check("the tags", s3.get_object_tagging(Bucket=bucket, Key="a b/å+~")["TagSet"] == [])
    for algorithm in ["CRC32", "SHA1", "SHA256"]:
        put = s3.put_object(Bucket=bucket, Key=f"sums/{algorithm}", Body=io.BytesIO(b"x" * 100_000), ChecksumAlgorithm=algorithm)
        got = s3.get_object(Bucket=bucket, Key=f"sums/{algorithm}", ChecksumMode="ENABLED")
        check(algorithm, got["Body"].read() == b"x" * 100_000 and got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"])

    # Larger than what is sent at once, in parts, and copied in parts.
    config = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=5 * MIB, max_concurrency=3)
    content = os.urandom(12 * MIB + 17)
    s3.upload_fileobj(io.BytesIO(content), bucket, "large", Config=config)
    head = s3.head_object(Bucket=bucket, Key="large", ChecksumMode="ENABLED")
    check("the object of parts", head["ContentLength"] == len(content) and head["ETag"].endswith('-3"'))
    check("its checksum of parts", head["ChecksumCRC32"].endswith("-3") and head["ChecksumType"] == "COMPOSITE")
    back = io.BytesIO()
    s3.download_fileobj(bucket, "large", back, Config=config)
    check("what came back", back.getvalue() == content)
    s3.copy({"Bucket": bucket, "Key": "large"}, bucket, "large copy", Config=config)
    check("the copy in parts", s3.get_object(Bucket=bucket, Key="large copy")["Body"].read() == content)
    s3.copy_object(Bucket=bucket, Key="small copy", CopySource={"Bucket": bucket, "Key": "a b/å+~"})
    check("the copy", s3.get_object(Bucket=bucket, Key="small copy")["Metadata"] == {"by": "me"})
    refused("a copy of another", "PreconditionFailed", lambda: s3.copy_object(
        Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": "large"}, CopySourceIfMatch="other"))
    upload = s3.create_multipart_upload(Bucket=bucket, Key="left")["UploadId"]
    refused("a range behind its end", "InvalidRange", lambda: s3.upload_part_copy(
        Bucket=bucket, Key="left", UploadId=upload, PartNumber=1, CopySource={"Bucket": bucket, "Key": "large"},
        CopySourceRange=f"bytes=0-{len(content)}"))
    check("the uploads", [found["UploadId"] for found in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload])
    s3.abort_multipart_upload(Bucket=bucket, Key="left", UploadId=upload)

    # Lists of both versions, page by page.
    expected = sorted(["a b/", "large", "large copy", "small copy", "sums/"])
    for call in ["list_objects", "list_objects_v2"]:
        pages = list(s3.get_paginator(call).paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2}))
        found = [row["Key"] for page in pages for row in page.get("Contents", [])]
        found += [row["Prefix"] for page in pages for row in page.get("CommonPrefixes", [])]
        check(call, sorted(found) == expected and len(pages) == 3)
        whole = getattr(s3, call)(Bucket=bucket, Prefix="sums/")
        check(f"{call} by prefix", [row["Size"] for row in whole["Contents"]] == [100_000] * 3)

    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "by url"}, ExpiresIn=60)
    if address.startswith("http:"):
        urllib.request.urlopen(urllib.request.Request(url, data=b"a visitor's", method="PUT", headers={"content-type": ""})).close()
        url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "by url"}, ExpiresIn=60)
        with urllib.request.urlopen(url) as answer:
            check("what a signed URL gives", answer.read() == b"a visitor's")
    keys = [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    check("what was deleted", sorted(row["Key"] for row in gone["Deleted"]) == sorted(keys))
    check("what is left", s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0)
    refused("the bucket deleted", "NotImplemented", lambda: s3.delete_bucket(Bucket=bucket))


for number, address in enumerate(sys.argv[1:]):
    run(address, f"boto-{number}")
print(f"boto3 {boto3.__version__}: {calls} checks, {len(sys.argv) - 1} addresses")

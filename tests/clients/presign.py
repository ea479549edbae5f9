"""Signs requests of the S3 protocol with the standard library alone: `presign.py METHOD URL KEY SECRET TIME EXPIRES` prints a
URL that is signed; `presign.py METHOD URL KEY SECRET TIME header SHA256 [NAME:VALUE]...` prints the fields to send."""

import hashlib
import hmac
import sys
from urllib.parse import parse_qsl, quote, urlsplit

method, url, key, secret, time, how, *rest = sys.argv[1:]
parts = urlsplit(url)
day, region = time[:8], "auto"
scope = f"{day}/{region}/s3/aws4_request"


def mac(secret_key, text):
    return hmac.new(secret_key, text.encode(), hashlib.sha256).digest()


def signature(query, fields, payload):
    names = ";".join(sorted(fields))
    lines = "".join(f"{name}:{fields[name]}\n" for name in sorted(fields))
    pairs = "&".join(sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query))
    canonical = "\n".join([method, parts.path, pairs, lines, names, payload])
    text = "\n".join(["AWS4-HMAC-SHA256", time, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    signing = ("AWS4" + secret).encode()
    for part in [day, region, "s3", "aws4_request"]:
        signing = mac(signing, part)
    return hmac.new(signing, text.encode(), hashlib.sha256).hexdigest(), names


query = parse_qsl(parts.query, keep_blank_values=True)
if how == "header":
    payload, *more = rest
    fields = dict(field.split(":", 1) for field in more)
    fields |= {"host": parts.netloc, "x-amz-date": time, "x-amz-content-sha256": payload}
    made, names = signature(query, fields, payload)
    print(f"x-amz-date:{time}")
    print(f"x-amz-content-sha256:{payload}")
    for field in more:
        print(field)
    print(f"authorization:AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={made}")
else:
    query += [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"), ("X-Amz-Credential", f"{key}/{scope}"), ("X-Amz-Date", time),
        ("X-Amz-Expires", how), ("X-Amz-SignedHeaders", "host"),
    ]
    made, _ = signature(query, {"host": parts.netloc}, "UNSIGNED-PAYLOAD")
    print(url.split("?")[0] + "?" + "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in query) + f"&X-Amz-Signature={made}")

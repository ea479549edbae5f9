import { AwsClient, AwsV4Signer } from "aws4fetch";

// Names and keys of the documentation of the service: they open nothing.
const keys = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };

export default {
  async fetch(request) {
    const path = new URL(request.url).pathname;
    if (path === "/query") {
      const signer = new AwsV4Signer({ ...keys, url: "https://bucket.s3.amazonaws.com/a%20key?x=1", method: "GET", service: "s3", region: "us-east-1", datetime: "20150830T123600Z", signQuery: true });
      const { url, method } = await signer.sign();
      return Response.json({ url: url.href, method });
    }
    if (path === "/client") {
      const client = new AwsClient({ ...keys, service: "s3", region: "eu-west-1" });
      const signed = await client.sign("https://bucket.s3.eu-west-1.amazonaws.com/object", { method: "PUT", body: "content", headers: { "x-amz-meta-a": "b" }, aws: { datetime: "20200101T000000Z" } });
      return Response.json({ url: signed.url, method: signed.method, headers: [...signed.headers].sort(), body: await signed.text() });
    }
    const signer = new AwsV4Signer({ ...keys, url: "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8" }, service: "iam", region: "us-east-1", datetime: "20150830T123600Z", allHeaders: true });
    const { headers } = await signer.sign();
    return new Response(headers.get("authorization"));
  },
};

export const asks = [["/"], ["/query"], ["/client"]];
// The example of the service's own documentation.
export const says = { "/": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7" };

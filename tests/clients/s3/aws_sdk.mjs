// What @aws-sdk/client-s3 and lib-storage do with buckets and objects, as they are configured by default. Takes the address; key and
// secret by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.env.WASMYARD_AWS_MODULES, 'index.js'));
const sdk = require('@aws-sdk/client-s3');
const { Upload } = require('@aws-sdk/lib-storage');
const { getSignedUrl } = require('@aws-sdk/s3-request-presigner');
const { version } = JSON.parse(readFileSync(require.resolve('@aws-sdk/client-s3/package.json')));

const [endpoint, folder] = process.argv.slice(2);
const client = new sdk.S3Client({ endpoint, region: 'auto', forcePathStyle: true, maxAttempts: 1 });
const sent = [];
client.middlewareStack.add(
  (next) => (request) => {
    sent.push(request.request.headers);
    return next(request);
  },
  { step: 'finalizeRequest', priority: 'low' },
);
const Bucket = 'aws-sdk';
let calls = 0;

function check(what, holds) {
  calls += 1;
  if (!holds) throw new Error(`aws-sdk: ${what} is not as it should be`);
}
const send = (name, input) => client.send(new sdk[`${name}Command`]({ Bucket, ...input }));
async function refused(what, name, call) {
  try {
    await call();
  } catch (error) {
    return check(`${what}: ${error.name}`, error.name === name);
  }
  throw new Error(`aws-sdk: ${what} was not refused`);
}

await send('CreateBucket');
await send('HeadBucket');
await send('GetBucketLocation');
check('the buckets', (await client.send(new sdk.ListBucketsCommand({}))).Buckets.some(({ Name }) => Name === Bucket));
const put = await send('PutObject', { Key: 'a b/å', Body: '0123456789', Metadata: { by: 'me' } });
check('the checksum that is kept', put.ChecksumCRC32 === 'poTHxg==');
const got = await send('GetObject', { Key: 'a b/å' });
check('the object', (await got.Body.transformToString()) === '0123456789' && got.Metadata.by === 'me');
check('its checksum', got.ChecksumCRC32 === 'poTHxg==');
check('the range', (await (await send('GetObject', { Key: 'a b/å', Range: 'bytes=-2' })).Body.transformToString()) === '89');
check('the head', (await send('HeadObject', { Key: 'a b/å' })).ContentLength === 10);
await refused('a key that is not there', 'NoSuchKey', () => send('GetObject', { Key: 'none' }));
await refused('another checksum', 'BadDigest', () => send('PutObject', { Key: 'x', Body: 'x', ChecksumCRC32: 'AAAAAA==' }));

// A stream comes in chunks, with its checksum behind it.
const content = randomBytes(12 * 2 ** 20 + 17);
const file = join(folder, 'content');
writeFileSync(file, content);
for (const algorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']) {
  const made = await send('PutObject', {
    Key: `streams/${algorithm}`, Body: createReadStream(file), ContentLength: content.length, ChecksumAlgorithm: algorithm,
  });
  const headers = sent.at(-1);
  check('the form of the body', headers['x-amz-content-sha256'] === 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' && headers['x-amz-trailer']);
  const back = await send('GetObject', { Key: `streams/${algorithm}`, ChecksumMode: 'ENABLED' });
  check(algorithm, content.equals(Buffer.from(await back.Body.transformToByteArray())));
  check(`${algorithm} kept`, made[`Checksum${algorithm}`] && back[`Checksum${algorithm}`] === made[`Checksum${algorithm}`]);
  check('its encoding', back.ContentEncoding === undefined);
}
await refused('fewer bytes than announced', 'IncompleteBody', () =>
  send('PutObject', { Key: 'x', Body: createReadStream(file, { end: 99 }), ContentLength: 1_000 }));

const large = new Upload({ client, params: { Bucket, Key: 'large', Body: createReadStream(file) }, partSize: 5 * 2 ** 20 });
const made = await large.done();
check('the object of parts', made.ETag.endsWith('-3"') && made.ChecksumCRC32.endsWith('-3'));
const whole = await send('GetObject', { Key: 'large' });
check('its content', content.equals(Buffer.from(await whole.Body.transformToByteArray())));

const { UploadId } = await send('CreateMultipartUpload', { Key: 'copied', ChecksumAlgorithm: 'CRC64NVME' });
const of = { Key: 'copied', UploadId, CopySource: `${Bucket}/large`, ChecksumAlgorithm: 'CRC64NVME' };
const first = await send('UploadPartCopy', { ...of, PartNumber: 1, CopySourceRange: `bytes=0-${6 * 2 ** 20 - 1}` });
const rest = await send('UploadPartCopy', { ...of, PartNumber: 2, CopySourceRange: `bytes=${6 * 2 ** 20}-${content.length - 1}` });
const Parts = [first, rest].map(({ CopyPartResult: { ETag } }, at) => ({ ETag, PartNumber: at + 1 }));
check('the parts', (await send('ListParts', { Key: 'copied', UploadId })).Parts.length === 2);
await send('CompleteMultipartUpload', { Key: 'copied', UploadId, MultipartUpload: { Parts } });
const copied = await send('GetObject', { Key: 'copied' });
check('the copy', content.equals(Buffer.from(await copied.Body.transformToByteArray())));

await send('CopyObject', { Key: 'one more', CopySource: encodeURI(`${Bucket}/a b/å`) });
const url = await getSignedUrl(client, new sdk.PutObjectCommand({ Bucket, Key: 'by url' }), { expiresIn: 60 });
check('the signed URL', (await fetch(url, { method: 'PUT', body: 'visited' })).status === 200);
const read = await getSignedUrl(client, new sdk.GetObjectCommand({ Bucket, Key: 'by url' }), { expiresIn: 60 });
check('what it gives', (await (await fetch(read)).text()) === 'visited');

const older = await send('ListObjects', { Delimiter: '/' });
check('the list of the first version', older.CommonPrefixes.length === 2 && older.Contents.length === 4);
const keys = [];
for await (const page of sdk.paginateListObjectsV2({ client, pageSize: 4 }, { Bucket })) keys.push(...page.Contents.map(({ Key }) => Key));
check('the list of the second', keys.length === 10);
const gone = await send('DeleteObjects', { Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true } });
check('what was deleted', gone.Deleted === undefined && gone.Errors === undefined);
check('what is left', (await send('ListObjectsV2')).KeyCount === 0);
console.log(`@aws-sdk/client-s3 ${version}: ${calls} checks`);
